import { test } from "uvu";
import * as assert from "uvu/assert";
import { Random } from "../../../core/random.ts";
import type { ApiAnswer } from "../../source/api/api.ts";
import { Addresses, type Publish } from "../addresses.ts";
import { type Cluster, cluster, failure } from "./cluster.ts";

const PODS = "/api/v1/namespaces/rind/pods";
const SERVICES = "/api/v1/namespaces/edge/services";
const POD = { namespace: "rind", name: "rind-a" };
const NODES: Publish = { from: "nodes", address: "InternalIP" };

type PodShape = Readonly<{
  ready?: boolean;
  going?: boolean;
  instance?: string;
  ips?: readonly string[];
  ip?: string;
}>;

function pod(name: string, { ready = true, going, instance, ips, ip }: PodShape = {}): unknown {
  return {
    metadata: {
      name,
      resourceVersion: "5",
      uid: name,
      labels: { "app.kubernetes.io/instance": instance ?? "one" },
      ...(going === true ? { deletionTimestamp: "2026-01-01T00:00:00Z" } : {}),
    },
    spec: { nodeName: `node-${name}` },
    status: {
      conditions: [
        { type: "PodScheduled", status: "True" },
        { type: "Ready", status: ready ? "True" : "False" },
      ],
      ...(ip === undefined ? {} : { hostIP: ip }),
      ...(ips === undefined ? {} : { hostIPs: ips.map((each) => ({ ip: each })) }),
    },
  };
}

function list(items: readonly unknown[], kind = "PodList"): ApiAnswer {
  const body = { kind, metadata: { resourceVersion: "5" }, items };
  return { ok: true, status: 200, body };
}

type Stage = Readonly<{
  cluster: Cluster;
  addresses: Addresses;
  shown: () => string;
  tell: (type: string, object: unknown) => void;
}>;

async function stage(publish: Publish, path: string, items: readonly unknown[]): Promise<Stage> {
  const own = cluster();
  const kind = path.endsWith("/services") ? "ServiceList" : "PodList";
  own.rules.push((request) => (request.path === path ? list(items, kind) : null));
  const { clock, api } = own;
  const random = new Random(1);
  const addresses = new Addresses({ clock, api, random, publish, pod: POD, changed: () => {} });
  await own.pass(1_000);
  const shown = () => {
    const targets = addresses.targets();
    if (targets === null) return "unknown";
    return targets.map((each) => ("ip" in each ? each.ip : each.hostname)).join(" ");
  };
  const tell = (type: string, object: unknown) =>
    own.streams.get(path)?.line(JSON.stringify({ type, object }));
  return { cluster: own, addresses, shown, tell };
}

const PODS_CASES: readonly [name: string, pods: readonly unknown[], shown: string][] = [
  ["a pod that is ready", [pod("rind-a", { ip: "10.0.0.1" })], "10.0.0.1"],
  [
    "two nodes, in one order, of both families, each once",
    [
      pod("rind-b", { ips: ["10.0.0.2", "fd00::2"], ip: "10.0.0.2" }),
      pod("rind-a", { ips: ["10.0.0.1", "fd00::1"], ip: "10.0.0.1" }),
      pod("rind-c", { ip: "10.0.0.1" }),
    ],
    "10.0.0.1 10.0.0.2 fd00::1 fd00::2",
  ],
  [
    "a pod that is not ready, or going, does not count",
    [
      pod("rind-a", { ip: "10.0.0.1" }),
      pod("rind-b", { ip: "10.0.0.2", ready: false }),
      pod("rind-c", { ip: "10.0.0.3", going: true }),
    ],
    "10.0.0.1",
  ],
  [
    "another rind in the namespace does not count",
    [pod("rind-a", { ip: "10.0.0.1" }), pod("x", { ip: "10.0.0.2", instance: "two" })],
    "10.0.0.1",
  ],
  ["nobody ready is no reason to say so", [pod("rind-a", { ready: false })], "unknown"],
  ["no pods at all", [], "unknown"],
  [
    "garbage counts for nothing",
    [
      { metadata: { name: "x" } },
      { metadata: { name: "y" }, status: { conditions: 7, hostIPs: "x" } },
      pod("rind-b", { ip: "node-b", ips: ["", "x"] }),
      pod("rind-c", { ip: "10.0.0.3" }),
    ],
    "10.0.0.3",
  ],
];

