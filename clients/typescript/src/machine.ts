// The heart of the client: a state machine without timers, clock or randomness of its own. What happens comes in as
// calls, with the time and a random number; what is to be done goes out as commands. Like the server's `Manager`, it
// can be tested without waiting.

import { Clock } from "./clock.js";
import type { ClosedEvent, Emission } from "./events.js";
import { type Received, healthPong, meaning } from "./messages.js";
import { type Data, Queue } from "./queue.js";
import { advice, backoff, splitReason } from "./returning.js";

/** A reading of the driver's clock in milliseconds, and a random number of 0..1 for delays. */
export interface Moment {
  now: number;
  random: number;
}

/** What the driver is to do. Sockets are numbered: what is told of an old one changes nothing. */
export type Command =
  /** Open a socket. */
  | { do: "connect"; socket: number }
  | { do: "send"; socket: number; data: Data }
  /** Close the socket and forget it. */
  | { do: "drop"; socket: number }
  | { do: "emit"; emission: Emission };

/** What became of a message to send: on its way, waiting for a connection, or not taken. */
export type Sent = "sent" | "queued" | "refused";

export interface Settings {
  /** The first delay is anything up to this, in milliseconds as all times here; each following up to twice as much. */
  firstDelay: number;
  /** What delays grow to. */
  longestDelay: number;
  /** How long a socket may take to open. */
  openTimeout: number;
  /** How long the server may say nothing; `Infinity`: for ever. */
  patience: number;
  /** What proves that the server has let the client in: its first message, or the upgrade alone. */
  admission: "message" | "upgrade";
  maxQueuedMessages: number;
  maxQueuedBytes: number;
}

export type State = "connecting" | "open" | "waiting" | "closed";

type Phase =
  /** Before anything has been asked for. */
  | { is: "new" }
  | { is: "connecting"; socket: number; judge: Deadline }
  /** The socket is open; whether the client is in may not be known yet. */
  | { is: "linked"; socket: number; judge: Deadline; admittedAt: number | null }
  /** For the next attempt, `at` that time, and on a good occasion any time after `notBefore`. */
  | { is: "waiting"; at: number; notBefore: number }
  | { is: "closed" };

/** When a silent server is given up. */
interface Deadline {
  at: number;
  /** Whether it was put off since the client itself had been asleep. */
  putOff: boolean;
}

/** Who was in for so long has been well received: the next delay is a short one again. */
const WELL_RECEIVED = 5_000;
/** A tick that comes later than this was asleep: a tab in the background, the lid of a laptop. */
const OVERSLEPT = 1_000;
/** After that, time to hear what has come meanwhile and lies unread. */
const GRACE = 2_000;

export class Machine {
  readonly #settings: Settings;
  readonly #clock = new Clock();
  readonly #queue: Queue;
  #phase: Phase = { is: "new" };
  #sockets = 0;
  #attempts = 0;
  /** When the client was last in, if it has ever been. */
  #leftAt: number | null = null;

  constructor(settings: Settings) {
    this.#settings = settings;
    this.#queue = new Queue(settings.maxQueuedMessages, settings.maxQueuedBytes);
  }

  get state(): State {
    const phase = this.#phase;
    if (phase.is === "waiting" || phase.is === "closed") return phase.is;
    return phase.is === "linked" && phase.admittedAt !== null ? "open" : "connecting";
  }

  /** How many messages wait for a connection. */
  get queued(): number {
    return this.#queue.length;
  }

  /** Whether this is the socket that it opens or has open. */
  wants(socket: number): boolean {
    return socket === this.#socket();
  }

  /** When to call `tick`, as the driver's clock reads then; `Infinity`: never. */
  get deadline(): number {
    return this.#clock.readingAt(this.#due());
  }

