// What a message of the server is to the client.

/** What came in. */
export type Received = string | ArrayBuffer;

export type Meaning =
  | { is: "health_ping"; timestamp: number }
  | { is: "latency"; user: string; milliseconds: number }
  | { is: "gap"; dropped: number }
  /** The application's. `data` is the JSON in it, `undefined` if it is none, or the bytes of a binary message. */
  | { is: "message"; data: unknown };

/** Never throws: what is no JSON, or JSON of another shape, is the application's. */
export function meaning(raw: Received): Meaning {
  if (typeof raw !== "string") return { is: "message", data: raw };
  const data = parse(raw);
  if (typeof data === "object" && data !== null && "type" in data) {
    const { type, timestamp, user, milliseconds, dropped } = data as Record<string, unknown>;
    if (type === "health_ping" && typeof timestamp === "number") return { is: type, timestamp };
    if (type === "latency" && typeof user === "string" && typeof milliseconds === "number") {
      return { is: type, user, milliseconds };
    }
    if (type === "gap" && typeof dropped === "number") return { is: type, dropped };
  }
  return { is: "message", data };
}

/** The answer to a `health_ping`, with its number. */
export function healthPong(timestamp: number): string {
  return JSON.stringify({ type: "health_pong", timestamp });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
