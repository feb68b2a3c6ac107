/** Who looked at what: from a thing that changed to those who have to look again. */
import type { Unit } from "./units.ts";
import type { Seen, Sight } from "./view.ts";

/** Most things are looked at by one unit alone, and a set of one is large. */
type Lookers = Unit | Set<Unit>;

export class Links {
  readonly #topics = new Map<Seen, Map<string, Lookers>>();

  /** Those who looked at it. */
  of(topic: Seen, key: string): Iterable<Unit> {
    const units = this.#topics.get(topic)?.get(key);
    if (units === undefined) return [];
    return units instanceof Set ? units : [units];
  }

  /** Whether anybody looked at it. */
  has(topic: Seen, key: string): boolean {
    return this.#topics.get(topic)?.has(key) ?? false;
  }

  /**
   * Notes what `unit` looked at now, in the place of what it looked at `before`. Answers what
   * nobody looks at any more.
   */
  replace(unit: Unit, before: readonly Sight[], now: readonly Sight[]): readonly Sight[] {
    for (const sight of now) if (!includes(before, sight)) this.#add(unit, sight);
    const left: Sight[] = [];
    for (const sight of before) {
      if (includes(now, sight)) continue;
      if (this.#remove(unit, sight)) left.push(sight);
    }
    return left;
  }

  #add(unit: Unit, { topic, key }: Sight): void {
    const keys = this.#topics.get(topic) ?? new Map<string, Lookers>();
    this.#topics.set(topic, keys);
    const units = keys.get(key);
    if (units === undefined) keys.set(key, unit);
    else if (units instanceof Set) units.add(unit);
    else keys.set(key, new Set([units, unit]));
  }

  /** True when that was the last one. */
  #remove(unit: Unit, { topic, key }: Sight): boolean {
    const keys = this.#topics.get(topic);
    const units = keys?.get(key);
    if (units instanceof Set) units.delete(unit);
    if (units instanceof Set ? units.size > 0 : units !== unit) return false;
    keys?.delete(key);
    return true;
  }
}

function includes(sights: readonly Sight[], { topic, key }: Sight): boolean {
  return sights.some((sight) => sight.topic === topic && sight.key === key);
}
