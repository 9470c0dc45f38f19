// Time that never goes back.

/** Reads a wall clock, which runs on while a machine sleeps. When that is set back, time stands still for one reading. */
export class Clock {
  #last = Number.NEGATIVE_INFINITY;
  /** By how much the clock has been set back so far. */
  #behind = 0;

  /** The time at this reading of the clock, in milliseconds. */
  read(reading: number): number {
    const time = reading + this.#behind;
    if (time < this.#last) {
      this.#behind += this.#last - time;
      return this.#last;
    }
    this.#last = time;
    return time;
  }

  /** What the clock reads at a time. */
  readingAt(time: number): number {
    return time - this.#behind;
  }
}
