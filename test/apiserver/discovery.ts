/** What clients ask before they ask for objects: versions, groups and kinds. */
import type { Answer } from "./connection.ts";
import { apiVersionOf, type KindRow } from "./kinds.ts";

const VERBS = ["create", "delete", "get", "list", "patch", "update", "watch"];

/** The answer for a path that names no kind, or null: there is nothing. */
export function discover(path: string, kinds: readonly KindRow[]): Answer | null {
  if (["/healthz", "/livez", "/readyz"].includes(path)) return { status: 200, body: "ok" };
  if (path === "/version") return json({ major: "1", minor: "34", gitVersion: "v1.34.4" });
  if (path === "/api") return json({ kind: "APIVersions", versions: ["v1"] });
  if (path === "/apis")
    return json({ kind: "APIGroupList", apiVersion: "v1", groups: groups(kinds) });
  const groupVersion = path.replace(/^\/apis?\//, "");
  const rows = kinds.filter((row) => apiVersionOf(row) === groupVersion);
  if (rows.length === 0) return null;
  const resources = rows.flatMap(({ plural, kind, namespaced, status }) => {
    const about = { singularName: kind.toLowerCase(), namespaced, kind };
    const main = { name: plural, ...about, verbs: VERBS };
    const part = { name: `${plural}/status`, ...about, verbs: ["get", "patch", "update"] };
    return status ? [main, part] : [main];
  });
  return json({ kind: "APIResourceList", apiVersion: "v1", groupVersion, resources });
}

function groups(kinds: readonly KindRow[]): unknown[] {
  const named = new Map<string, KindRow>();
  for (const row of kinds) if (row.group !== "") named.set(row.group, row);
  return [...named.values()].map((row) => {
    const version = { groupVersion: apiVersionOf(row), version: row.version };
    return { name: row.group, versions: [version], preferredVersion: version };
  });
}

function json(value: unknown): Answer {
  return { status: 200, body: JSON.stringify(value) };
}
