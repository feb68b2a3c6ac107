/**
 * The cluster: the objects as last heard of, kept in the indices that translate looks things up
 * in. It notes what changed, so that nobody has to compare whole kinds to find out.
 */
import type { Finding } from "./finding.ts";
import { type Kind, type KubeObject, SERVICE_LABEL, keyOf } from "./objects.ts";
import type { Changes, Resolved, Snapshot, Topic } from "./snapshot.ts";

const NO_SLICES: readonly KubeObject[] = [];

export class Cluster {
  readonly #kinds = new Map<Kind, Map<string, KubeObject>>();
  /** Slices by the key of their Service, in the order of their own keys. */
  readonly #slices = new Map<string, readonly KubeObject[]>();
  /** Of slices that belong to no Service, by their key. */
  readonly #strays = new Map<string, Finding>();
  /** Names of Services by namespace. */
  readonly #siblings = new Map<string, Set<string>>();
  readonly #names = new Map<string, Resolved>();
  /** Secrets that are known not to be there. */
  readonly #absent = new Set<string>();
  #changes = new Map<Topic, Set<string>>();
  /** The last answer of `snapshot`, and the findings it was asked with. */
  #snapshot: Snapshot | null = null;
  #told: readonly Finding[] = [];

  /** The objects of one kind by key; live, and not to be edited. */
  objects(kind: Kind): ReadonlyMap<string, KubeObject> {
    return this.#shelf(kind);
  }

  /** Puts an object in the place of the one with its key. False: that one is equal, and stays. */
  put(object: KubeObject): boolean {
    const shelf = this.#shelf(object.kind);
    const key = keyOf(object);
    const known = shelf.get(key);
    if (known !== undefined && (known === object || Bun.deepEquals(known, object, true))) {
      return false;
    }
    shelf.set(key, object);
    if (object.kind === "Secret") this.#absent.delete(key);
    this.#moved(object.kind, key, { known, object });
    return true;
  }

  /** Forgets an object. False: it was not there. */
  drop(kind: Kind, key: string): boolean {
    const known = this.#shelf(kind).get(key);
    if (known === undefined) return false;
    this.#shelf(kind).delete(key);
    this.#moved(kind, key, { known, object: undefined });
    return true;
  }

  /** Notes that a Secret is known not to be there, or no more. False: that was so before. */
  miss(key: string, known: boolean): boolean {
    if (this.#absent.has(key) === known) return false;
    if (known) this.#absent.add(key);
    else this.#absent.delete(key);
    this.#note("Secret", key);
    return true;
  }

  /** Notes what DNS says of a name; null forgets it. False: it said so before. */
  resolve(name: string, resolved: Resolved | null): boolean {
    const known = this.#names.get(name) ?? null;
    if (Bun.deepEquals(known, resolved, true)) return false;
    if (resolved === null) this.#names.delete(name);
    else this.#names.set(name, resolved);
    this.#note("Name", name);
    return true;
  }

  /** What changed since the last call. */
  changes(): Changes {
    const changes = this.#changes;
    this.#changes = new Map();
    return changes;
  }

  /**
   * All there is, with the findings of the source. The maps are live: they may be read until the
   * next change. Equal findings are the same list as before.
   */
  snapshot(findings: readonly Finding[]): Snapshot {
    if (this.#snapshot !== null && findings === this.#told) return this.#snapshot;
    this.#told = findings;
    const strays = [...this.#strays].sort(([a], [b]) => (a < b ? -1 : 1));
    this.#snapshot = Object.freeze({
      ingresses: this.#shelf("Ingress"),
      classes: this.#shelf("IngressClass"),
      services: this.#shelf("Service"),
      slices: this.#slices,
      endpoints: this.#shelf("Endpoints"),
      secrets: this.#shelf("Secret"),
      absent: this.#absent,
      namespaces: this.#shelf("Namespace"),
      siblings: this.#siblings,
      names: this.#names,
      findings: Object.freeze([...findings, ...strays.map(([, finding]) => finding)]),
    });
    return this.#snapshot;
  }

  #shelf(kind: Kind): Map<string, KubeObject> {
    const known = this.#kinds.get(kind);
    if (known !== undefined) return known;
    const shelf = new Map<string, KubeObject>();
    this.#kinds.set(kind, shelf);
    return shelf;
  }

  #moved(
    kind: Kind,
    key: string,
    { known, object }: { known: KubeObject | undefined; object: KubeObject | undefined },
  ): void {
    if (kind === "EndpointSlice") return this.#sliceMoved(key, known, object);
    this.#note(kind, key);
    if (kind !== "Service" || (known !== undefined && object !== undefined)) return;
    const { namespace, name } = (known ?? object)!.metadata;
    const siblings = this.#siblings.get(namespace) ?? new Set();
    if (object === undefined) siblings.delete(name);
    else siblings.add(name);
    if (siblings.size === 0) this.#siblings.delete(namespace);
    else this.#siblings.set(namespace, siblings);
    this.#note("Siblings", namespace);
  }

  /** A slice may come, go, and change over to another Service. */
  #sliceMoved(key: string, known: KubeObject | undefined, object: KubeObject | undefined): void {
    const before = known === undefined ? null : serviceOf(known);
    const after = object === undefined ? null : serviceOf(object);
    if (before !== null) this.#setSlices(before, key, after === before ? object : undefined);
    if (after !== null && after !== before) this.#setSlices(after, key, object);
    const stray = object !== undefined && after === null;
    if (stray === this.#strays.has(key)) return;
    if (stray) this.#strays.set(key, strayFinding(object));
    else this.#strays.delete(key);
    this.#snapshot = null;
  }

  /** The slices of a Service with this one in its place, or without it. */
  #setSlices(service: string, key: string, slice: KubeObject | undefined): void {
    const next = (this.#slices.get(service) ?? NO_SLICES).slice();
    const at = placeOf(next, key);
    const there = at < next.length && keyOf(next[at]!) === key;
    // By its place, and not by a walk: a Service may be given ten thousand of them.
    next.splice(at, there ? 1 : 0, ...(slice === undefined ? [] : [slice]));
    if (next.length === 0) this.#slices.delete(service);
    else this.#slices.set(service, next);
    this.#note("EndpointSlice", service);
  }

  #note(topic: Topic, key: string): void {
    const keys = this.#changes.get(topic);
    if (keys === undefined) this.#changes.set(topic, new Set([key]));
    else keys.add(key);
  }
}

/** Where `key` stands among slices in the order of their keys, or would stand. */
function placeOf(slices: readonly KubeObject[], key: string): number {
  let low = 0;
  let high = slices.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (keyOf(slices[middle]!) < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The key of the Service that a slice says it belongs to; null when it does not say. */
function serviceOf(slice: KubeObject): string | null {
  const service = slice.metadata.labels.get(SERVICE_LABEL);
  return service === undefined ? null : `${slice.metadata.namespace}/${service}`;
}

/** A slice without the label serves nobody, which whoever wrote it by hand cannot see. */
function strayFinding({ kind, metadata }: KubeObject): Finding {
  return {
    level: "warning",
    kind,
    namespace: metadata.namespace,
    name: metadata.name,
    field: "metadata.labels",
    reason: `the label ${SERVICE_LABEL} is missing`,
    hint: `add the label ${SERVICE_LABEL} with the name of the Service`,
    effect: "these endpoints belong to no Service",
  };
}
