/** How long to wait after a failure: longer each time, never in step with others. */
import type { Clock } from "../../../core/clock.ts";
import type { Random } from "../../../core/random.ts";

/** The numbers of client-go's reflector (tools/cache/reflector.go). */
const FIRST_MS = 800;
const FACTOR = 2;
const WAIT_MAX_MS = 30_000;
/** After so long without a failure the next wait is a first one again. */
const HEALTHY_MS = 120_000;

/** The waits of one feed. */
export class Backoff {
  readonly #clock: Clock;
  readonly #random: Random;
  #waitMs = FIRST_MS;
  /** When the last wait was over. */
  #overAt = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  /**
   * The next wait, milliseconds: 0.4–0.8 s, then twice as long each time, at most 15–30 s. That is
   * four requests a minute to a server that is down. `retryAfterMs` is a lower bound.
   */
  next(retryAfterMs: number | null): number {
    const now = this.#clock.now();
    if (now - this.#overAt >= HEALTHY_MS) this.#waitMs = FIRST_MS;
    const half = this.#waitMs / 2;
    const ownMs = half + this.#random.below(half + 1);
    this.#waitMs = Math.min(this.#waitMs * FACTOR, WAIT_MAX_MS);
    const waitMs = Math.max(ownMs, retryAfterMs ?? 0);
    this.#overAt = now + waitMs;
    return waitMs;
  }
}
