// The page of lobby-server and lobby-epoll, as people use it.

import assert from "node:assert/strict";
import { test } from "node:test";

import { browser, options } from "../support/browser.js";
import { contrasts } from "../support/contrasts.js";
import { Lobby } from "../support/lobby.js";

const TIMES = { ...options, timeout: 90_000 };

/** A tab of somebody's own browser, at the door. */
async function visit(chromium, lobby, settings = {}) {
  const page = await (await chromium.newContext(settings)).newPage();
  page.on("pageerror", (error) => assert.fail(error));
  await page.goto(lobby.page);
  return page;
}

async function enter(page, name, lobby = "lounge") {
  await page.getByRole("textbox", { name: "Your name" }).fill(name);
  await page.getByRole("textbox", { name: "Lobby" }).fill(lobby);
  await page.getByRole("button", { name: "Enter" }).click();
}

async function come(chromium, lobby, name, settings) {
  const page = await visit(chromium, lobby, settings);
  await enter(page, name);
  await connected(page, name);
  return page;
}

const connected = (page, name) => page.getByRole("status").filter({ hasText: `connected as ${name}` }).waitFor();

async function say(page, text) {
  await page.getByRole("textbox", { name: "Message" }).fill(text);
  await page.getByRole("button", { name: "Send" }).click();
}

/** Waits until the log has a line with these words. */
const reads = (page, words) => page.getByRole("log").getByText(words).first().waitFor();

const people = (page) => page.getByRole("list").getByRole("button");

async function begin(t, flags, name) {
  const lobby = await Lobby.start(t, flags, name);
  return [lobby, await browser(t)];
}

for (const server of ["lobby-server", "lobby-epoll"]) {
  test(`two tabs chat (${server})`, TIMES, async (t) => {
    const [lobby, chromium] = await begin(t, [], server);
    const ann = await come(chromium, lobby, "ann");
    const bob = await come(chromium, lobby, "bob");
    await reads(ann, "bob joined.");
    assert.equal(await people(ann).count(), 2);
    await people(bob).filter({ hasText: / ms/ }).first().waitFor();

    await say(ann, "hello <b>bob</b>");
    await reads(bob, "hello <b>bob</b>");
    assert.match(await bob.getByRole("log").innerText(), /ann: hello <b>bob<\/b>/);
    assert.match(await ann.getByRole("log").innerText(), /you: hello/);

    await bob.getByRole("combobox", { name: "To" }).selectOption("ann");
    await say(bob, "psst");
    await reads(ann, "psst");
    assert.match(await ann.getByRole("log").innerText(), /bob \(to you alone\): psst/);

    await bob.getByRole("button", { name: "Leave" }).click();
    await bob.getByRole("button", { name: "Enter" }).waitFor();
    await reads(ann, "bob left.");
    assert.equal(await people(ann).count(), 1);
    assert.equal(await bob.getByRole("alert").isVisible(), false, "who left knows why");
  });
}

test("a third is refused by a full lobby, is told so, and comes in when there is room", TIMES, async (t) => {
  const [lobby, chromium] = await begin(t, ["--max-per-lobby", "2"]);
  const ann = await come(chromium, lobby, "ann");
  await come(chromium, lobby, "bob");
  const cid = await visit(chromium, lobby);
  await enter(cid, "cid");
  await reads(cid, "The lobby “lounge” is full.");
  await cid.getByText(/trying again in \d+ s/).waitFor();

  await ann.getByRole("button", { name: "Leave" }).click();
  await ann.getByRole("button", { name: "Enter" }).waitFor();
  await cid.getByRole("button", { name: "Connect now" }).click();
  await connected(cid, "cid");
  assert.equal(await cid.getByText(/trying again/).count(), 0);
});

