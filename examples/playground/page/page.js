// The page around the playground. All that it knows, it reads from the library's view; names and texts are a
// stranger's, so nothing is put in but as text.
(async () => {
  "use strict";

  const MOST_SHOWN = 300;
  const TURN_MS = 100;
  const $ = (id) => document.getElementById(id);

  const library = Uint8Array.from(atob($("library").textContent), (character) => character.charCodeAt(0));
  await wasm_bindgen({ module_or_path: library });
  const { Playground } = wasm_bindgen;

  let world;
  /** The last entry of the time line that is shown. */
  let known = 0;
  let playing;
  /** While one looks back: the whole recording, and its lines. */
  let tape;
  /** Told instead of what happened last. */
  let words = "";

  /** An element with a class, a text and children. */
  function element(name, { text, ...properties } = {}, ...children) {
    const made = Object.assign(document.createElement(name), properties);
    if (text !== undefined) made.textContent = text;
    made.append(...children);
    return made;
  }

  function button(text, pressed) {
    const made = element("button", { text, type: "button" });
    made.addEventListener("click", pressed);
    return made;
  }

  /** Shows one item for each of these, and keeps the elements of those that stay, with the focus and what is typed. */
  function list(container, items, key, make) {
    const there = new Map([...container.children].map((child) => [child.dataset.key, child]));
    items.forEach((item, at) => {
      const name = String(key(item));
      let child = there.get(name);
      there.delete(name);
      if (!child) {
        child = make(item);
        child.dataset.key = name;
      }
      if (container.children[at] !== child) container.insertBefore(child, container.children[at] ?? null);
      child.update(item);
    });
    for (const child of there.values()) child.remove();
  }

  function setText(node, text) {
    if (node.textContent !== text) node.textContent = text;
  }

  // What a reader does.

  function start(made, told) {
    stop();
    world?.free();
    world = made;
    known = 0;
    $("line").replaceChildren();
    $("clients").replaceChildren();
    $("gone").replaceChildren();
    $("trouble").textContent = "";
    words = told;
    render();
    fillSettings(JSON.parse(world.view(known)).config);
  }

  function act(action) {
    words = "";
    tape = undefined;
    try {
      world.act(JSON.stringify(action));
    } catch (error) {
      words = error.message;
    }
    render();
    return words === "";
  }

  function stop() {
    clearInterval(playing);
    playing = undefined;
    $("play").setAttribute("aria-pressed", "false");
    setText($("play"), "Play");
  }

  function play() {
    if (playing !== undefined) return stop();
    $("play").setAttribute("aria-pressed", "true");
    setText($("play"), "Stop");
    playing = setInterval(() => {
      if (!act({ advance: { by: TURN_MS * Number($("speed").value) } })) stop();
    }, TURN_MS);
  }

  // What is shown.

  const STATES = { waiting: "waits for the server", open: "open", closing: "closing", refused: "refused", ended: "gone" };

  function stateOf(client) {
    const also = [client.cut && "link cut", client.asleep && "asleep", client.left && "tab closed"].filter(Boolean);
    return [STATES[client.state], ...also].join(", ");
  }

  function why(client) {
    setText($("why-title"), `${client.user}, ${client.conn}`);
    setText($("why-text"), world.explain(client.conn));
    $("why").showModal();
  }

  function lineForm(label, value, word, sent) {
    const input = element("input", { value, autocomplete: "off" });
    const form = element("form", {}, element("label", { text: label }, input), element("button", { text: word }));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      sent(input.value);
    });
    return form;
  }

  function card(first) {
    let client = first;
    const number = first.number;
    const name = element("b");
    const state = element("span", { className: "state" });
    const details = element("span", { className: "faint" });
    const reason = element("p", { className: "faint" });
    const cut = button("", () => act({ [client.cut ? "mend" : "cut"]: { client: number } }));
    const sleep = button("", () => act({ [client.asleep ? "wake" : "sleep"]: { client: number } }));
    const leave = button("Close tab", () => act({ leave: { client: number } }));
    const kick = button("Kick", () => act({ kick: { client: number } }));
    const explain = button("What happened?", () => why(client));
    const move = lineForm("Lobby", "hall", "Move", (lobby) => act({ switch: { client: number, lobby } }));
    move.querySelector("input").setAttribute("list", "lobby-names");
    const say = lineForm("Message", "hello", "Say", (text) => act({ say: { client: number, text } }));
    const more = element("details", {}, element("summary", { text: "Say something, move" }), say, move);
    const buttons = element("div", { className: "buttons" }, cut, sleep, leave, kick, explain);
    const made = element("li", {}, element("p", {}, name, " ", state, " ", details), reason, buttons, more);
    made.update = (next) => {
      client = next;
      const there = ["waiting", "open", "closing"].includes(client.state);
      const silent = client.state === "open" && (client.cut || client.asleep || client.left);
      made.className = silent ? "silent" : client.state;
      setText(name, client.user || "(no name)");
      setText(state, stateOf(client));
      const where = [client.conn, client.lobby && `in ${client.lobby}`, client.latency && `answered in ${client.latency}`];
      setText(details, (there ? where : [client.conn]).filter(Boolean).join(", "));
      setText(reason, client.why ?? "");
      reason.hidden = !client.why;
      setText(cut, client.cut ? "Mend link" : "Cut link");
      setText(sleep, client.asleep ? "Wake" : "Sleep");
      for (const one of [cut, sleep, leave, kick, more]) one.hidden = !there;
      leave.disabled = client.left;
      kick.disabled = client.state !== "open" || client.left;
      for (const one of [...say.elements, ...move.elements]) one.disabled = kick.disabled || client.asleep;
      explain.hidden = !client.conn;
      for (const one of [cut, sleep, leave, kick, explain]) one.setAttribute("aria-label", `${one.textContent}: ${client.user}`);
    };
    return made;
  }

  function lobbyCard() {
    const title = element("p");
    const seats = element("span", { className: "seats", ariaHidden: "true" });
    const users = element("p", { className: "faint" });
    const made = element("li", {}, title, seats, users);
    made.update = ({ name, taken, users: names, most }) => {
      setText(title, `${name}: ${taken} ${most === null ? "connected" : `of ${most} seats taken`}`);
      setText(seats, most !== null && most <= 40 ? "●".repeat(taken) + "○".repeat(Math.max(0, most - taken)) : "●".repeat(Math.min(taken, 40)));
      setText(users, names.join(", "));
    };
    return made;
  }

  function entryItem({ line, at, text, health, outputs }) {
    const when = element("span", { className: "at", text: line === null ? at : `${at}, line ${line}` });
    const made = element("li", { className: line === null ? "note" : "" }, when, text);
    made.dataset.health = health;
    if (outputs.length > 0) made.append(element("ul", {}, ...outputs.map(({ kind, text }) => element("li", { className: kind, text }))));
    return made;
  }

  function showHealth() {
    for (const item of $("line").children) item.hidden = item.dataset.health === "true" && !$("health").checked;
  }

  function render() {
    const view = JSON.parse(world.view(known));
    setText($("now"), view.now);
    setText($("next"), view.next ?? "nothing, unless you do something");
    $("pause").setAttribute("aria-pressed", String(view.paused));
    setText($("pause"), view.paused ? "Let the server go on" : "Pause the server");
    setText($("digest"), view.digest);
    $("back").max = tape?.lines ?? view.log_lines;
    $("back").value = view.log_lines;
    setText($("at-line"), `${view.log_lines} of ${$("back").max}`);
    $("back").setAttribute("aria-valuetext", $("at-line").textContent);
    setText($("length"), `${view.log_lines} lines, ${view.log_bytes} bytes`);

    const isThere = ({ state }) => ["waiting", "open", "closing"].includes(state);
    list($("clients"), view.clients.filter(isThere), (client) => client.number, card);
    const gone = view.clients.filter((client) => !isThere(client)).reverse();
    $("gone-title").hidden = gone.length === 0;
    list($("gone"), gone, (client) => client.number, card);

    const most = view.config.max_connections_per_lobby;
    list($("lobbies"), view.lobbies.map((lobby) => ({ ...lobby, most })), (lobby) => lobby.id, lobbyCard);
    list($("lobby-names"), [...new Set([...view.lobbies.map(({ name }) => name), "den", "hall"])], (name) => name, (value) => {
      const made = element("option", { value });
      made.update = () => {};
      return made;
    });
    const { stats } = view;
    const sum = (numbers) => Object.values(numbers).reduce((total, number) => total + number, 0);
    const seats = stats.max_connections === null ? "" : ` of ${stats.max_connections}`;
    setText($("stats"), `${stats.total_connections}${seats} connected, ${stats.admissions} admitted, ${sum(stats.refusals)} refused, `
      + `${sum(stats.evictions)} evicted; pings: ${stats.pings}, missed: ${stats.missed_pings}; pauses: ${stats.pauses}`
      + `${stats.draining ? "; draining" : ""}`);

    const line = $("line");
    for (const entry of view.entries) {
      line.prepend(entryItem(entry));
      known = entry.number;
    }
    while (line.children.length > MOST_SHOWN) line.lastElementChild.remove();
    showHealth();
    // Playing, only what matters is read out.
    const telling = view.entries.filter(({ health }) => playing === undefined || !health).at(-1);
    if (words || telling) setText($("status"), words || [telling.text, ...telling.outputs.slice(0, 3).map(({ text }) => text)].join(" → "));
  }

  // Settings: times are seconds here and nanoseconds there.

  function fillSettings(config) {
    for (const field of $("settings").elements) {
      if (!field.name) continue;
      const value = config[field.name];
      field.value = value === null ? "" : "seconds" in field.dataset ? value / 1e9 : value;
    }
  }

  function settings() {
    const config = {};
    for (const field of $("settings").elements) {
      if (!field.name) continue;
      if (field.tagName === "SELECT") config[field.name] = field.value;
      else if (field.value === "") config[field.name] = null;
      else config[field.name] = "seconds" in field.dataset ? Math.round(Number(field.value) * 1e9) : Number(field.value);
    }
    return config;
  }

  function lookBack() {
    tape ??= { log: world.log(), lines: JSON.parse(world.view(known)).log_lines };
    const line = Number($("back").value);
    start(Playground.load_until(tape.log, line), `as it was after line ${line} of ${tape.lines}`);
  }

  /** Starts another world, unless it cannot be made; the present one stays then. */
  function attempt(make, told) {
    try {
      const made = make();
      tape = undefined;
      start(made, told);
    } catch (error) {
      words = error.message;
      setText($("trouble"), error.message);
      render();
    }
  }

  async function load(file) {
    const bytes = new Uint8Array(await file.arrayBuffer());
    attempt(() => Playground.load(bytes), `${file.name} is verified and loaded; this is how it ends, and it can go on`);
  }

  function save() {
    const url = URL.createObjectURL(new Blob([world.log()], { type: "text/plain" }));
    element("a", { href: url, download: "flight.log" }).click();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  }

  // The doors.

  for (const { name, title, story } of JSON.parse(Playground.scenarios())) {
    $("scenarios").append(button(title, () => {
      attempt(() => Playground.scenario(name), `“${title}” was played; this is how it ends. It can go on.`);
      setText($("story"), story);
    }));
  }
  $("add").addEventListener("submit", (event) => {
    event.preventDefault();
    act({ add: { user: $("user").value, lobby: $("lobby").value } });
  });
  $("step").addEventListener("click", () => act("step"));
  for (const one of document.querySelectorAll("[data-advance]")) {
    one.addEventListener("click", () => act({ advance: { by: Number(one.dataset.advance) } }));
  }
  $("play").addEventListener("click", play);
  $("pause").addEventListener("click", () => act($("pause").getAttribute("aria-pressed") === "true" ? "resume" : "pause"));
  $("drain").addEventListener("click", () => act({ drain: { every: 500, within: 30_000 } }));
  $("cut-all").addEventListener("click", () => act("cut_all"));
  $("mend-all").addEventListener("click", () => act("mend_all"));
  $("health").addEventListener("change", showHealth);
  $("save").addEventListener("click", save);
  $("load").addEventListener("change", async () => {
    const [file] = $("load").files;
    if (file) await load(file);
    // The same file again is a change, too.
    $("load").value = "";
  });
  $("back").addEventListener("input", lookBack);
  $("settings").addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(() => new Playground(JSON.stringify(settings())), "a new server with these settings: nobody is there yet");
  });

  start(new Playground("{}"), "");
  for (const user of ["ann", "bob"]) world.act(JSON.stringify({ add: { user, lobby: "den" } }));
  words = "Two clients are in the den. Cut a link and let time pass, or choose a scenario.";
  render();
})();
