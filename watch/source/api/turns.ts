/** Whose turn it is among objects of many namespaces: nobody waits for another one's thousands. */

/** Namespaces take turns, and in each the object comes that has waited longest. */
export class Turns {
  /** Objects that never had a turn, by namespace. */
  readonly #fresh = new Map<string, Set<string>>();
  /** When each other one had its turn, by namespace; who waited longest stands first. */
  readonly #served = new Map<string, Map<string, number>>();

  /** A new object, by `namespace/name`. */
  add(key: string): void {
    const namespace = namespaceOf(key);
    const objects = this.#fresh.get(namespace) ?? new Set();
    this.#fresh.set(namespace, objects);
    objects.add(key);
  }

  delete(key: string): void {
    const namespace = namespaceOf(key);
    for (const namespaces of [this.#fresh, this.#served]) {
      const objects = namespaces.get(namespace);
      objects?.delete(key);
      if (objects?.size === 0) namespaces.delete(namespace);
    }
  }

  /** The next one that never had its turn, or else had it `restMs` ago; or null. */
  take(now: number, restMs: number): string | null {
    return this.takeFresh(now) ?? this.#takeServed(now, restMs);
  }

  /** The next one that never had its turn, or null. */
  takeFresh(now: number): string | null {
    for (const [namespace, objects] of this.#fresh) {
      const [key = ""] = objects;
      objects.delete(key);
      this.#fresh.delete(namespace);
      if (objects.size > 0) this.#fresh.set(namespace, objects);
      const served = this.#served.get(namespace) ?? new Map<string, number>();
      this.#served.set(namespace, served);
      served.set(key, now);
      return key;
    }
    return null;
  }

  /** Whether all had their turn. */
  settled(): boolean {
    return this.#fresh.size === 0;
  }

  #takeServed(now: number, restMs: number): string | null {
    for (const [namespace, objects] of this.#served) {
      for (const [key, at] of objects) {
        if (now - at < restMs) break;
        objects.delete(key);
        objects.set(key, now);
        this.#served.delete(namespace);
        this.#served.set(namespace, objects);
        return key;
      }
    }
    return null;
  }
}

function namespaceOf(key: string): string {
  return key.slice(0, key.indexOf("/"));
}
