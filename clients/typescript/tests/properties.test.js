// What holds whatever happens: random events, also of sockets long gone, and a clock that jumps.

import assert from "node:assert/strict";
import { test } from "node:test";

import fc from "fast-check";

import { advice } from "../dist/returning.js";
import { SETTINGS, World, events } from "./support/world.js";

const CODES = [1000, 1001, 1005, 1006, 1008, 1012, 1013, 4001, 4002, 4005, 4100];
const REASONS = ["", "replaced", "draining;retry=5000", "be nice;retry=90000", "x;retry=1"];
const RAW = [
  "",
  "{",
  '{"type":"health_ping","timestamp":5}',
  '{"type":"gap","dropped":1}',
  '{"type":"latency","user":"bob","milliseconds":1}',
  '{"type":"chat"}',
  new ArrayBuffer(3),
];

// Mostly the newest socket, sometimes one before or after it.
const which = fc.constantFrom(0, 0, 0, 0, -1, 1);
const step = fc.oneof(
  { weight: 15, arbitrary: fc.record({ does: fc.constant("opened"), which }) },
  { weight: 25, arbitrary: fc.record({ does: fc.constant("received"), which, raw: fc.constantFrom(...RAW) }) },
  {
    weight: 10,
    arbitrary: fc.record({
      does: fc.constant("ended"),
      which,
      code: fc.constantFrom(...CODES, 1006, 1006, 1006),
      reason: fc.constantFrom(...REASONS),
    }),
  },
  { weight: 25, arbitrary: fc.record({ does: fc.constant("passes"), time: fc.constantFrom(1, 600, 5e3, 46e3, 1e7) }) },
  { weight: 5, arbitrary: fc.record({ does: fc.constant("jumps"), time: fc.constantFrom(-1e7, -10, 10, 1e7) }) },
  { weight: 15, arbitrary: fc.record({ does: fc.constant("send"), writable: fc.boolean() }) },
  { weight: 15, arbitrary: fc.record({ does: fc.constantFrom("tick", "online", "offline", "connectNow") }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constant("close") }) },
);
// Never quite 0: a delay of nothing is due at once.
const random = fc.integer({ min: 1, max: 15 }).map((sixteenth) => sixteenth / 16);
const run = fc.array(fc.tuple(step, random), { maxLength: 60 });
const admission = fc.constantFrom("message", "upgrade");

/** A naive second view of what a machine does, which complains where that makes no sense. */
class Witness {
  newest = 0;
  /** The socket that was connected and has not ended, and how far it has come. */
  live = null;
  open = false;
  everOpen = false;
  over = false;
  accepted = [];
  sent = [];
  notBefore = Number.NEGATIVE_INFINITY;

  constructor(settings) {
    this.world = new World(settings);
  }

  step(what, random) {
    this.world.random = random;
    const socket = this.newest + (what.which ?? 0);
    switch (what.does) {
      case "jumps":
        // It has no idea of a clock that was set: what was advised before does not count any more then.
        this.notBefore = Number.NEGATIVE_INFINITY;
        this.world.now += what.time;
        return;
      case "passes":
        return this.pass(what.time);
      case "opened":
        if (this.live?.socket === socket) this.live.opened = true;
        return this.see(this.world.call("opened", socket));
      case "received":
        return this.hear(socket, what.raw);
      case "ended": {
        const mine = this.live?.socket === socket;
        if (mine) this.live = null;
        const out = this.world.call("ended", socket, what.code, what.reason);
        if (!mine) assert.deepEqual(out, [], "of a socket long gone");
        return this.see(out, mine ? what : null);
      }
      case "send":
        return this.send(what.writable);
      case "connectNow":
        this.notBefore = Number.NEGATIVE_INFINITY;
        return this.see(this.world.call("connectNow"));
      default:
        return this.see(this.world.call(what.does));
    }
  }

  pass(time) {
    const end = this.world.now + time;
    while (this.world.machine.deadline <= end) {
      this.world.now = Math.max(this.world.now, this.world.machine.deadline);
      this.see(this.world.call("tick"));
      assert.ok(this.world.machine.deadline > this.world.now, "a tick leaves nothing due");
    }
    this.world.now = end;
  }

  hear(socket, raw) {
    const heard = this.live?.socket === socket && this.live.opened;
    const out = this.world.call("received", socket, raw);
    if (!heard) assert.deepEqual(out, []);
    const pongs = out.filter((command) => command.do === "send" && String(command.data).includes("health_pong"));
    const isPing = heard && String(raw).includes("health_ping");
    assert.equal(pongs.length, isPing ? 1 : 0);
    if (isPing) assert.equal(out[0], pongs[0], "the pong comes first");
    this.see(out.filter((command) => command !== pongs[0]));
  }

