// Takes the README's pictures anew: `npm run screenshots`. Look at them before you commit them, and at the others,
// which go to target/screenshots.

import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { browser } from "./support/browser.js";
import { Lobby } from "./support/lobby.js";

const README = fileURLToPath(new URL("./screenshots/", import.meta.url));
const OTHERS = fileURLToPath(new URL("../../target/screenshots/", import.meta.url));
const WIDE = { width: 820, height: 420 };
const PHONE = { width: 360, height: 640 };
mkdirSync(OTHERS, { recursive: true });

const endings = [];
const t = { after: (end) => endings.unshift(end) };
try {
  const lobby = await Lobby.start(t, ["--ping-interval", "500ms", "--ping-timeout", "500ms"]);
  const chromium = await browser(t);
  const come = async (name, settings) => {
    const page = await (await chromium.newContext(settings)).newPage();
    await page.goto(`${lobby.page}?name=${name}`);
    await page.getByRole("button", { name: "Enter" }).click();
    await page.getByRole("status").filter({ hasText: "connected as" }).waitFor();
    return page;
  };
  const say = async (page, text, to = "") => {
    await page.getByRole("combobox", { name: "To" }).selectOption(to);
    await page.getByRole("textbox", { name: "Message" }).fill(text);
    await page.getByRole("button", { name: "Send" }).click();
    await page.waitForTimeout(100);
  };

  const ann = await come("ann", { viewport: WIDE, colorScheme: "light" });
  const bob = await come("bob", { viewport: PHONE, colorScheme: "dark" });
  const cid = await come("cid", {});
  await say(ann, "Is everybody here?");
  await say(bob, "I am.");
  await say(cid, "So am I. Shall we begin?");
  await say(bob, "May I go first?", "ann");
  await say(ann, "Ready when you are.");
  await ann.getByRole("list").getByText(/ ms/).nth(2).waitFor();
  await ann.screenshot({ path: `${README}chat.png` });

  await lobby.end("SIGTERM");
  await bob.getByRole("log").getByText("The server is being restarted.").waitFor();
  await say(bob, "I am still here.");
  await bob.screenshot({ path: `${README}phone.png` });

  await ann.screenshot({ path: `${OTHERS}waiting.png` });
  await bob.setViewportSize(WIDE);
  await bob.screenshot({ path: `${OTHERS}dark.png` });
  await ann.setViewportSize(PHONE);
  await lobby.restart();
  await ann.getByRole("status").filter({ hasText: "connected as" }).waitFor();
  await ann.screenshot({ path: `${OTHERS}phone-light.png` });
  await lobby.kick("ann", 4100, "be nice");
  await ann.getByRole("alert").waitFor();
  await ann.screenshot({ path: `${OTHERS}door.png` });
} finally {
  for (const end of endings) await end();
}
