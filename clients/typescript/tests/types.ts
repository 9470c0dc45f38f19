// Not run: that this compiles is the test. Applications see these types.

import NodeWebSocket from "ws";

import { type Client, connect } from "../dist/index.js";

const client: Client = connect("wss://example.org/", { WebSocket: NodeWebSocket });
connect(new URL("wss://example.org/"), { WebSocket, patience: Number.POSITIVE_INFINITY, admission: "upgrade" });
connect(async () => "wss://example.org/", { protocols: ["chat"] });

const off: () => void = client.on("closed", ({ code, reason, willReturn, delay }) => {
  const all: [number, string, boolean, number | null] = [code, reason, willReturn, delay];
  return void all;
});
client.on("gap", (gap) => void (gap.cause === "slow" ? gap.dropped : gap.milliseconds));
client.on("latency", ({ user, milliseconds }) => void [user.length, milliseconds.toFixed()]);
const sent: "sent" | "queued" | "refused" = client.send({ type: "chat" });
void [off, sent];

// @ts-expect-error: there is no such event
client.on("opened", () => {});
// @ts-expect-error: what came in is not checked
client.on("message", ({ data }) => data.type);
// @ts-expect-error: there is no such option
connect("wss://example.org/", { retries: 3 });
// @ts-expect-error: a server lets in with a message or with the upgrade
connect("wss://example.org/", { admission: "never" });
