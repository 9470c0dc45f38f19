// Starts Debian's Chromium, which the tests share.

import { existsSync } from "node:fs";
import { chromium } from "playwright-core";

const PATHS = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const path = process.env.CHROMIUM ?? PATHS.find(existsSync);

/**
 * What a test passes to `node:test`. Without a browser tests are skipped, loudly; under CI they fail instead, in
 * `browser`.
 */
export const options = path || process.env.CI ? {} : { skip: "no Chromium: install it, or say where with CHROMIUM" };

/** A new browser, closed when the test ends. */
export async function browser(t) {
  if (!path) throw new Error(`no Chromium at ${PATHS.join(", ")}, nor where CHROMIUM says`);
  const started = await chromium.launch({
    executablePath: path,
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"],
  });
  t.after(() => started.close());
  return started;
}
