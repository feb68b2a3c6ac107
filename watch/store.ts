/** The store: the objects of the cluster as last heard of. It says whether an event mattered. */
import { assert } from "../core/assert.ts";
import { type Kind, type KubeObject, keyOf } from "./objects.ts";
import type { Resolved } from "./snapshot.ts";

/**
 * One thing that a source tells. `replace` is a whole list: what is not in it is gone. `name` is
 * what DNS says of a name; null forgets it.
 */
export type StoreEvent =
  | Readonly<{ type: "put" | "gone"; object: KubeObject }>
  | Readonly<{ type: "name"; name: string; resolved: Resolved | null }>
  | Readonly<{ type: "replace"; kind: Kind; objects: readonly KubeObject[] }>;

type Shelf = { readonly objects: Map<string, KubeObject>; revision: number };

/** Objects by kind and key. Events may repeat themselves and may name what was never there. */
export class Store {
  readonly #shelves = new Map<Kind, Shelf>();
  #names: ReadonlyMap<string, Resolved> = new Map();

  /**
   * True when the event changed anything that translate could see. Versions, managed fields and
   * status never reach an object, so a write that touched only those is false.
   */
  apply(event: StoreEvent): boolean {
    if (event.type === "replace") return this.#replace(event.kind, event.objects);
    if (event.type === "name") return this.#name(event.name, event.resolved);
    const shelf = this.#shelf(event.object.kind);
    const key = keyOf(event.object);
    const changed =
      event.type === "put" ? put(shelf, key, event.object) : shelf.objects.delete(key);
    if (changed) shelf.revision += 1;
    return changed;
  }

  /** The objects of one kind by key; a live view, owned by the store. */
  objects(kind: Kind): ReadonlyMap<string, KubeObject> {
    return this.#shelf(kind).objects;
  }

  /** A number that grows whenever an event about this kind mattered. */
  revision(kind: Kind): number {
    return this.#shelf(kind).revision;
  }

  /** What DNS says, by name; another map after each change. */
  names(): ReadonlyMap<string, Resolved> {
    return this.#names;
  }

  #name(name: string, resolved: Resolved | null): boolean {
    const known = this.#names.get(name) ?? null;
    if (Bun.deepEquals(known, resolved, true)) return false;
    const names = new Map(this.#names);
    if (resolved === null) names.delete(name);
    else names.set(name, resolved);
    this.#names = names;
    return true;
  }

  #replace(kind: Kind, objects: readonly KubeObject[]): boolean {
    const shelf = this.#shelf(kind);
    const gone = new Set(shelf.objects.keys());
    let changed = false;
    for (const object of objects) {
      assert(object.kind === kind, `a list of ${kind} holds ${object.kind}`);
      const key = keyOf(object);
      gone.delete(key);
      changed = put(shelf, key, object) || changed;
    }
    for (const key of gone) changed = shelf.objects.delete(key) || changed;
    if (changed) shelf.revision += 1;
    return changed;
  }

  #shelf(kind: Kind): Shelf {
    const known = this.#shelves.get(kind);
    if (known !== undefined) return known;
    const shelf = { objects: new Map<string, KubeObject>(), revision: 0 };
    this.#shelves.set(kind, shelf);
    return shelf;
  }
}

/** An object that equals the known one is dropped, so that the known one stays the same object. */
function put(shelf: Shelf, key: string, object: KubeObject): boolean {
  const known = shelf.objects.get(key);
  if (known !== undefined && (known === object || Bun.deepEquals(known, object, true)))
    return false;
  shelf.objects.set(key, object);
  return true;
}
