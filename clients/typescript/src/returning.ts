// Whether to come back after a close, and when.

/** What a close frame asks of a client. */
export type Advice =
  /** Not to come back. */
  | { again: false }
  /** To come back after so many milliseconds at the earliest; if `exact`, at that very time, which is its own. */
  | { again: true; after: number; exact: boolean };

/** The lowest code that an application may choose itself: whatever it says, it means. */
const FIRST_OF_APPLICATIONS = 4000;

/** The one answer of that range that is later's, and whose reason has no room for advice. */
const FULL = 4002;
const FULL_AFTER = 5_000;

/** Splits `user_limit;retry=5000` into the reason and the milliseconds. */
export function splitReason(reason: string): { what: string; retry: number | null } {
  const [, what = "", retry] = /^(.*?)(?:;retry=(\d+))?$/s.exec(reason) ?? [];
  return { what, retry: retry === undefined ? null : Number(retry) };
}

/**
 * The rules, of which the first that applies holds:
 *
 * 1. 4001 and `replaced` are for ever, whatever else they say: two tabs would replace each other in turn.
 * 2. `;retry=MS` at the end of a reason: come back, but not before.
 * 3. 4002, full: come back, as if it said `;retry=5000`.
 * 4. Any other code from 4000 on, 1008 (policy) and 1000 (done) are decisions of the server: a kick, say. Stay away.
 * 5. All others are accidents, restarts or the network: come back.
 */
export function advice(code: number, reason: string): Advice {
  const { what, retry } = splitReason(reason);
  if (code === 4001 || code === 4005 || what === "replaced") return { again: false };
  // Each client of a server that drains has a time of its own, so that the next server is not stampeded.
  if (retry !== null) return { again: true, after: retry, exact: code === 1012 };
  if (code === FULL) return { again: true, after: FULL_AFTER, exact: false };
  if (code >= FIRST_OF_APPLICATIONS || code === 1008 || code === 1000) return { again: false };
  return { again: true, after: 0, exact: false };
}

/** By how much the longest delay of an attempt doubles at most: beyond, numbers overflow. */
const MOST_DOUBLINGS = 30;

/** Capped exponential delay with full jitter: anything from nothing to the cap is as likely. `random` is in 0..1. */
export function backoff(attempts: number, first: number, longest: number, random: number): number {
  return random * Math.min(longest, first * 2 ** Math.min(attempts, MOST_DOUBLINGS));
}
