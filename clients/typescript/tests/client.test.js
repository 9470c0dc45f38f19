// The driver with sockets and timers that do what a test says.

import assert from "node:assert/strict";
import { test } from "node:test";

import { connect } from "../dist/index.js";

/** A socket whose other side is the test. */
class FakeSocket extends EventTarget {
  static all = [];
  readyState = 0;
  sent = [];
  closed = false;

  constructor(url, protocols) {
    super();
    if (url === "ws://throws/") throw new SyntaxError("no such address");
    Object.assign(this, { url, protocols });
    FakeSocket.all.push(this);
  }

  send(data) {
    if (this.readyState !== 1) throw new Error("not open");
    this.sent.push(data);
  }

  close() {
    this.closed = true;
    this.readyState = 2;
  }

  say(type, members = {}) {
    if (type === "open") this.readyState = 1;
    if (type === "close") this.readyState = 3;
    this.dispatchEvent(Object.assign(new Event(type), members));
  }
}

/** Lets promises go on. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

async function started(t, address = "ws://here/", options = {}) {
  t.mock.timers.enable({ apis: ["setTimeout", "Date"] });
  t.mock.method(Math, "random", () => 0.5);
  FakeSocket.all = [];
  const client = connect(address, { WebSocket: FakeSocket, ...options });
  const log = [];
  for (const type of ["open", "message", "closed", "latency", "gap"]) {
    client.on(type, (event) => log.push([type, event]));
  }
  await settle();
  return { client, log, socket: () => FakeSocket.all.at(-1) };
}

function letIn(socket) {
  socket.say("open");
  socket.say("message", { data: "{}" });
}

/** What handlers throw is reported here. */
function reports(t) {
  const reported = [];
  const [place, name] = "reportError" in globalThis ? [globalThis, "reportError"] : [console, "error"];
  t.mock.method(place, name, (error) => reported.push(error));
  return reported;
}

test("it opens a socket, answers pings and comes back", async (t) => {
  const { client, log, socket } = await started(t, new URL("ws://here/den?token=ann"), { protocols: "chat" });
  assert.equal(socket().url, "ws://here/den?token=ann");
  assert.equal(socket().protocols, "chat");
  assert.equal(socket().binaryType, "arraybuffer");
  socket().say("open");
  socket().say("message", { data: '{"type":"health_ping","timestamp":1}' });
  assert.deepEqual(socket().sent, ['{"type":"health_pong","timestamp":1}']);
  assert.equal(client.send({ type: "chat", text: "hi" }), "sent");
  assert.equal(socket().sent[1], '{"type":"chat","text":"hi"}');
  socket().say("close", { code: 1006, reason: "" });
  assert.equal(client.state, "waiting");
  t.mock.timers.tick(500);
  await settle();
  assert.equal(FakeSocket.all.length, 2);
  letIn(socket());
  assert.deepEqual(log.map(([type]) => type), ["open", "closed", "open", "gap", "message"]);
  client.close();
});

test("text and bytes go as they are, anything else as JSON, and what is none is thrown back", async (t) => {
  const { client, socket } = await started(t);
  letIn(socket());
  const bytes = new Uint8Array([1]);
  for (const message of ["{ raw }", bytes, bytes.buffer, { a: 1 }, [1], 7, null]) client.send(message);
  assert.deepEqual(socket().sent, ["{ raw }", bytes, bytes.buffer, '{"a":1}', "[1]", "7", "null"]);
  assert.throws(() => client.send(undefined), TypeError);
  assert.throws(() => client.send(() => {}), TypeError);
  client.close();
});

test("a handler that throws keeps nobody from hearing, and is reported", async (t) => {
  const reported = reports(t);
  const { client, socket } = await started(t);
  const heard = [];
  for (const type of ["open", "message", "closed"]) {
    client.on(type, () => {
      throw new Error(type);
    });
    client.on(type, () => heard.push(type));
  }
  letIn(socket());
  socket().say("close", { code: 1006, reason: "" });
  assert.deepEqual(heard, ["open", "message", "closed"]);
  assert.deepEqual(reported.map(({ message }) => message), heard);
  t.mock.timers.tick(500);
  await settle();
  letIn(socket());
  assert.equal(client.state, "open");
  client.close();
});

test("malformed JSON is a message without data", async (t) => {
  const { client, log, socket } = await started(t);
  letIn(socket());
  socket().say("message", { data: '{"type":"health_pi' });
  assert.deepEqual(log.at(-1), ["message", { data: undefined, raw: '{"type":"health_pi' }]);
  assert.equal(client.state, "open");
  client.close();
});

test("what a handler sends comes behind what waited", async (t) => {
  const { client, socket } = await started(t);
  client.on("open", () => client.send("from the handler"));
  client.send("first");
  letIn(socket());
  assert.deepEqual(socket().sent, ["first", "from the handler"]);
  client.close();
});

test("a handler that was taken off hears nothing", async (t) => {
  const { client, socket } = await started(t);
  const off = client.on("message", () => assert.fail("it was taken off"));
  off();
  letIn(socket());
  client.close();
});