test("the server dies and returns: so does the page, and what was written meanwhile arrives", TIMES, async (t) => {
  const [lobby, chromium] = await begin(t, []);
  const ann = await come(chromium, lobby, "ann");
  const bob = await come(chromium, lobby, "bob");
  await lobby.end("SIGKILL");
  await reads(ann, "The connection was lost.");
  await ann.getByRole("status").filter({ hasText: "not connected" }).waitFor();
  assert.equal(await people(ann).count(), 0);
  await say(ann, "is anybody there?");
  assert.equal(await ann.locator(".unsent").count(), 1);

  await lobby.restart();
  await Promise.all([connected(ann, "ann"), connected(bob, "bob")]);
  await reads(ann, "You were away: what was said meanwhile is not here.");
  assert.equal(await ann.locator(".unsent").count(), 0);
  await say(bob, "I am");
  await reads(ann, "I am");
});

test("who is kicked is told why, at the door, and stays there", TIMES, async (t) => {
  const [lobby, chromium] = await begin(t, []);
  const ann = await come(chromium, lobby, "ann");
  await lobby.kick("ann", 4100, "be nice");
  const alert = ann.getByRole("alert");
  await alert.waitFor();
  assert.equal(await alert.innerText(), "You were removed by the server: be nice (4100).");
  assert.equal(await ann.getByRole("status").innerText(), "not connected");
  assert.equal(await ann.evaluate(() => document.activeElement.id), "name");

  await ann.getByRole("button", { name: "Enter" }).click();
  await connected(ann, "ann");
  await lobby.kick("ann", 4100, "be nice;retry=3600000");
  await reads(ann, "You were removed by the server: be nice (4100).");
  await ann.getByText(/trying again in 3\d{3} s/).waitFor();
  await ann.getByRole("button", { name: "Connect now" }).click();
  await connected(ann, "ann");
});

test("who came in from another tab is told so in the first one", TIMES, async (t) => {
  const [lobby, chromium] = await begin(t, ["--max-per-user", "1", "--user-overflow", "replace-oldest"]);
  const old = await come(chromium, lobby, "ann");
  await come(chromium, lobby, "ann");
  await old.getByRole("alert").filter({ hasText: "another tab" }).waitFor();
});

test("a server that is restarted says so, and all come back", TIMES, async (t) => {
  const [lobby, chromium] = await begin(t, ["--drain-every", "200ms"]);
  const pages = await Promise.all(["ann", "bob"].map((name) => come(chromium, lobby, name)));
  await lobby.end("SIGTERM");
  for (const page of pages) await reads(page, "The server is being restarted.");
  await lobby.restart();
  await Promise.all([connected(pages[0], "ann"), connected(pages[1], "bob")]);
});

test("the keyboard reaches everything, and shows where it is", TIMES, async (t) => {
  const [lobby, chromium] = await begin(t, []);
  const bob = await come(chromium, lobby, "bob");
  const ann = await visit(chromium, lobby);
  const focused = () =>
    ann.evaluate(() => {
      const { activeElement: at } = document;
      const { outlineStyle, outlineWidth } = getComputedStyle(at);
      return { what: at.id || at.dataset.user, visible: outlineStyle !== "none" && parseFloat(outlineWidth) >= 2 };
    });
  const press = async (...keys) => {
    for (const key of keys) await ann.keyboard.press(key);
    return focused();
  };

  assert.deepEqual(await focused(), { what: "name", visible: true });
  await ann.keyboard.type("ann");
  assert.deepEqual(await press("Tab"), { what: "lobby", visible: true });
  assert.deepEqual(await press("Enter"), { what: "text", visible: true });
  await connected(ann, "ann");

  const seen = [];
  // Back to the top.
  for (let stop = 0; stop < 4; stop += 1) seen.push(await press("Shift+Tab"));
  assert.ok(seen.every(({ visible }) => visible), JSON.stringify(seen));
  assert.deepEqual(seen.map(({ what }) => what), ["to", "bob", "log", "leave"]);

  await ann.getByRole("log").focus();
  assert.equal((await press("Tab")).what, "bob");
  assert.deepEqual((await press("Enter")).what, "text", "to write to bob alone");
  await ann.keyboard.type("psst");
  await press("Enter");
  await reads(bob, "psst");
  assert.match(await bob.getByRole("log").innerText(), /ann \(to you alone\): psst/);

  await lobby.end("SIGKILL");
  await ann.getByRole("button", { name: "Connect now" }).focus();
  await lobby.restart();
  await press("Enter");
  await connected(ann, "ann");
  await ann.getByRole("button", { name: "Leave" }).focus();
  assert.equal((await press("Enter")).what, "name");
});

