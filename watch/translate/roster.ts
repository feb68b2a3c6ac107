/**
 * Lists that stay in order and cost what changes: a roster of things by key, a ledger of findings,
 * and sets that count. What did not change is the same list, set and thing as before.
 */
import type { Finding } from "../finding.ts";

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
    if (edits.every(([key, item]) => item !== null && this.get(key) !== null)) {
      const items = this.#items.slice();
      for (const [key, item] of edits) items[search(this.#keys, key, 0)] = item!;
      this.#items = items;
    } else this.#merge(edits.sort(([a], [b]) => (a < b ? -1 : 1)));
    return this.#items;
  }

  #merge(edits: readonly (readonly [string, T | null])[]): void {
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

/** A set whose members stay as long as somebody names them. */
export class Counted {
  readonly #counts = new Map<string, number>();
  #set: ReadonlySet<string> = new Set();
  #changed = false;

  /** What somebody names now, in the place of what they named before; neither repeats itself. */
  replace(before: readonly string[], now: readonly string[]): void {
    for (const key of now) {
      const count = this.#counts.get(key) ?? 0;
      this.#counts.set(key, count + 1);
      if (count === 0) this.#changed = true;
    }
    for (const key of before) {
      const count = this.#counts.get(key)! - 1;
      if (count > 0) this.#counts.set(key, count);
      else {
        this.#counts.delete(key);
        this.#changed = true;
      }
    }
  }

  has(key: string): boolean {
    return this.#counts.has(key);
  }

  /** The members: the same set as before when nothing changed. */
  set(): ReadonlySet<string> {
    const same = this.#counts.size === this.#set.size;
    if (this.#changed && !(same && this.#counts.keys().every((key) => this.#set.has(key)))) {
      this.#set = new Set(this.#counts.keys());
    }
    this.#changed = false;
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
