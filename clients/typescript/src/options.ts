// What can be set, and what it is if it is not.

import type { Settings } from "./machine.js";
import type { SocketConstructor } from "./socket.js";

/** Times are in milliseconds. */
export interface Options {
  /** The constructor of sockets, for want of a global one. */
  WebSocket?: SocketConstructor;
  /** The subprotocols to ask for. */
  protocols?: string | string[];
  /** The first delay is anything up to this, each following up to twice as much. Default 1,000. */
  firstDelay?: number;
  /** What delays grow to. Default 30,000. */
  longestDelay?: number;
  /** How long a socket may take to open. Default 10,000. */
  openTimeout?: number;
  /**
   * How long the server may say nothing until the link is given up: two intervals of its pings and a little.
   * `Infinity` for a server that pings in frames, which no page can see, or not at all. Default 45,000.
   */
  patience?: number;
  /**
   * What proves that the server has let the client in. Servers upgrade first and refuse then, so that a page can see
   * why: the first message of any kind is the proof. `upgrade` for a server that says nothing until it is spoken to.
   * Default `message`.
   */
  admission?: "message" | "upgrade";
  /** How many messages wait for a connection. Default 32. */
  maxQueuedMessages?: number;
  /** How many bytes they may have together. Default 65,536. */
  maxQueuedBytes?: number;
}

/** @throws RangeError for a number that is none, or below nothing */
export function settings(options: Options): Settings {
  const number = (name: keyof Settings & keyof Options, ordinary: number) => {
    const value = options[name] ?? ordinary;
    if (typeof value !== "number" || !(value >= 0)) throw new RangeError(`${name}: ${String(value)}`);
    return value;
  };
  return {
    firstDelay: number("firstDelay", 1_000),
    longestDelay: number("longestDelay", 30_000),
    openTimeout: number("openTimeout", 10_000),
    patience: number("patience", 45_000),
    admission: options.admission ?? "message",
    maxQueuedMessages: number("maxQueuedMessages", 32),
    maxQueuedBytes: number("maxQueuedBytes", 65_536),
  };
}
