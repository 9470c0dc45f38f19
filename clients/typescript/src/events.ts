// What a client tells the application.

import type { Received } from "./messages.js";

/** The client is in: what is sent goes out at once. */
export interface OpenEvent {
  /** Whether it was in before. What was said meanwhile is lost: a `gap` follows. */
  returned: boolean;
}

/** The server said something, other than what the client understands itself. */
export interface MessageEvent {
  /** The JSON in it, not checked; `undefined` if it is none. Of a binary message the bytes. */
  data: unknown;
  /** As it came. */
  raw: Received;
}

/** A connection has ended, or an attempt at one. */
export interface ClosedEvent {
  /** The code of the close frame. 1006: there was none. 1000 also when the application closed the client. */
  code: number;
  /** Its reason, without the advice. Of 1006 the client's own: `silent`, `timeout`, `offline`, or none. */
  reason: string;
  /** Whether the client tries again. If not, this is its last event. */
  willReturn: boolean;
  /** After how many milliseconds; `null` if it does not. */
  delay: number | null;
  /** Whether the server had let it in. */
  wasOpen: boolean;
  /** How many messages waited and will never be sent: 0 if it returns. */
  unsent: number;
}

/** The server's measurement of somebody's round-trip time. */
export interface LatencyEvent {
  user: string;
  milliseconds: number;
}

/**
 * Something was missed: so many messages, left out since this client read too slowly, or whatever came while it was
 * away.
 */
export type GapEvent = { cause: "slow"; dropped: number } | { cause: "away"; milliseconds: number };

export interface Events {
  open: OpenEvent;
  message: MessageEvent;
  closed: ClosedEvent;
  latency: LatencyEvent;
  gap: GapEvent;
}

/** One of the events with its name. */
export type Emission = { [Type in keyof Events]: { type: Type; event: Events[Type] } }[keyof Events];
