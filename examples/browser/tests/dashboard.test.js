import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";

import { browser, options } from "../support/browser.js";
import { freePort, start } from "../support/program.js";

const TOKEN = "dashboards-open-sesame";

/** A server on two free ports, and a way to start it there again. */
async function serve(t, ...flags) {
  const [port, window] = [await freePort(), await freePort()];
  const args = ["--listen", `127.0.0.1:${port}`, "--metrics", `127.0.0.1:${window}`, ...flags];
  const begin = () => start(t, "lobby-server", args, port, { LOBBY_METRICS_TOKEN: TOKEN });
  return { port, window, begin, program: await begin() };
}

/** The dashboard, as somebody sees it who typed the token. */
async function watch(chromium, window, settings = {}) {
  const httpCredentials = { username: "anybody", password: TOKEN };
  const page = await (await chromium.newContext({ httpCredentials, ...settings })).newPage();
  await page.goto(`http://127.0.0.1:${window}/dashboard`);
  await page.locator("#state", { hasText: "live" }).waitFor();
  return page;
}

/**
 * A client in a page of its own, which takes so many milliseconds to answer a ping. Resolves with its close code, if
 * it is refused.
 */
async function enter(chromium, port, user, delay = 0) {
  const page = await (await chromium.newContext()).newPage();
  return page.evaluate(
    ([url, delay]) =>
      new Promise((resolve) => {
        const socket = new WebSocket(url);
        socket.onclose = ({ code }) => resolve(code);
        socket.onmessage = ({ data }) => {
          const { type, timestamp } = JSON.parse(data);
          const pong = JSON.stringify({ type: "health_pong", timestamp });
          if (type === "health_ping") setTimeout(() => socket.send(pong), delay);
          if (type === "welcome") resolve(undefined);
        };
      }),
    [`ws://127.0.0.1:${port}/ws/den?token=${encodeURIComponent(user)}`, delay],
  );
}

function milliseconds(text) {
  const [number, unit] = text.split(" ");
  return Number(number) * { ms: 1, s: 1_000 }[unit];
}

const says = (page, id, text) => page.locator(id, { hasText: text }).waitFor();

test("occupancy moves when clients join, and a refusal and a slow client show up", options, async (t) => {
  const { port, window } = await serve(t, "--max-connections", "3");
  const chromium = await browser(t);
  const page = await watch(chromium, window);
  await says(page, "#occupied", "0 of 3");
  await says(page, "#refusals-text", "Nobody has been refused");
  const before = await page.locator("#line").getAttribute("d");

  assert.equal(await enter(chromium, port, "quick"), undefined);
  assert.equal(await enter(chromium, port, "sluggish", 600), undefined);
  assert.equal(await enter(chromium, port, "<b>bold</b>", 300), undefined);
  await says(page, "#occupied", "3 of 3");
  await says(page, "#occupancy-text", "3 seats taken: 3 open, 0 closing.");
  await says(page, "#occupancy-text", "0 to 3");
  assert.notEqual(await page.locator("#line").getAttribute("d"), before);

  assert.equal(await enter(chromium, port, "late"), 4002);
  await says(page, "#refusals", /server full\s*1/);
  await says(page, "#refusals-text", "1 since the server was started");

  const slowest = page.locator("#slowest tr");
  await slowest.nth(2).waitFor();
  const rows = await slowest.evaluateAll((rows) => rows.map((row) => [...row.cells].map((cell) => cell.innerText)));
  assert.deepEqual(rows.map(([user]) => user).sort(), ["<b>bold</b>", "quick", "sluggish"], "a name is text");
  assert.deepEqual([...new Set(rows.map(([, lobby]) => lobby))], ["den"]);
  const means = rows.map(([, , mean]) => milliseconds(mean));
  assert.deepEqual(means, means.toSorted((one, other) => other - one), "the slowest come first");
  const sluggish = rows.find(([user]) => user === "sluggish");
  assert.ok(milliseconds(sluggish[2]) >= 600, `it took 600 ms at least, not ${sluggish[2]}`);
  const clients = await page.locator("#latencies td:not(:last-child)").allInnerTexts();
  assert.equal(clients.reduce((sum, count) => sum + Number(count), 0), 3);
  await says(page, "#latency-text", "Half of 3 clients: within");
});

test("the stream survives a restart of the server", options, async (t) => {
  const server = await serve(t);
  const chromium = await browser(t);
  const page = await watch(chromium, server.window);
  await enter(chromium, server.port, "ann");
  await says(page, "#occupied", "1 of 500");

  server.program.kill("SIGKILL");
  await once(server.program, "exit");
  await says(page, "#state", "no answer; trying again");
  await server.begin();
  await says(page, "#state", "live");
  await says(page, "#occupied", "0 of 500");
  await says(page, "#occupancy-text", "0 to 1");
});

test("without the token there is nothing to see", options, async (t) => {
  const { window } = await serve(t);
  const chromium = await browser(t);
  const httpCredentials = { username: "anybody", password: "wrong" };
  const page = await (await chromium.newContext({ httpCredentials })).newPage();
  const answer = await page.goto(`http://127.0.0.1:${window}/dashboard`);
  assert.equal(answer.status(), 401);
  assert.equal(await page.locator("#state").count(), 0);
});

test("it holds still for a reader, and the keyboard reaches that", options, async (t) => {
  const { port, window } = await serve(t);
  const chromium = await browser(t);
  const page = await watch(chromium, window);
  await says(page, "#occupied", "0 of 500");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await says(page, "#state", "paused");

  await enter(chromium, port, "ann");
  const other = await watch(chromium, window);
  await says(other, "#occupied", "1 of 500");
  assert.equal(await page.locator("#occupied").innerText(), "0 of 500");

  await page.keyboard.press("Enter");
  await says(page, "#state", "live");
  await says(page, "#occupied", "1 of 500");
});

test("it needs nothing from elsewhere and fits a phone, dark and light", options, async (t) => {
  const { port, window } = await serve(t);
  const chromium = await browser(t);
  await enter(chromium, port, "somebody-with-a-name-as-long-as-names-may-be".repeat(2), 50);
  for (const colorScheme of ["dark", "light"]) {
    const page = await watch(chromium, window, { colorScheme, viewport: { width: 360, height: 740 } });
    const complaints = [];
    page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
    const hosts = new Set();
    page.on("request", (request) => hosts.add(new URL(request.url()).host));
    await page.reload();
    await page.locator("#slowest tr").first().waitFor();
    assert.deepEqual([...hosts].filter(Boolean), [`127.0.0.1:${window}`]);
    assert.deepEqual(complaints, []);
    const [content, screen] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    assert.ok(content <= screen, `${content} px in ${screen}`);
    for (const id of ["#occupied", "#occupancy-text", "#slowest th", "#state"]) {
      assert.ok((await contrast(page, id)) >= 4.5, `${id} can be read when it is ${colorScheme}`);
    }
  }
});

/** The contrast of a text with what lies behind it (WCAG 2). */
function contrast(page, id) {
  return page.locator(id).first().evaluate((element) => {
    const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const luminance = (color) => {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = color;
      canvas.fillRect(0, 0, 1, 1);
      const [red, green, blue] = [...canvas.getImageData(0, 0, 1, 1).data].map((value) => {
        const part = value / 255;
        return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
      });
      return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    };
    let behind = element;
    const clear = "rgba(0, 0, 0, 0)";
    while (behind.parentElement && getComputedStyle(behind).backgroundColor === clear) behind = behind.parentElement;
    const [one, other] = [getComputedStyle(element).color, getComputedStyle(behind).backgroundColor].map(luminance);
    return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
  });
}
