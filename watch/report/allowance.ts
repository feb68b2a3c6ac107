/** How many Events an object may have: who edits one without end must not fill the cluster. */
import type { Clock } from "../../core/clock.ts";

/** The numbers of client-go's spam filter (tools/record/events_cache.go). */
const BURST = 25;
const REFILL_MS = 300_000;
/** Objects that are remembered; beyond that the one whose Event is the oldest is forgotten. */
const OBJECTS_MAX = 10_000;

/** 25 for each key at once, and then one each five minutes. */
export class Allowance {
  readonly #clock: Clock;
  readonly #left = new Map<string, Readonly<{ count: number; at: number }>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether there may be one more; then it counts. */
  take(key: string): boolean {
    const now = this.#clock.now();
    const { count, at } = this.#left.get(key) ?? { count: BURST, at: now };
    const have = Math.min(BURST, count + (now - at) / REFILL_MS);
    if (have < 1) return false;
    this.#left.delete(key);
    this.#left.set(key, { count: have - 1, at: now });
    if (this.#left.size > OBJECTS_MAX) this.#left.delete(this.#left.keys().next().value ?? "");
    return true;
  }
}
