// What the machine answers to what, without waiting.

import assert from "node:assert/strict";
import { test } from "node:test";

import { World, closed, events } from "./support/world.js";

const PING = '{"type":"health_ping","timestamp":17}';
const PONG = '{"type":"health_pong","timestamp":17}';
const HOUR = 3_600_000;

test("it connects, and is in with the server's first message", () => {
  const world = new World();
  assert.deepEqual(world.call("start"), [{ do: "connect", socket: 1 }]);
  assert.deepEqual(world.call("opened", 1), []);
  assert.equal(world.machine.state, "connecting");
  assert.deepEqual(events(world.call("received", 1, '{"type":"welcome"}')), [
    ["open", { returned: false }],
    ["message", { data: { type: "welcome" }, raw: '{"type":"welcome"}' }],
  ]);
  assert.equal(world.machine.state, "open");
});

test("it can be in with the upgrade alone", () => {
  const world = new World({ admission: "upgrade" });
  world.call("start");
  assert.deepEqual(events(world.call("opened", 1)), [["open", { returned: false }]]);
});

test("a health ping is answered before anything else, and is not told", () => {
  const world = new World();
  world.call("start");
  world.call("opened", 1);
  world.call("send", "waiting", true);
  assert.deepEqual(world.call("received", 1, PING), [
    { do: "send", socket: 1, data: PONG },
    { do: "emit", emission: { type: "open", event: { returned: false } } },
    { do: "send", socket: 1, data: "waiting" },
  ]);
});

test("latencies and gaps of the right shape are events of their own, all else is a message", () => {
  const world = new World();
  world.enter();
  const told = (raw) => events(world.call("received", 1, raw));
  assert.deepEqual(told('{"type":"latency","user":"bob","milliseconds":12.3}'), [
    ["latency", { user: "bob", milliseconds: 12.3 }],
  ]);
  assert.deepEqual(told('{"type":"gap","dropped":3}'), [["gap", { cause: "slow", dropped: 3 }]]);
  const bytes = new Uint8Array([1, 2]).buffer;
  assert.deepEqual(told(bytes), [["message", { data: bytes, raw: bytes }]]);
  for (const raw of ['{"type":"gap"}', '{"type":"health_ping"}', '{"type":"latency","user":1}', "[]", "null", '"x"']) {
    assert.deepEqual(told(raw), [["message", { data: JSON.parse(raw), raw }]]);
  }
  for (const raw of ["", "{", '{"type":"health_ping","timest', "\u0000"]) {
    assert.deepEqual(told(raw), [["message", { data: undefined, raw }]]);
  }
});

test("delays double up to the longest, each anything from nothing to that", () => {
  for (const random of [0, 0.25, 0.999]) {
    const world = new World();
    world.random = random;
    world.call("start");
    const delays = [1, 2, 3, 4, 5, 6, 7].map((socket) => {
      const { delay } = closed(world.call("ended", socket, 1006, ""));
      assert.deepEqual(world.pass(delay), [{ do: "connect", socket: socket + 1 }]);
      return delay;
    });
    const caps = [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000];
    assert.deepEqual(delays, caps.map((cap) => cap * random));
  }
});

test("who was in for a while begins again with a short delay, who was thrown out at once does not", () => {
  const delayAfter = (stay) => {
    const world = new World();
    world.call("start");
    for (let socket = 1; socket <= 4; socket += 1) {
      world.pass(closed(world.call("ended", socket, 1006, "")).delay);
    }
    world.call("opened", 5);
    world.call("received", 5, "{}");
    world.now += stay;
    return closed(world.call("ended", 5, 1006, "")).delay;
  };
  assert.equal(delayAfter(4_999), 8_000);
  assert.equal(delayAfter(5_000), 500);
});

