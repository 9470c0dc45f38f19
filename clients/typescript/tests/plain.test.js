// A client that knows nothing of this package, or of lobbykeeper: it opens a WebSocket, speaks JSON and answers pings.

import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";

import WebSocket from "ws";

import { freePort, start } from "../../../examples/browser/support/program.js";

/** The whole of it. */
function plain(url) {
  const socket = new WebSocket(url);
  const client = { socket, heard: [], pings: 0, wake: () => {} };
  socket.onmessage = ({ data }) => {
    const message = parse(data);
    if (message.type === "health_ping") {
      socket.send(JSON.stringify({ type: "health_pong", timestamp: message.timestamp }));
      client.pings += 1;
    } else {
      client.heard.push(message);
    }
    client.wake();
  };
  return client;
}

function parse(data) {
  try {
    return JSON.parse(data);
  } catch {
    return { text: data };
  }
}

async function until(client, fits) {
  while (!fits()) await new Promise((resolve) => (client.wake = resolve));
}

const chat = (port, user) => `ws://127.0.0.1:${port}/ws/den?token=${user}`;
const EAGER = ["--ping-interval", "100ms", "--ping-timeout", "90ms", "--max-missed", "20"];

const SERVERS = [
  { name: "lobby-server", flags: (address) => ["--listen", address, ...EAGER], url: chat, says: "hello" },
  { name: "lobby-epoll", flags: (address) => ["--listen", address, ...EAGER], url: chat, says: "hello" },
  {
    name: "lobby-threads",
    flags: (address) => [address],
    url: (port, user) => `ws://127.0.0.1:${port}/den/${user}`,
    // It relays lines of text, whatever is in them, and pings in frames.
    says: 'ann: {"type":"chat","text":"hello"}',
    pingsInFrames: true,
  },
];

test("a plain old client works unchanged against every server", { timeout: 60_000 }, async (t) => {
  for (const server of SERVERS) {
    await t.test(server.name, async (t) => {
      const port = await freePort();
      await start(t, server.name, server.flags(`127.0.0.1:${port}`), port, { RUST_LOG: "warn" });
      const bob = plain(server.url(port, "bob"));
      const ann = plain(server.url(port, "ann"));
      t.after(() => [ann, bob].forEach(({ socket }) => socket.terminate()));
      await Promise.all([ann, bob].map(({ socket }) => once(socket, "open")));
      // Both are in once one hears the other: whoever is not in yet is told nothing.
      const said = () => bob.heard.some(({ text }) => text === server.says);
      while (!said()) {
        ann.socket.send(JSON.stringify({ type: "chat", text: "hello" }));
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      if (!server.pingsInFrames) await until(ann, () => ann.pings >= 5);
      assert.equal(ann.socket.readyState, WebSocket.OPEN);
      assert.equal(bob.socket.readyState, WebSocket.OPEN);
    });
  }
});
