/** Who looked at what: from a thing that changed to those who have to look again. */
import type { Unit } from "./units.ts";
import { type Seen, type Sight, sightKey } from "./view.ts";

/** So many are compared one by one. */
const FEW = 8;

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
    const known = lookup(before);
    const kept = lookup(now);
    for (const sight of now) if (!known(sight)) this.#add(unit, sight);
    const left: Sight[] = [];
    for (const sight of before) {
      if (kept(sight)) continue;
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

/** Whether a sight is among these: a handful as a rule, and ten thousand of a hostile Ingress. */
function lookup(sights: readonly Sight[]): (sight: Sight) => boolean {
  if (sights.length > FEW) {
    const keys = new Set(sights.map(sightKey));
    return (sight) => keys.has(sightKey(sight));
  }
  return ({ topic, key }) => sights.some((sight) => sight.topic === topic && sight.key === key);
}
