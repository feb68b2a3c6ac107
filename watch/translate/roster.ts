/**
 * Lists that stay in order and cost what changes: a roster of things by key, a ledger of findings,
 * and sets that count. What did not change is the same list, set and thing as before.
 */
import type { Finding } from "../finding.ts";

/** With more edits at a time than that, one walk is cheaper than a splice for each. */
const SPLICES_MAX = 16;

type Edits<T> = readonly (readonly [key: string, item: T | null])[];

/** Things in the order of their keys, by code unit. */
export class Roster<T> {
  #keys: readonly string[] = [];
  #items: readonly T[] = [];
  readonly #edits = new Map<string, T | null>();

  /** Puts a thing under a key; null takes it away. */
  set(key: string, item: T | null): void {
    this.#edits.set(key, item);
  }

  /** The thing under a key, as of the last `list`; null when there is none. */
  get(key: string): T | null {
    const at = search(this.#keys, key, 0);
    return this.#keys[at] === key ? this.#items[at]! : null;
  }

  /** All of them: the same list as before when nothing changed. */
  list(): readonly T[] {
    const edits = [...this.#edits].filter(([key, item]) => this.get(key) !== item);
    this.#edits.clear();
    if (edits.length === 0) return this.#items;
    edits.sort(([a], [b]) => (a < b ? -1 : 1));
    if (edits.length <= SPLICES_MAX) this.#splice(edits);
    else this.#merge(edits);
    return this.#items;
  }

  /** Moves memory, and looks at nothing but the places that change. */
  #splice(edits: Edits<T>): void {
    const items = this.#items.slice();
    let keys: string[] | null = null;
    for (const [key, item] of edits) {
      const all = keys ?? this.#keys;
      const at = search(all, key, 0);
      const there = all[at] === key;
      if (there && item !== null) {
        items[at] = item;
        continue;
      }
      keys ??= this.#keys.slice();
      if (item === null) {
        keys.splice(at, 1);
        items.splice(at, 1);
      } else {
        keys.splice(at, 0, key);
        items.splice(at, 0, item);
      }
    }
    this.#keys = keys ?? this.#keys;
    this.#items = items;
  }

  /** Walks all there is once. */
  #merge(edits: Edits<T>): void {
    const keys: string[] = [];
    const items: T[] = [];
    let at = 0;
    const copy = (end: number): void => {
      for (; at < end; at++) {
        keys.push(this.#keys[at]!);
        items.push(this.#items[at]!);
      }
    };
    for (const [key, item] of edits) {
      copy(search(this.#keys, key, at));
      if (this.#keys[at] === key) at++;
      if (item === null) continue;
      keys.push(key);
      items.push(item);
    }
    copy(this.#keys.length);
    this.#keys = keys;
    this.#items = items;
  }
}

/** Findings by what they say: one that several say is there once, until nobody says it. */
export type Findings = ReadonlyMap<string, Finding>;

/** All findings in the order of their keys, and which of them are new. */
export class Ledger {
  readonly #roster = new Roster<Finding>();
  readonly #counts = new Map<string, number>();
  readonly #fresh = new Map<string, Finding>();

  /** What somebody says now, in the place of what they said before. */
  replace(before: Findings, now: Findings): void {
    for (const [key, finding] of now) {
      const count = this.#counts.get(key) ?? 0;
      this.#counts.set(key, count + 1);
      if (count > 0) continue;
      // Somebody may have said it until a moment ago.
      const known = this.#roster.get(key);
      if (known === null) this.#fresh.set(key, finding);
      this.#roster.set(key, known ?? finding);
    }
    for (const key of before.keys()) {
      const count = this.#counts.get(key)! - 1;
      if (count > 0) {
        this.#counts.set(key, count);
        continue;
      }
      this.#counts.delete(key);
      this.#fresh.delete(key);
      this.#roster.set(key, null);
    }
  }

  /** All of them, and those that were not there at the last call. */
  list(): Readonly<{ findings: readonly Finding[]; fresh: readonly Finding[] }> {
    const fresh = [...this.#fresh].sort(([a], [b]) => (a < b ? -1 : 1));
    this.#fresh.clear();
    return { findings: this.#roster.list(), fresh: fresh.map(([, finding]) => finding) };
  }
}

/** How often each key is named. */
export class Counts {
  readonly #counts = new Map<string, number>();

  /**
   * What somebody names now, in the place of what they named before. `moved` is told of each key
   * that came, or went; it may hear of one several times.
   */
  replace(
    before: readonly string[],
    now: readonly string[],
    moved: (key: string) => void = () => {},
  ): void {
    for (const key of now) {
      const count = this.#counts.get(key) ?? 0;
      this.#counts.set(key, count + 1);
      if (count === 0) moved(key);
    }
    for (const key of before) {
      const count = this.#counts.get(key)! - 1;
      if (count > 0) {
        this.#counts.set(key, count);
        continue;
      }
      this.#counts.delete(key);
      moved(key);
    }
  }

  /** Whether anybody names it. */
  has(key: string): boolean {
    return this.#counts.has(key);
  }
}

/** A set whose members stay as long as somebody names them. */
export class Counted {
  readonly #counts = new Counts();
  readonly #live = new Set<string>();
  /** Members that came or went since the last `set`. */
  readonly #moved = new Set<string>();
  #set: ReadonlySet<string> = new Set();

  /** What somebody names now, in the place of what they named before. */
  replace(before: readonly string[], now: readonly string[]): void {
    this.#counts.replace(before, now, (key) => this.#moved.add(key));
  }

  /** The members: the same set as before when nothing changed. */
  set(): ReadonlySet<string> {
    let changed = false;
    for (const key of this.#moved) {
      const there = this.#counts.has(key);
      if (there) this.#live.add(key);
      else this.#live.delete(key);
      changed ||= there !== this.#set.has(key);
    }
    this.#moved.clear();
    // Copied as a whole, which costs a hundredth of adding the members one by one.
    if (changed) this.#set = new Set(this.#live);
    return this.#set;
  }
}

/** The place of `key` in sorted `keys`, or where it would stand, from `start` on. */
function search(keys: readonly string[], key: string, start: number): number {
  let low = start;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (keys[middle]! < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
