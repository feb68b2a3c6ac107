/** Orders of play and robust sums. Pure; randomness is seeded, so a report can be recomputed. */

const RESAMPLES = 2000;
const SEED = 0x9e3779b9;

/** A median with the bounds of its 95 % bootstrap interval. */
export type Estimate = Readonly<{ median: number; low: number; high: number }>;

/** Round `n`'s order: forwards, then backwards, so that drift weighs on everyone alike (ABBA). */
export function orderOf<T>(products: readonly T[], round: number): readonly T[] {
  return round % 2 === 0 ? products : products.toReversed();
}

/** The middle value; the mean of the two middle ones for an even count; NaN for none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length >> 1;
  if (sorted.length % 2 === 1) return sorted[half]!;
  return (sorted[half - 1]! + sorted[half]!) / 2;
}

/** Percentile bootstrap of the median (Efron 1979), 2000 resamples, always the same ones. */
export function estimate(values: readonly number[]): Estimate {
  const next = generator(SEED);
  const medians: number[] = [];
  for (let i = 0; i < RESAMPLES; i++) {
    const sample = values.map(() => values[Math.floor(next() * values.length)]!);
    medians.push(median(sample));
  }
  medians.sort((a, b) => a - b);
  return {
    median: median(values),
    low: medians[Math.floor(RESAMPLES * 0.025)]!,
    high: medians[Math.ceil(RESAMPLES * 0.975) - 1]!,
  };
}

/** mulberry32: small, seeded, good enough to resample with. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
