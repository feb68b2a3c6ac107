/** Random numbers as a parameter: whoever chooses or jitters is given a generator. */

/** Marsaglia's xorshift32: not for secrets, and without an allocation. */
export class Random {
  #state: number;

  /** Any seed but 0 gives a sequence of its own; the same seed gives the same one. */
  constructor(seed: number) {
    this.#state = seed | 0 || 0x9e3779b9;
  }

  /** A whole number in [0, `bound`); `bound` is at least 1 and at most 2^31. */
  below(bound: number): number {
    let state = this.#state;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    this.#state = state;
    return Math.floor(((state >>> 0) / 4_294_967_296) * bound);
  }
}
