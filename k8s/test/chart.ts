/** The Helm chart: what can be read in it without Helm, and what Helm makes of it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { version } from "../../package.json";
import { at, nameOf, objectsIn, problemsOf } from "./fixture/objects.ts";
import { HELM, run } from "./fixture/programs.ts";
import type { Raw } from "./fixture/objects.ts";

const CHART = join(import.meta.dir, "../chart/rind");
/** What a Helm that was built without a release takes for the cluster's is older than ours. */
const KUBE_VERSION = "1.34.0";

type Fields = Record<string, unknown>;

function textOf(path: string): string {
  return readFileSync(join(CHART, path), "utf8");
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Paths of everything in the values that is not a group of values. */
function leavesOf(value: unknown, path: string): string[] {
  if (!isFields(value) || Object.keys(value).length === 0) return [path];
  return Object.entries(value).flatMap(([key, inner]) => leavesOf(inner, `${path}.${key}`));
}

const TEMPLATES = [...new Bun.Glob("templates/*").scanSync({ cwd: CHART })].sort();
const VALUES = Bun.YAML.parse(textOf("values.yaml")) as Fields;
const SCHEMA = JSON.parse(textOf("values.schema.json")) as Fields;
/** Without comments: the actions of all templates. */
const ACTIONS = TEMPLATES.map((path) => [
  path,
  [...textOf(path).matchAll(/\{\{-?\s*(?!\/\*)([\s\S]*?)\s*-?\}\}/g)].map((found) => found[1]!),
]) as [string, string[]][];

test("the chart is of this version", () => {
  const chart = Bun.YAML.parse(textOf("Chart.yaml")) as Fields;
  assert.is(chart["version"], version);
  assert.is(chart["appVersion"], version);
});

test("every value that a template uses is there, and every value that is there is used", () => {
  const used = new Set(
    ACTIONS.flatMap(([, actions]) =>
      actions.flatMap((action) =>
        [...action.matchAll(/\.Values((?:\.\w+)+)/g)].map((found) => found[1]!),
      ),
    ),
  );
  for (const path of used) {
    const keys = path.slice(1).split(".");
    assert.ok(at(VALUES, ...keys) !== undefined, `.Values${path} is not in values.yaml`);
  }
  const covers = (leaf: string): boolean =>
    [...used].some((path) => leaf === path || leaf.startsWith(`${path}.`));
  assert.equal(
    leavesOf(VALUES, "").filter((leaf) => !covers(leaf)),
    [],
  );
});

test("blocks of templates are closed, and what they include is defined", () => {
  const all = ACTIONS.flatMap(([, actions]) => actions);
  const defined = new Set(all.flatMap((action) => /^define "(.*)"/.exec(action)?.[1] ?? []));
  for (const action of all) {
    const name = /\binclude "(.*?)"/.exec(action)?.[1];
    assert.ok(name === undefined || defined.has(name), `${name} is not defined`);
  }
  for (const [path, actions] of ACTIONS) {
    const opened = actions.filter((action) => /^(?:if|with|range|define)\b/.test(action));
    const closed = actions.filter((action) => action === "end");
    assert.is(closed.length, opened.length, path);
  }
});

test("the schema knows exactly the values there are, and refuses all others", () => {
  const compare = (values: Fields, schema: Fields, path: string): void => {
    const properties = schema["properties"] as Fields;
    assert.is(schema["additionalProperties"], false, path);
    const known = Object.keys(properties).filter((key) => key !== "global");
    assert.equal(known.sort(), Object.keys(values).sort(), path);
    for (const [key, inner] of Object.entries(values)) {
      const rule = properties[key] as Fields;
      if (isFields(inner) && rule["properties"] !== undefined && key !== "resources") {
        compare(inner, rule, `${path}.${key}`);
      }
    }
  };
  compare(VALUES, SCHEMA, "");
});

const rendering = HELM === null ? () => {} : test;
if (HELM === null) test.skip("helm: there is none in PATH, and RIND_HELM names none");

function template(name: string, ...settings: readonly string[]) {
  const set = settings.flatMap((setting) => ["--set", setting]);
  const more = ["--namespace", "rind", "--kube-version", KUBE_VERSION, ...set];
  return run(HELM ?? "", ["template", name, CHART, ...more]);
}

function rendered(name: string, ...settings: readonly string[]): Map<string, Raw> {
  const { code, output } = template(name, ...settings);
  assert.is(code, 0, output);
  const objects = objectsIn(output);
  assert.equal(objects.flatMap(problemsOf), []);
  assert.is(new Set(objects.map(nameOf)).size, objects.length, "an object is there twice");
  return new Map(objects.map((raw) => [nameOf(raw), raw]));
}

function variables(raw: Raw | undefined): Map<string, string> {
  const env = at(raw, "spec", "template", "spec", "containers", 0, "env");
  return new Map(
    (env as { name: string; value: string }[]).map(({ name, value }) => [name, value]),
  );
}

/** Helm's own labels are what may differ. */
function withoutLabels(raw: Raw | undefined): unknown {
  const copy = structuredClone(raw) as { metadata: Fields };
  delete copy.metadata["labels"];
  return copy;
}

rendering("helm lint has nothing to say", () => {
  const { code, output } = run(HELM ?? "", ["lint", "--strict", CHART]);
  assert.is(code, 0, output);
  assert.match(output, "0 chart(s) failed");
});

for (const [kind, file, names] of [
  ["DaemonSet", "rind.yaml", ["DaemonSet"]],
  [
    "Deployment",
    "kustomize/overlays/load-balancer/rind.yaml",
    ["Deployment", "Service", "PodDisruptionBudget"],
  ],
] as const) {
  rendering(`helm: a ${kind} is as in k8s/${file}`, () => {
    const chart = rendered("rind", `kind=${kind}`);
    const plain = objectsIn(readFileSync(join(CHART, "../..", file), "utf8"));
    for (const name of names) {
      const wanted = plain.find((raw) => raw.kind === name);
      assert.equal(withoutLabels(chart.get(`${name} rind/rind`)), withoutLabels(wanted), name);
    }
  });
}

rendering("helm: account, class and roles are as in k8s/rind.yaml", () => {
  const chart = rendered("rind");
  const plain = new Map(
    objectsIn(readFileSync(join(CHART, "../../rind.yaml"), "utf8")).map((raw) => [
      nameOf(raw),
      raw,
    ]),
  );
  for (const name of ["ServiceAccount rind/rind", "IngressClass rind", "Role rind/rind"].concat(
    "RoleBinding rind/rind",
    "ClusterRole rind-secrets",
  )) {
    assert.equal(withoutLabels(chart.get(name)), withoutLabels(plain.get(name)), name);
  }
  const rules = (raw: Raw | undefined): string[] =>
    (raw?.["rules"] as unknown[]).map((rule) => JSON.stringify(rule));
  const split = ["ClusterRole rind", "ClusterRole rind-namespaced"].flatMap((name) =>
    rules(chart.get(name)),
  );
  assert.equal(split.sort(), rules(plain.get("ClusterRole rind")).sort());
  const bound = [...chart.keys()].filter((name) => name.includes("Binding"));
  assert.equal(bound.sort(), [
    "ClusterRoleBinding rind",
    "ClusterRoleBinding rind-namespaced",
    "RoleBinding rind/rind",
  ]);
});

rendering("helm: with namespaces there is no right in others", () => {
  const chart = rendered("rind", "namespaces={shop,blog}", "secrets.namespaces={shop}");
  const bound = [...chart.keys()].filter((name) => name.includes("Binding"));
  assert.equal(bound.sort(), [
    "ClusterRoleBinding rind",
    "RoleBinding blog/rind-namespaced",
    "RoleBinding rind/rind",
    "RoleBinding shop/rind-namespaced",
    "RoleBinding shop/rind-secrets",
  ]);
  const rules = chart.get("ClusterRole rind")?.["rules"] as { resources: string[] }[];
  assert.equal(rules.flatMap(({ resources }) => resources).sort(), [
    "ingressclasses",
    "namespaces",
  ]);
  assert.is(variables(chart.get("DaemonSet rind/rind")).get("RIND_NAMESPACES"), "shop,blog");
});

/** A setting, and the variable it becomes. */
const BECOMES: readonly (readonly [string, string, string])[] = [
  ["class.name=edge", "RIND_CLASS", "edge"],
  ["class.controller=example.com/edge", "RIND_CONTROLLER", "example.com/edge"],
  ["withoutClass=true", "RIND_WITHOUT_CLASS", "true"],
  ["namespaceSelector=team=a", "RIND_NAMESPACE_SELECTOR", "team=a"],
  ["secrets.clusterWide=true", "RIND_SECRETS", "all"],
  ["externalNames={.example.com,api.test}", "RIND_EXTERNAL_NAMES", ".example.com,api.test"],
  ["allowAddresses={127.0.0.0/8}", "RIND_ALLOW_ADDRESS", "127.0.0.0/8"],
  ["publish.addresses={203.0.113.7}", "RIND_PUBLISH_ADDRESS", "203.0.113.7"],
  ["publish.nodeAddress=ExternalIP", "RIND_NODE_ADDRESS", "ExternalIP"],
  ["trustedProxies={10.0.0.0/8,fd00::/8}", "RIND_TRUSTED_PROXY", "10.0.0.0/8,fd00::/8"],
  ["workers=auto", "RIND_WORKERS", "auto"],
  ["limits={head=5s,connections=100}", "RIND_LIMIT", "head=5s,connections=100"],
  ["lameDuckSeconds=0", "RIND_LAME_DUCK", "0s"],
  ["drainSeconds=300", "RIND_DRAIN", "300s"],
  ["ports.http=8081", "RIND_HTTP", "[::]:8081"],
  ["admin.local=true", "RIND_ADMIN", "127.0.0.1:8080"],
];

for (const [setting, name, value] of BECOMES) {
  rendering(`helm: ${setting} becomes ${name}`, () => {
    const set = rendered("rind", setting).get("DaemonSet rind/rind");
    assert.is(variables(set).get(name), value);
    assert.is.not(variables(rendered("rind").get("DaemonSet rind/rind")).get(name), value);
  });
}

rendering("helm: the patience of the kubelet follows the drain", () => {
  const set = rendered("rind", "drainSeconds=300", "lameDuckSeconds=20");
  const pod = at(set.get("DaemonSet rind/rind"), "spec", "template", "spec");
  assert.is(at(pod, "terminationGracePeriodSeconds"), 345);
});

rendering("helm: two releases share no name, and each has its lease", () => {
  const one = rendered("one", "class.name=one");
  const other = rendered("other", "class.name=other");
  assert.equal(
    [...one.keys()].filter((name) => other.has(name)),
    [],
  );
  const set = one.get("DaemonSet rind/one-rind");
  assert.is(variables(set).get("RIND_LEASE"), "rind/one-rind");
  const leases = (
    one.get("Role rind/one-rind")?.["rules"] as { resourceNames?: string[] }[]
  ).flatMap(({ resourceNames }) => resourceNames ?? []);
  assert.equal(leases, ["one-rind"]);
});

/** Values that are mistakes, and what the schema says of them. */
const REFUSED: readonly (readonly [string, RegExp])[] = [
  ["kind=StatefulSet", /kind/],
  ["secret.clusterWide=true", /secret/],
  ["secrets.clusterwide=true", /clusterwide/],
  ["workers=many", /workers/],
  ["ports.http=http", /http/],
  ["ports.http=70000", /http/],
  ["namespaces={Shop}", /namespaces/],
  ["trustedProxies={proxy.example}", /trustedProxies/],
  ["publish.nodeAddress=Hostname", /nodeAddress/],
  ["lameDuckSeconds=5s", /lameDuckSeconds/],
];

for (const [setting, reason] of REFUSED) {
  rendering(`helm: ${setting} is refused by name`, () => {
    const { code, output } = template("rind", setting);
    assert.is.not(code, 0);
    assert.match(output, /values don't meet the specifications of the schema/);
    assert.match(output, reason);
  });
}

test.run();