for (const [name, pods, expected] of PODS_CASES) {
  test(`nodes: ${name}`, async () => {
    const { shown, addresses } = await stage(NODES, PODS, pods);
    assert.is(shown(), expected);
    addresses.stop();
  });
}

test("nodes: that our own pod is not among the labelled ones is told, until it is", async () => {
  const { cluster, addresses, tell } = await stage(NODES, PODS, [
    pod("rind-b", { ip: "10.0.0.2" }),
  ]);
  assert.match(addresses.finding()?.reason ?? "", "has the label app.kubernetes.io/name=rind");
  tell("ADDED", pod("rind-a", { ready: false }));
  await cluster.pass(1_000);
  assert.is(addresses.finding(), null);
  addresses.stop();
});

test("a node comes with its pod, and leaves when that ends", async () => {
  const { cluster, shown, tell } = await stage(NODES, PODS, [pod("rind-a", { ip: "10.0.0.1" })]);
  tell("ADDED", pod("rind-b", { ip: "10.0.0.2", ready: false }));
  await cluster.pass(1_000);
  assert.is(shown(), "10.0.0.1");
  tell("MODIFIED", pod("rind-b", { ip: "10.0.0.2" }));
  await cluster.pass(1_000);
  assert.is(shown(), "10.0.0.1 10.0.0.2");
  tell("MODIFIED", pod("rind-b", { ip: "10.0.0.2", going: true }));
  await cluster.pass(1_000);
  assert.is(shown(), "10.0.0.1");
  tell("DELETED", pod("rind-b", { ip: "10.0.0.2" }));
  tell("DELETED", pod("rind-a", { ip: "10.0.0.1" }));
  await cluster.pass(1_000);
  assert.is(shown(), "10.0.0.1", "nothing better to say");
});

test("who leaves takes its own node away at once, and the last one all", async () => {
  const both = [pod("rind-a", { ip: "10.0.0.1" }), pod("rind-b", { ip: "10.0.0.2" })];
  const { addresses, cluster, shown, tell } = await stage(NODES, PODS, both);
  addresses.leave();
  assert.is(shown(), "10.0.0.2");
  tell("DELETED", pod("rind-b"));
  await cluster.pass(1_000);
  assert.is(shown(), "");
});

test("who leaves before it knows the pods says nothing", async () => {
  const own = cluster();
  own.rules.push(() => failure(403, "RBAC denies list of pods"));
  const { clock, api } = own;
  const more = { random: new Random(1), publish: NODES, pod: POD, changed: () => {} };
  const addresses = new Addresses({ clock, api, ...more });
  await own.pass(1_000);
  assert.is(addresses.problem(), "RBAC denies list of pods");
  addresses.leave();
  assert.is(addresses.targets(), null);
});

test("fixed addresses are all that is published, during a drain as well", async () => {
  const publish: Publish = { from: "fixed", addresses: ["lb.example.com", "192.0.2.1"] };
  const { addresses, cluster, shown } = await stage(publish, "", []);
  addresses.leave();
  assert.is(shown(), "192.0.2.1 lb.example.com");
  assert.is(cluster.sent.length, 0);
});

const SERVICE: Publish = { from: "service", namespace: "edge", name: "rind" };
const NAMED = { name: "rind", resourceVersion: "5", uid: "s" };
const SERVICE_CASES: readonly [name: string, rest: object, shown: string, reason: string][] = [
  [
    "its balancer's addresses",
    {
      spec: { externalIPs: ["198.51.100.1"] },
      status: { loadBalancer: { ingress: [{ hostname: "lb.example.com" }, { ip: "192.0.2.1" }] } },
    },
    "192.0.2.1 lb.example.com",
    "",
  ],
  ["its external IPs", { spec: { externalIPs: ["198.51.100.1", 7] } }, "198.51.100.1", ""],
  ["no address", { spec: {}, status: { loadBalancer: {} } }, "unknown", "has no address"],
];

