/** The ways in which one message is cut into reads: what a codec says must never depend on them. */

/** Above this many bytes, not every boundary is tried but a seeded choice of them. */
const EVERY_BOUNDARY_MAX = 400;
const CHOSEN = 24;

/** A generator of whole numbers in [0, below), the same for the same seed (mulberry32). */
export type Random = (below: number) => number;

/** Makes a generator; the caller prints the seed, so that a failure can be run again. */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

/** The seed of this run: RIND_SEED when it is set, so that a failure can be run again. */
export function seedOfRun(): number {
  const asked = Number(process.env.RIND_SEED);
  return Number.isSafeInteger(asked) && asked > 0 ? asked : Date.now() % 1_000_000;
}

/**
 * Ends of reads, ascending, the last one always `length`: in two at every boundary, in single
 * bytes, and at random.
 */
export function cutsOf(length: number, random: Random): readonly (readonly number[])[] {
  if (length === 0) return [];
  const cuts: number[][] = [];
  if (length <= EVERY_BOUNDARY_MAX) {
    for (let at = 1; at < length; at++) cuts.push([at, length]);
  } else {
    for (let i = 0; i < CHOSEN; i++) cuts.push([1 + random(length - 1), length]);
  }
  const step = length <= 5_000 ? 1 : 97;
  const small: number[] = [];
  for (let at = step; at < length; at += step) small.push(at);
  cuts.push([...small, length]);
  for (let i = 0; i < 4; i++) {
    const ends = new Set([length]);
    for (let left = 1 + random(8); left > 0; left--) ends.add(1 + random(length));
    cuts.push([...ends].sort((a, b) => a - b));
  }
  return cuts;
}