test("a screen reader finds names and roles for everything, and is told what changes", TIMES, async (t) => {
  const [lobby, chromium] = await begin(t, []);
  const ann = await visit(chromium, lobby);
  const hears = async () => (await ann.locator("body").ariaSnapshot()).replaceAll(/(\d+|< 1) ms|…/g, "N ms");
  assert.equal(
    await hears(),
    `- banner:
  - heading "Lobbies" [level=1]
  - status: not connected
- form "Enter a lobby":
  - text: Your name
  - textbox "Your name"
  - text: Lobby
  - textbox "Lobby": lounge
  - button "Enter"
  - paragraph: "A demo: there is no password, and nobody is who they say."`,
  );
  await enter(ann, "ann");
  await connected(ann, "ann");
  await come(chromium, lobby, "bob");
  await reads(ann, "bob joined.");
  await people(ann).filter({ hasText: "bob" }).filter({ hasText: / ms/ }).waitFor();
  assert.equal(
    await hears(),
    `- banner:
  - heading "lounge" [level=1]
  - status: connected as ann
  - button "Leave"
- main:
  - log "Messages":
    - paragraph: You are in “lounge”.
    - paragraph: bob joined.
  - 'region "Here: 2"':
    - 'heading "Here: 2" [level=2]'
    - list:
      - listitem:
        - button "ann (you) N ms" [disabled]
      - listitem:
        - button "bob N ms"
  - form "Write a message":
    - text: To
    - combobox "To":
      - option "everyone" [selected]
      - option "bob"
    - text: Message
    - textbox "Message"
    - button "Send"`,
  );
  assert.equal(await ann.locator("html").getAttribute("lang"), "en");
  assert.equal(await ann.getByRole("log").getAttribute("aria-live"), "polite");
});

test("a phone shows everything without scrolling sideways", TIMES, async (t) => {
  const [lobby, chromium] = await begin(t, []);
  const phone = { viewport: { width: 360, height: 640 }, hasTouch: true, isMobile: true };
  const fits = (page) => page.evaluate(() => document.documentElement.scrollWidth <= innerWidth);
  const ann = await visit(chromium, lobby, phone);
  assert.ok(await fits(ann));
  const long = "Wolfeschlegelsteinhausenbergerdorff".repeat(3);
  await enter(ann, "ann", long);
  await connected(ann, "ann");
  const other = await visit(chromium, lobby, phone);
  await enter(other, long, long);
  await connected(other, long);
  await say(ann, "unbreakable".repeat(40));
  await reads(other, "unbreakable");
  for (const page of [ann, other]) {
    assert.ok(await fits(page));
    const button = (name) => page.getByRole("button", { name });
    for (const part of [page.getByRole("log"), button("Send"), button("Leave")]) {
      const box = await part.boundingBox();
      assert.ok(box.x >= 0 && box.x + box.width <= 360 && box.y + box.height <= 640, JSON.stringify(box));
      assert.ok(box.height >= 40, "a thumb hits it");
    }
  }
});

for (const colorScheme of ["light", "dark"]) {
  test(`every text can be read when it is ${colorScheme}`, TIMES, async (t) => {
    const [lobby, chromium] = await begin(t, []);
    const ann = await come(chromium, lobby, "ann", { colorScheme });
    const bob = await come(chromium, lobby, "bob", { colorScheme });
    await bob.getByRole("combobox", { name: "To" }).selectOption("ann");
    await say(bob, "psst");
    await reads(ann, "psst");
    await lobby.end("SIGKILL");
    await reads(ann, "The connection was lost.");
    await say(ann, "anybody?");
    const [poor, looked, ground] = await ann.evaluate(contrasts);
    assert.deepEqual(poor, []);
    assert.ok(looked >= 12, `${looked} texts`);
    assert.equal(ground > 0.5, colorScheme === "light");
  });
}
