/**
 * A snapshot: what the cluster looked like at one moment, as frozen collections by kind. translate
 * sees nothing else. Collections of kinds that did not change are the same objects as before.
 */
import type { Finding } from "./finding.ts";
import { type Kind, type KubeObject, keyOf } from "./objects.ts";

/** The label by which an EndpointSlice belongs to a Service (discovery.k8s.io/v1). */
const SERVICE_LABEL = "kubernetes.io/service-name";

/** Lists are in the order of their keys, so that equal clusters give equal snapshots. */
export type Snapshot = Readonly<{
  ingresses: readonly KubeObject[];
  /** By name. */
  classes: ReadonlyMap<string, KubeObject>;
  /** By `namespace/name`. */
  services: ReadonlyMap<string, KubeObject>;
  /** EndpointSlices by the `namespace/name` of their Service. */
  slices: ReadonlyMap<string, readonly KubeObject[]>;
  /** By `namespace/name`. */
  endpoints: ReadonlyMap<string, KubeObject>;
  /** By `namespace/name`. */
  secrets: ReadonlyMap<string, KubeObject>;
  /** By name. */
  namespaces: ReadonlyMap<string, KubeObject>;
  /** What DNS says of the names that ExternalName Services have. */
  names: ReadonlyMap<string, Resolved>;
  /** What the source itself has to say, such as a file that does not parse. */
  findings: readonly Finding[];
}>;

/** The addresses of a DNS name; `problem` says why there are none, or that they are old ones. */
export type Resolved = Readonly<{ addresses: readonly string[]; problem: string }>;

/** What a snapshot is taken of: objects by key, and a number that moves when a kind changes. */
export type Shelf = Readonly<{
  objects(kind: Kind): ReadonlyMap<string, KubeObject>;
  revision(kind: Kind): number;
  names(): ReadonlyMap<string, Resolved>;
}>;

/** Remembers the last snapshot of one shelf, so that unchanged kinds cost nothing. */
export class Camera {
  readonly #shelf: Shelf;
  readonly #revisions = new Map<Kind, number>();
  #last: Snapshot = snapshotOf([], []);
  #strays: readonly Finding[] = [];

  constructor(shelf: Shelf) {
    this.#shelf = shelf;
  }

  /** A snapshot of the shelf as it is now, with the findings of the source. */
  take(findings: readonly Finding[]): Snapshot {
    const last = this.#last;
    const slices = this.#changed("EndpointSlice");
    if (slices !== null) this.#strays = straysOf(slices);
    const ingresses = this.#changed("Ingress");
    this.#last = Object.freeze({
      ingresses: ingresses === null ? last.ingresses : sorted(ingresses),
      classes: this.#copied("IngressClass", last.classes),
      services: this.#copied("Service", last.services),
      slices: slices === null ? last.slices : byService(slices),
      endpoints: this.#copied("Endpoints", last.endpoints),
      secrets: this.#copied("Secret", last.secrets),
      namespaces: this.#copied("Namespace", last.namespaces),
      names: this.#shelf.names(),
      findings: Object.freeze([...findings, ...this.#strays]),
    });
    return this.#last;
  }

  #copied(kind: Kind, last: ReadonlyMap<string, KubeObject>): ReadonlyMap<string, KubeObject> {
    const changed = this.#changed(kind);
    return changed === null ? last : new Map(changed);
  }

  #changed(kind: Kind): ReadonlyMap<string, KubeObject> | null {
    const revision = this.#shelf.revision(kind);
    if (this.#revisions.get(kind) === revision) return null;
    this.#revisions.set(kind, revision);
    return this.#shelf.objects(kind);
  }
}

/** The snapshot of a list of objects. Of two with one key, the first counts. */
export function snapshotOf(objects: readonly KubeObject[], findings: readonly Finding[]): Snapshot {
  const kinds = new Map<Kind, Map<string, KubeObject>>();
  for (const object of objects) {
    const kind = kinds.get(object.kind) ?? new Map<string, KubeObject>();
    kinds.set(object.kind, kind);
    if (!kind.has(keyOf(object))) kind.set(keyOf(object), object);
  }
  const of = (kind: Kind): ReadonlyMap<string, KubeObject> => kinds.get(kind) ?? new Map();
  return Object.freeze({
    ingresses: sorted(of("Ingress")),
    classes: of("IngressClass"),
    services: of("Service"),
    slices: byService(of("EndpointSlice")),
    endpoints: of("Endpoints"),
    secrets: of("Secret"),
    namespaces: of("Namespace"),
    names: new Map(),
    findings: Object.freeze([...findings, ...straysOf(of("EndpointSlice"))]),
  });
}

function sorted(objects: ReadonlyMap<string, KubeObject>): readonly KubeObject[] {
  const keys = [...objects.keys()].sort();
  return Object.freeze(keys.flatMap((key) => objects.get(key) ?? []));
}

function byService(
  slices: ReadonlyMap<string, KubeObject>,
): ReadonlyMap<string, readonly KubeObject[]> {
  const services = new Map<string, KubeObject[]>();
  for (const slice of sorted(slices)) {
    const service = slice.metadata.labels.get(SERVICE_LABEL);
    if (service === undefined) continue;
    const key = `${slice.metadata.namespace}/${service}`;
    const list = services.get(key);
    if (list === undefined) services.set(key, [slice]);
    else list.push(slice);
  }
  for (const list of services.values()) Object.freeze(list);
  return services;
}

/** A slice without the label serves nobody, which whoever wrote it by hand cannot see. */
function straysOf(slices: ReadonlyMap<string, KubeObject>): readonly Finding[] {
  return sorted(slices)
    .filter((slice) => !slice.metadata.labels.has(SERVICE_LABEL))
    .map((slice) => ({
      level: "warning",
      kind: slice.kind,
      namespace: slice.metadata.namespace,
      name: slice.metadata.name,
      field: "metadata.labels",
      reason: `the label ${SERVICE_LABEL} is missing`,
      hint: `add the label ${SERVICE_LABEL} with the name of the Service`,
      effect: "these endpoints belong to no Service",
    }));
}
