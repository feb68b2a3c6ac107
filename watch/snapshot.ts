/**
 * A snapshot: what the cluster looks like, as collections by kind. translate sees nothing else.
 * The collections may be live ones: a snapshot is read at once, and not kept.
 */
import { Cluster } from "./cluster.ts";
import type { Finding } from "./finding.ts";
import { type Kind, type KubeObject, keyOf } from "./objects.ts";

export type Snapshot = Readonly<{
  /** By `namespace/name`. */
  ingresses: ReadonlyMap<string, KubeObject>;
  /** By name. */
  classes: ReadonlyMap<string, KubeObject>;
  /** By `namespace/name`. */
  services: ReadonlyMap<string, KubeObject>;
  /** EndpointSlices by the `namespace/name` of their Service, in the order of their own keys. */
  slices: ReadonlyMap<string, readonly KubeObject[]>;
  /** By `namespace/name`. */
  endpoints: ReadonlyMap<string, KubeObject>;
  /** By `namespace/name`. */
  secrets: ReadonlyMap<string, KubeObject>;
  /** Secrets that the source has looked for in vain, by `namespace/name`. */
  absent: ReadonlySet<string>;
  /** By name. */
  namespaces: ReadonlyMap<string, KubeObject>;
  /** The names of the Services of a namespace. */
  siblings: ReadonlyMap<string, ReadonlySet<string>>;
  /** What DNS says of the names that ExternalName Services have. */
  names: ReadonlyMap<string, Resolved>;
  /** What the source itself has to say, such as a file that does not parse. */
  findings: readonly Finding[];
}>;

/** The addresses of a DNS name; `problem` says why there are none, or that they are old ones. */
export type Resolved = Readonly<{ addresses: readonly string[]; problem: string }>;

/**
 * What a change is about: objects of a kind by key, where a slice counts for the key of its
 * Service; DNS names; and namespaces in which a Service came or went.
 */
export type Topic = Kind | "Name" | "Siblings";

/** Which keys changed, by topic. */
export type Changes = ReadonlyMap<Topic, ReadonlySet<string>>;

/** The snapshot of a list of objects. Of two with one key, the first counts. */
export function snapshotOf(objects: readonly KubeObject[], findings: readonly Finding[]): Snapshot {
  const cluster = new Cluster();
  for (const object of objects) {
    if (!cluster.objects(object.kind).has(keyOf(object))) cluster.put(object);
  }
  return cluster.snapshot(findings);
}
