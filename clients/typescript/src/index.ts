export { type Address, type Client, connect } from "./client.js";
export type { ClosedEvent, Events, GapEvent, LatencyEvent, MessageEvent, OpenEvent } from "./events.js";
export type { Sent, State } from "./machine.js";
export type { Options } from "./options.js";
export type { Socket, SocketConstructor } from "./socket.js";
