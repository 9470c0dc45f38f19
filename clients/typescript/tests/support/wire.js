// Networks and servers that are bad on purpose.

import { createHash } from "node:crypto";
import { once } from "node:events";
import { connect, createServer } from "node:net";

async function listen(t, serve) {
  const sockets = new Set();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    serve(socket);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return server.address().port;
}

/** A proxy whose links can be cut in the middle: nothing goes through any more, and neither side is told. */
export async function proxy(t, port) {
  const links = new Set();
  const listening = await listen(t, (client) => {
    const server = connect(port, "127.0.0.1");
    server.on("error", () => client.destroy());
    t.after(() => server.destroy());
    client.pipe(server).pipe(client);
    links.add([client, server]);
  });
  return {
    port: listening,
    /** Cuts all links that there are. New ones are whole. */
    cut() {
      for (const [client, server] of links) {
        client.unpipe(server).pause();
        server.unpipe(client).pause();
      }
      links.clear();
    },
  };
}

/** A server that upgrades and then writes these bytes, each time the next; `null`: the end of the stream. */
export async function rawServer(t, ...answers) {
  return listen(t, async (socket) => {
    let head = "";
    while (!head.includes("\r\n\r\n")) head += (await once(socket, "data"))[0];
    const key = /^sec-websocket-key: (.*)\r$/im.exec(head)[1];
    const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
    const headers = ["upgrade: websocket", "connection: upgrade", `sec-websocket-accept: ${accept}`];
    socket.write(["HTTP/1.1 101 Switching Protocols", ...headers, "", ""].join("\r\n"));
    for (const part of answers.length > 1 ? answers.shift() : answers[0]) {
      if (part === null) socket.end();
      else socket.write(part);
    }
  });
}

/** A text frame of a server. */
export function frame(text) {
  const payload = Buffer.from(text);
  return Buffer.concat([Buffer.from([0x81, payload.length]), payload]);
}
