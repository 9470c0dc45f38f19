// The driver: sockets, timers and handlers around the machine, which decides everything.

import type { Emission, Events } from "./events.js";
import { type Command, Machine, type Moment, type Sent, type State } from "./machine.js";
import type { Data } from "./queue.js";
import { type Options, settings } from "./options.js";
import type { Socket, SocketConstructor } from "./socket.js";

/** Where to connect to. A function is asked anew for each attempt: a token in it may have expired. */
export type Address = string | URL | (() => string | URL | Promise<string | URL>);

type Handler<Type extends keyof Events> = (event: Events[Type]) => void;

/** Timers take no more. */
const LONGEST_TIMER = 2 ** 31 - 1;
/** `WebSocket.OPEN`. */
const OPEN = 1;

/**
 * A connection that comes back. It begins at once, and its first event comes after the call has returned.
 *
 * @throws TypeError if there is no `WebSocket` here, and none was given
 * @throws RangeError for a setting that cannot be
 */
export function connect(address: Address, options: Options = {}): Client {
  return new Client(address, options);
}

export class Client {
  readonly #address: Address;
  readonly #Socket: SocketConstructor;
  readonly #protocols: string | string[];
  readonly #machine: Machine;
  readonly #handlers = new Map<keyof Events, Set<Handler<never>>>();
  readonly #listening = new AbortController();
  #socket: { number: number; socket: Socket } | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #out: Command[] = [];
  #carryingOut = false;

  /** Use `connect`. */
  constructor(address: Address, options: Options) {
    const Socket = options.WebSocket ?? (globalThis.WebSocket as SocketConstructor | undefined);
    if (!Socket) throw new TypeError("no WebSocket here: give one in the options (Node 20 has none)");
    this.#address = address;
    this.#Socket = Socket;
    this.#protocols = options.protocols ?? [];
    this.#machine = new Machine(settings(options));
    this.#listen();
    this.#do((moment, out) => this.#machine.start(moment, out));
  }

  /** `waiting` is between two attempts; `closed` is for ever. */
  get state(): State {
    return this.#machine.state;
  }

  /** How many messages wait for a connection. */
  get queued(): number {
    return this.#machine.queued;
  }

  /**
   * Calls `handler` at each event of this type, until the function that is returned is called. One that throws disturbs
   * nobody: what it threw goes to `reportError`, or where there is none to the console.
   */
  on<Type extends keyof Events>(type: Type, handler: Handler<Type>): () => void {
    const handlers = this.#handlers.get(type) ?? new Set();
    this.#handlers.set(type, handlers.add(handler as Handler<never>));
    return () => handlers.delete(handler as Handler<never>);
  }

  /**
   * Sends text and bytes as they are, anything else as JSON. While the client is not in, it waits in the queue; what
   * finds no room there is `refused`. What was `sent` may still be lost with its connection.
   *
   * @throws TypeError for what is no JSON either
   */
  send(message: unknown): Sent {
    const data = wire(message);
    return this.#do((moment, out) => {
      const writable = this.#socket?.socket.readyState === OPEN;
      return this.#machine.send(moment, data, writable, out);
    });
  }

  /** Tries again now, if it is waiting to. */
  connectNow(): void {
    this.#do((moment, out) => this.#machine.connectNow(moment, out));
  }

  /** Ends it for good: a last `closed`, and no event or attempt after that. */
  close(): void {
    // Called by a handler, there may be more to tell of what came before.
    this.#out = this.#out.filter((command) => command.do !== "emit");
    this.#do((moment, out) => this.#machine.close(moment, out));
  }

  #do<T>(act: (moment: Moment, out: Command[]) => T): T {
    const done = act({ now: Date.now(), random: Math.random() }, this.#out);
    // A handler that calls the client has its turn when what came before it has been done.
    if (!this.#carryingOut) this.#carryOut();
    return done;
  }

  #carryOut(): void {
    this.#carryingOut = true;
    for (let command = this.#out.shift(); command; command = this.#out.shift()) this.#obey(command);
    this.#carryingOut = false;
    this.#wait();
    if (this.#machine.state === "closed") this.#listening.abort();
  }

  #obey(command: Command): void {
    switch (command.do) {
      case "connect":
        void this.#open(command.socket);
        break;
      case "send":
        this.#send(command.socket, command.data);
        break;
      case "drop":
        if (this.#socket?.number !== command.socket) break;
        this.#socket.socket.close();
        this.#socket = null;
        break;
      case "emit":
        this.#emit(command.emission);
    }
  }

  async #open(number: number): Promise<void> {
    const closed = (code: number, reason: string) =>
      this.#do((moment, out) => this.#machine.ended(moment, number, code, reason, out));
    this.#socket = null;
    try {
      // Whoever calls `connect` listens only then.
      await null;
      const address = typeof this.#address === "function" ? this.#address() : this.#address;
      const url = String(await address);
      if (!this.#machine.wants(number)) return;
      const socket = new this.#Socket(url, this.#protocols);
      this.#socket = { number, socket };
      socket.binaryType = "arraybuffer";
      socket.addEventListener("open", () => this.#do((moment, out) => this.#machine.opened(moment, number, out)));
      socket.addEventListener("message", ({ data }) =>
        this.#do((moment, out) => this.#machine.received(moment, number, data as string | ArrayBuffer, out)),
      );
      socket.addEventListener("close", ({ code, reason }) => closed(code, reason));
      // A close follows, which says it all; but where errors without a listener are thrown, there must be one.
      socket.addEventListener("error", () => {});
    } catch (error) {
      closed(1006, error instanceof Error ? error.message : String(error));
    }
  }

  #send(number: number, data: Data): void {
    if (this.#socket?.number !== number) return;
    try {
      this.#socket.socket.send(data);
    } catch {
      // It has ended, and will say so.
    }
  }

  #emit({ type, event }: Emission): void {
    // A copy, since handlers come and go.
    for (const handler of [...(this.#handlers.get(type) ?? [])]) {
      try {
        handler(event as never);
      } catch (error) {
        report(error);
      }
    }
  }

  #wait(): void {
    clearTimeout(this.#timer);
    const { deadline } = this.#machine;
    if (deadline === Number.POSITIVE_INFINITY) return;
    const delay = Math.min(Math.max(deadline - Date.now(), 0), LONGEST_TIMER);
    this.#timer = setTimeout(() => this.#tick(), delay);
  }

  #tick(): void {
    this.#do((moment, out) => this.#machine.tick(moment, out));
  }

  /** Hears of the network and of waking up, where there is somebody who tells. */
  #listen(): void {
    const { signal } = this.#listening;
    const listen = (target: Partial<EventTarget> | undefined, type: string, act: () => void) =>
      target?.addEventListener?.(type, act, { signal });
    listen(globalThis, "online", () => this.#do((moment, out) => this.#machine.online(moment, out)));
    listen(globalThis, "offline", () => this.#do((moment, out) => this.#machine.offline(moment, out)));
    // The timers of a hidden tab are late.
    listen(globalThis, "pageshow", () => this.#tick());
    listen(globalThis.document, "visibilitychange", () => this.#tick());
    listen(globalThis.document, "resume", () => this.#tick());
  }
}

function wire(message: unknown): Data {
  if (typeof message === "string" || message instanceof ArrayBuffer || ArrayBuffer.isView(message)) {
    return message as Data;
  }
  const text: string | undefined = JSON.stringify(message);
  if (text === undefined) throw new TypeError("neither text nor bytes, and no JSON");
  return text;
}

function report(error: unknown): void {
  if (typeof globalThis.reportError === "function") globalThis.reportError(error);
  else console.error(error);
}
