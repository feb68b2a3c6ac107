/** Splits at work: a schedule, the backends of its shares, and where it is. */
import { NONE, type Weighted } from "../model.ts";
import {
  compileSchedule,
  FIXED,
  rest,
  RUNNING,
  sameSchedule,
  type Schedule,
  shareAt,
  step,
} from "./schedule.ts";

/** A RUNNING schedule is joined at most this many steps from its beginning: each costs a walk. */
const HEAD_START_MAX = 256;
/** Fraction of the golden ratio: multiples of it, modulo 1, are never close together. */
const GOLDEN = 0.6180339887498949;
const NO_DEBTS = new Float64Array(0);

let shared: Int32Array | null = null;
let seat = 0;

/**
 * One split of one route. Counters outlive tables: `resume` hands them on. Which counter is used is
 * decided by each pick, so a split compiled before the counters were shared uses them as well.
 */
export class Split {
  readonly schedule: Schedule;
  /** Registry index of each share's backend. */
  readonly backends: Int32Array;
  /** Slot of the shared counter, or NONE. */
  readonly cursor: number;
  /** The next request of the period, when this worker counts alone. RUNNING: steps, modulo. */
  at = 0;
  /** RUNNING: what each share is owed. */
  readonly debts: Float64Array;

  constructor(schedule: Schedule, backends: Int32Array, cursor: number) {
    this.schedule = schedule;
    this.backends = backends;
    this.cursor = cursor;
    const running = schedule.form === RUNNING;
    this.debts = running ? new Float64Array(schedule.weights.length) : NO_DEBTS;
  }
}

/**
 * Counters that all workers share, by slot; `null` for none. `worker` is this worker's number: it
 * spreads the starts of the splits that are counted alone, so that workers do not burst together.
 */
export function shareCursors(cursors: Int32Array | null, worker = 0): void {
  shared = cursors;
  seat = worker;
}

// === hot ===

/**
 * The registry index of the backend for the next request, or NONE when all weights are zero. Over
 * a shared counter the workers together keep the bound of the schedule; a RUNNING one, or a slot
 * beyond the counters, is kept by each worker for itself.
 */
export function pick(split: Split): number {
  const schedule = split.schedule;
  if (schedule.form === RUNNING) {
    split.at = (split.at + 1) % HEAD_START_MAX;
    return split.backends[step(schedule, split.debts)]!;
  }
  if (schedule.form === FIXED && schedule.period === 0) return NONE;
  return split.backends[shareAt(schedule, turn(split))]!;
}

/** The number of this request in the period. */
function turn(split: Split): number {
  const cursor = split.cursor;
  const cursors = shared;
  const period = split.schedule.period;
  // Wrapping at 2^32 moves the phase once, by less than a period.
  if (cursors !== null && cursor >= 0 && cursor < cursors.length) {
    return rest(Atomics.add(cursors, cursor, 1) >>> 0, period);
  }
  const at = split.at;
  split.at = at + 1 < period ? at + 1 : 0;
  return at;
}

// === cold: compile ===

/** The split of a route. Its start is spread by the route's id and this worker's number. */
export function compileSplit(
  shares: readonly Weighted[],
  indexOf: (backend: string) => number,
  start: Readonly<{ route: string; cursor: number }>,
): Split {
  const schedule = compileSchedule(shares.map((share) => share.weight));
  const backends = Int32Array.from(shares, (share) => indexOf(share.backend));
  const split = new Split(schedule, backends, start.cursor);
  const fraction = ((seat + (hashOf(start.route) % 1_024)) * GOLDEN) % 1;
  advance(split, Math.floor(schedule.period * fraction));
  return split;
}

/**
 * Lets a split go on where the one before it stopped. Same weights: as if nothing had happened,
 * even when backends moved. Other weights: the new schedule is joined at the old number, not at its
 * beginning, where frequent changes would always meet the same share; as any run of requests out of
 * a schedule is off by less than two (less than one for two shares), so is each change.
 */
export function resume(split: Split, before: Split): void {
  if (sameSchedule(split.schedule, before.schedule)) {
    split.at = before.at;
    split.debts.set(before.debts);
    return;
  }
  advance(split, before.at);
}

/** Moves a split to request `n`. */
function advance(split: Split, n: number): void {
  const { schedule, debts } = split;
  if (schedule.form !== RUNNING) {
    split.at = schedule.period === 0 ? 0 : rest(n, schedule.period);
    return;
  }
  split.at = n % HEAD_START_MAX;
  debts.fill(0);
  for (let i = 0; i < split.at; i++) step(schedule, debts);
}

function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
