/** What a pod of rind is allowed, and how it begins and ends. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { at, objectsIn } from "./fixture/objects.ts";
import type { Raw } from "./fixture/objects.ts";

const ROOT = join(import.meta.dir, "../..");
const BALANCED = "k8s/kustomize/overlays/load-balancer/rind.yaml";

type Variable = Readonly<{ name: string; value?: string }>;
type Port = Readonly<{ name: string; containerPort: number; hostPort?: number }>;
type Probe = Readonly<{ httpGet: Readonly<{ path: string; port: string }> }>;

function find(path: string, kind: string): Raw {
  const found = objectsIn(readFileSync(join(ROOT, path), "utf8")).find((raw) => raw.kind === kind);
  assert.ok(found, `${path} has no ${kind}`);
  return found!;
}

const ON_HOST = find("k8s/rind.yaml", "DaemonSet");
const BEHIND = find(BALANCED, "Deployment");
const PODS = [
  ["DaemonSet", at(ON_HOST, "spec", "template", "spec")],
  ["Deployment", at(BEHIND, "spec", "template", "spec")],
] as const;

function container(pod: unknown): unknown {
  assert.is((at(pod, "containers") as unknown[]).length, 1);
  return at(pod, "containers", 0);
}

function variables(pod: unknown): Map<string, string | undefined> {
  return new Map((at(container(pod), "env") as Variable[]).map(({ name, value }) => [name, value]));
}

function seconds(text: string | undefined): number {
  return Number(/^(\d+)s$/.exec(text ?? "")?.[1]);
}

test("on every node, control-plane nodes too, with the ports of the node", () => {
  const pod = at(ON_HOST, "spec", "template", "spec");
  assert.is(at(pod, "hostNetwork"), true);
  assert.is(at(pod, "dnsPolicy"), "ClusterFirstWithHostNet");
  assert.equal(at(pod, "tolerations"), [{ operator: "Exists" }]);
  assert.equal(at(ON_HOST, "spec", "updateStrategy"), {
    type: "RollingUpdate",
    rollingUpdate: { maxUnavailable: 1 },
  });
  const ports = at(container(pod), "ports") as Port[];
  assert.equal(
    ports.map(({ name, containerPort }) => [name, containerPort]),
    [
      ["http", 80],
      ["https", 443],
      ["admin", 8080],
    ],
  );
  for (const { containerPort, hostPort } of ports) assert.is(hostPort, containerPort);
});

test("behind a load balancer there are two, and one at least at any time", () => {
  assert.is(at(BEHIND, "spec", "replicas"), 2);
  assert.is(at(BEHIND, "spec", "strategy", "rollingUpdate", "maxUnavailable"), 0);
  assert.is(at(find(BALANCED, "PodDisruptionBudget"), "spec", "maxUnavailable"), 1);
  const pod = at(BEHIND, "spec", "template", "spec");
  assert.is(at(pod, "hostNetwork"), undefined);
  assert.is((at(pod, "topologySpreadConstraints") as unknown[]).length, 2);
  const service = find(BALANCED, "Service");
  assert.is(at(service, "spec", "type"), "LoadBalancer");
  const { namespace, name } = service.metadata;
  assert.is(variables(pod).get("RIND_PUBLISH_SERVICE"), `${namespace}/${name}`);
  const labels = at(BEHIND, "spec", "template", "metadata", "labels") as Record<string, string>;
  for (const [key, value] of Object.entries(at(service, "spec", "selector") as object)) {
    assert.is(labels[key], value);
  }
});

for (const [kind, pod] of PODS) {
  test(`${kind}: ports that are named are those rind listens on`, () => {
    const listening = variables(pod);
    const ports = new Map(
      (at(container(pod), "ports") as Port[]).map(({ name, containerPort }) => [
        name,
        containerPort,
      ]),
    );
    assert.is(listening.get("RIND_HTTP"), `[::]:${ports.get("http")}`);
    assert.is(listening.get("RIND_ADMIN"), `[::]:${ports.get("admin")}`);
  });

  test(`${kind}: probes ask what does not depend on the API server`, () => {
    const paths = ["startupProbe", "livenessProbe", "readinessProbe"].map((name) => {
      const { httpGet } = at(container(pod), name) as Probe;
      return [name, httpGet.port, httpGet.path];
    });
    assert.equal(paths, [
      ["startupProbe", "admin", "/livez"],
      ["livenessProbe", "admin", "/livez"],
      ["readinessProbe", "admin", "/readyz"],
    ]);
  });

  test(`${kind}: the lame duck and the drain end well before the kubelet's patience does`, () => {
    const given = variables(pod);
    const endS = seconds(given.get("RIND_LAME_DUCK")) + seconds(given.get("RIND_DRAIN"));
    const graceS = at(pod, "terminationGracePeriodSeconds") as number;
    assert.ok(endS > 0 && endS + 10 <= graceS, `${endS} s of ${graceS} s`);
  });

  test(`${kind}: no root, no file system, no capability but the one for low ports`, () => {
    assert.equal(at(pod, "securityContext"), {
      runAsNonRoot: true,
      runAsUser: 65532,
      runAsGroup: 65532,
      fsGroup: 65532,
      seccompProfile: { type: "RuntimeDefault" },
    });
    const low = (at(container(pod), "ports") as Port[]).some((port) => port.containerPort < 1024);
    assert.equal(at(container(pod), "securityContext"), {
      runAsNonRoot: true,
      readOnlyRootFilesystem: true,
      allowPrivilegeEscalation: false,
      capabilities: low ? { drop: ["ALL"], add: ["NET_BIND_SERVICE"] } : { drop: ["ALL"] },
    });
  });

  test(`${kind}: memory has a limit, and CPU has none`, () => {
    assert.equal(at(container(pod), "resources", "limits"), { memory: "1Gi" });
    assert.ok(at(container(pod), "resources", "requests", "cpu"));
  });

  test(`${kind}: a token for an hour, where clients in a pod look for it; state in memory`, () => {
    assert.is(at(pod, "automountServiceAccountToken"), false);
    assert.is(at(pod, "enableServiceLinks"), false);
    assert.is(at(pod, "serviceAccountName"), "rind");
    const token = at(pod, "volumes", 0, "projected", "sources", 0, "serviceAccountToken");
    assert.equal(token, { path: "token", expirationSeconds: 3600 });
    assert.equal(at(pod, "volumes", 1, "emptyDir", "medium"), "Memory");
    const mounts = at(container(pod), "volumeMounts") as { name: string; mountPath: string }[];
    assert.equal(
      mounts.map(({ name, mountPath }) => [name, mountPath]),
      [
        ["token", "/var/run/secrets/kubernetes.io/serviceaccount"],
        ["state", variables(pod).get("RIND_STATE")],
      ],
    );
  });
}

test.run();
