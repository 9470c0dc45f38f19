// Whether and when to come back after which close: the table of the server's README, and kicks.

import assert from "node:assert/strict";
import { test } from "node:test";

import fc from "fast-check";

import { advice, backoff } from "../dist/returning.js";

const NEVER = { again: false };
const after = (milliseconds, exact = false) => ({ again: true, after: milliseconds, exact });

const TABLE = [
  [1000, "", NEVER],
  [1001, "server going away", after(0)],
  [1002, "protocol error", after(0)],
  [1005, "", after(0)],
  [1006, "", after(0)],
  [1007, "text is not UTF-8", after(0)],
  [1008, "rate_limited;retry=5000", after(5_000)],
  [1008, "be nice", NEVER],
  [1009, "message_too_big", after(0)],
  [1011, "", after(0)],
  [1012, "draining;retry=1234", after(1_234, true)],
  [1012, "", after(0)],
  [1013, "connect_rate;retry=17", after(17)],
  [4001, "unauthorized", NEVER],
  [4001, "unauthorized;retry=5", NEVER],
  [4002, "server_full", after(5_000)],
  [4002, "lobby_full", after(5_000)],
  [4002, "lobby_full;retry=60000", after(60_000)],
  [4003, "user_limit;retry=5000", after(5_000)],
  [4004, "invalid_name", NEVER],
  [4005, "replaced", NEVER],
  [1000, "replaced", NEVER],
  [4321, "replaced;retry=1", NEVER],
  [4006, "lobby_locked;retry=30000", after(30_000)],
  [4007, "source_limit;retry=5000", after(5_000)],
  [4008, "token_expired", NEVER],
  [4009, "reservation_void;retry=0", after(0)],
  [4100, "be nice", NEVER],
  [4100, "be nice;retry=60000", after(60_000)],
  [4999, "", NEVER],
];

for (const [code, reason, expected] of TABLE) {
  test(`${code} ${reason}`, () => assert.deepEqual(advice(code, reason), expected));
}

test("what only looks like advice is none", () => {
  for (const reason of [";retry=", ";retry=-5", ";retry=1.5", ";retry=5 ", "retry=5", ";retry=5;", ";RETRY=5"]) {
    assert.deepEqual(advice(4100, reason), NEVER, reason);
  }
});

test("any code and reason has an answer, and no advice is undercut", () => {
  fc.assert(
    fc.property(fc.nat(5_000), fc.string({ unit: "binary" }), fc.option(fc.nat()), (code, words, retry) => {
      const advised = advice(code, retry === null ? words : `${words};retry=${retry}`);
      if (advised.again && retry !== null) assert.ok(advised.after === retry);
      assert.ok(!(code === 4001 && advised.again));
    }),
  );
});

test("a delay is within its cap, however many attempts failed", () => {
  const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  const first = fc.oneof(fc.constant(0), fc.nat());
  fc.assert(
    fc.property(fc.nat(), first, fc.nat(), random, (attempts, first, longest, chance) => {
      const delay = backoff(attempts, first, longest, chance);
      assert.ok(delay >= 0 && delay <= longest, String(delay));
      assert.ok(attempts > 30 || delay <= first * 2 ** attempts, String(delay));
    }),
  );
});
