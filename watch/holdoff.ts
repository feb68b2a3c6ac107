/**
 * Holdoff: act on a storm of changes once, when it is over. A rolling deploy is a hundred events
 * and one table.
 *
 *     touch   x x x    x                 x x x x x x x x x x x x …
 *     call             └ quiet ┘!                          max  !
 */
import type { Cancel, Clock } from "../core/clock.ts";

/** Milliseconds. */
export type HoldoffTimes = Readonly<{
  /** Without a touch for so long, the call is made. */
  quietMs: number;
  /** The call is made so long after the first touch, however many follow. */
  maxMs: number;
}>;

export class Holdoff {
  readonly #clock: Clock;
  readonly #times: HoldoffTimes;
  readonly #call: () => void;
  #cancel: Cancel | null = null;
  /** Whether the waiting call is one that more touches put off. */
  #patient = false;
  #firstAt = 0;
  #calledAt = -Infinity;

  constructor(clock: Clock, times: HoldoffTimes, call: () => void) {
    this.#clock = clock;
    this.#times = times;
    this.#call = call;
  }

  /** Something changed: call when it has been quiet. */
  touch(): void {
    const now = this.#clock.now();
    if (this.#cancel === null || !this.#patient) this.#firstAt = now;
    this.#patient = true;
    const { quietMs, maxMs } = this.#times;
    this.#schedule(Math.min(quietMs, Math.max(0, this.#firstAt + maxMs - now)));
  }

  /**
   * Something urgent changed that stands on its own: call in this turn of the loop, so that what
   * came together is seen together, but no sooner than `quietMs` after the last call. While other
   * changes wait for quiet it waits with them: half of what they belong to may be missing.
   */
  hurry(): void {
    if (this.#cancel !== null) return;
    this.#patient = false;
    this.#schedule(Math.max(0, this.#calledAt + this.#times.quietMs - this.#clock.now()));
  }

  /** Forgets a call that waits. */
  cancel(): void {
    this.#cancel?.();
    this.#cancel = null;
  }

  #schedule(ms: number): void {
    this.#cancel?.();
    this.#cancel = this.#clock.after(ms, () => {
      this.#cancel = null;
      this.#calledAt = this.#clock.now();
      this.#call();
    });
  }
}
