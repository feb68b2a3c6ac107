/** The overlays: what kubectl makes of them, and what can be said without it. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { at, nameOf, objectsIn, problemsOf } from "./fixture/objects.ts";
import { run } from "./fixture/programs.ts";
import type { Raw } from "./fixture/objects.ts";

const KUSTOMIZE = join(import.meta.dir, "../kustomize");
const FILES = [...new Bun.Glob("**/kustomization.yaml").scanSync({ cwd: KUSTOMIZE })].sort();
const OVERLAYS = ["host-network", "kind", "load-balancer"];

test("every overlay and component is one of these", () => {
  assert.equal(
    FILES.map((file) => dirname(file)),
    ["base", "components/all-secrets", "components/nodes"].concat(
      OVERLAYS.map((name) => `overlays/${name}`),
    ),
  );
});

for (const file of FILES) {
  test(`${file} names files and folders that are there, and knows every field`, () => {
    const whole = objectsIn(readFileSync(join(KUSTOMIZE, file), "utf8"))[0] as Raw;
    assert.match(whole.apiVersion, /^kustomize\.config\.k8s\.io\/v1(?:alpha1|beta1)$/);
    const known = new Set(["apiVersion", "kind", "resources", "patches"]);
    assert.equal(
      Object.keys(whole).filter((key) => !known.has(key)),
      [],
    );
    for (const resource of whole["resources"] as string[]) {
      const path = join(KUSTOMIZE, dirname(file), resource);
      const target = resource.endsWith(".yaml") ? path : join(path, "kustomization.yaml");
      assert.ok(readFileSync(target, "utf8").length > 0, target);
    }
  });
}

function rendered(folder: string): Raw[] {
  const { code, output } = run(KUBECTL ?? "", ["kustomize", folder]);
  assert.is(code, 0, output);
  const objects = objectsIn(output);
  assert.equal(objects.flatMap(problemsOf), []);
  return objects;
}

function workload(objects: readonly Raw[]): Raw {
  return objects.find(({ kind }) => kind === "DaemonSet" || kind === "Deployment")!;
}

function variables(objects: readonly Raw[]): ReadonlyMap<string, string | undefined> {
  const env = at(workload(objects), "spec", "template", "spec", "containers", 0, "env");
  const list = env as { name: string; value?: string }[];
  assert.is(new Set(list.map(({ name }) => name)).size, list.length, "a variable is there twice");
  return new Map(list.map(({ name, value }) => [name, value]));
}

function byName(one: Raw, other: Raw): number {
  return nameOf(one) < nameOf(other) ? -1 : 1;
}

/** One before 1.14 has no kustomize. */
const KUBECTL = run("kubectl", ["kustomize", "--help"]).code === 0 ? "kubectl" : null;
const rendering = KUBECTL === null ? () => {} : test;
if (KUBECTL === null) test.skip("kubectl: there is none in PATH");

rendering("kubectl: the overlay host-network is k8s/rind.yaml", () => {
  const whole = objectsIn(readFileSync(join(KUSTOMIZE, "../rind.yaml"), "utf8"));
  assert.equal(rendered(join(KUSTOMIZE, "overlays/host-network")).sort(byName), whole.sort(byName));
});

rendering("kubectl: the overlay kind publishes an address of this machine", () => {
  const given = variables(rendered(join(KUSTOMIZE, "overlays/kind")));
  assert.is(given.get("RIND_PUBLISH_ADDRESS"), "127.0.0.1");
  assert.is(given.get("RIND_WORKERS"), "1");
  // It refers to the two before it.
  const names = [...given.keys()];
  assert.ok(names.indexOf("RIND_POD") > names.indexOf("POD_NAMESPACE"));
  assert.ok(names.indexOf("RIND_POD") > names.indexOf("POD_NAME"));
});

rendering("kubectl: the overlay load-balancer has a Deployment and no DaemonSet", () => {
  const kinds = rendered(join(KUSTOMIZE, "overlays/load-balancer")).map(({ kind }) => kind);
  assert.ok(kinds.includes("Deployment") && kinds.includes("PodDisruptionBudget"));
  assert.not.ok(kinds.includes("DaemonSet"));
});

for (const overlay of ["host-network", "load-balancer"]) {
  rendering(`kubectl: components add a role and its flag to ${overlay}`, () => {
    const folder = mkdtempSync(join(tmpdir(), "rind-kustomize-"));
    const to = (path: string): string => relative(folder, join(KUSTOMIZE, path));
    const components = ["components/nodes", "components/all-secrets"].map(to);
    const resources = [to(`overlays/${overlay}`)];
    writeFileSync(join(folder, "kustomization.yaml"), JSON.stringify({ resources, components }));
    const objects = rendered(folder);
    rmSync(folder, { recursive: true });
    const given = variables(objects);
    assert.is(given.get("RIND_NODE_ADDRESS"), "ExternalIP");
    assert.is(given.get("RIND_SECRETS"), "all");
    const names = objects.map(nameOf);
    for (const role of ["rind-nodes", "rind-all-secrets"]) {
      assert.ok(names.includes(`ClusterRoleBinding ${role}`), role);
    }
  });
}

test.run();
