// A machine with a clock that is set by hand.

import { Machine } from "../../dist/machine.js";

export const SETTINGS = {
  firstDelay: 1_000,
  longestDelay: 30_000,
  openTimeout: 10_000,
  patience: 45_000,
  admission: "message",
  maxQueuedMessages: 3,
  maxQueuedBytes: 20,
};

export class World {
  now = 1_000_000;
  random = 0.5;

  constructor(settings = {}) {
    this.machine = new Machine({ ...SETTINGS, ...settings });
  }

  /** Calls a method of the machine, and returns what is to be done. */
  call(method, ...input) {
    const out = [];
    this.result = this.machine[method]({ now: this.now, random: this.random }, ...input, out);
    return out;
  }

  /** Lets so much time pass, with a tick at each deadline, as a driver does that is never late. */
  pass(milliseconds) {
    const end = this.now + milliseconds;
    const out = [];
    while (this.machine.deadline <= end) {
      this.now = Math.max(this.now, this.machine.deadline);
      out.push(...this.call("tick"));
    }
    this.now = end;
    return out;
  }

  /** Starts, and is let in on socket 1. */
  enter() {
    this.call("start");
    this.call("opened", 1);
    this.call("received", 1, "{}");
  }
}

/** The events among these commands, as `[type, event]`. */
export function events(out) {
  return out.filter((command) => command.do === "emit").map(({ emission: { type, event } }) => [type, event]);
}

/** The one `closed` among these commands. */
export function closed(out) {
  const found = events(out).filter(([type]) => type === "closed");
  if (found.length !== 1) throw new Error(`${found.length} times closed`);
  return found[0][1];
}
