// Draws what the server tells once a second.

const HISTORY = 5 * 60_000;
/** Without news for so long the stream is taken for dead: a machine that slept does not hear that it broke. */
const PATIENCE = 10_000;
/** Before it is asked again by a page that it turned away; what merely broke the browser mends itself, each second. */
const PAUSE = 5_000;
/** A longer gap between two samples is not drawn over. */
const GAP = 3_000;

const at = (id) => document.getElementById(id);
const whole = new Intl.NumberFormat("en");
const some = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });

let stream;
let retry;
let watchdog;
let paused = false;
/** What was taken, and when, by the clock of this machine. */
let history = [];
let previous;

function open() {
  stream = new EventSource("dashboard/stream");
  stream.onmessage = ({ data }) => {
    say("live", "live");
    listen();
    show(JSON.parse(data), performance.now());
  };
  stream.onerror = () => {
    const refused = stream.readyState === EventSource.CLOSED;
    say(refused ? "closed" : "waiting", refused ? "turned away; trying again" : "no answer; trying again");
    if (refused) later();
  };
  listen();
}

function listen() {
  clearTimeout(watchdog);
  watchdog = setTimeout(() => {
    say("waiting", "no answer; trying again");
    close();
    open();
  }, PATIENCE);
}

function later() {
  close();
  retry = setTimeout(open, PAUSE);
}

function close() {
  clearTimeout(retry);
  clearTimeout(watchdog);
  stream.close();
}

at("pause").onclick = () => {
  paused = !paused;
  at("pause").textContent = paused ? "Go on" : "Pause";
  close();
  if (paused) {
    say("waiting", "paused");
  } else {
    say("waiting", "connecting");
    open();
  }
};

/** Screen readers speak it, so it is set only when it changes. */
function say(kind, words) {
  const state = at("state");
  if (state.textContent === words) return;
  state.className = kind;
  state.textContent = words;
}

function show(sample, now) {
  history = history.filter(({ time }) => now - time <= HISTORY);
  history.push({ time: now, occupied: sample.seats.occupied });
  showNumbers(sample, now);
  showOccupancy(sample.seats, now);
  showLatencies(sample.latencies);
  showRefusals(sample.refusals);
  showClients(sample);
  previous = { ...sample, time: now };
}

function showNumbers(sample, now) {
  const { occupied, max } = sample.seats;
  const seconds = previous && (now - previous.time) / 1_000;
  // A server that was restarted counts from 0 again.
  const rate = (name) => (seconds ? Math.max(0, sample[name] - previous[name]) / seconds : 0);
  const taken = max === null ? whole.format(occupied) : `${whole.format(occupied)} of ${whole.format(max)}`;
  at("occupied").textContent = taken;
  at("lobbies").textContent = whole.format(sample.lobbies);
  at("users").textContent = whole.format(sample.users);
  at("messages-in").textContent = `${some.format(rate("messages_in"))} /s`;
  at("messages-out").textContent = `${some.format(rate("messages_out"))} /s`;
  at("bytes-out").textContent = `${bytes(rate("bytes_out"))}/s`;
  at("backlog").textContent = sample.backlog_bytes === null ? "unknown" : bytes(sample.backlog_bytes);
  at("pauses").textContent = whole.format(sample.pauses);
  document.title = `${taken} – dashboard`;
}

function showOccupancy({ occupied, open, closing, max }, now) {
  const values = history.map((sample) => sample.occupied);
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const limited = max !== null && most >= max / 10;
  const top = Math.max(limited ? max : 0, round(most));
  const x = (time) => 300 - (300 * (now - time)) / HISTORY;
  const y = (value) => 100 - (100 * value) / top;

  let line = "";
  let area = "";
  history.forEach(({ time, occupied }, index) => {
    const before = history[index - 1];
    const after = history[index + 1];
    const point = `${x(time).toFixed(2)} ${y(occupied).toFixed(2)}`;
    const begins = !before || time - before.time > GAP;
    line += `${begins ? "M" : "L"}${point}`;
    area += begins ? `M${x(time).toFixed(2)} 100L${point}` : `L${point}`;
    if (!after || after.time - time > GAP) area += `L${x(time).toFixed(2)} 100Z`;
  });
  at("line").setAttribute("d", line);
  at("area").setAttribute("d", area);
  at("limit").setAttribute("d", limited ? `M0 ${y(max)}H300` : "");
  at("top").textContent = whole.format(top);

  const minutes = Math.max(1, Math.ceil((now - history[0].time) / 60_000));
  const span = minutes === 1 ? "minute" : `${minutes} minutes`;
  const limit = max === null ? "There is no limit" : `The limit is ${whole.format(max)}`;
  at("occupancy-text").textContent =
    `${count(occupied, "seat")} taken: ${whole.format(open)} open, ${whole.format(closing)} closing. ` +
    `In the last ${span} it was ${whole.format(least)} to ${whole.format(most)}. ${limit}.`;
}

