/**
 * How long a model waits for Secrets and names that it is the first to want: they are mostly there
 * within milliseconds, and without them a host is no better than away.
 */
import type { Clock } from "../core/clock.ts";

/** The first model: nothing is served before it anyway. */
const FIRST_MS = 10_000;
/**
 * A later one: an Ingress whose Secret gets another name keeps the certificate of before meanwhile.
 * Whatever else has changed waits as well, so it is short.
 */
const LATER_MS = 250;

export class Wait {
  readonly #clock: Clock;
  readonly #settled: () => boolean;
  #untilMs = 0;
  #first = true;
  #held = false;

  /** `settled`: whether all that is wanted has been answered. */
  constructor(clock: Clock, settled: () => boolean) {
    this.#clock = clock;
    this.#settled = settled;
  }

  /** The first model may wait from now on. */
  begin(): void {
    this.#untilMs = this.#clock.now() + FIRST_MS;
  }

  /** Something new is wanted. What waits already does not wait longer: this may go on and on. */
  extend(): void {
    if (!this.#first && !this.#held) this.#untilMs = this.#clock.now() + LATER_MS;
  }

  /** For so many milliseconds the model of now is to be held back; 0: it may go. */
  leftMs(): number {
    const leftMs = Math.ceil(this.#untilMs - this.#clock.now());
    if (leftMs <= 0 || this.#settled()) return 0;
    this.#held = true;
    return leftMs;
  }

  /** A model goes; answers whether some before it were held back. */
  end(): boolean {
    const held = this.#held;
    this.#held = false;
    this.#first = false;
    this.#untilMs = 0;
    return held;
  }
}
