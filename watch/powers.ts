/**
 * What rind asks of an API server, a row each, with the reason: the only source of the roles in
 * k8s/. Whatever is not here is refused by a cluster that runs rind as it is shipped.
 */
import { RESOURCES } from "./resources.ts";

/** One rule of a role. `names` narrows it to these objects; without it, all are meant. */
export type Power = Readonly<{
  group: string;
  resource: string;
  verbs: readonly string[];
  namespaced: boolean;
  names?: readonly string[];
  because: string;
}>;

/**
 * Powers that are granted together. `everywhere`: in each namespace that rind serves, and for what
 * is in none. `own`: in the namespace rind runs in. `chosen`: only where somebody binds the role.
 * `asked`: only where a setting asks for it. `suffix` tells the roles of one rind apart.
 */
export type Role = Readonly<{
  suffix: "" | "-secrets" | "-all-secrets" | "-nodes";
  scope: "everywhere" | "own" | "chosen" | "asked";
  powers: readonly Power[];
}>;

/** Why each kind is read. */
const REASONS: ReadonlyMap<string, string> = new Map([
  ["Ingress", "What to serve."],
  ["IngressClass", "Which Ingresses are rind's."],
  ["Service", "Which port of a backend is meant; whose address --publish-service shows."],
  ["EndpointSlice", "Where the pods are."],
  ["Namespace", "Labels, for --namespace-selector. Without that flag nobody looks."],
  ["Secret", "Those that an Ingress names; each list and watch asks for one by its name."],
]);

/** What reading takes. Kinds that only folders have take nothing. */
function reading(named: boolean): readonly Power[] {
  return RESOURCES.filter(({ read }) => read !== "folder" && (read === "named") === named).map(
    ({ kind, apiVersions, plural, namespaced }) => ({
      group: groupOf(apiVersions[0]),
      resource: plural,
      // Of Secrets beyond those that are watched, each is read by itself; of kinds nothing is.
      verbs: named ? ["get", "list", "watch"] : ["list", "watch"],
      namespaced,
      because: REASONS.get(kind) ?? "",
    }),
  );
}

const STATUS: Power = {
  group: "networking.k8s.io",
  resource: "ingresses/status",
  verbs: ["patch"],
  namespaced: true,
  because: "The addresses that `kubectl get ingress` shows. Nothing else of an Ingress is written.",
};
const EVENTS: Power = {
  group: "",
  resource: "events",
  verbs: ["create", "patch"],
  namespaced: true,
  because: "What `kubectl describe` shows below an object that is wrong.",
};
const LEASE_NEW: Power = {
  group: "coordination.k8s.io",
  resource: "leases",
  verbs: ["create"],
  namespaced: true,
  because: "One pod writes for all of them. RBAC cannot narrow create to a name.",
};
const LEASE: Power = {
  group: "coordination.k8s.io",
  resource: "leases",
  verbs: ["get", "update"],
  namespaced: true,
  names: ["rind"],
  because: "Who that is.",
};
const PODS: Power = {
  group: "",
  resource: "pods",
  verbs: ["list", "watch"],
  namespaced: true,
  because: "rind's own: the nodes of those that are ready are the addresses to publish.",
};
const OWN_SERVICE: Power = {
  group: "",
  resource: "services",
  verbs: ["list", "watch"],
  namespaced: true,
  because: "The one of --publish-service, for a rind that serves other namespaces only.",
};
const ALL_SECRETS: Power = {
  group: "",
  resource: "secrets",
  verbs: ["list", "watch"],
  namespaced: true,
  because: "Every Secret of the cluster, for --secrets all: passwords of databases too.",
};
const NODES: Power = {
  group: "",
  resource: "nodes",
  verbs: ["get"],
  namespaced: false,
  because: "Their external addresses, for --node-address ExternalIP.",
};

/** All that rind asks for. The roles in k8s/ grant these powers and no others. */
export const ROLES: readonly Role[] = [
  { suffix: "", scope: "everywhere", powers: [...reading(false), STATUS, EVENTS] },
  { suffix: "", scope: "own", powers: [LEASE_NEW, LEASE, PODS, OWN_SERVICE] },
  { suffix: "-secrets", scope: "chosen", powers: reading(true) },
  { suffix: "-all-secrets", scope: "asked", powers: [ALL_SECRETS] },
  { suffix: "-nodes", scope: "asked", powers: [NODES] },
];

/** `v1` has no group: that is the core group, "". */
function groupOf(apiVersion: string): string {
  const slash = apiVersion.indexOf("/");
  return slash < 0 ? "" : apiVersion.slice(0, slash);
}