test("it does not return before the advised time, and by chance later", () => {
  const world = new World();
  world.call("start");
  const event = closed(world.call("ended", 1, 4003, "user_limit;retry=5000"));
  assert.deepEqual(event, {
    code: 4003,
    reason: "user_limit",
    willReturn: true,
    delay: 5_500,
    wasOpen: false,
    unsent: 0,
  });
  assert.deepEqual(world.pass(5_499), []);
  assert.deepEqual(world.pass(1), [{ do: "connect", socket: 2 }]);
});

test("from a server that drains it returns at exactly its own time", () => {
  const world = new World();
  world.enter();
  assert.equal(closed(world.call("ended", 1, 1012, "draining;retry=1234")).delay, 1_234);
});

test("where it is not wanted it ends, and says how much was not sent", () => {
  const world = new World();
  world.call("start");
  world.call("send", "one", true);
  world.call("send", "two", true);
  const event = closed(world.call("ended", 1, 4001, "unauthorized"));
  assert.deepEqual([event.willReturn, event.delay, event.unsent], [false, null, 2]);
  assert.equal(world.machine.state, "closed");
  assert.deepEqual(world.pass(HOUR), []);
  assert.deepEqual([...world.call("online"), ...world.call("connectNow"), ...world.call("tick")], []);
  assert.deepEqual(world.call("send", "three", true), []);
  assert.equal(world.result, "refused");
});

test("what is sent while it is away waits in its order, and what finds no room is refused", () => {
  const world = new World();
  world.call("start");
  const sent = (data) => {
    world.call("send", data, false);
    return world.result;
  };
  assert.deepEqual(["a", "b", "c", "d"].map(sent), ["queued", "queued", "queued", "refused"]);
  assert.equal(world.machine.queued, 3);
  world.call("opened", 1);
  const out = world.call("received", 1, "{}").filter((command) => command.do === "send");
  assert.deepEqual(out.map(({ data }) => data), ["a", "b", "c"]);
  assert.equal(sent("e"), "queued", "the socket takes nothing");
});

test("the queue is bounded in bytes, not in letters", () => {
  const world = new World();
  world.call("start");
  world.call("send", "é".repeat(10), true);
  assert.equal(world.result, "queued");
  world.call("send", "x", true);
  assert.equal(world.result, "refused");
  world.call("send", new Uint8Array(1), true);
  assert.equal(world.result, "refused");
});

test("a socket that is closing takes nothing: the message waits for the next one", () => {
  const world = new World();
  world.enter();
  assert.deepEqual(world.call("send", "late", false), []);
  assert.equal(world.result, "queued");
  world.pass(closed(world.call("ended", 1, 1006, "")).delay);
  world.call("opened", 2);
  assert.deepEqual(world.call("received", 2, "{}").slice(0, 3), [
    { do: "emit", emission: { type: "open", event: { returned: true } } },
    { do: "emit", emission: { type: "gap", event: { cause: "away", milliseconds: 500 } } },
    { do: "send", socket: 2, data: "late" },
  ]);
});

test("a refused client keeps what waits for the next attempt", () => {
  const world = new World();
  world.call("start");
  world.call("send", "hello", true);
  world.call("opened", 1);
  world.pass(closed(world.call("ended", 1, 4002, "lobby_full")).delay);
  world.call("opened", 2);
  const sent = world.call("received", 2, "{}").filter((command) => command.do === "send");
  assert.deepEqual(sent, [{ do: "send", socket: 2, data: "hello" }]);
});

test("a server that says nothing for the patience is given up, and one that speaks is not", () => {
  const world = new World();
  world.enter();
  for (let round = 0; round < 10; round += 1) {
    assert.deepEqual(world.pass(44_999), []);
    world.call("received", 1, PING);
  }
  const out = world.pass(45_000);
  assert.deepEqual(out[0], { do: "drop", socket: 1 });
  assert.equal(closed(out).reason, "silent");
  assert.deepEqual(world.call("received", 1, PING), [], "what it says now is not heard");
  assert.deepEqual(world.call("ended", 1, 4001, "unauthorized"), []);
});

