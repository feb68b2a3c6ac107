/** The roles grant what watch/powers.ts asks for: all of it, and nothing else. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { RESOURCES } from "../../watch/resources.ts";
import { ROLES } from "../../watch/powers.ts";
import { at, nameOf, objectsIn } from "./fixture/objects.ts";
import type { Raw } from "./fixture/objects.ts";
import type { Role } from "../../watch/powers.ts";

const ROOT = join(import.meta.dir, "../..");
const COMPONENTS = "k8s/kustomize/components";

function objectsOf(...paths: readonly string[]): Raw[] {
  return paths.flatMap((path) => objectsIn(readFileSync(join(ROOT, path), "utf8")));
}

type Rule = Readonly<{
  apiGroups: readonly string[];
  resources: readonly string[];
  verbs: readonly string[];
  resourceNames?: readonly string[];
}>;

/** A line for each thing that may be done: `watch networking.k8s.io/ingresses`. */
function granted(role: Raw): string[] {
  const lines = (role["rules"] as Rule[]).flatMap(
    ({ apiGroups, resources, verbs, resourceNames }) =>
      apiGroups.flatMap((group) =>
        resources.flatMap((resource) =>
          verbs.flatMap((verb) =>
            (resourceNames ?? [""]).map((name) => `${verb} ${group}/${resource} ${name}`.trim()),
          ),
        ),
      ),
  );
  return lines.sort();
}

function asked(role: Role): string[] {
  return role.powers
    .flatMap(({ group, resource, verbs, names }) =>
      verbs.flatMap((verb) =>
        (names ?? [""]).map((name) => `${verb} ${group}/${resource} ${name}`.trim()),
      ),
    )
    .sort();
}

/** Every role there is, by the name it should have. */
const EXPECTED = new Map(
  ROLES.map((role) => [
    role.scope === "own" ? "Role rind/rind" : `ClusterRole rind${role.suffix}`,
    asked(role),
  ]),
);
const FILES = ["k8s/rind.yaml", `${COMPONENTS}/all-secrets/role.yaml`].concat(
  `${COMPONENTS}/nodes/role.yaml`,
);

test("every role grants exactly the powers that are asked for under its name", () => {
  const roles = objectsOf(...FILES).filter(({ kind }) => kind.endsWith("Role"));
  const actual = new Map(roles.map((role) => [nameOf(role), granted(role)]));
  assert.equal([...actual].sort(), [...EXPECTED].sort());
});

test("k8s/rind.yaml has no role that a setting would have to ask for", () => {
  const roles = objectsOf("k8s/rind.yaml").filter(({ kind }) => kind.endsWith("Role"));
  assert.equal(roles.map(nameOf), [
    "ClusterRole rind",
    "Role rind/rind",
    "ClusterRole rind-secrets",
  ]);
});

test("what is granted everywhere shows no Secret, and changes but status and Events", () => {
  const lines = EXPECTED.get("ClusterRole rind") ?? [];
  assert.ok(lines.length > 0);
  assert.equal(
    lines.filter((line) => /secret|configmap|exec/.test(line)),
    [],
  );
  assert.equal(
    lines.filter((line) => !/^(?:get|list|watch) /.test(line)),
    ["create /events", "patch /events", "patch networking.k8s.io/ingresses/status"],
  );
  assert.not.match(lines.join("\n"), "*");
});

test("every kind that rind follows on a cluster may be read", () => {
  const lines = [...EXPECTED.values()].flat();
  for (const { apiVersions, plural, read } of RESOURCES) {
    const group = apiVersions[0].includes("/") ? apiVersions[0].split("/")[0] : "";
    const known = lines.includes(`watch ${group}/${plural}`);
    assert.is(known, read !== "folder", plural);
  }
});

test("every power has a reason that people can read", () => {
  for (const { because, resource } of ROLES.flatMap(({ powers }) => powers)) {
    assert.match(because, /^[\w'].*\.$/, resource);
  }
});

test("every role is bound to rind's own account, Secrets in one namespace only", () => {
  const bindings = objectsOf(...FILES).filter(({ kind }) => kind.endsWith("Binding"));
  assert.equal(
    bindings.map((each) => `${nameOf(each)} → ${at(each, "roleRef", "kind")}`),
    [
      "ClusterRoleBinding rind → ClusterRole",
      "RoleBinding rind/rind → Role",
      "RoleBinding default/rind-secrets → ClusterRole",
      "ClusterRoleBinding rind-all-secrets → ClusterRole",
      "ClusterRoleBinding rind-nodes → ClusterRole",
    ],
  );
  for (const each of bindings) {
    assert.is(at(each, "roleRef", "name"), each.metadata.name);
    assert.equal(each["subjects"], [{ kind: "ServiceAccount", name: "rind", namespace: "rind" }]);
  }
});

test.run();
