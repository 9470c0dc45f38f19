// The playground, opened from the disk: the library as WebAssembly, faults, time and recordings.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";

import { browser, options } from "../support/browser.js";
import { contrasts } from "../support/contrasts.js";
import { PROGRAMS } from "../support/program.js";

let url;

before(async () => {
  if (options.skip) return;
  const { stdout } = await promisify(execFile)(join(PROGRAMS, "build-playground"));
  url = pathToFileURL(stdout.trim().split("\n").at(-1)).href;
});

/** The page, which neither fails nor asks for anything from elsewhere. */
async function open(t, settings = {}) {
  const page = await (await (await browser(t)).newContext({ acceptDownloads: true, ...settings })).newPage();
  const wrong = [];
  page.on("pageerror", (error) => wrong.push(error.message));
  page.on("console", (message) => message.type() === "error" && wrong.push(message.text()));
  page.on("request", (request) => request.url() !== url && !/^(data|blob):/.test(request.url()) && wrong.push(request.url()));
  t.after(() => assert.deepEqual(wrong, []));
  await page.goto(url);
  await page.locator("#clients b", { hasText: "ann" }).waitFor();
  return page;
}

const client = (page, user) => page.locator("#clients > li").filter({ has: page.locator("b", { hasText: new RegExp(`^${user}$`) }) });
const gone = (page, user) => page.locator("#gone > li").filter({ has: page.locator("b", { hasText: new RegExp(`^${user}$`) }) });
const press = (page, name) => page.getByRole("button", { name, exact: true }).click();

async function save(page, path) {
  const download = page.waitForEvent("download");
  await press(page, "Save");
  await (await download).saveAs(path);
}

async function folder(t) {
  const path = await mkdtemp(join(tmpdir(), "playground-"));
  t.after(() => rm(path, { recursive: true }));
  return path;
}

