// Real servers, which die, return, stop, kick and refuse: the same for a client in Node and for one in Chromium.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { browser, endBrowser, node, sleep } from "./support/hosts.js";
import { Lobby } from "../../../examples/browser/support/lobby.js";
import { frame, proxy, rawServer } from "./support/wire.js";

after(endBrowser);

/** Comes back soon, since a test waits for it. */
const SOON = { firstDelay: 50, longestDelay: 200 };

const scenarios = {
  "two chat, and each hears how far away the other is": async (t, host) => {
    const lobby = await Lobby.start(t);
    const ann = await host.connect(t, lobby.url("ann"));
    assert.deepEqual(await ann.next("open"), { returned: false });
    const bob = await host.connect(t, lobby.url("bob"));
    await bob.next("open");
    // The server greets with a ping, so the pong of each is what the other hears of.
    await ann.next("latency", ({ user }) => user === "bob");
    assert.equal(await bob.send({ type: "chat", text: "hello" }), "sent");
    assert.deepEqual(await ann.message("chat"), { type: "chat", from: "bob", text: "hello" });
  },

  "it answers pings, and stays": async (t, host) => {
    const lobby = await Lobby.start(t, ["--ping-interval", "60ms", "--ping-timeout", "50ms", "--max-missed", "40"]);
    const ann = await host.connect(t, lobby.url("ann"));
    for (let pings = 0; pings < 10; pings += 1) await ann.next("latency");
    const stats = await lobby.stats();
    assert.equal(stats.open_connections, 1);
    assert.equal(await ann.state(), "open");
  },

  "the server is killed: it returns, and what was written meanwhile arrives": async (t, host) => {
    const lobby = await Lobby.start(t);
    const ann = await host.connect(t, lobby.url("ann"), SOON);
    await ann.next("open");
    await lobby.end("SIGKILL");
    const { code, reason, willReturn, wasOpen } = await ann.next("closed");
    assert.deepEqual([code, reason, willReturn, wasOpen], [1006, "", true, true]);
    assert.equal(await ann.send({ type: "direct", to: "ann", text: "to myself" }), "queued");
    await ann.next("closed", ({ wasOpen }) => !wasOpen);
    await lobby.restart();
    assert.deepEqual(await ann.next("open"), { returned: true });
    assert.equal((await ann.next("gap")).cause, "away");
    assert.equal((await ann.message("direct")).text, "to myself");
  },

  "the server is killed again and again": async (t, host) => {
    const lobby = await Lobby.start(t);
    const ann = await host.connect(t, lobby.url("ann"), SOON);
    for (let round = 0; round < 4; round += 1) {
      assert.deepEqual(await ann.next("open"), { returned: round > 0 });
      await lobby.end("SIGKILL");
      await lobby.restart();
    }
  },

  "a link that is cut without a word is noticed, and replaced": async (t, host) => {
    const lobby = await Lobby.start(t, ["--ping-interval", "300ms", "--ping-timeout", "200ms"]);
    const link = await proxy(t, lobby.port);
    const ann = await host.connect(t, lobby.url("ann", "den", link.port), { ...SOON, patience: 2_000 });
    await ann.next("latency");
    link.cut();
    const { code, reason, willReturn } = await ann.next("closed");
    assert.deepEqual([code, reason, willReturn], [1006, "silent", true]);
    assert.deepEqual(await ann.next("open"), { returned: true });
  },

  "the server drains: it returns at the time that was meant for it": async (t, host) => {
    const lobby = await Lobby.start(t, ["--drain-every", "300ms"]);
    const ann = await host.connect(t, lobby.url("ann"), SOON);
    const bob = await host.connect(t, lobby.url("bob"), SOON);
    await Promise.all([ann.next("open"), bob.next("open")]);
    await lobby.end("SIGTERM");
    const delays = [];
    for (const client of [ann, bob]) {
      const { code, reason, willReturn, delay } = await client.next("closed");
      assert.deepEqual([code, reason, willReturn, Number.isInteger(delay)], [1012, "draining", true, true]);
      delays.push(delay);
    }
    await lobby.restart();
    for (const client of [ann, bob]) assert.deepEqual(await client.next("open"), { returned: true });
  },

  "a kick is for ever": async (t, host) => {
    const lobby = await Lobby.start(t);
    const ann = await host.connect(t, lobby.url("ann"), SOON);
    await ann.next("open");
    await lobby.kick("ann", 4100, "be nice");
    const { code, reason, willReturn } = await ann.next("closed");
    assert.deepEqual([code, reason, willReturn], [4100, "be nice", false]);
    assert.equal(await ann.state(), "closed");
    assert.equal(await ann.send("anything"), "refused");
  },

  "unless it says for how long": async (t, host) => {
    const lobby = await Lobby.start(t);
    const ann = await host.connect(t, lobby.url("ann"), SOON);
    await ann.next("open");
    await lobby.kick("ann", 4100, "be nice;retry=300");
    const { reason, willReturn, delay } = await ann.next("closed");
    assert.deepEqual([reason, willReturn, delay >= 300], ["be nice", true, true]);
    assert.deepEqual(await ann.next("open"), { returned: true });
  },

  "a full lobby is tried again, and what was written waits": async (t, host) => {
    const lobby = await Lobby.start(t, ["--max-per-lobby", "1"]);
    const ann = await host.connect(t, lobby.url("ann"));
    await ann.next("open");
    const bob = await host.connect(t, lobby.url("bob"));
    await bob.send({ type: "direct", to: "bob", text: "to myself" });
    const { code, reason, willReturn, delay, wasOpen } = await bob.next("closed");
    assert.deepEqual([code, reason, willReturn, delay >= 5_000, wasOpen], [4002, "lobby_full", true, true, false]);
    await ann.close();
    do await bob.connectNow();
    while ("code" in (await bob.next(["open", "closed"])));
    assert.equal((await bob.message("direct")).text, "to myself");
  },

  "who is not known, and who was replaced, stays away": async (t, host) => {
    const lobby = await Lobby.start(t, ["--max-per-user", "1", "--user-overflow", "replace-oldest"]);
    const nobody = await host.connect(t, lobby.url(""));
    const { code, willReturn } = await nobody.next("closed");
    assert.deepEqual([code, willReturn], [4001, false]);
    const old = await host.connect(t, lobby.url("ann"));
    await old.next("open");
    const young = await host.connect(t, lobby.url("ann"));
    await young.next("open");
    const replaced = await old.next("closed");
    assert.deepEqual([replaced.code, replaced.reason, replaced.willReturn], [4005, "replaced", false]);
    assert.equal(await young.state(), "open");
  },

  "half a frame and no JSON are survived": async (t, host) => {
    const hello = frame('{"type":"hello"}');
    const port = await rawServer(
      t,
      [frame("{"), hello.subarray(0, 7), null],
      [hello, hello.subarray(0, 1)],
      [Buffer.from([0xff, 0xff])],
      [hello],
    );
    const ann = await host.connect(t, `ws://127.0.0.1:${port}/`, { ...SOON, patience: 600 });
    assert.deepEqual(await ann.next("message"), { data: undefined, raw: "{" });
    assert.equal((await ann.next("closed")).code, 1006);
    await ann.message("hello");
    assert.equal((await ann.next("closed")).reason, "silent");
    assert.equal((await ann.next("closed")).willReturn, true);
    await ann.message("hello");
  },
};

