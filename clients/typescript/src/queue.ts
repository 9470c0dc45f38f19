// What waits while there is no connection.

/** What can be sent. */
export type Data = string | ArrayBuffer | ArrayBufferView<ArrayBuffer>;

const utf8 = new TextEncoder();

/**
 * Bounded in messages and in bytes. One that finds no room is refused, and what is in stays in, in its order: who
 * sends learns at once that it was not taken.
 */
export class Queue {
  #waiting: Data[] = [];
  #bytes = 0;

  constructor(
    readonly maxMessages: number,
    readonly maxBytes: number,
  ) {}

  get length(): number {
    return this.#waiting.length;
  }

  /** False if there is no room. */
  push(data: Data): boolean {
    const bytes = typeof data === "string" ? utf8.encode(data).length : data.byteLength;
    if (this.#waiting.length >= this.maxMessages || this.#bytes + bytes > this.maxBytes) return false;
    this.#waiting.push(data);
    this.#bytes += bytes;
    return true;
  }

  /** Empties it. */
  takeAll(): Data[] {
    const all = this.#waiting;
    this.#waiting = [];
    this.#bytes = 0;
    return all;
  }
}
