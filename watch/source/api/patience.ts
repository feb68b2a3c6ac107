/**
 * What a feed waits for, one thing at a time: the end of a rest, or an answer that may never come.
 * Whoever learns that the server is back ends that sooner.
 */
import type { Cancel, Clock } from "../../../core/clock.ts";
import type { Random } from "../../../core/random.ts";
import type { ApiFailure } from "./api.ts";
import { isPassing } from "./codes.ts";

/** Who hears that the server is back asks within this, and not all in one moment. */
const POKE_MS = 250;
/** Others look whether the server is back, and say so; should they not, it is asked then. */
const QUIET_MS = 600_000;

/** True for a failure that may be over at any time, and of which nobody says when. */
export function isUntimed(failure: ApiFailure | null): boolean {
  return failure !== null && failure.retryAfterMs === null && isPassing(failure.status);
}

/** The patience of one feed. */
export class Patience {
  readonly #clock: Clock;
  readonly #random: Random;
  /** Ends what is being waited for. */
  #hurry: (() => void) | null = null;
  #cancel: Cancel = () => {};
  #cancelPoke: Cancel | null = null;
  #quiet = false;

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  /** Whether it rests until it is poked. */
  get quiet(): boolean {
    return this.#quiet;
  }

  /**
   * Resolves after so long, or a moment after a poke; never after `stop`. With `quiet` it is poked
   * for sure, and rests until then, ten minutes and `ms` at most.
   */
  rest(ms: number, quiet = false): Promise<void> {
    this.#quiet = quiet;
    return new Promise((resolve) => {
      const over = (): void => {
        this.#quiet = false;
        this.end();
        resolve();
      };
      this.begin(over);
      this.limit(quiet ? QUIET_MS + ms : ms, over);
    });
  }

  /** Something is waited for, and `hurry` gives it up; once at most. */
  begin(hurry: () => void): void {
    this.#hurry = hurry;
  }

  /** Calls after so long, unless the waiting has ended by then. */
  limit(ms: number, call: () => void): void {
    this.#cancel();
    this.#cancel = this.#clock.after(ms, call);
  }

  /** What was waited for is here, or given up. */
  end(): void {
    this.#hurry = null;
    this.#cancel();
  }

  /**
   * At some moment within so long, gives up what is being waited for then; once, however often it
   * is called.
   */
  poke(withinMs = POKE_MS): void {
    this.#cancelPoke ??= this.#clock.after(1 + this.#random.below(withinMs), () => {
      this.#cancelPoke = null;
      this.#hurry?.();
    });
  }

  /** Ends everything without a word. */
  stop(): void {
    this.end();
    this.#cancelPoke?.();
  }
}