test("a client whose link is cut is evicted, and the reason stands there", options, async (t) => {
  const page = await open(t);
  await press(page, "Cut link: bob");
  assert.match(await client(page, "bob").innerText(), /open, link cut/);
  await press(page, "+1 min");

  assert.match(await gone(page, "bob").innerText(), /evicted at .*: it missed 2 pings in a row, and 2 evict; nothing was heard of it for/);
  assert.equal(await client(page, "ann").count(), 1);
  assert.match(await page.locator("#line .evict").first().innerText(), /evict c1v1: stale \(saw 2, threshold 2/);

  await press(page, "What happened?: bob");
  assert.match(await page.locator("#why-text").innerText(), /c1v1 of "bob" entered "den" .*pinged since then at/s);
  await page.keyboard.press("Escape");
  assert.equal(await page.locator("#why").isVisible(), false);
});

test("a pause of the server evicts nobody", options, async (t) => {
  const page = await open(t);
  await press(page, "+1 min");
  await press(page, "Pause the server");
  await press(page, "+1 h");
  await press(page, "Let the server go on");
  await press(page, "+1 min");

  assert.equal(await page.locator("#clients > li").count(), 2);
  assert.match(await page.locator("#line").innerText(), /the server stood still for/);
  assert.match(await page.locator("#stats").innerText(), /0 evicted.* pauses: 1/);
});

test("a lobby is filled, and the next one is told why it is not let in", options, async (t) => {
  const page = await open(t);
  await page.fill("[name=max_connections_per_lobby]", "2");
  await press(page, "Start anew with these");
  for (const name of ["ann", "bob", "cat"]) {
    await page.fill("#user", name);
    await page.press("#user", "Enter");
  }
  assert.match(await page.locator("#lobbies").innerText(), /den: 2 of 2 seats taken/);
  assert.match(await gone(page, "cat").innerText(), /4002 lobby_full: connections of the lobby: 2, at most 2/);

  await client(page, "bob").locator("summary").click();
  await client(page, "bob").getByRole("button", { name: "Move" }).click();
  assert.match(await page.locator("#lobbies").innerText(), /hall: 1 of 2/);
});

test("a saved recording is verified natively, and loads again to the same digest", options, async (t) => {
  const page = await open(t);
  await press(page, "A dead link");
  assert.match(await gone(page, "bob").innerText(), /evicted/);
  const digest = await page.locator("#digest").innerText();
  const path = join(await folder(t), "flight.log");
  await save(page, path);

  const { stdout } = await promisify(execFile)(join(PROGRAMS, "replay"), ["verify", path]);
  assert.match(stdout, new RegExp(`^digest ${digest}$`, "m"));

  const other = await open(t);
  assert.notEqual(await other.locator("#digest").innerText(), digest);
  await other.setInputFiles("#load", path);
  await other.locator("#status", { hasText: "flight.log is verified" }).waitFor();
  assert.equal(await other.locator("#digest").innerText(), digest);
  assert.equal(await client(other, "ann").count(), 1);

  // It goes on, and is one recording still.
  await press(other, "+1 min");
  await save(other, path);
  const longer = await promisify(execFile)(join(PROGRAMS, "replay"), ["verify", path]);
  assert.match(longer.stdout, new RegExp(`^digest ${await other.locator("#digest").innerText()}$`, "m"));
});

test("of a damaged recording the line is named, and what is there stays", options, async (t) => {
  const page = await open(t);
  const path = join(await folder(t), "flight.log");
  await save(page, path);
  const digest = await page.locator("#digest").innerText();
  await writeFile(path, (await readFile(path, "utf8")).replace('"user":"bob"', '"user":"eve"'));
  await page.setInputFiles("#load", path);

  await page.getByRole("alert").filter({ hasText: "damaged in line 3: the digest differs" }).waitFor();
  assert.equal(await page.locator("#digest").innerText(), digest);
  assert.equal(await client(page, "bob").count(), 1);
});

test("one can look back at a line, return, and go on from there", options, async (t) => {
  const page = await open(t);
  await press(page, "A dead link");
  const digest = await page.locator("#digest").innerText();
  await page.locator("#back").fill("3");
  assert.match(await client(page, "bob").innerText(), /open/);
  await page.locator("#back").press("End");
  assert.equal(await page.locator("#digest").innerText(), digest);
  assert.match(await page.locator("#line").innerText(), /evict c1v1: stale/);

  await page.locator("#back").fill("3");
  await press(page, "+1 min");
  assert.equal(await client(page, "bob").count(), 1);
  assert.notEqual(await page.locator("#digest").innerText(), digest);
});

test("every scenario tells its story", options, async (t) => {
  const page = await open(t);
  const names = await page.locator("#scenarios button").allInnerTexts();
  assert.equal(names.length, 6);
  for (const name of names) {
    await press(page, name);
    const story = await page.locator("#story").innerText();
    assert.ok(story.length > 60, name);
    assert.match(await page.getByRole("status").innerText(), new RegExp(`${name}.* was played`));
  }
  assert.match(await page.locator("#line").innerText(), /nobody is left/);
});

test("time plays by itself until it is stopped", options, async (t) => {
  const page = await open(t);
  await page.selectOption("#speed", "60");
  await press(page, "Play");
  await page.locator("#stats", { hasText: /pings: [1-9]/ }).waitFor();
  await press(page, "Stop");
  assert.equal(await page.locator("#play").getAttribute("aria-pressed"), "false");
});

test("the keyboard reaches everything and keeps its place", options, async (t) => {
  const page = await open(t);
  await page.locator("#step").focus();
  const reached = new Set();
  for (let tabs = 0; tabs < 80; tabs += 1) {
    reached.add(await page.evaluate(() => document.activeElement.getAttribute("aria-label") ?? (document.activeElement.id || document.activeElement.textContent)));
    await page.keyboard.press("Tab");
  }
  for (const name of ["step", "play", "pause", "drain", "A dead link", "user", "Cut link: bob", "Sleep: ann", "Close tab: ann", "health", "Time line, the latest first", "save", "load"]) {
    assert.ok(reached.has(name), `${name} of ${[...reached]}`);
  }
  await page.getByRole("button", { name: "Cut link: bob" }).focus();
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.getAttribute("aria-label")), "Mend link: bob");
  // Every control has a name.
  const nameless = await page.evaluate(() => [...document.querySelectorAll("button, input, select, summary")]
    .filter((control) => !(control.getAttribute("aria-label") || control.textContent || control.labels?.length)).map((control) => control.outerHTML));
  assert.deepEqual(nameless, []);
});

for (const colorScheme of ["light", "dark"]) {
  test(`it is readable and fits a phone in ${colorScheme}`, options, async (t) => {
    const page = await open(t, { colorScheme, viewport: { width: 360, height: 740 } });
    await press(page, "A stale wave");
    await client(page, "ann").locator("summary").click();
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.equal(wide, 0);
    const [poor, looked, ground] = await page.evaluate(contrasts);
    assert.deepEqual(poor, []);
    assert.ok(looked >= 60, `${looked} texts`);
    assert.equal(ground > 0.5, colorScheme === "light");
  });
}
