/** Every manifest that people apply is one that an API server takes, and says what we mean. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { madeFiles } from "../make/files.ts";
import { at, nameOf, objectsIn, problemsOf } from "./fixture/objects.ts";
import type { Raw } from "./fixture/objects.ts";

const ROOT = join(import.meta.dir, "../..");
const LINE_CHARS_MAX = 100;

function textOf(path: string): string {
  return readFileSync(join(ROOT, path), "utf8");
}

function manifests(pattern: string): string[] {
  const paths = [...new Bun.Glob(pattern).scanSync({ cwd: ROOT })].sort();
  assert.ok(paths.length > 0, pattern);
  return paths;
}

/** Not the files that only tools read: those of kustomize and of kind. */
const APPLIED = ["k8s/rind.yaml", ...manifests("k8s/examples/*.yaml")].concat(
  manifests("k8s/kustomize/**/{rind,role}.yaml"),
);

test("what is made is what k8s/make makes: `npm run manifests`", () => {
  for (const [path, text] of madeFiles()) assert.is(textOf(path), text, path);
});

for (const path of APPLIED) {
  test(`${path} is valid, without a field that nobody knows`, () => {
    const objects = objectsIn(textOf(path));
    assert.equal(objects.flatMap(problemsOf), []);
    assert.is(new Set(objects.map(nameOf)).size, objects.length, "an object is there twice");
  });
}

const BROKEN: readonly (readonly [string, (raw: Fields) => void, RegExp])[] = [
  ["a field is misspelled", (pod) => (pod["hostNetwrok"] = true), /nobody knows .*hostNetwrok/],
  ["a number is a text", (pod) => (pod["terminationGracePeriodSeconds"] = "60"), /must be integer/],
  ["a field is missing", (pod) => delete pod["containers"], /containers/],
];
type Fields = Record<string, unknown>;

for (const [name, breakIt, problem] of BROKEN) {
  test(`it is told when ${name}`, () => {
    const objects = objectsIn(textOf("k8s/rind.yaml"));
    const workload = structuredClone(objects.find(({ kind }) => kind === "DaemonSet")!);
    breakIt(at(workload, "spec", "template", "spec") as Fields);
    assert.match(problemsOf(workload).join("\n"), problem);
  });
}

test("a version that no API server has any more is told", () => {
  const problems = objectsIn(textOf("k8s/v1beta1/cheeseplate.yaml")).flatMap(problemsOf);
  assert.equal(problems, ["Ingress cheeseplate: there is no Ingress of networking.k8s.io/v1beta1"]);
});

test("no line of what people read is too long", () => {
  for (const path of [...madeFiles().keys(), ...APPLIED]) {
    if (path.includes("/templates/")) continue;
    for (const line of textOf(path).split("\n")) assert.ok(line.length <= LINE_CHARS_MAX, line);
  }
});

test("an overlay applies what k8s/rind.yaml applies, as a base and a part of its own", () => {
  const whole = objectsIn(textOf("k8s/rind.yaml"));
  const parts = ["base", "overlays/host-network"].flatMap((part) =>
    objectsIn(textOf(`k8s/kustomize/${part}/rind.yaml`)),
  );
  assert.equal(parts.sort(byName), whole.sort(byName));
});

function byName(one: Raw, other: Raw): number {
  return nameOf(one) < nameOf(other) ? -1 : 1;
}

test("each Service of the examples selects the pods of the Deployment of its name", () => {
  const objects = APPLIED.filter((path) => path.startsWith("k8s/examples/")).flatMap((path) =>
    objectsIn(textOf(path)),
  );
  const pods = new Map(
    objects
      .filter(({ kind }) => kind === "Deployment")
      .map((raw) => [raw.metadata.name, at(raw, "spec", "template", "metadata", "labels")]),
  );
  const services = objects.filter(({ kind }) => kind === "Service");
  assert.is(services.length, 3);
  for (const service of services) {
    assert.equal(at(service, "spec", "selector"), pods.get(service.metadata.name));
  }
});

test.run();
