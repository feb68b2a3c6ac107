/** The kinds that the API server for tests has, and how a path names them. */
import { RESOURCES } from "../../watch/resources.ts";

/** One kind. `status`: it has a status that only `/status` writes. */
export type KindRow = Readonly<{
  group: string;
  version: string;
  plural: string;
  kind: string;
  namespaced: boolean;
  status: boolean;
}>;

const WITH_STATUS = new Set(["Ingress", "Service", "Namespace", "Pod", "Node", "DaemonSet"]);

const READ: readonly KindRow[] = RESOURCES.map(({ apiVersions, kind, plural, namespaced }) =>
  rowOf(apiVersions[0], { kind, plural, namespaced }),
);

/** What rind reads, and what else it writes or looks at. */
export const KINDS: readonly KindRow[] = [
  ...READ,
  rowOf("v1", { kind: "Pod", plural: "pods", namespaced: true }),
  rowOf("v1", { kind: "Node", plural: "nodes", namespaced: false }),
  rowOf("v1", { kind: "Event", plural: "events", namespaced: true }),
  rowOf("v1", { kind: "ConfigMap", plural: "configmaps", namespaced: true }),
  rowOf("coordination.k8s.io/v1", { kind: "Lease", plural: "leases", namespaced: true }),
  rowOf("apps/v1", { kind: "DaemonSet", plural: "daemonsets", namespaced: true }),
];

/** A row from an `apiVersion` and the names of the kind. */
export function rowOf(
  apiVersion: string,
  names: Readonly<{ kind: string; plural: string; namespaced: boolean }>,
): KindRow {
  const slash = apiVersion.indexOf("/");
  const group = slash < 0 ? "" : apiVersion.slice(0, slash);
  const version = apiVersion.slice(slash + 1);
  return { group, version, ...names, status: WITH_STATUS.has(names.kind) };
}

/** `v1`, `networking.k8s.io/v1`. */
export function apiVersionOf({ group, version }: KindRow): string {
  return group === "" ? version : `${group}/${version}`;
}

/** `services`, `ingresses.networking.k8s.io`: how messages of the API server name a kind. */
export function resourceOf({ group, plural }: KindRow): string {
  return group === "" ? plural : `${plural}.${group}`;
}

/** Where a path points. `name` "" means the collection, `namespace` "" all or none. */
export type Place = Readonly<{
  row: KindRow;
  namespace: string;
  name: string;
  subresource: string;
}>;

/** Reads a path such as `/apis/networking.k8s.io/v1/namespaces/shop/ingresses/web/status`. */
export function placeOf(path: string, kinds: readonly KindRow[]): Place | null {
  const parts = path.split("/").slice(1).map(decodeURIComponent);
  const named = parts.shift() === "apis";
  if (!named && !path.startsWith("/api/")) return null;
  const group = named ? (parts.shift() ?? "") : "";
  const version = parts.shift() ?? "";
  // namespaces/NAME and namespaces/NAME/status are the Namespace itself.
  const inside = parts[0] === "namespaces" && parts.length > 2 && parts[2] !== "status";
  const namespace = inside ? (parts[1] ?? "") : "";
  const [plural = "", name = "", subresource = "", ...rest] = inside ? parts.slice(2) : parts;
  const row = kinds.find(
    (each) => each.group === group && each.version === version && each.plural === plural,
  );
  if (row === undefined || rest.length > 0 || (inside && !row.namespaced)) return null;
  if (!["", "status"].includes(subresource)) return null;
  return { row, namespace, name, subresource };
}