  send(writable) {
    const data = String(this.accepted.length).padStart(6, "0");
    const atOnce = this.open && writable && this.sent.length === this.accepted.length;
    const out = this.world.call("send", data, writable);
    const became = this.world.result;
    assert.equal(became === "sent", atOnce);
    const full = this.accepted.length - this.sent.length >= SETTINGS.maxQueuedMessages;
    assert.equal(became === "refused", this.over || full, "for want of room alone");
    if (became !== "refused") this.accepted.push(data);
    this.see(out);
  }

  /** Checks what is to be done, which the end of a socket with this code may be the reason of. */
  see(out, ending = null) {
    assert.ok(!this.over || out.length === 0, "nothing comes after the end");
    for (const command of out) {
      assert.ok(!this.over, "nothing comes after the end");
      switch (command.do) {
        case "connect":
          assert.equal(this.live, null, "one socket at a time");
          assert.equal(command.socket, this.newest + 1);
          if (this.world.now < this.notBefore) assert.fail("it came back before the server said");
          this.newest += 1;
          this.live = { socket: command.socket, opened: false };
          break;
        case "drop":
          assert.equal(command.socket, this.live.socket);
          this.live = null;
          break;
        case "send":
          assert.ok(this.live.opened && command.socket === this.live.socket);
          assert.ok(this.open, "only once it is in");
          this.sent.push(command.data);
          break;
        case "emit":
          this.tell(command.emission, ending);
      }
    }
    const { machine } = this.world;
    assert.ok(machine.queued <= SETTINGS.maxQueuedMessages);
    assert.equal(machine.state === "closed", this.over);
    assert.equal(machine.state === "open", this.open);
    assert.deepEqual(this.sent, this.accepted.slice(0, this.sent.length), "in order, each once");
    if (!this.over) {
      assert.equal(this.sent.length + machine.queued, this.accepted.length, "none is lost");
      assert.ok(Number.isFinite(machine.deadline), "it never gets stuck");
    }
  }

  tell({ type, event }, ending) {
    if (type === "open") {
      assert.ok(!this.open);
      assert.equal(event.returned, this.everOpen);
      this.open = this.everOpen = true;
    } else if (type === "closed") {
      assert.equal(event.wasOpen, this.open);
      this.open = false;
      this.over = !event.willReturn;
      if (this.over) assert.equal(this.sent.length + event.unsent, this.accepted.length);
      else assert.equal(event.unsent, 0);
      if (ending) this.judge(event, advice(ending.code, ending.reason));
      else this.notBefore = Number.NEGATIVE_INFINITY;
    } else {
      assert.ok(this.open, `${type} while it is out`);
    }
  }

  judge({ willReturn, delay }, advised) {
    assert.equal(willReturn, advised.again);
    if (!willReturn) return;
    assert.ok(delay >= advised.after && delay <= advised.after + SETTINGS.longestDelay);
    this.notBefore = this.world.now + advised.after;
  }
}

test("no events, in whatever order, make it do nonsense", () => {
  fc.assert(
    fc.property(admission, run, (admission, steps) => {
      const witness = new Witness({ admission });
      witness.see(witness.world.call("start"));
      for (const [what, random] of steps) {
        witness.step(what, random);
      }
    }),
    { numRuns: 3_000, includeErrorInReport: true },
  );
});

test("whatever has happened, once the server is there again it is in again, unless it was told to stay away", () => {
  fc.assert(
    fc.property(run, (steps) => {
      const witness = new Witness({});
      witness.see(witness.world.call("start"));
      for (const [what, random] of steps) witness.step(what, random);
      // A silent link is given up, and no time to return is further away than this.
      while (!witness.over && (witness.live === null || witness.live.opened)) witness.pass(1_000);
      if (witness.over) return;
      witness.step({ does: "opened" }, 0.5);
      witness.step({ does: "received", raw: "{}" }, 0.5);
      assert.equal(witness.world.machine.state, "open");
    }),
    { numRuns: 500 },
  );
});

test("the same events at the same times give the same commands", () => {
  fc.assert(
    fc.property(run, (steps) => {
      const once = () => {
        const world = new World();
        const all = [world.call("start")];
        for (const [what, random] of steps) {
          world.random = random;
          if (what.does === "jumps") world.now += what.time;
          else if (what.does === "passes") all.push(world.pass(what.time));
          else if (what.does === "opened") all.push(world.call("opened", 1));
          else if (what.does === "received") all.push(world.call("received", 1, what.raw));
          else if (what.does === "ended") all.push(world.call("ended", 1, what.code, what.reason));
          else if (what.does === "send") all.push(world.call("send", "x", what.writable));
          else all.push(world.call(what.does));
        }
        return all.map(events);
      };
      assert.deepEqual(once(), once());
    }),
    { numRuns: 200 },
  );
});