function showLatencies(places) {
  const clients = places.reduce((sum, [, clients]) => sum + clients, 0);
  // From the first that holds anything to the last.
  const first = places.findIndex(([, clients]) => clients > 0);
  const last = places.findLastIndex(([, clients]) => clients > 0);
  const shown = clients ? places.slice(first, last + 1) : [];
  const longest = places.findLast(([bound]) => bound !== null)[0];
  const within = (bound) => (bound === null ? `over ${time(longest)}` : time(bound));
  fill("latencies", bars(shown.map(([bound, clients]) => [within(bound), clients])));
  let passed = 0;
  const half = places.find(([, here]) => (passed += here) * 2 >= clients);
  at("latency-text").textContent = clients
    ? `Half of ${count(clients, "client")}: ${half[0] === null ? "" : "within "}${within(half[0])}.`
    : "Nobody has answered a ping yet.";
}

function showRefusals(refusals) {
  const reasons = Object.entries(refusals)
    .filter(([, times]) => times > 0)
    .sort(([, one], [, other]) => other - one);
  const sum = reasons.reduce((sum, [, times]) => sum + times, 0);
  fill("refusals", bars(reasons.map(([reason, times]) => [reason.replaceAll("_", " "), times])));
  at("refusals-text").textContent = sum
    ? `${whole.format(sum)} since the server was started.`
    : "Nobody has been refused since the server was started.";
}

function showClients({ slowest, furthest_behind: behind }) {
  fill("slowest", slowest.map((client) => row(client, [client.smoothed, client.last, client.best].map(time))));
  at("slowest-text").textContent = slowest.length
    ? "Those who take longest to answer a ping, up to 10."
    : "Nobody has answered a ping yet.";
  fill(
    "behind",
    behind.map((client) => row(client, [whole.format(client.backlog_messages), bytes(client.backlog_bytes)])),
  );
  at("behind-text").textContent = behind.length
    ? "Those for whom most waits, up to 10."
    : "Nothing waits for anybody.";
}

/** The body of a table, which is not shown while it is empty. */
function fill(id, rows) {
  const body = at(id);
  body.replaceChildren(...rows);
  (body.closest(".scroll") ?? body.closest("table")).hidden = rows.length === 0;
}

function row({ user, lobby, conn }, numbers) {
  const line = document.createElement("tr");
  line.append(cell("th", user, "name"), cell("td", lobby ?? "", "name"));
  line.append(...numbers.map((number) => cell("td", number, "number")), cell("td", conn));
  return line;
}

/** Names come from strangers: they are text and nothing else. */
function cell(tag, text, kind = "") {
  const cell = document.createElement(tag);
  if (tag === "th") cell.scope = "row";
  cell.className = kind;
  cell.textContent = text;
  if (kind === "name") cell.title = text;
  return cell;
}

/** A row for each name and number, with a bar that says nothing new. */
function bars(entries) {
  const most = Math.max(...entries.map(([, number]) => number));
  return entries.map(([name, number]) => {
    const line = document.createElement("tr");
    const bar = document.createElement("td");
    const picture = svg("svg", { viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" });
    picture.append(svg("rect", { width: (100 * number) / most, height: 10 }));
    bar.append(picture);
    line.append(cell("th", name), cell("td", whole.format(number)), bar);
    return line;
  });
}

function svg(tag, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

/** The next number of 1, 2 or 5 and zeros. */
function round(value) {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, value)));
  return [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= value);
}

const count = (number, what) => `${whole.format(number)} ${what}${number === 1 ? "" : "s"}`;

function time(milliseconds) {
  return milliseconds < 1_000 ? `${some.format(milliseconds)} ms` : `${some.format(milliseconds / 1_000)} s`;
}

function bytes(number) {
  if (number < 1_000) return `${Math.round(number)} B`;
  if (number < 1_000_000) return `${some.format(number / 1_000)} kB`;
  return `${some.format(number / 1_000_000)} MB`;
}

open();
