/**
 * Schedules: which share of a split gets request number n, laid out from the weights once, on whole
 * numbers and never rounded. R. Tijdeman's rule (The chairman assignment problem, Discrete
 * Mathematics 32, 1980): after any number of requests each of k shares is within 1 − 1/(2k − 2) of
 * its part, which no rule betters for all weights; with two shares that is half a request.
 *
 *   FIXED   one share has all the weight, or none has: the answer never changes
 *   PAIR    two shares: closed form, any n at once, no table
 *   LAID    the whole period as bytes, shared by all splits of the same reduced weights
 *   RUNNING longer periods: the rule itself, one step a request, state with the split
 */
import { assert } from "../assert.ts";
import { NONE } from "../model.ts";

export const FIXED = 0;
const PAIR = 1;
const LAID = 2;
export const RUNNING = 3;

/** Longest period that is laid out, requests and bytes. */
const PERIOD_MAX = 4_096;
/** Shares a byte can tell apart. */
const SHARES_MAX = 256;
/** Laid-out periods that are kept for the next split of the same weights. */
const CACHED_MAX = 1_024;

export type Schedule = Readonly<{
  form: number;
  /** Reduced weights of the shares that have any, and which share each belongs to. */
  weights: Float64Array;
  shares: Int32Array;
  /** Sum of the reduced weights: requests after which everything begins again. */
  period: number;
  /** LAID: the share of each request. */
  slots: Uint8Array;
}>;

const NO_SLOTS = new Uint8Array(0);

const laidOut = new Map<string, Uint8Array>();

/**
 * The schedule of weights ≥ 0, by share. All zero: nobody is ever picked. The sum of the reduced
 * weights, times eight times their number, must stay below 2^53: a million each for a thousand
 * shares does.
 */
export function compileSchedule(weights: readonly number[]): Schedule {
  const shares: number[] = [];
  let divisor = 0;
  for (let i = 0; i < weights.length; i++) {
    const weight = weights[i]!;
    assert(Number.isSafeInteger(weight) && weight >= 0, "weights are whole numbers from 0 on");
    if (weight === 0) continue;
    shares.push(i);
    divisor = gcd(divisor, weight);
  }
  const reduced = Float64Array.from(shares, (share) => weights[share]! / divisor);
  let period = 0;
  for (let i = 0; i < reduced.length; i++) period += reduced[i]!;
  const exact = period * 8 * Math.max(1, shares.length) < Number.MAX_SAFE_INTEGER;
  assert(exact, "the weights of a split add up to less than 2^50 a share");
  const form = formOf(reduced.length, period, weights.length);
  return {
    form,
    weights: reduced,
    shares: Int32Array.from(shares),
    period,
    slots: form === LAID ? layOut(reduced, shares, period) : NO_SLOTS,
  };
}

/** Whether two schedules pick the same shares for the same requests. */
export function sameSchedule(one: Schedule, other: Schedule): boolean {
  if (one.weights.length !== other.weights.length) return false;
  for (let i = 0; i < one.weights.length; i++) {
    if (one.weights[i] !== other.weights[i] || one.shares[i] !== other.shares[i]) return false;
  }
  return true;
}

function formOf(shares: number, period: number, all: number): number {
  if (shares < 2) return FIXED;
  if (shares === 2 && period < 0x4000000) return PAIR;
  return period <= PERIOD_MAX && all <= SHARES_MAX ? LAID : RUNNING;
}

function layOut(weights: Float64Array, shares: readonly number[], period: number): Uint8Array {
  const key = `${shares.join()}:${weights.join()}`;
  const known = laidOut.get(key);
  if (known !== undefined) return known;
  const slots = new Uint8Array(period);
  const debts = new Float64Array(weights.length);
  for (let n = 0; n < period; n++) slots[n] = shares[choose(weights, debts, period)]!;
  // Splits keep what they use; starting over only forgets who else could share it.
  if (laidOut.size === CACHED_MAX) laidOut.clear();
  laidOut.set(key, slots);
  return slots;
}

function gcd(a: number, b: number): number {
  let [large, small] = [Math.max(a, b), Math.min(a, b)];
  while (small > 0) [large, small] = [small, large % small];
  return large;
}

// === hot ===

/** The share of request `n` of the period, 0 ≤ n < period, or NONE. Not for RUNNING. */
export function shareAt(schedule: Schedule, n: number): number {
  const form = schedule.form;
  if (form === LAID) return schedule.slots[n]!;
  if (form === FIXED) return schedule.shares.length === 0 ? NONE : schedule.shares[0]!;
  // x(n) = floor(n·w/W + 1/2) for the second share: never more than half a request off.
  const period = schedule.period;
  const weight = schedule.weights[1]!;
  const phase = rest(n * weight + Math.floor(period / 2), period);
  return schedule.shares[phase >= period - weight ? 1 : 0]!;
}

/** One step of a RUNNING schedule: its share, or NONE. `debts` is the state, all zero at first. */
export function step(schedule: Schedule, debts: Float64Array): number {
  const at = choose(schedule.weights, debts, schedule.period);
  return at === NONE ? NONE : schedule.shares[at]!;
}

/** `n` modulo `period` for whole numbers below 2^53: exact, and faster than `%` beyond int32. */
export function rest(n: number, period: number): number {
  return n - Math.floor(n / period) * period;
}

/**
 * Tijdeman's rule on d = n·w − W·x, the requests owed to each share in units of 1/W: all are owed
 * w more; those owed W/(2k − 2) or more may be served; the one with the least time left is.
 */
function choose(weights: Float64Array, debts: Float64Array, period: number): number {
  const scale = 2 * weights.length - 2;
  let best: number = NONE;
  let bestSlack = 0;
  for (let i = 0; i < weights.length; i++) {
    const debt = debts[i]! + weights[i]!;
    debts[i] = debt;
    if (scale * debt < period) continue;
    const slack = (scale - 1) * period - scale * debt;
    if (best !== NONE && !sooner(slack, weights[i]!, bestSlack, weights[best]!)) continue;
    best = i;
    bestSlack = slack;
  }
  assert(best !== NONE, "somebody is owed a request");
  debts[best]! -= period;
  return best;
}

/** Whether a/b < c/d for whole a, c and whole b, d > 0, exactly: by their continued fractions. */
function sooner(a: number, b: number, c: number, d: number): boolean {
  for (;;) {
    const left = Math.floor(a / b);
    const right = Math.floor(c / d);
    if (left !== right) return left < right;
    const above = a - left * b;
    const below = c - right * d;
    // Equal whole parts: compare above/b with below/d, that is d/below with b/above.
    if (above === 0 || below === 0) return above === 0 && below !== 0;
    a = d;
    c = b;
    b = below;
    d = above;
  }
}
