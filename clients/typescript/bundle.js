// Makes one file of the package, for the page that the servers embed: `cargo run` needs no npm.

import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { buildSync } from "esbuild";

/** Where it is committed. */
export const COMMITTED = new URL("../../examples/chat/src/client.js", import.meta.url);

export function bundle() {
  const { outputFiles } = buildSync({
    absWorkingDir: fileURLToPath(new URL(".", import.meta.url)),
    entryPoints: ["src/index.ts"],
    bundle: true,
    format: "esm",
    target: "es2022",
    charset: "utf8",
    banner: { js: "// Built from clients/typescript by `npm run bundle`: change it there." },
    write: false,
  });
  return outputFiles[0].text;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(COMMITTED, bundle());
