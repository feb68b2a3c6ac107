/**
 * Bugs of ours in the control plane that nothing nearer to them contains. Its end would be that of
 * the workers, which serve well; so it goes on with what it has, and says so until it is restarted.
 */
import { type Clock, systemClock } from "../core/clock.ts";
import { log } from "../core/log.ts";

/** The same bug again is a line of the log once in this time, milliseconds. */
const SILENCE_MS = 60_000;
/** Different bugs that are told apart; all others count as one. */
const KNOWN_MAX = 100;

/** Contains the bugs of this process from now on; the answer says how many there were. */
export function containBugs(): () => number {
  const bugs = new Bugs(systemClock, log);
  process.on("uncaughtException", (error) => bugs.tell(error));
  process.on("unhandledRejection", (reason) => bugs.tell(reason));
  return () => bugs.count;
}

/** Counts and logs what it is told: an error that was thrown, or a promise's reason. */
export class Bugs {
  /** Since the start. */
  count = 0;
  readonly #clock: Clock;
  readonly #log: typeof log;
  /** When each was logged last, by its stack. */
  readonly #loggedAt = new Map<string, number>();

  constructor(clock: Clock, write: typeof log) {
    this.#clock = clock;
    this.#log = write;
  }

  tell(error: unknown): void {
    this.count += 1;
    const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
    const now = this.#clock.now();
    const apart = this.#loggedAt.has(stack) || this.#loggedAt.size < KNOWN_MAX;
    const which = apart ? stack : "";
    if (now - (this.#loggedAt.get(which) ?? -Infinity) < SILENCE_MS) return;
    this.#loggedAt.set(which, now);
    this.#log("error", "a bug of rind: what is served stays, please report it", {
      times: this.count,
      stack,
    });
  }
}
