// Starts a program of the workspace, and ends it with the test.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { fileURLToPath } from "node:url";

/** Where the programs of the workspace are. */
export const PROGRAMS = process.env.PROGRAMS ?? fileURLToPath(new URL("../../../target/debug/", import.meta.url));

/** A port of this machine that nobody uses. */
export async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

/** Starts `target/debug/NAME` with these arguments, and resolves with the process once its port takes connections. */
export async function start(t, name, args, port, env = {}) {
  const stdio = ["ignore", "inherit", "inherit"];
  const program = spawn(`${PROGRAMS}/${name}`, args, { env: { ...process.env, ...env }, stdio });
  const failed = once(program, "error").then(([error]) => {
    throw error;
  });
  failed.catch(() => {});
  const exited = once(program, "exit");
  t.after(async () => {
    if (program.exitCode === null && program.signalCode === null) program.kill("SIGKILL");
    await exited.catch(() => {});
  });
  await Promise.race([failed, answers(program, port)]);
  return program;
}

async function answers(program, port) {
  for (let tries = 0; tries < 200; tries += 1) {
    if (program.exitCode !== null) throw new Error(`it ended with ${program.exitCode}`);
    // Not by a request: some speak nothing but WebSocket.
    const socket = connect(port, "127.0.0.1");
    const taken = await once(socket, "connect").then(() => true, () => false);
    socket.destroy();
    if (taken) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`nothing answers at port ${port}`);
}
