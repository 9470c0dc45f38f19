// What the WebAssembly comes to: node digests.mjs FOLDER RECORDING, as JSON.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { runInThisContext } from "node:vm";

const [folder, recording] = process.argv.slice(2);
// The glue is a script that leaves one name behind, as in the page.
const glue = await readFile(join(folder, "lobby_playground.js"), "utf8");
const wasm_bindgen = runInThisContext(`${glue}; wasm_bindgen`);
await wasm_bindgen({ module_or_path: await readFile(join(folder, "lobby_playground_bg.wasm")) });
const { Playground } = wasm_bindgen;

const log = await readFile(recording);
const logs = {};
for (const { name } of JSON.parse(Playground.scenarios())) {
  logs[name] = new TextDecoder().decode(Playground.scenario(name).log());
}
const third = log.indexOf("\n", log.indexOf("\n") + 1) + 1;
const changed = Uint8Array.from(log, (byte, at) => (at === third + 20 ? byte ^ 1 : byte));
let damaged = "it was loaded";
try {
  Playground.load(changed);
} catch (error) {
  damaged = error.message;
}
console.log(JSON.stringify({ recording: Playground.load(log).digest(), logs, damaged }));
