/** Whose turn it is among objects of many namespaces: nobody waits for another one's thousands. */

/** Namespaces take turns, and in each the object comes that has waited longest. */
export class Turns {
  /** When each object had its turn, by namespace; who waited longest stands first. */
  readonly #namespaces = new Map<string, Map<string, number>>();

  /** A new object, by `namespace/name`. */
  add(key: string): void {
    const namespace = namespaceOf(key);
    const objects = this.#namespaces.get(namespace) ?? new Map<string, number>();
    this.#namespaces.set(namespace, objects);
    objects.set(key, Number.NEGATIVE_INFINITY);
  }

  delete(key: string): void {
    const namespace = namespaceOf(key);
    const objects = this.#namespaces.get(namespace);
    objects?.delete(key);
    if (objects?.size === 0) this.#namespaces.delete(namespace);
  }

  /** The next one that had its turn `restMs` ago or never, or null. */
  take(now: number, restMs: number): string | null {
    for (const [namespace, objects] of this.#namespaces) {
      for (const [key, at] of objects) {
        if (now - at < restMs) break;
        objects.delete(key);
        objects.set(key, now);
        this.#namespaces.delete(namespace);
        this.#namespaces.set(namespace, objects);
        return key;
      }
    }
    return null;
  }
}

function namespaceOf(key: string): string {
  return key.slice(0, key.indexOf("/"));
}
