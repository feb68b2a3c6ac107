/**
 * The kinds of API objects that rind reads, a row each: how manifests spell them, where the API
 * server has them, and which powers reading them takes. k8s/ grants exactly these.
 */

/** The kinds a snapshot holds. */
export type Kind =
  "Ingress" | "IngressClass" | "Service" | "EndpointSlice" | "Endpoints" | "Secret" | "Namespace";

/**
 * `apiVersions` are those that manifests may use; the first one is what the API server is asked
 * for, under `plural`. `read`: all of them are followed; only those that others name, one by one
 * (`named`); those that a setting asks for (`asked`); or only in folders (`folder`).
 */
export type Resource = Readonly<{
  kind: Kind;
  apiVersions: readonly [string, ...string[]];
  plural: string;
  namespaced: boolean;
  read: "all" | "named" | "asked" | "folder";
}>;

/** A row is all a new kind needs to reach the snapshot. */
export const RESOURCES: readonly Resource[] = [
  {
    kind: "Ingress",
    apiVersions: ["networking.k8s.io/v1", "networking.k8s.io/v1beta1", "extensions/v1beta1"],
    plural: "ingresses",
    namespaced: true,
    read: "all",
  },
  {
    kind: "IngressClass",
    apiVersions: ["networking.k8s.io/v1", "networking.k8s.io/v1beta1"],
    plural: "ingressclasses",
    namespaced: false,
    read: "all",
  },
  { kind: "Service", apiVersions: ["v1"], plural: "services", namespaced: true, read: "all" },
  {
    kind: "EndpointSlice",
    apiVersions: ["discovery.k8s.io/v1", "discovery.k8s.io/v1beta1"],
    plural: "endpointslices",
    namespaced: true,
    read: "all",
  },
  // A cluster mirrors what people write here into EndpointSlices (KEP-1672).
  { kind: "Endpoints", apiVersions: ["v1"], plural: "endpoints", namespaced: true, read: "folder" },
  { kind: "Secret", apiVersions: ["v1"], plural: "secrets", namespaced: true, read: "named" },
  {
    kind: "Namespace",
    apiVersions: ["v1"],
    plural: "namespaces",
    namespaced: false,
    read: "asked",
  },
];

/** The ServiceAccount of k8s/rind.yaml, `namespace:name`. */
export const USUAL_ACCOUNT = "rind:rind";

/**
 * How somebody lets rind read the Secrets of a namespace. `account`: its ServiceAccount,
 * `namespace:name`; the role is called after it, in k8s/rind.yaml and in the chart.
 */
export function grantOf(namespace: string, account: string): string {
  const role = `${account.slice(account.indexOf(":") + 1)}-secrets`;
  const to = `--clusterrole=${role} --serviceaccount=${account}`;
  return `kubectl create rolebinding ${role} -n ${namespace} ${to}`;
}
