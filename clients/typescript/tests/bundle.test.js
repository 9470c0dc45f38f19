// What the servers embed is what the sources say.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { COMMITTED, bundle } from "../bundle.js";

test("the committed bundle is a fresh one", () => {
  const advice = "run `npm run bundle` and commit examples/chat/src/client.js";
  assert.equal(readFileSync(COMMITTED, "utf8"), bundle(), advice);
});