for (const [name, rest, expected, reason] of SERVICE_CASES) {
  test(`a Service with ${name}`, async () => {
    const { addresses, cluster, shown } = await stage(SERVICE, SERVICES, [
      { metadata: NAMED, ...rest },
    ]);
    assert.is(shown(), expected);
    assert.is(addresses.finding() === null, reason === "");
    assert.ok(addresses.finding()?.reason.startsWith(reason) ?? true);
    assert.is(cluster.sent[0]?.request.query?.["fieldSelector"], "metadata.name=rind");
  });
}

test("a Service that goes leaves its addresses standing, with a finding", async () => {
  const status = { loadBalancer: { ingress: [{ ip: "192.0.2.1" }] } };
  const { addresses, cluster, shown, tell } = await stage(SERVICE, SERVICES, [
    { metadata: NAMED, status },
  ]);
  tell("DELETED", { metadata: NAMED });
  await cluster.pass(1_000);
  assert.is(shown(), "192.0.2.1");
  assert.is(addresses.finding()?.reason, "is to be published and is not there");
  tell("ADDED", { metadata: NAMED, status });
  await cluster.pass(1_000);
  assert.is(addresses.finding(), null);
});

const EXTERNAL: Publish = { from: "nodes", address: "ExternalIP" };

/** What the server says of the node of each pod, and what comes of it. */
const NODE_CASES: readonly [name: string, answer: ApiAnswer, shown: string, reason: string][] = [
  [
    "external addresses are used where nodes have them",
    {
      ok: true,
      status: 200,
      body: {
        status: {
          addresses: [
            { type: "InternalIP", address: "10.0.0.1" },
            { type: "ExternalIP", address: "203.0.113.1" },
            { type: "ExternalIP", address: "2001:db8::1" },
            { type: "ExternalIP", address: "not-an-ip" },
          ],
        },
      },
    },
    "2001:db8::1 203.0.113.1",
    "",
  ],
  [
    "a node without any is published by its internal address",
    { ok: true, status: 200, body: {} },
    "10.0.0.1",
    "node node-rind-a has no ExternalIP",
  ],
  ["so is one that may not be read", failure(403, "RBAC denies"), "10.0.0.1", "RBAC denies"],
  ["one that cannot be read is waited for", failure(0), "unknown", ""],
];

for (const [name, answer, expected, reason] of NODE_CASES) {
  test(`nodes: ${name}`, async () => {
    const own = cluster();
    own.rules.push(({ path }) => {
      if (path.startsWith("/api/v1/nodes/")) return answer;
      return list([pod("rind-a", { ip: "10.0.0.1" })]);
    });
    const { clock, api } = own;
    const more = { random: new Random(1), publish: EXTERNAL, pod: POD, changed: () => {} };
    const addresses = new Addresses({ clock, api, ...more });
    await own.pass(3_000);
    const shown = addresses.targets()?.map((each) => ("ip" in each ? each.ip : ""));
    assert.is(shown?.join(" ") ?? "unknown", expected);
    assert.is(addresses.finding()?.reason ?? "", reason);
    addresses.stop();
  });
}

test("a node is asked for once in ten minutes, or each 30 s while that is denied", async () => {
  for (const [answer, least, most] of [
    [{ ok: true, status: 200, body: {} } as ApiAnswer, 1, 2],
    [failure(403), 19, 21],
  ] as const) {
    const own = cluster();
    own.rules.push(({ path }) => (path.startsWith("/api/v1/nodes/") ? answer : null));
    own.rules.push(() => list([pod("rind-a", { ip: "10.0.0.1" })]));
    const { clock, api } = own;
    const more = { random: new Random(1), publish: EXTERNAL, pod: POD, changed: () => {} };
    const addresses = new Addresses({ clock, api, ...more });
    const event = JSON.stringify({ type: "MODIFIED", object: pod("rind-a", { ip: "10.0.0.1" }) });
    for (let minute = 0; minute < 10; minute++) {
      await own.pass(50_000);
      // Looked at anew in between, as with each pod that comes and goes.
      own.streams.get("/api/v1/namespaces/rind/pods")?.line(event);
      await own.pass(10_000);
    }
    const asked = own.sent.filter(({ request }) => request.path.startsWith("/api/v1/nodes/"));
    assert.ok(asked.length >= least && asked.length <= most, `${asked.length} times`);
    addresses.stop();
  }
});

test.run();
