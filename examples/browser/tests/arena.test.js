import assert from "node:assert/strict";
import { test } from "node:test";

import { browser, options } from "../support/browser.js";
import { contrasts } from "../support/contrasts.js";
import { freePort, start } from "../support/program.js";

async function serve(t, ...flags) {
  const port = await freePort();
  const process = await start(t, "lobby-arena", ["--listen", `127.0.0.1:${port}`, ...flags], port, { RUST_LOG: "warn" });
  return { port, process };
}

/** Comes to the page and plays, with the keyboard alone. */
async function enter(chromium, port, name, settings = {}) {
  const page = await (await chromium.newContext(settings)).newPage();
  page.on("pageerror", (error) => assert.fail(error));
  await page.goto(`http://127.0.0.1:${port}/`);
  await page.locator("#name").waitFor();
  assert.equal(await focus(page), "name");
  await page.keyboard.type(name);
  await page.keyboard.press("Enter");
  return page;
}

async function play(chromium, port, name, settings) {
  const page = await enter(chromium, port, name, settings);
  await page.locator("#state", { hasText: `playing as ${name}` }).waitFor();
  return page;
}

const focus = (page) => page.evaluate(() => document.activeElement.id);
const says = (page, words) => page.locator("#news", { hasText: words }).waitFor();

/** Where the player of this name is in the picture, in shares of the field: the middle of what has their colour. */
function seen(page, name) {
  return page.evaluate((name) => {
    const row = [...document.querySelectorAll("#scores li")].find((row) => row.querySelector(".name").textContent.startsWith(name));
    if (!row) return null;
    const [red, green, blue] = getComputedStyle(row.querySelector(".swatch")).backgroundColor.match(/\d+/g).map(Number);
    const canvas = document.getElementById("field");
    if (canvas.width === 0 || canvas.height === 0) return null;
    const { data, width, height } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let [x, y, count] = [0, 0, 0];
    for (let at = 0; at < data.length; at += 4) {
      if (data[at] !== red || data[at + 1] !== green || data[at + 2] !== blue) continue;
      x += (at / 4) % width;
      y += Math.floor(at / 4 / width);
      count += 1;
    }
    return count < 50 ? null : { x: x / count / width, y: y / count / height };
  }, name);
}

/** Waits until this holds for where somebody is. */
async function until(page, name, holds) {
  for (let tries = 0; tries < 200; tries += 1) {
    const place = await seen(page, name);
    if (place && holds(place)) return place;
    await page.waitForTimeout(50);
  }
  assert.fail(`${name} is not where they should be: ${JSON.stringify(await seen(page, name))}`);
}

test("two players see each other move, with the keyboard alone", options, async (t) => {
  const { port } = await serve(t);
  const chromium = await browser(t);
  const ann = await play(chromium, port, "ann");
  const bob = await play(chromium, port, "bob");
  await says(ann, "bob joined.");
  await says(bob, "Here: ann.");
  assert.equal(await focus(ann), "field");

  for (const [mover, watcher, name, keys] of [[ann, bob, "ann", ["ArrowLeft", "ArrowUp"]], [bob, ann, "bob", ["d", "s"]]]) {
    for (const key of keys) await mover.keyboard.down(key);
    const corner = name === "ann" ? ({ x, y }) => x < 0.03 && y < 0.04 : ({ x, y }) => x > 0.97 && y > 0.96;
    await until(mover, name, corner);
    await until(watcher, name, corner);
    for (const key of keys) await mover.keyboard.up(key);
  }

  // Whoever cannot see it asks where the crown is.
  await ann.keyboard.press("c");
  await says(ann, /The crown.* is .*(right|down)|You have the crown/);

  await bob.close();
  await says(ann, "bob left.");
  await ann.keyboard.press("Shift+Tab");
  assert.equal(await focus(ann), "leave");
  await ann.keyboard.press("Enter");
  await ann.locator("#door").waitFor();
  assert.equal(await focus(ann), "name");
});

test("a finger leads a player, on a phone without sideways scrolling", options, async (t) => {
  const { port } = await serve(t);
  const chromium = await browser(t);
  const page = await play(chromium, port, "ann", { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true });
  await until(page, "ann", () => true);
  const { x, y, width, height } = await page.locator("#field").boundingBox();
  assert.ok(width > 300, `the field is ${width} pixels wide`);
  await page.mouse.move(x + 0.5 * width, y + 0.5 * height);
  await page.mouse.down();
  await until(page, "ann", (place) => Math.abs(place.x - 0.5) < 0.05 && Math.abs(place.y - 0.5) < 0.05);
  await page.mouse.up();
  const cdp = await page.context().newCDPSession(page);
  const finger = { x: x + 0.1 * width, y: y + 0.9 * height };
  await cdp.send("Input.dispatchTouchEvent", { type: "touchStart", touchPoints: [finger] });
  await until(page, "ann", (place) => place.x < 0.2 && place.y > 0.8);
  await cdp.send("Input.dispatchTouchEvent", { type: "touchEnd", touchPoints: [] });
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360);
});

test("a full room is told, and who waits comes in when there is room", options, async (t) => {
  const { port } = await serve(t, "--max-per-room", "1");
  const chromium = await browser(t);
  const ann = await play(chromium, port, "ann");
  const bob = await enter(chromium, port, "bob");
  await says(bob, "The room “arena” is full.");
  await bob.locator("#countdown", { hasText: "trying again in" }).waitFor();
  await ann.click("#leave");
  await bob.click("#now");
  await bob.locator("#state", { hasText: "playing as bob" }).waitFor();
});

test("a server that stops says so, and the page returns to the next one", options, async (t) => {
  const { port, process } = await serve(t);
  const chromium = await browser(t);
  const ann = await play(chromium, port, "ann");
  process.kill("SIGTERM");
  await says(ann, "The server is being restarted.");
  await new Promise((resolve) => process.exitCode === null ? process.once("exit", resolve) : resolve());
  assert.equal(process.exitCode, 0);
  await start(t, "lobby-arena", ["--listen", `127.0.0.1:${port}`], port, { RUST_LOG: "warn" });
  await ann.locator("#state", { hasText: "playing as ann" }).waitFor();
});

for (const colorScheme of ["dark", "light"]) {
  test(`everything can be read when it is ${colorScheme}`, options, async (t) => {
    const { port } = await serve(t);
    const chromium = await browser(t);
    const readable = async (page) => {
      const [poor, looked, ground] = await page.evaluate(contrasts);
      assert.deepEqual(poor, []);
      assert.ok(looked > 5, `only ${looked} texts`);
      assert.equal(ground < 0.2, colorScheme === "dark");
    };
    const ann = await play(chromium, port, "ann", { colorScheme });
    await says(ann, "You are in");
    await readable(ann);
    await ann.click("#leave");
    await readable(ann);
  });
}