  #due(): number {
    switch (this.#phase.is) {
      case "connecting":
      case "linked":
        return this.#phase.judge.at;
      case "waiting":
        return this.#phase.at;
      default:
        return Number.POSITIVE_INFINITY;
    }
  }

  /** Begins. */
  start(moment: Moment, out: Command[]): void {
    const now = this.#clock.read(moment.now);
    if (this.#phase.is === "new") this.#connect(now, out);
  }

  /** A socket has opened. */
  opened(moment: Moment, socket: number, out: Command[]): void {
    const now = this.#clock.read(moment.now);
    const phase = this.#phase;
    if (phase.is !== "connecting" || phase.socket !== socket) return;
    const judge = { at: now + this.#settings.patience, putOff: false };
    this.#phase = { is: "linked", socket, judge, admittedAt: null };
    if (this.#settings.admission === "upgrade") this.#admitted(now, out);
  }

  /** A whole message came in. */
  received(moment: Moment, socket: number, raw: Received, out: Command[]): void {
    const now = this.#clock.read(moment.now);
    const phase = this.#phase;
    if (phase.is !== "linked" || phase.socket !== socket) return;
    phase.judge = { at: now + this.#settings.patience, putOff: false };
    const what = meaning(raw);
    if (what.is === "health_ping") out.push({ do: "send", socket, data: healthPong(what.timestamp) });
    this.#admitted(now, out);
    switch (what.is) {
      case "latency":
        return emit(out, { type: "latency", event: { user: what.user, milliseconds: what.milliseconds } });
      case "gap":
        return emit(out, { type: "gap", event: { cause: "slow", dropped: what.dropped } });
      case "message":
        return emit(out, { type: "message", event: { data: what.data, raw } });
    }
  }

  /** A socket has ended, or could not be opened. */
  ended(moment: Moment, socket: number, code: number, reason: string, out: Command[]): void {
    const now = this.#clock.read(moment.now);
    if (this.wants(socket)) this.#lost(now, moment.random, code, reason, out);
  }

  /** Time has passed. Before the deadline this does nothing. */
  tick(moment: Moment, out: Command[]): void {
    const now = this.#clock.read(moment.now);
    const phase = this.#phase;
    if (now < this.#due()) return;
    if (phase.is === "waiting") this.#connect(now, out);
    if (phase.is !== "connecting" && phase.is !== "linked") return;
    const { judge } = phase;
    // Who was asleep cannot know who was silent. Once: in a hidden tab every tick is late.
    if (now > judge.at + OVERSLEPT && !judge.putOff) {
      phase.judge = { at: now + GRACE, putOff: true };
      return;
    }
    this.#giveUp(now, moment.random, phase.is === "linked" ? "silent" : "timeout", out);
  }

  /** The machine that this runs on has lost its network. */
  offline(moment: Moment, out: Command[]): void {
    const now = this.#clock.read(moment.now);
    this.#giveUp(now, moment.random, "offline", out);
  }

  /** It has one again: the next attempt is made soon, if the server did not say when. */
  online(moment: Moment, out: Command[]): void {
    const now = this.#clock.read(moment.now);
    this.#attempts = 0;
    const phase = this.#phase;
    if (phase.is !== "waiting") return;
    const soon = now + this.#backoff(moment.random);
    phase.at = Math.min(phase.at, Math.max(phase.notBefore, soon));
    this.tick(moment, out);
  }

  /** Somebody does not want to wait, whatever the server said. */
  connectNow(moment: Moment, out: Command[]): void {
    const now = this.#clock.read(moment.now);
    if (this.#phase.is === "waiting") this.#connect(now, out);
  }

  /** A message to send. `writable`: whether the socket takes any; one that is closing does not. */
  send(moment: Moment, data: Data, writable: boolean, out: Command[]): Sent {
    this.#clock.read(moment.now);
    const phase = this.#phase;
    if (phase.is === "closed") return "refused";
    // Behind one that waits because the socket is closing, the next waits as well.
    if (phase.is === "linked" && phase.admittedAt !== null && writable && this.#queue.length === 0) {
      out.push({ do: "send", socket: phase.socket, data });
      return "sent";
    }
    return this.#queue.push(data) ? "queued" : "refused";
  }

  /** The end. Nothing comes out any more after this, whatever comes in. */
  close(moment: Moment, out: Command[]): void {
    this.#clock.read(moment.now);
    if (this.#phase.is === "closed") return;
    const wasOpen = this.state === "open";
    const socket = this.#socket();
    if (socket !== null) out.push({ do: "drop", socket });
    this.#end({ code: 1000, reason: "", willReturn: false, delay: null, wasOpen }, out);
  }

  #socket(): number | null {
    return this.#phase.is === "connecting" || this.#phase.is === "linked" ? this.#phase.socket : null;
  }

  #connect(now: number, out: Command[]): void {
    this.#sockets += 1;
    const judge = { at: now + this.#settings.openTimeout, putOff: false };
    this.#phase = { is: "connecting", socket: this.#sockets, judge };
    out.push({ do: "connect", socket: this.#sockets });
  }

  /** The server has let the client in, if that is news. */
  #admitted(now: number, out: Command[]): void {
    const phase = this.#phase;
    if (phase.is !== "linked" || phase.admittedAt !== null) return;
    phase.admittedAt = now;
    const leftAt = this.#leftAt;
    emit(out, { type: "open", event: { returned: leftAt !== null } });
    if (leftAt !== null) emit(out, { type: "gap", event: { cause: "away", milliseconds: now - leftAt } });
    for (const data of this.#queue.takeAll()) out.push({ do: "send", socket: phase.socket, data });
  }

  /** The client ends a socket itself. 1006 is what WebSockets say of one that ended without a word. */
  #giveUp(now: number, random: number, why: "silent" | "timeout" | "offline", out: Command[]): void {
    const socket = this.#socket();
    if (socket === null) return;
    out.push({ do: "drop", socket });
    this.#lost(now, random, 1006, why, out);
  }

  #lost(now: number, random: number, code: number, reason: string, out: Command[]): void {
    const admittedAt = this.#phase.is === "linked" ? this.#phase.admittedAt : null;
    const wasOpen = admittedAt !== null;
    if (admittedAt !== null) {
      this.#leftAt = now;
      if (now - admittedAt >= WELL_RECEIVED) this.#attempts = 0;
    }
    const { what } = splitReason(reason);
    const advised = advice(code, reason);
    if (!advised.again) {
      this.#end({ code, reason: what, willReturn: false, delay: null, wasOpen }, out);
      return;
    }
    const delay = advised.after + (advised.exact ? 0 : this.#backoff(random));
    this.#attempts += 1;
    this.#phase = { is: "waiting", at: now + delay, notBefore: now + advised.after };
    emit(out, { type: "closed", event: { code, reason: what, willReturn: true, delay, wasOpen, unsent: 0 } });
  }

  #end(event: Omit<ClosedEvent, "unsent">, out: Command[]): void {
    this.#phase = { is: "closed" };
    emit(out, { type: "closed", event: { ...event, unsent: this.#queue.takeAll().length } });
  }

  #backoff(random: number): number {
    return backoff(this.#attempts, this.#settings.firstDelay, this.#settings.longestDelay, random);
  }
}

function emit(out: Command[], emission: Emission): void {
  out.push({ do: "emit", emission });
}