/** What only a browser has. */
const ofPages = {
  "a page without a network drops its link, and returns when there is one": async (t) => {
    const lobby = await Lobby.start(t);
    const ann = await browser.connect(t, lobby.url("ann"), SOON);
    await ann.next("open");
    await ann.page.context().setOffline(true);
    const { code, willReturn } = await ann.next("closed");
    assert.deepEqual([code, willReturn], [1006, true]);
    await ann.page.context().setOffline(false);
    assert.deepEqual(await ann.next("open"), { returned: true });
  },

  "a page whose machine slept is in again when it wakes": async (t) => {
    const lobby = await Lobby.start(t, ["--ping-interval", "300ms", "--ping-timeout", "200ms"]);
    const ann = await browser.connect(t, lobby.url("ann"), { ...SOON, patience: 2_000 });
    await ann.next("latency");
    const wake = await sleep();
    try {
      // It does not answer, so the server gives it up.
      while ((await lobby.stats()).open_connections > 0) await new Promise((resolve) => setTimeout(resolve, 50));
    } finally {
      wake();
    }
    assert.equal((await ann.next("closed")).willReturn, true);
    assert.deepEqual(await ann.next("open"), { returned: true });
  },
};

function all(host, scenarios) {
  for (const [name, scenario] of Object.entries(scenarios)) {
    test(`${host.name}: ${name}`, { ...host.options, timeout: 60_000 }, (t) => scenario(t, host));
  }
}

all(node, scenarios);
all(browser, { ...scenarios, ...ofPages });
