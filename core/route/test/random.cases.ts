/** Seeded choices for the tests of this room. RIND_SEED runs a seed again. */

export type Random = Readonly<{
  /** A whole number in [0, below). */
  below: (below: number) => number;
  one: <T>(of: readonly T[]) => T;
  /** A text of up to `max` parts. */
  text: (parts: readonly string[], max: number) => string;
}>;

/** Makes a generator (mulberry32) and prints its seed. */
export function seeded(): Random {
  const asked = Number(process.env["RIND_SEED"]);
  const seed = Number.isSafeInteger(asked) && asked > 0 ? asked : Date.now() % 1_000_000;
  console.log(`seed ${seed} (RIND_SEED=${seed} runs it again)`);
  let state = seed;
  const below = (limit: number): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  };
  const one = <T>(of: readonly T[]): T => of[below(of.length)]!;
  const text = (parts: readonly string[], max: number): string => {
    let made = "";
    for (let left = below(max + 1); left > 0; left--) made += one(parts);
    return made;
  };
  return { below, one, text };
}
