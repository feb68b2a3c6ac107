/** Roles and their bindings, made of watch/powers.ts. */
import { comment, indent } from "./text.ts";
import type { Power } from "../../watch/powers.ts";

/** What the objects of one rind are called. `labels` is the YAML of a metadata's labels. */
export type Names = Readonly<{
  name: string;
  namespace: string;
  /** The ServiceAccount. */
  account: string;
  labels: string;
}>;

const API = "apiVersion: rbac.authorization.k8s.io/v1";

function rulesOf(powers: readonly Power[]): string {
  return `rules:\n${indent(powers.map(rule).join(""), 2)}`;
}

function rule({ group, resource, verbs, names, because }: Power): string {
  const narrowed = names === undefined ? "" : `  resourceNames: [${names.join(", ")}]\n`;
  return `${comment(because, 2)}- apiGroups: [${group === "" ? '""' : group}]
  resources: [${resource}]
${narrowed}  verbs: [${verbs.join(", ")}]
`;
}

/** A role of no namespace; it grants nothing until it is bound. */
export function clusterRole(names: Names, suffix: string, powers: readonly Power[]): string {
  return `${API}
kind: ClusterRole
metadata:
  name: ${names.name}${suffix}
${indent(names.labels, 2)}${rulesOf(powers)}`;
}

/** A role of the namespace that rind runs in. */
export function ownRole(names: Names, powers: readonly Power[]): string {
  return `${API}
kind: Role
metadata:
  name: ${names.name}
  namespace: ${names.namespace}
${indent(names.labels, 2)}${rulesOf(powers)}`;
}

/** Grants a ClusterRole everywhere. */
export function clusterBinding(names: Names, suffix: string): string {
  return `${API}
kind: ClusterRoleBinding
metadata:
  name: ${names.name}${suffix}
${indent(names.labels, 2)}${granted("ClusterRole", names, suffix)}`;
}

/** Grants a role in one namespace. */
export function binding(
  names: Names,
  of: Readonly<{ kind: "Role" | "ClusterRole"; suffix: string; namespace: string }>,
): string {
  return `${API}
kind: RoleBinding
metadata:
  name: ${names.name}${of.suffix}
  namespace: ${of.namespace}
${indent(names.labels, 2)}${granted(of.kind, names, of.suffix)}`;
}

function granted(kind: "Role" | "ClusterRole", names: Names, suffix: string): string {
  return `roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ${kind}
  name: ${names.name}${suffix}
subjects:
  - kind: ServiceAccount
    name: ${names.account}
    namespace: ${names.namespace}
`;
}
