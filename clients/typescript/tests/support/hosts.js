// The two places where a client runs: Node, and a page in Chromium. A test sees the same of both.

import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { once } from "node:events";

import { chromium } from "playwright-core";
import WebSocket from "ws";

import { connect } from "../../dist/index.js";

const PATHS = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const path = process.env.CHROMIUM ?? PATHS.find(existsSync);

const TYPES = ["open", "message", "closed", "latency", "gap"];

/** What a client has told, one after the other. */
class Log {
  #events = [];
  #read = 0;
  #wake = () => {};

  tell(type, event) {
    this.#events.push({ type, event });
    this.#wake();
  }

  /** The next event of this type, or of one of these, that `fits`; those before it are skipped. */
  async next(types, fits = () => true) {
    for (;;) {
      while (this.#read < this.#events.length) {
        const told = this.#events[this.#read];
        this.#read += 1;
        if ([types].flat().includes(told.type) && fits(told.event)) return told.event;
      }
      await new Promise((resolve) => (this.#wake = resolve));
    }
  }

  /** The data of the next message of this type. */
  async message(type) {
    return (await this.next("message", ({ data }) => data?.type === type)).data;
  }
}

export const node = {
  name: "Node",
  options: {},
  /** Connects a client that is closed when the test ends. */
  async connect(t, url, options = {}) {
    const log = new Log();
    const client = connect(url, { WebSocket, ...options });
    for (const type of TYPES) client.on(type, (event) => log.tell(type, event));
    t.after(() => client.close());
    return {
      next: (...what) => log.next(...what),
      message: (type) => log.message(type),
      send: async (message) => client.send(message),
      connectNow: async () => client.connectNow(),
      close: async () => client.close(),
      state: async () => client.state,
    };
  },
};

const ARGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"];
let started = null;
let origin = null;

async function launch() {
  const server = await chromium.launchServer({ executablePath: path, args: ARGS });
  return { server, browser: await chromium.connect(server.wsEndpoint()) };
}

export const browser = {
  name: "Chromium",
  options: path || process.env.CI ? {} : { skip: "no Chromium: install it, or say where with CHROMIUM" },
  async connect(t, url, options = {}) {
    if (!path) throw new Error(`no Chromium at ${PATHS.join(", ")}, nor where CHROMIUM says`);
    started ??= launch();
    origin ??= serveModules();
    const page = await (await started).browser.newPage();
    t.after(() => page.close());
    const log = new Log();
    await page.exposeFunction("tell", (type, event) => log.tell(type, event));
    await page.goto((await origin).url);
    await page.evaluate(
      async ([url, options, types]) => {
        const { connect } = await import("/index.js");
        window.client = connect(url, options);
        for (const type of types) window.client.on(type, (event) => window.tell(type, event));
      },
      [url, options, TYPES],
    );
    return {
      page,
      next: (...what) => log.next(...what),
      message: (type) => log.message(type),
      send: (message) => page.evaluate((message) => window.client.send(message), message),
      connectNow: () => page.evaluate(() => window.client.connectNow()),
      close: () => page.evaluate(() => window.client.close()),
      state: () => page.evaluate(() => window.client.state),
    };
  },
};

/** Stops all processes of the browser, as if its machine slept, until the function that is returned is called. */
export async function sleep() {
  // They are a group of their own.
  const group = -(await started).server.process().pid;
  process.kill(group, "SIGSTOP");
  return () => process.kill(group, "SIGCONT");
}

/** Ends what the tests of a file have in common. */
export async function endBrowser() {
  await (await started)?.server.close();
  (await origin)?.server.close();
}

/** An origin with an empty page and the built modules. */
async function serveModules() {
  const server = createServer(async (request, response) => {
    const name = /^\/(\w+\.js)$/.exec(request.url)?.[1];
    if (name) {
      response.setHeader("content-type", "text/javascript");
      response.end(await readFile(new URL(`../../dist/${name}`, import.meta.url)));
    } else {
      response.setHeader("content-type", "text/html");
      response.end("<!doctype html><title>client</title>");
    }
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return { server, url: `http://127.0.0.1:${server.address().port}/` };
}