test("a handler may close the client, and nothing comes after that", async (t) => {
  const { client, log, socket } = await started(t);
  client.on("open", () => client.close());
  letIn(socket());
  assert.deepEqual(log.map(([type]) => type), ["open", "closed"]);
  assert.equal(socket().closed, true);
  socket().say("message", { data: "late" });
  socket().say("close", { code: 1006, reason: "" });
  t.mock.timers.tick(1e9);
  await settle();
  assert.equal(log.length, 2);
  assert.equal(FakeSocket.all.length, 1);
});

test("what a handler leads to is told when all have heard what it heard", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout", "Date"] });
  FakeSocket.all = [];
  const client = connect("ws://here/", { WebSocket: FakeSocket });
  const heard = [];
  client.on("open", () => client.close());
  client.on("open", () => heard.push("open"));
  client.on("closed", () => heard.push("closed"));
  await settle();
  letIn(FakeSocket.all[0]);
  assert.deepEqual(heard, ["open", "closed"]);
});

test("closed before its socket was there, it opens none", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout", "Date"] });
  FakeSocket.all = [];
  connect("ws://here/", { WebSocket: FakeSocket }).close();
  await settle();
  assert.equal(FakeSocket.all.length, 0);
});

test("an address that is asked for is asked for anew each time", async (t) => {
  const tokens = ["one", "two"];
  const { client, socket } = await started(t, async () => `ws://here/?token=${tokens.shift()}`);
  assert.equal(socket().url, "ws://here/?token=one");
  socket().say("close", { code: 1006, reason: "" });
  t.mock.timers.tick(500);
  await settle();
  assert.equal(socket().url, "ws://here/?token=two");
  client.close();
});

test("an address that cannot be had, or cannot be, is a failed attempt", async (t) => {
  const answers = [() => Promise.reject(new Error("no token")), () => "ws://throws/", () => "ws://here/"];
  const { client, log, socket } = await started(t, () => answers.shift()());
  t.mock.timers.tick(500);
  await settle();
  t.mock.timers.tick(1_000);
  await settle();
  assert.deepEqual(log.map(([, { code, reason }]) => [code, reason]), [
    [1006, "no token"],
    [1006, "no such address"],
  ]);
  assert.equal(socket().url, "ws://here/");
  client.close();
});

test("an address that comes after its time is not used", async (t) => {
  let give;
  const addresses = [new Promise((resolve) => (give = resolve)), "ws://second/"];
  const { client, socket } = await started(t, () => addresses.shift());
  t.mock.timers.tick(10_000);
  t.mock.timers.tick(500);
  await settle();
  give("ws://first/");
  await settle();
  assert.deepEqual(FakeSocket.all.map(({ url }) => url), ["ws://second/"]);
  letIn(socket());
  assert.equal(client.state, "open");
  client.close();
});

test("a delay longer than timers take is waited for", async (t) => {
  const { client, socket } = await started(t);
  const { setTimeout } = globalThis;
  t.mock.method(globalThis, "setTimeout", (act, delay) => {
    assert.ok(delay < 2 ** 31, "it would be over at once");
    return setTimeout(act, delay);
  });
  socket().say("close", { code: 1012, reason: `draining;retry=${2 ** 31}` });
  t.mock.timers.tick(2 ** 31 - 1);
  await settle();
  assert.equal(FakeSocket.all.length, 1);
  t.mock.timers.tick(1);
  await settle();
  assert.equal(FakeSocket.all.length, 2);
  client.close();
});

test("it hears of the network and of waking up, until it is closed", async (t) => {
  const page = new EventTarget();
  const here = new EventTarget();
  globalThis.document = page;
  globalThis.addEventListener = (...listener) => here.addEventListener(...listener);
  t.after(() => {
    delete globalThis.document;
    delete globalThis.addEventListener;
  });
  const { client, log, socket } = await started(t);
  letIn(socket());
  here.dispatchEvent(new Event("offline"));
  assert.deepEqual([log.at(-1)[1].reason, socket().closed], ["offline", true]);
  t.mock.timers.setTime(3_600_000);
  page.dispatchEvent(new Event("visibilitychange"));
  await settle();
  assert.equal(FakeSocket.all.length, 2);
  client.close();
  const { length } = log;
  here.dispatchEvent(new Event("offline"));
  here.dispatchEvent(new Event("online"));
  assert.equal(log.length, length);
});

test("without a WebSocket, or with a setting that cannot be, it says so at once", () => {
  const { WebSocket } = globalThis;
  delete globalThis.WebSocket;
  try {
    assert.throws(() => connect("ws://here/"), /no WebSocket here/);
  } finally {
    if (WebSocket) globalThis.WebSocket = WebSocket;
  }
  for (const options of [{ patience: -1 }, { firstDelay: Number.NaN }, { maxQueuedMessages: "many" }]) {
    assert.throws(() => connect("ws://here/", { WebSocket: FakeSocket, ...options }), RangeError);
  }
});
