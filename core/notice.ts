/**
 * Faults that whoever reads the log at night should know of, such as a limit at its end: which one,
 * of whom, and how often.
 */
import { FAULTS } from "./fault.ts";
import { log } from "./log.ts";
import type { Fields } from "./log.ts";
import { tallied } from "./tally.ts";
import { TICK_MS } from "./timers.ts";
import type { Timers } from "./timers.ts";

/** A flood must not become one of log lines: one in so many ticks for each fault. */
const SILENCE_TICKS = 10_000 / TICK_MS;

export class Notices {
  readonly #timers: Timers;
  /** From which tick on a fault is logged again, by its id. */
  readonly #silentTo = new Map<number, number>();

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  /** Logs a fault (its id) with `fields`, which name the limit or peer: once in 10 s for each. */
  tell(fault: number, fields: Fields): void {
    const { now } = this.#timers;
    if (now < (this.#silentTo.get(fault) ?? 0)) return;
    this.#silentTo.set(fault, now + SILENCE_TICKS);
    // Some tell before they count.
    const times = Math.max(1, tallied(fault));
    log("warn", FAULTS[fault]!.name, { ...fields, times });
  }
}
