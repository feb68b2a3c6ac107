/**
 * What rind asks of an API server, a row each, with the reason: the only source of the roles in
 * k8s/. Whatever is not here is refused by a cluster that runs rind as it is shipped.
 */
import { RESOURCES } from "./resources.ts";

/**
 * Where a power holds. `cluster`: in every namespace that rind serves, and for what has none.
 * `own`: in the namespace rind runs in. `chosen`: only where somebody binds the role. `asked`: only
 * when a setting asks for it.
 */
export type Scope = "cluster" | "own" | "chosen" | "asked";

/** One rule of a role. `names` narrows it to these objects; without it, all are meant. */
export type Power = Readonly<{
  group: string;
  resource: string;
  verbs: readonly string[];
  scope: Scope;
  namespaced: boolean;
  names?: readonly string[];
  because: string;
}>;

/** Why each kind is read; a kind without a reason here has none to be read. */
const REASONS: ReadonlyMap<string, string> = new Map([
  ["Ingress", "what to serve"],
  ["IngressClass", "which Ingresses are ours"],
  ["Service", "which port of a backend is meant, and whose address to publish"],
  ["EndpointSlice", "where the pods are"],
  ["Namespace", "labels of namespaces, for --namespace-selector; rind looks only when it is set"],
  [
    "Secret",
    "those that an Ingress names, one by one; there is no list, but whoever may watch Secrets " +
      "can see all of a namespace: bind this only where Ingresses need it",
  ],
]);

/** What reading takes; kinds that only folders have need nothing. */
const READING: readonly Power[] = RESOURCES.filter(({ read }) => read !== "folder").map(
  ({ kind, apiVersions, plural, namespaced, read }) => ({
    group: groupOf(apiVersions[0]),
    resource: plural,
    verbs: read === "named" ? ["get", "watch"] : ["get", "list", "watch"],
    scope: read === "named" ? "chosen" : "cluster",
    namespaced,
    because: REASONS.get(kind) ?? "",
  }),
);

/** What telling people takes. */
const REPORTING: readonly Power[] = [
  {
    group: "networking.k8s.io",
    resource: "ingresses/status",
    verbs: ["patch"],
    scope: "cluster",
    namespaced: true,
    because: "the addresses that `kubectl get ingress` shows; never the Ingress itself",
  },
  {
    group: "",
    resource: "events",
    verbs: ["create", "patch"],
    scope: "cluster",
    namespaced: true,
    because: "what `kubectl describe` shows below an object that is wrong",
  },
  {
    group: "coordination.k8s.io",
    resource: "leases",
    verbs: ["create"],
    scope: "own",
    namespaced: true,
    because: "one pod writes for all; RBAC cannot narrow create to a name",
  },
  {
    group: "coordination.k8s.io",
    resource: "leases",
    verbs: ["get", "update"],
    scope: "own",
    namespaced: true,
    names: ["rind"],
    because: "the lease of the pod that writes",
  },
  {
    group: "",
    resource: "pods",
    verbs: ["list", "watch"],
    scope: "own",
    namespaced: true,
    because: "rind's own pods: the nodes of those that are ready are the addresses to publish",
  },
  {
    group: "",
    resource: "nodes",
    verbs: ["get"],
    scope: "asked",
    namespaced: false,
    because: "external addresses of nodes, for --node-address ExternalIP",
  },
];

/** All that rind asks for. The roles in k8s/ grant these and nothing else. */
export const POWERS: readonly Power[] = [...READING, ...REPORTING];

/** `v1` has no group: that is the core group, "". */
function groupOf(apiVersion: string): string {
  return apiVersion.includes("/") ? apiVersion.slice(0, apiVersion.indexOf("/")) : "";
}
