import assert from "node:assert/strict";
import { test } from "node:test";

import { browser, options } from "../support/browser.js";
import { freePort, start } from "../support/program.js";

async function enter(chromium, port, name) {
  const page = await (await chromium.newContext()).newPage();
  await page.goto(`http://127.0.0.1:${port}/`);
  await page.fill("#name", name);
  await page.press("#lobby", "Enter");
  await page.locator("#state", { hasText: "connected as" }).waitFor();
  return page;
}

test("two tabs chat", options, async (t) => {
  const port = await freePort();
  await start(t, "lobby-server", ["--listen", `127.0.0.1:${port}`], port);
  const chromium = await browser(t);
  const ann = await enter(chromium, port, "ann");
  const bob = await enter(chromium, port, "bob");

  await ann.fill("#text", "hello bob");
  await ann.press("#text", "Enter");

  await bob.locator("#log", { hasText: "hello bob" }).waitFor();
  assert.match(await bob.locator("#log").innerText(), /ann.*hello bob/s);
});
