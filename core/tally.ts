/** How often each fault happened in this worker, since it started. */
import { FAULTS } from "./fault.ts";

const COUNTS = new Float64Array(FAULTS.length);

/** Counts one more of a fault (its id). */
export function tally(fault: number): void {
  COUNTS[fault]!++;
}

/** How often each fault happened, by its id. */
export function tallies(): readonly number[] {
  return Array.from(COUNTS);
}

/** How often a fault (its id) happened. */
export function tallied(fault: number): number {
  return COUNTS[fault]!;
}
