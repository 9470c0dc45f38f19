// Built from clients/typescript by `npm run bundle`: change it there.

// src/clock.ts
var Clock = class {
  #last = Number.NEGATIVE_INFINITY;
  /** By how much the clock has been set back so far. */
  #behind = 0;
  /** The time at this reading of the clock, in milliseconds. */
  read(reading) {
    const time = reading + this.#behind;
    if (time < this.#last) {
      this.#behind += this.#last - time;
      return this.#last;
    }
    this.#last = time;
    return time;
  }
  /** What the clock reads at a time. */
  readingAt(time) {
    return time - this.#behind;
  }
};

// src/messages.ts
function meaning(raw) {
  if (typeof raw !== "string") return { is: "message", data: raw };
  const data = parse(raw);
  if (typeof data === "object" && data !== null && "type" in data) {
    const { type, timestamp, user, milliseconds, dropped } = data;
    if (type === "health_ping" && typeof timestamp === "number") return { is: type, timestamp };
    if (type === "latency" && typeof user === "string" && typeof milliseconds === "number") {
      return { is: type, user, milliseconds };
    }
    if (type === "gap" && typeof dropped === "number") return { is: type, dropped };
  }
  return { is: "message", data };
}
function healthPong(timestamp) {
  return JSON.stringify({ type: "health_pong", timestamp });
}
function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return void 0;
  }
}

