/** A queue in which namespaces take turns: nobody waits for the thousands of another one. */

/** Holds `namespace/name`, each once; in one namespace, who came first is first. */
export class Lanes {
  readonly #lanes = new Map<string, Set<string>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  has(key: string): boolean {
    return this.#lanes.get(namespaceOf(key))?.has(key) ?? false;
  }

  add(key: string): void {
    if (this.has(key)) return;
    const namespace = namespaceOf(key);
    const lane = this.#lanes.get(namespace);
    if (lane === undefined) this.#lanes.set(namespace, new Set([key]));
    else lane.add(key);
    this.#size += 1;
  }

  delete(key: string): void {
    const namespace = namespaceOf(key);
    const lane = this.#lanes.get(namespace);
    if (lane === undefined || !lane.delete(key)) return;
    if (lane.size === 0) this.#lanes.delete(namespace);
    this.#size -= 1;
  }

  clear(): void {
    this.#lanes.clear();
    this.#size = 0;
  }

  /** Takes out the next one, or gives null. */
  take(): string | null {
    for (const [namespace, lane] of this.#lanes) {
      const [key = ""] = lane;
      this.delete(key);
      // The others come first now.
      this.#lanes.delete(namespace);
      if (lane.size > 0) this.#lanes.set(namespace, lane);
      return key;
    }
    return null;
  }
}

/** The namespace of `namespace/name`. */
export function namespaceOf(key: string): string {
  return key.slice(0, key.indexOf("/"));
}
