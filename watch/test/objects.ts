import { test } from "uvu";
import * as assert from "uvu/assert";
import { keyOf, readObject } from "../objects.ts";

type Raw = Record<string, unknown>;

function ingress(metadata: unknown, more: Raw = {}): Raw {
  return { apiVersion: "networking.k8s.io/v1", kind: "Ingress", metadata, ...more };
}

test("metadata becomes regular; the rest stays as it came, but for status", () => {
  const raw = ingress(
    {
      name: "web",
      resourceVersion: "7",
      managedFields: [{}],
      annotations: {
        a: "1",
        b: null,
        "kubectl.kubernetes.io/last-applied-configuration": "{}",
      },
    },
    { spec: { rules: 5 }, status: { loadBalancer: {} } },
  );
  const { object, findings } = readObject(raw, "");
  assert.equal(findings, []);
  assert.equal(object, {
    apiVersion: "networking.k8s.io/v1",
    kind: "Ingress",
    metadata: {
      name: "web",
      namespace: "default",
      uid: "Ingress/default/web",
      creationTimestamp: "",
      annotations: new Map([
        ["a", "1"],
        ["b", ""],
      ]),
      labels: new Map(),
    },
    spec: { rules: 5 },
  });
});

test("what the API server says of an object is kept", () => {
  const metadata = {
    name: "web",
    namespace: "shop",
    uid: "u-1",
    creationTimestamp: "2026-01-01T00:00:00Z",
  };
  const { object } = readObject(ingress(metadata), "");
  assert.is(object?.metadata.uid, "u-1");
  assert.is(object?.metadata.creationTimestamp, "2026-01-01T00:00:00Z");
  assert.is(object && keyOf(object), "shop/web");
});

test("a kind without namespaces has none, whatever it says", () => {
  const raw = {
    apiVersion: "networking.k8s.io/v1",
    kind: "IngressClass",
    metadata: { name: "rind", namespace: "shop" },
  };
  const { object } = readObject(raw, "");
  assert.is(object && keyOf(object), "rind");
});

const IGNORED: readonly [apiVersion: string, kind: string][] = [
  ["apps/v1", "Deployment"],
  ["serving.knative.dev/v1", "Service"],
  ["networking.internal.knative.dev/v1alpha1", "Ingress"],
  ["kustomize.config.k8s.io/v1beta1", "Kustomization"],
];

for (const [apiVersion, kind] of IGNORED) {
  test(`${apiVersion} ${kind} is somebody else's: no object, no finding`, () => {
    assert.equal(readObject({ apiVersion, kind }, ""), { object: null, findings: [] });
  });
}

const REFUSED: readonly [raw: unknown, level: string, field: string, reason: string][] = [
  ["text", "warning", "", 'expected an object, found "text"'],
  [[], "warning", "", "expected an object, found a list"],
  [{}, "warning", "kind", "expected a name, found nothing"],
  [{ kind: 5 }, "warning", "kind", "expected a name, found 5"],
  [{ kind: "Ingress" }, "warning", "apiVersion", "expected a name, found nothing"],
  [
    { kind: "Ingress", apiVersion: "v1", metadata: { name: "web" } },
    "error",
    "apiVersion",
    'apiVersion "v1" has no Ingress that rind can read (here)',
  ],
  [
    { kind: "Ingress", apiVersion: "networking.k8s.io/v2", metadata: { name: "web" } },
    "error",
    "apiVersion",
    'apiVersion "networking.k8s.io/v2" has no Ingress that rind can read (here)',
  ],
];

const NAMES: readonly [metadata: unknown, field: string, found: string][] = [
  [undefined, "metadata.name", "nothing"],
  [null, "metadata.name", "nothing"],
  ["web", "metadata.name", "nothing"],
  [{}, "metadata.name", "nothing"],
  [{ generateName: "web-" }, "metadata.name", "nothing"],
  [{ name: 5 }, "metadata.name", "5"],
  [{ name: "" }, "metadata.name", '""'],
  [{ name: "a/b" }, "metadata.name", '"a/b"'],
  [{ name: "Web" }, "metadata.name", '"Web"'],
  [{ name: "x".repeat(254) }, "metadata.name", `"${"x".repeat(59)}…`],
  [{ name: "web", namespace: "a/b" }, "metadata.namespace", '"a/b"'],
  [{ name: "web", namespace: ["a"] }, "metadata.namespace", "a list"],
];

for (const [metadata, field, found] of NAMES) {
  const reason = `expected a lower-case DNS name, found ${found} (here)`;
  test(`metadata ${JSON.stringify(metadata)?.slice(0, 60)} is refused`, () => {
    refuses(ingress(metadata), "error", field, reason);
  });
}

for (const [raw, level, field, reason] of REFUSED) {
  test(`${JSON.stringify(raw)} is refused`, () => refuses(raw, level, field, reason));
}

function refuses(raw: unknown, level: string, field: string, reason: string): void {
  const { object, findings } = readObject(raw, "here");
  assert.is(object, null);
  assert.is(findings.length, 1);
  assert.equal(
    [findings[0]?.level, findings[0]?.field, findings[0]?.reason],
    [level, field, reason],
  );
}

test("an annotation that is not text is read as the text it stands for, with a finding", () => {
  const { object, findings } = readObject(ingress({ name: "web", annotations: { on: true } }), "");
  assert.is(object?.metadata.annotations.get("on"), "true");
  assert.equal(
    findings.map(({ level, field }) => [level, field]),
    [["warning", "metadata.annotations.on"]],
  );
});

test("annotations that are not a map are an error, and the object stays", () => {
  const { object, findings } = readObject(ingress({ name: "web", annotations: ["a"] }), "");
  assert.is(object?.metadata.annotations.size, 0);
  assert.is(findings[0]?.field, "metadata.annotations");
});

test("__proto__ is a name like any other, and changes nobody's prototype", () => {
  const text = `{"apiVersion":"v1","kind":"Service","__proto__":{"evil":1},
    "metadata":{"name":"a","annotations":{"__proto__":"x"},"labels":{"__proto__":"y"}},
    "spec":{"selector":{"__proto__":{"evil":1}}}}`;
  const { object } = readObject(JSON.parse(text), "");
  assert.is(object?.metadata.annotations.get("__proto__"), "x");
  assert.is(object?.metadata.labels.get("__proto__"), "y");
  assert.is(object?.["evil"], undefined);
  const spec = object?.["spec"] as { selector: object };
  assert.equal(Object.keys(spec.selector), ["__proto__"]);
  assert.is(Object.getPrototypeOf(spec.selector), Object.prototype);
});

test("an object is a copy: what it was read from may be edited", () => {
  const spec = { rules: [{ host: "x" }] };
  const { object } = readObject(ingress({ name: "a" }, { spec }), "");
  spec.rules[0]!.host = "y";
  spec.rules.push({ host: "z" });
  assert.equal(object?.["spec"], { rules: [{ host: "x" }] });
});

test("a circle, a tower and an explosion of aliases are findings", () => {
  const circle: Raw = {};
  circle["self"] = circle;
  let tower: unknown = 1;
  for (let i = 0; i < 100_000; i++) tower = [tower];
  let laughs: unknown = "ha";
  for (let i = 0; i < 50; i++) laughs = [laughs, laughs, laughs];
  for (const spec of [circle, tower, laughs]) {
    const { object, findings } = readObject(ingress({ name: "a" }, { spec }), "");
    assert.is(object, null);
    assert.is(findings[0]?.field, "spec");
  }
});

test.run();
