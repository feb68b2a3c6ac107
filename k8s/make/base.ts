/** What every installation has, whatever its pods look like. */
import { ROLES } from "../../watch/powers.ts";
import { binding, clusterBinding, clusterRole, ownRole } from "./roles.ts";
import { comment, documents, indent } from "./text.ts";
import type { Names } from "./roles.ts";
import type { Power, Role } from "../../watch/powers.ts";

/** Labels that select the pods; they cannot be changed once they are applied. */
export const SELECTOR = `app.kubernetes.io/name: rind
app.kubernetes.io/instance: rind
`;
export const LABELS = `labels:
${indent(SELECTOR, 2)}  app.kubernetes.io/part-of: rind
`;
const NAMES: Names = { name: "rind", namespace: "rind", account: "rind", labels: LABELS };
const FIRST_NAMESPACE = "default";

/** `level`: which Pod Security Standard the namespace holds pods to. */
export function namespace(level: "privileged" | "restricted"): string {
  const why =
    level === "privileged"
      ? "The network of a node is more than the other levels allow; nothing else here is."
      : "";
  const reason = why === "" ? "" : indent(comment(why, 4), 4);
  return `apiVersion: v1
kind: Namespace
metadata:
  name: rind
${indent(LABELS, 2)}${reason}    pod-security.kubernetes.io/enforce: ${level}
`;
}

/** Who rind is to the API server. The pods mount their token themselves. */
export const ACCOUNT = `apiVersion: v1
kind: ServiceAccount
metadata:
  name: rind
  namespace: rind
${indent(LABELS, 2)}automountServiceAccountToken: false
`;

/** The class that Ingresses name. */
export const CLASS = `apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata:
  name: rind
${indent(LABELS, 2)}  # Ingresses that name no class are rind's with this:
  # annotations:
  #   ingressclass.kubernetes.io/is-default-class: "true"
spec:
  controller: rind.dev/ingress-controller
`;

/** Every role that is granted without being asked for. */
export function roles(): string {
  return documents(
    clusterRole(NAMES, "", powersOf("everywhere")),
    clusterBinding(NAMES, ""),
    ownRole(NAMES, powersOf("own")),
    binding(NAMES, { kind: "Role", suffix: "", namespace: NAMES.namespace }),
    `${comment(
      "Secrets are read only where this role is bound. rind asks for those that Ingresses name; " +
        "what it may see is all of a namespace, so bind it only where an Ingress names one:",
    )}#
#   kubectl create rolebinding rind-secrets --clusterrole=rind-secrets \\
#     --serviceaccount=rind:rind --namespace=SHOP
${clusterRole(NAMES, "-secrets", powersOf("chosen"))}`,
    `# Where the examples go, and most first attempts.
${binding(NAMES, { kind: "ClusterRole", suffix: "-secrets", namespace: FIRST_NAMESPACE })}`,
  );
}

/** A role that only a setting asks for, granted everywhere. */
export function askedRole(suffix: Role["suffix"]): string {
  const powers = ROLES.find((role) => role.suffix === suffix)?.powers ?? [];
  return documents(clusterRole(NAMES, suffix, powers), clusterBinding(NAMES, suffix));
}

/** The powers of the one role of a scope. */
export function powersOf(scope: Exclude<Role["scope"], "asked">): readonly Power[] {
  return ROLES.find((role) => role.scope === scope)?.powers ?? [];
}