// src/queue.ts
var utf8 = new TextEncoder();
var Queue = class {
  constructor(maxMessages, maxBytes) {
    this.maxMessages = maxMessages;
    this.maxBytes = maxBytes;
  }
  maxMessages;
  maxBytes;
  #waiting = [];
  #bytes = 0;
  get length() {
    return this.#waiting.length;
  }
  /** False if there is no room. */
  push(data) {
    const bytes = typeof data === "string" ? utf8.encode(data).length : data.byteLength;
    if (this.#waiting.length >= this.maxMessages || this.#bytes + bytes > this.maxBytes) return false;
    this.#waiting.push(data);
    this.#bytes += bytes;
    return true;
  }
  /** Empties it. */
  takeAll() {
    const all = this.#waiting;
    this.#waiting = [];
    this.#bytes = 0;
    return all;
  }
};

// src/returning.ts
var FIRST_OF_APPLICATIONS = 4e3;
var FULL = 4002;
var FULL_AFTER = 5e3;
function splitReason(reason) {
  const [, what = "", retry] = /^(.*?)(?:;retry=(\d+))?$/s.exec(reason) ?? [];
  return { what, retry: retry === void 0 ? null : Number(retry) };
}
function advice(code, reason) {
  const { what, retry } = splitReason(reason);
  if (code === 4001 || code === 4005 || what === "replaced") return { again: false };
  if (retry !== null) return { again: true, after: retry, exact: code === 1012 };
  if (code === FULL) return { again: true, after: FULL_AFTER, exact: false };
  if (code >= FIRST_OF_APPLICATIONS || code === 1008 || code === 1e3) return { again: false };
  return { again: true, after: 0, exact: false };
}
var MOST_DOUBLINGS = 30;
function backoff(attempts, first, longest, random) {
  return random * Math.min(longest, first * 2 ** Math.min(attempts, MOST_DOUBLINGS));
}

// src/machine.ts
var WELL_RECEIVED = 5e3;
var OVERSLEPT = 1e3;
var GRACE = 2e3;
var Machine = class {
  #settings;
  #clock = new Clock();
  #queue;
  #phase = { is: "new" };
  #sockets = 0;
  #attempts = 0;
  /** When the client was last in, if it has ever been. */
  #leftAt = null;
  constructor(settings2) {
    this.#settings = settings2;
    this.#queue = new Queue(settings2.maxQueuedMessages, settings2.maxQueuedBytes);
  }
  get state() {
    const phase = this.#phase;
    if (phase.is === "waiting" || phase.is === "closed") return phase.is;
    return phase.is === "linked" && phase.admittedAt !== null ? "open" : "connecting";
  }
  /** How many messages wait for a connection. */
  get queued() {
    return this.#queue.length;
  }
  /** Whether this is the socket that it opens or has open. */
  wants(socket) {
    return socket === this.#socket();
  }
  /** When to call `tick`, as the driver's clock reads then; `Infinity`: never. */
  get deadline() {
    return this.#clock.readingAt(this.#due());
  }
  #due() {
    switch (this.#phase.is) {
      case "connecting":
      case "linked":
        return this.#phase.judge.at;
      case "waiting":
        return this.#phase.at;
      default:
        return Number.POSITIVE_INFINITY;
    }
  }
  /** Begins. */
  start(moment, out) {
    const now = this.#clock.read(moment.now);
    if (this.#phase.is === "new") this.#connect(now, out);
  }
  /** A socket has opened. */
  opened(moment, socket, out) {
    const now = this.#clock.read(moment.now);
    const phase = this.#phase;
    if (phase.is !== "connecting" || phase.socket !== socket) return;
    const judge = { at: now + this.#settings.patience, putOff: false };
    this.#phase = { is: "linked", socket, judge, admittedAt: null };
    if (this.#settings.admission === "upgrade") this.#admitted(now, out);
  }
  /** A whole message came in. */
  received(moment, socket, raw, out) {
    const now = this.#clock.read(moment.now);
    const phase = this.#phase;
    if (phase.is !== "linked" || phase.socket !== socket) return;
    phase.judge = { at: now + this.#settings.patience, putOff: false };
    const what = meaning(raw);
    if (what.is === "health_ping") out.push({ do: "send", socket, data: healthPong(what.timestamp) });
    this.#admitted(now, out);
    switch (what.is) {
      case "latency":
        return emit(out, { type: "latency", event: { user: what.user, milliseconds: what.milliseconds } });
      case "gap":
        return emit(out, { type: "gap", event: { cause: "slow", dropped: what.dropped } });
      case "message":
        return emit(out, { type: "message", event: { data: what.data, raw } });
    }
  }
  /** A socket has ended, or could not be opened. */
  ended(moment, socket, code, reason, out) {
    const now = this.#clock.read(moment.now);
    if (this.wants(socket)) this.#lost(now, moment.random, code, reason, out);
  }
  /** Time has passed. Before the deadline this does nothing. */
  tick(moment, out) {
    const now = this.#clock.read(moment.now);
    const phase = this.#phase;
    if (now < this.#due()) return;
    if (phase.is === "waiting") this.#connect(now, out);
    if (phase.is !== "connecting" && phase.is !== "linked") return;
    const { judge } = phase;
    if (now > judge.at + OVERSLEPT && !judge.putOff) {
      phase.judge = { at: now + GRACE, putOff: true };
      return;
    }
    this.#giveUp(now, moment.random, phase.is === "linked" ? "silent" : "timeout", out);
  }
  /** The machine that this runs on has lost its network. */
  offline(moment, out) {
    const now = this.#clock.read(moment.now);
    this.#giveUp(now, moment.random, "offline", out);
  }
  /** It has one again: the next attempt is made soon, if the server did not say when. */
  online(moment, out) {
    const now = this.#clock.read(moment.now);
    this.#attempts = 0;
    const phase = this.#phase;
    if (phase.is !== "waiting") return;
    const soon = now + this.#backoff(moment.random);
    phase.at = Math.min(phase.at, Math.max(phase.notBefore, soon));
    this.tick(moment, out);
  }
  /** Somebody does not want to wait, whatever the server said. */
  connectNow(moment, out) {
    const now = this.#clock.read(moment.now);
    if (this.#phase.is === "waiting") this.#connect(now, out);
  }
  /** A message to send. `writable`: whether the socket takes any; one that is closing does not. */
  send(moment, data, writable, out) {
    this.#clock.read(moment.now);
    const phase = this.#phase;
    if (phase.is === "closed") return "refused";
    if (phase.is === "linked" && phase.admittedAt !== null && writable && this.#queue.length === 0) {
      out.push({ do: "send", socket: phase.socket, data });
      return "sent";
    }
    return this.#queue.push(data) ? "queued" : "refused";
  }
  /** The end. Nothing comes out any more after this, whatever comes in. */
  close(moment, out) {
    this.#clock.read(moment.now);
    if (this.#phase.is === "closed") return;
    const wasOpen = this.state === "open";
    const socket = this.#socket();
    if (socket !== null) out.push({ do: "drop", socket });
    this.#end({ code: 1e3, reason: "", willReturn: false, delay: null, wasOpen }, out);
  }
  #socket() {
    return this.#phase.is === "connecting" || this.#phase.is === "linked" ? this.#phase.socket : null;
  }
  #connect(now, out) {
    this.#sockets += 1;
    const judge = { at: now + this.#settings.openTimeout, putOff: false };
    this.#phase = { is: "connecting", socket: this.#sockets, judge };
    out.push({ do: "connect", socket: this.#sockets });
  }
  /** The server has let the client in, if that is news. */
  #admitted(now, out) {
    const phase = this.#phase;
    if (phase.is !== "linked" || phase.admittedAt !== null) return;
    phase.admittedAt = now;
    const leftAt = this.#leftAt;
    emit(out, { type: "open", event: { returned: leftAt !== null } });
    if (leftAt !== null) emit(out, { type: "gap", event: { cause: "away", milliseconds: now - leftAt } });
    for (const data of this.#queue.takeAll()) out.push({ do: "send", socket: phase.socket, data });
  }
  /** The client ends a socket itself. 1006 is what WebSockets say of one that ended without a word. */
  #giveUp(now, random, why, out) {
    const socket = this.#socket();
    if (socket === null) return;
    out.push({ do: "drop", socket });
    this.#lost(now, random, 1006, why, out);
  }
  #lost(now, random, code, reason, out) {
    const admittedAt = this.#phase.is === "linked" ? this.#phase.admittedAt : null;
    const wasOpen = admittedAt !== null;
    if (admittedAt !== null) {
      this.#leftAt = now;
      if (now - admittedAt >= WELL_RECEIVED) this.#attempts = 0;
    }
    const { what } = splitReason(reason);
    const advised = advice(code, reason);
    if (!advised.again) {
      this.#end({ code, reason: what, willReturn: false, delay: null, wasOpen }, out);
      return;
    }
    const delay = advised.after + (advised.exact ? 0 : this.#backoff(random));
    this.#attempts += 1;
    this.#phase = { is: "waiting", at: now + delay, notBefore: now + advised.after };
    emit(out, { type: "closed", event: { code, reason: what, willReturn: true, delay, wasOpen, unsent: 0 } });
  }
  #end(event, out) {
    this.#phase = { is: "closed" };
    emit(out, { type: "closed", event: { ...event, unsent: this.#queue.takeAll().length } });
  }
  #backoff(random) {
    return backoff(this.#attempts, this.#settings.firstDelay, this.#settings.longestDelay, random);
  }
};
function emit(out, emission) {
  out.push({ do: "emit", emission });
}

// src/options.ts
function settings(options) {
  const number = (name, ordinary) => {
    const value = options[name] ?? ordinary;
    if (typeof value !== "number" || !(value >= 0)) throw new RangeError(`${name}: ${String(value)}`);
    return value;
  };
  return {
    firstDelay: number("firstDelay", 1e3),
    longestDelay: number("longestDelay", 3e4),
    openTimeout: number("openTimeout", 1e4),
    patience: number("patience", 45e3),
    admission: options.admission ?? "message",
    maxQueuedMessages: number("maxQueuedMessages", 32),
    maxQueuedBytes: number("maxQueuedBytes", 65536)
  };
}

// src/client.ts
var LONGEST_TIMER = 2 ** 31 - 1;
var OPEN = 1;
function connect(address, options = {}) {
  return new Client(address, options);
}
var Client = class {
  #address;
  #Socket;
  #protocols;
  #machine;
  #handlers = /* @__PURE__ */ new Map();
  #listening = new AbortController();
  #socket = null;
  #timer;
  #out = [];
  #carryingOut = false;
  /** Use `connect`. */
  constructor(address, options) {
    const Socket = options.WebSocket ?? globalThis.WebSocket;
    if (!Socket) throw new TypeError("no WebSocket here: give one in the options (Node 20 has none)");
    this.#address = address;
    this.#Socket = Socket;
    this.#protocols = options.protocols ?? [];
    this.#machine = new Machine(settings(options));
    this.#listen();
    this.#do((moment, out) => this.#machine.start(moment, out));
  }
  /** `waiting` is between two attempts; `closed` is for ever. */
  get state() {
    return this.#machine.state;
  }
  /** How many messages wait for a connection. */
  get queued() {
    return this.#machine.queued;
  }
  /**
   * Calls `handler` at each event of this type, until the function that is returned is called. One that throws disturbs
   * nobody: what it threw goes to `reportError`, or where there is none to the console.
   */
  on(type, handler) {
    const handlers = this.#handlers.get(type) ?? /* @__PURE__ */ new Set();
    this.#handlers.set(type, handlers.add(handler));
    return () => handlers.delete(handler);
  }
  /**
   * Sends text and bytes as they are, anything else as JSON. While the client is not in, it waits in the queue; what
   * finds no room there is `refused`. What was `sent` may still be lost with its connection.
   *
   * @throws TypeError for what is no JSON either
   */
  send(message) {
    const data = wire(message);
    return this.#do((moment, out) => {
      const writable = this.#socket?.socket.readyState === OPEN;
      return this.#machine.send(moment, data, writable, out);
    });
  }
  /** Tries again now, if it is waiting to. */
  connectNow() {
    this.#do((moment, out) => this.#machine.connectNow(moment, out));
  }
  /** Ends it for good: a last `closed`, and no event or attempt after that. */
  close() {
    this.#out = this.#out.filter((command) => command.do !== "emit");
    this.#do((moment, out) => this.#machine.close(moment, out));
  }
  #do(act) {
    const done = act({ now: Date.now(), random: Math.random() }, this.#out);
    if (!this.#carryingOut) this.#carryOut();
    return done;
  }
  #carryOut() {
    this.#carryingOut = true;
    for (let command = this.#out.shift(); command; command = this.#out.shift()) this.#obey(command);
    this.#carryingOut = false;
    this.#wait();
    if (this.#machine.state === "closed") this.#listening.abort();
  }
  #obey(command) {
    switch (command.do) {
      case "connect":
        void this.#open(command.socket);
        break;
      case "send":
        this.#send(command.socket, command.data);
        break;
      case "drop":
        if (this.#socket?.number !== command.socket) break;
        this.#socket.socket.close();
        this.#socket = null;
        break;
      case "emit":
        this.#emit(command.emission);
    }
  }
  async #open(number) {
    const closed = (code, reason) => this.#do((moment, out) => this.#machine.ended(moment, number, code, reason, out));
    this.#socket = null;
    try {
      await null;
      const address = typeof this.#address === "function" ? this.#address() : this.#address;
      const url = String(await address);
      if (!this.#machine.wants(number)) return;
      const socket = new this.#Socket(url, this.#protocols);
      this.#socket = { number, socket };
      socket.binaryType = "arraybuffer";
      socket.addEventListener("open", () => this.#do((moment, out) => this.#machine.opened(moment, number, out)));
      socket.addEventListener(
        "message",
        ({ data }) => this.#do((moment, out) => this.#machine.received(moment, number, data, out))
      );
      socket.addEventListener("close", ({ code, reason }) => closed(code, reason));
      socket.addEventListener("error", () => {
      });
    } catch (error) {
      closed(1006, error instanceof Error ? error.message : String(error));
    }
  }
  #send(number, data) {
    if (this.#socket?.number !== number) return;
    try {
      this.#socket.socket.send(data);
    } catch {
    }
  }
  #emit({ type, event }) {
    for (const handler of [...this.#handlers.get(type) ?? []]) {
      try {
        handler(event);
      } catch (error) {
        report(error);
      }
    }
  }
  #wait() {
    clearTimeout(this.#timer);
    const { deadline } = this.#machine;
    if (deadline === Number.POSITIVE_INFINITY) return;
    const delay = Math.min(Math.max(deadline - Date.now(), 0), LONGEST_TIMER);
    this.#timer = setTimeout(() => this.#tick(), delay);
  }
  #tick() {
    this.#do((moment, out) => this.#machine.tick(moment, out));
  }
  /** Hears of the network and of waking up, where there is somebody who tells. */
  #listen() {
    const { signal } = this.#listening;
    const listen = (target, type, act) => target?.addEventListener?.(type, act, { signal });
    listen(globalThis, "online", () => this.#do((moment, out) => this.#machine.online(moment, out)));
    listen(globalThis, "offline", () => this.#do((moment, out) => this.#machine.offline(moment, out)));
    listen(globalThis, "pageshow", () => this.#tick());
    listen(globalThis.document, "visibilitychange", () => this.#tick());
    listen(globalThis.document, "resume", () => this.#tick());
  }
};
function wire(message) {
  if (typeof message === "string" || message instanceof ArrayBuffer || ArrayBuffer.isView(message)) {
    return message;
  }
  const text = JSON.stringify(message);
  if (text === void 0) throw new TypeError("neither text nor bytes, and no JSON");
  return text;
}
function report(error) {
  if (typeof globalThis.reportError === "function") globalThis.reportError(error);
  else console.error(error);
}
export {
  connect
};
