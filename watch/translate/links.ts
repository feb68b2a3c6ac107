/** Who looked at what: from a thing that changed to those who have to look again. */
import type { Seen, Sight } from "./view.ts";

const NOBODY: ReadonlySet<never> = new Set();

export class Links<Unit> {
  readonly #topics = new Map<Seen, Map<string, Set<Unit>>>();

  /** Those who looked at it. */
  of(topic: Seen, key: string): ReadonlySet<Unit> {
    return this.#topics.get(topic)?.get(key) ?? NOBODY;
  }

  /**
   * Notes what `unit` looked at now, in the place of what it looked at `before`. Answers what
   * nobody looks at any more.
   */
  replace(unit: Unit, before: readonly Sight[], now: readonly Sight[]): readonly Sight[] {
    for (const { topic, key } of now) {
      const keys = this.#topics.get(topic) ?? new Map<string, Set<Unit>>();
      this.#topics.set(topic, keys);
      const units = keys.get(key);
      if (units === undefined) keys.set(key, new Set([unit]));
      else units.add(unit);
    }
    const left: Sight[] = [];
    for (const sight of before) {
      const { topic, key } = sight;
      if (now.some((seen) => seen.topic === topic && seen.key === key)) continue;
      const units = this.#topics.get(topic)?.get(key);
      units?.delete(unit);
      if (units === undefined || units.size > 0) continue;
      this.#topics.get(topic)?.delete(key);
      left.push(sight);
    }
    return left;
  }
}
