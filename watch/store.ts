/** The store: turns what a source tells into changes of the cluster, and says what mattered. */
import { assert } from "../core/assert.ts";
import { Cluster } from "./cluster.ts";
import type { Finding } from "./finding.ts";
import { type Kind, type KubeObject, keyOf } from "./objects.ts";
import type { Changes, Resolved, Snapshot } from "./snapshot.ts";

/**
 * One thing that a source tells. `replace` is a whole list: what is not in it is gone. `absent`:
 * the source has looked for a Secret, and there is none; not `known`: it looks no more. `name` is
 * what DNS says of a name; null forgets it.
 */
export type StoreEvent =
  | Readonly<{ type: "put" | "gone"; object: KubeObject }>
  | Readonly<{ type: "absent"; kind: "Secret"; key: string; known: boolean }>
  | Readonly<{ type: "name"; name: string; resolved: Resolved | null }>
  | Readonly<{ type: "replace"; kind: Kind; objects: readonly KubeObject[] }>;

/** Events may repeat themselves and may name what was never there. */
export class Store {
  readonly #cluster = new Cluster();

  /**
   * True when the event changed anything that translate could see. Versions, managed fields and
   * status never reach an object, so a write that touched only those is false.
   */
  apply(event: StoreEvent): boolean {
    switch (event.type) {
      case "put":
        return this.#cluster.put(event.object);
      case "gone":
        return this.#cluster.drop(event.object.kind, keyOf(event.object));
      case "absent":
        return this.#cluster.miss(event.key, event.known);
      case "name":
        return this.#cluster.resolve(event.name, event.resolved);
      default:
        return this.#replace(event.kind, event.objects);
    }
  }

  /** The objects of one kind by key; a live view, owned by the store. */
  objects(kind: Kind): ReadonlyMap<string, KubeObject> {
    return this.#cluster.objects(kind);
  }

  /** What changed since the last call: a list that was told again changes only what differs. */
  changes(): Changes {
    return this.#cluster.changes();
  }

  /** The cluster as it is now, with the findings of the source; valid until the next event. */
  snapshot(findings: readonly Finding[]): Snapshot {
    return this.#cluster.snapshot(findings);
  }

  #replace(kind: Kind, objects: readonly KubeObject[]): boolean {
    const gone = new Set(this.#cluster.objects(kind).keys());
    let changed = false;
    for (const object of objects) {
      assert(object.kind === kind, `a list of ${kind} holds ${object.kind}`);
      gone.delete(keyOf(object));
      changed = this.#cluster.put(object) || changed;
    }
    for (const key of gone) changed = this.#cluster.drop(kind, key) || changed;
    return changed;
  }
}

/** These change with every pod, and a change of theirs routes nothing anew. */
export function isEndpoints(event: StoreEvent): boolean {
  if (event.type === "name") return true;
  const kind = "object" in event ? event.object.kind : event.kind;
  return kind === "EndpointSlice" || kind === "Endpoints";
}
