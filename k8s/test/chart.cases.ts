/** What Helm makes of the chart, as cases: run where there is a Helm, and where one is built. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { configOf } from "./fixture/config.ts";
import { at, nameOf, objectsIn, problemsOf } from "./fixture/objects.ts";
import { run } from "./fixture/programs.ts";
import type { Raw } from "./fixture/objects.ts";

const CHART = join(import.meta.dir, "../chart/rind");
/** What a Helm that was built without a release takes for the cluster's is older than ours. */
const KUBE_VERSION = "1.34.0";

type Fields = Record<string, unknown>;
type Output = ReturnType<typeof run>;

/** The chart through one Helm. Settings are those of `--set`. */
export type Helm = Readonly<{
  lint: () => Output;
  template: (name: string, ...settings: readonly string[]) => Output;
  /** What is rendered, by kind and name; all of it valid. */
  rendered: (name: string, ...settings: readonly string[]) => Map<string, Raw>;
}>;

type Case = Readonly<{ name: string; run: (helm: Helm) => void }>;

/** Every case. */
export const CHART_CASES: Case[] = [];

function add(name: string, body: (helm: Helm) => void): void {
  CHART_CASES.push({ name: `helm: ${name}`, run: body });
}

/** The chart through the Helm of this path. */
export function openHelm(program: string): Helm {
  const template = (name: string, ...settings: readonly string[]): Output => {
    const set = settings.flatMap((setting) => ["--set", setting]);
    const more = ["--namespace", "rind", "--kube-version", KUBE_VERSION, ...set];
    return run(program, ["template", name, CHART, ...more]);
  };
  const rendered = (name: string, ...settings: readonly string[]): Map<string, Raw> => {
    const { code, output } = template(name, ...settings);
    assert.is(code, 0, output);
    const objects = objectsIn(output);
    assert.equal(objects.flatMap(problemsOf), []);
    assert.is(new Set(objects.map(nameOf)).size, objects.length, "an object is there twice");
    return new Map(objects.map((raw) => [nameOf(raw), raw]));
  };
  return { lint: () => run(program, ["lint", "--strict", CHART]), template, rendered };
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

add("lint has nothing to say", (helm) => {
  const { code, output } = helm.lint();
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
  add(`a ${kind} is as in k8s/${file}`, (helm) => {
    const chart = helm.rendered("rind", `kind=${kind}`);
    const plain = objectsIn(readFileSync(join(CHART, "../..", file), "utf8"));
    for (const name of names) {
      const wanted = plain.find((raw) => raw.kind === name);
      assert.equal(withoutLabels(chart.get(`${name} rind/rind`)), withoutLabels(wanted), name);
    }
  });
}

add("account, class and roles are as in k8s/rind.yaml", (helm) => {
  const chart = helm.rendered("rind");
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

add("with namespaces there is no right in others", (helm) => {
  const chart = helm.rendered("rind", "namespaces={shop,blog}", "secrets.namespaces={shop}");
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

add("nodes may be read where the pods do, and nowhere else", (helm) => {
  for (const kind of ["DaemonSet", "Deployment"]) {
    for (const address of ["InternalIP", "ExternalIP"]) {
      const chart = helm.rendered("rind", `kind=${kind}`, `publish.nodeAddress=${address}`);
      const asked = variables(chart.get(`${kind} rind/rind`)).has("RIND_NODE_ADDRESS");
      assert.is(chart.has("ClusterRoleBinding rind-nodes"), asked, `${kind} ${address}`);
      assert.is(asked, kind === "DaemonSet" && address === "ExternalIP");
    }
  }
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
  add(`${setting} becomes ${name}`, (helm) => {
    const set = helm.rendered("rind", setting).get("DaemonSet rind/rind");
    assert.is(variables(set).get(name), value);
    const config = configOf(set);
    assert.ok(config.ok, config.ok ? "" : config.reason);
    assert.is.not(variables(helm.rendered("rind").get("DaemonSet rind/rind")).get(name), value);
  });
}

add("the patience of the kubelet follows the drain", (helm) => {
  const set = helm.rendered("rind", "drainSeconds=300", "lameDuckSeconds=20");
  const pod = at(set.get("DaemonSet rind/rind"), "spec", "template", "spec");
  assert.is(at(pod, "terminationGracePeriodSeconds"), 345);
});

add("two releases share no name, and each has its lease", (helm) => {
  const one = helm.rendered("one", "class.name=one");
  const other = helm.rendered("other", "class.name=other");
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

for (const name of ["my.release", "123", "1e3", "0x1f", "null", `${"a".repeat(46)}.rind-1`]) {
  add(`a release may be called ${name}`, (helm) => {
    helm.rendered(name);
    // The name of a Service has no dots and begins with a letter.
    const full = /^[a-z]/.test(name) ? [] : ["fullnameOverride=edge"];
    const chart = helm.rendered(name, "kind=Deployment", ...full);
    const [service] = [...chart.values()].filter(({ kind }) => kind === "Service");
    assert.match(service!.metadata.name, /^[a-z][-a-z0-9]{0,61}[a-z0-9]$/);
    assert.is(service!.metadata.labels?.["app.kubernetes.io/instance"], name);
  });
}

add("a namespace that looks like a number stays a name", (helm) => {
  const chart = helm.rendered("rind", "namespaces={1e3}", "secrets.namespaces={1e3}");
  assert.ok(chart.has("RoleBinding 1e3/rind-namespaced"));
  assert.ok(chart.has("RoleBinding 1e3/rind-secrets"));
});

/** What is no mistake of one value alone, and what is said of it. */
const CLASHES: readonly (readonly [string, readonly string[], string])[] = [
  ["1a", ["kind=Deployment"], "no Service can be called 1a-rind"],
  ["rind", ["ports.http=443"], "ports: two of [8080 443 443] are the same"],
  ["rind", ["ports.admin=80"], "ports: two of [80 80 443] are the same"],
  ["rind", ["kind=Deployment", "ports.admin=8000"], "ports: two of [8000 8000 8443] are the same"],
];

for (const [name, settings, reason] of CLASHES) {
  add(`${name} with ${settings.join(" ")} is refused`, (helm) => {
    const { code, output } = helm.template(name, ...settings);
    assert.is.not(code, 0);
    assert.match(output, reason);
  });
}

/** Values that are mistakes, and what the schema says of them. */
const REFUSED: readonly (readonly [string, RegExp])[] = [
  ["kind=StatefulSet", /kind/],
  ["secret.clusterWide=true", /secret/],
  ["secrets.clusterwide=true", /clusterwide/],
  ["workers=many", /workers/],
  ["ports.http=http", /http/],
  ["ports.http=70000", /http/],
  ["namespaces={Shop}", /namespaces/],
  ["class.name=a..b", /class\/name/],
  ["class.controller=a/#b", /controller/],
  ["serviceAccount.name=Rind", /serviceAccount\/name/],
  ["podLabels.app\\.kubernetes\\.io/name=x", /app\.kubernetes\.io\/name/],
  ["fullnameOverride=a.b", /fullnameOverride/],
  ["nameOverride=null-", /nameOverride/],
  ["fullnameOverride=off", /fullnameOverride/],
  ["trustedProxies={proxy.example}", /trustedProxies/],
  ["publish.nodeAddress=Hostname", /nodeAddress/],
  ["lameDuckSeconds=5s", /lameDuckSeconds/],
];

for (const [setting, reason] of REFUSED) {
  add(`${setting} is refused by name`, (helm) => {
    const { code, output } = helm.template("rind", setting);
    assert.is.not(code, 0);
    assert.match(output, /values don't meet the specifications of the schema/);
    assert.match(output, reason);
  });
}