test("a socket that does not open in time is given up", () => {
  const world = new World();
  world.call("start");
  assert.deepEqual(world.pass(9_999), []);
  const out = world.pass(1);
  assert.deepEqual(out[0], { do: "drop", socket: 1 });
  assert.equal(closed(out).reason, "timeout");
  assert.deepEqual(world.call("opened", 1), []);
});

test("with endless patience no silence is too long", () => {
  const world = new World({ patience: Number.POSITIVE_INFINITY });
  world.enter();
  assert.equal(world.machine.deadline, Number.POSITIVE_INFINITY);
});

test("who was asleep first hears what has come meanwhile, then judges", () => {
  const world = new World();
  world.enter();
  world.now += HOUR;
  assert.deepEqual(world.call("tick"), []);
  world.call("received", 1, PING);
  assert.deepEqual(world.pass(44_999), []);

  world.now += HOUR;
  assert.deepEqual(world.call("tick"), []);
  assert.deepEqual(world.pass(1_999), []);
  assert.equal(closed(world.pass(1)).reason, "silent");
});

test("a tab whose every tick is late gives a silent server up at the second", () => {
  const world = new World();
  world.enter();
  world.now += HOUR;
  assert.deepEqual(world.call("tick"), []);
  world.now += HOUR;
  assert.equal(closed(world.call("tick")).reason, "silent");
});

test("who overslept an attempt makes it at once", () => {
  const world = new World();
  world.enter();
  world.call("ended", 1, 1006, "");
  world.now += HOUR;
  assert.deepEqual(world.call("tick"), [{ do: "connect", socket: 2 }]);
});

test("a clock that is set back delays the next attempt by no more than its delay", () => {
  const world = new World();
  world.enter();
  const { delay } = closed(world.call("ended", 1, 1006, ""));
  world.now -= HOUR;
  assert.deepEqual(world.call("tick"), []);
  assert.equal(world.machine.deadline, world.now + delay);
  assert.deepEqual(world.pass(delay), [{ do: "connect", socket: 2 }]);
});

test("without a network it gives its socket up, and returns soon once there is one", () => {
  const world = new World();
  world.enter();
  const out = world.call("offline");
  assert.deepEqual(out[0], { do: "drop", socket: 1 });
  assert.equal(closed(out).reason, "offline");
  assert.deepEqual(world.call("offline"), []);
  let { delay } = closed(out);
  for (let socket = 2; socket < 8; socket += 1) {
    world.pass(delay);
    ({ delay } = closed(world.call("ended", socket, 1006, "")));
  }
  world.random = 0.25;
  assert.deepEqual(world.call("online"), []);
  assert.deepEqual(world.pass(250), [{ do: "connect", socket: 8 }]);
});

test("a network that is back is no reason to return before the server said", () => {
  const world = new World();
  world.enter();
  world.call("ended", 1, 1013, "connect_rate;retry=20000");
  assert.deepEqual(world.call("online"), []);
  assert.deepEqual(world.pass(19_999), []);
  assert.deepEqual(world.pass(1), [{ do: "connect", socket: 2 }]);
});

test("who does not want to wait need not, and does not disturb what is under way", () => {
  const world = new World();
  world.enter();
  assert.deepEqual(world.call("connectNow"), []);
  world.call("ended", 1, 1013, "connect_rate;retry=20000");
  assert.deepEqual(world.call("connectNow"), [{ do: "connect", socket: 2 }]);
  assert.deepEqual(world.call("connectNow"), []);
});

test("closed by the application, it drops the socket and is silent for ever", () => {
  const world = new World();
  world.enter();
  const out = world.call("close");
  assert.deepEqual(out[0], { do: "drop", socket: 1 });
  const event = { code: 1000, reason: "", willReturn: false, delay: null, wasOpen: true, unsent: 0 };
  assert.deepEqual(closed(out), event);
  assert.deepEqual(world.call("close"), []);
  assert.deepEqual(world.call("ended", 1, 1006, ""), []);
  assert.deepEqual(world.pass(HOUR), []);
});
