// A lobby server of a test: started, killed, drained, and started again on the same port.

import { once } from "node:events";

import { freePort, start } from "./program.js";

const TOKEN = "operator-of-the-tests";

export class Lobby {
  /** `name` is lobby-server or lobby-epoll. Operators come in as well. */
  static async start(t, flags = [], name = "lobby-server") {
    const lobby = new Lobby();
    lobby.port = await freePort();
    lobby.operator = await freePort();
    lobby.again = () => {
      const listen = ["--listen", `127.0.0.1:${lobby.port}`, "--operator", `127.0.0.1:${lobby.operator}`];
      return start(t, name, [...listen, ...flags], lobby.port, { LOBBY_OPERATOR_TOKEN: TOKEN, RUST_LOG: "warn" });
    };
    lobby.program = await lobby.again();
    return lobby;
  }

  get page() {
    return `http://127.0.0.1:${this.port}/`;
  }

  url(user, lobby = "den", port = this.port) {
    return `ws://127.0.0.1:${port}/ws/${lobby}?token=${user}`;
  }

  /** Ends it, and waits until it has. */
  async end(signal) {
    const exited = once(this.program, "exit");
    this.program.kill(signal);
    await exited;
  }

  async restart() {
    this.program = await this.again();
  }

  async kick(user, code, reason) {
    const response = await fetch(`http://127.0.0.1:${this.operator}/requests`, {
      method: "POST",
      headers: { authorization: `Bearer ${TOKEN}` },
      body: JSON.stringify({ kick_user: { user, close: { code, reason } } }),
    });
    if (!response.ok) throw new Error(await response.text());
  }

  async stats() {
    return (await fetch(`http://127.0.0.1:${this.port}/stats`)).json();
  }
}
