/** All parts of reporting together, in hours that pass at once. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type FakeClock, fakeClock } from "../../../core/clock.ts";
import { Random } from "../../../core/random.ts";
import { isFields } from "../../objects.ts";
import type { ApiAnswer, ApiRequest } from "../../source/api/api.ts";
import type { IngressStatus } from "../../source/api/status.ts";
import type { Publish } from "../addresses.ts";
import { Report } from "../report.ts";
import { type Cluster, cluster, failure, finding, status } from "./cluster.ts";

const LEASES = "/apis/coordination.k8s.io/v1/namespaces/rind/leases";
const INGRESSES = "/apis/networking.k8s.io/v1/namespaces/shop/ingresses/";

/** What all rinds of a test share: leases, Ingresses, and which rinds watch them. */
type World = {
  readonly clock: FakeClock;
  readonly leases: Map<string, { spec: unknown; version: number }>;
  readonly statuses: Map<string, IngressStatus>;
  readonly rinds: Rind[];
  version: number;
};
type Rind = Readonly<{ report: Report; cluster: Cluster; writes: () => readonly string[] }>;

function world(count: number, waiting = new Set<object>()): World {
  const statuses = new Map<string, IngressStatus>();
  for (let i = 0; i < count; i++) statuses.set(`shop/i${i}`, status(1));
  return {
    clock: counted(fakeClock(), waiting),
    leases: new Map(),
    statuses,
    rinds: [],
    version: 1,
  };
}

/** `waiting` has an entry for each call that is still to be made. */
function counted(clock: FakeClock, waiting: Set<object>): FakeClock {
  const after: FakeClock["after"] = (ms, call) => {
    const entry = {};
    waiting.add(entry);
    const cancel = clock.after(ms, () => {
      waiting.delete(entry);
      call();
    });
    return () => {
      waiting.delete(entry);
      cancel();
    };
  };
  return { ...clock, after };
}

/** Answers like an API server, as far as reporting goes. */
function serve(world: World, request: ApiRequest): ApiAnswer | null {
  if (request.path.startsWith(LEASES)) return serveLease(world, request);
  if (!request.path.startsWith(INGRESSES)) return null;
  const key = `shop/${request.path.slice(INGRESSES.length).replace("/status", "")}`;
  const body = request.body as {
    metadata: { resourceVersion: string };
    status: { loadBalancer: { ingress: IngressStatus["ingress"] } };
  };
  const there = world.statuses.get(key);
  if (there?.resourceVersion !== body.metadata.resourceVersion) return failure(409);
  put(world, key, body.status.loadBalancer.ingress);
  return { ok: true, status: 200, body: {} };
}

function put(world: World, key: string, ingress: IngressStatus["ingress"]): void {
  world.version += 1;
  world.statuses.set(key, { ...status(world.version), ingress });
  for (const { report } of world.rinds) report.statusMoved(key);
}

function serveLease(world: World, { method, path, body }: ApiRequest): ApiAnswer {
  const given = isFields(body) ? body : {};
  const metadata = isFields(given["metadata"]) ? given["metadata"] : {};
  const name = method === "POST" ? String(metadata["name"]) : path.slice(LEASES.length + 1);
  const known = world.leases.get(name);
  if (method === "GET" && known === undefined) return failure(404);
  const stale = metadata["resourceVersion"] !== String(known?.version);
  if (method === "POST" ? known !== undefined : method === "PUT" && stale) return failure(409);
  const version = (known?.version ?? 0) + (method === "GET" ? 0 : 1);
  const spec = method === "GET" ? known?.spec : given["spec"];
  world.leases.set(name, { spec, version });
  const answer = { metadata: { name, resourceVersion: String(version) }, spec };
  return { ok: true, status: 200, body: answer };
}

function rind(world: World, lease: string, publish: Publish): Rind {
  const own = cluster(world.clock);
  own.rules.push((request) => serve(world, request));
  const { api, clock } = own;
  const report = new Report({
    clock,
    api,
    random: new Random(world.rinds.length + 1),
    today: () => new Date(Date.UTC(2026, 0, 1) + clock.now()).toISOString(),
    pod: { namespace: "rind", name: `rind-${world.rinds.length}` },
    lease: { namespace: "rind", name: lease },
    publish,
    statuses: world.statuses,
    lookup: () => ({ uid: "u1", apiVersion: "networking.k8s.io/v1" }),
    tell: () => {},
  });
  const writes = () =>
    own.sent
      .filter(({ request }) => request.method !== "GET" && !request.path.startsWith(LEASES))
      .map(({ at, request }) => `${Math.floor(at / 1_000)} ${request.method} ${request.path}`);
  const made = { report, cluster: own, writes };
  world.rinds.push(made);
  return made;
}

const FIXED: Publish = { from: "fixed", addresses: ["192.0.2.1"] };

test("in ten minutes of a steady state nothing but the lease is written", async () => {
  const shared = world(100);
  const { report, cluster, writes } = rind(shared, "rind", FIXED);
  const ours = new Set(shared.statuses.keys());
  const findings = Array.from({ length: 50 }, (_, i) => finding(`i${i}`));
  report.start();
  report.published({ findings, fresh: findings, ours });
  await cluster.pass(30_000);
  assert.is(writes().length, 100 + 50);
  for (let i = 0; i < 600; i++) {
    // Endpoints change all the time; specs do, too.
    report.published({ findings: [...findings], fresh: [], ours: new Set(ours) });
    put(shared, `shop/i${i % 100}`, [{ ip: "192.0.2.1" }]);
    await cluster.pass(1_000);
  }
  assert.is(writes().length, 100 + 50);
  assert.is(report.state().pending, 0);
  assert.is(report.state().problem, "");
  report.stop();
});

test("status and Events together are twenty a second at most, and status comes first", async () => {
  const shared = world(100);
  const { report, cluster, writes } = rind(shared, "rind", FIXED);
  const findings = Array.from({ length: 100 }, (_, i) => finding(`i${i}`));
  report.start();
  const ours = new Set(shared.statuses.keys());
  report.published({ findings, fresh: findings, ours });
  await cluster.pass(30_000);
  const seconds = writes().map((write) => write.split(" ")[0]);
  for (const second of new Set(seconds)) {
    assert.ok(seconds.filter((each) => each === second).length <= 20, `in second ${second}`);
  }
  const kinds = writes().map((write) => write.split(" ")[1]);
  assert.ok(kinds.lastIndexOf("PATCH") < kinds.indexOf("POST"));
  report.stop();
});

test("who cannot renew stops writing, and takes it up again with fresh addresses", async () => {
  const shared = world(1);
  const { report, cluster, writes } = rind(shared, "rind", FIXED);
  report.start();
  report.published({ findings: [], fresh: [], ours: new Set(["shop/i0"]) });
  await cluster.pass(3_000);
  assert.is(writes().length, 1);
  let away = true;
  const lost = ({ path }: ApiRequest) => (away && path.startsWith(LEASES) ? failure(500) : null);
  cluster.rules.unshift(lost);
  await cluster.pass(15_000);
  assert.not(report.state().leader);
  put(shared, "shop/i0", []);
  await cluster.pass(60_000);
  assert.is(writes().length, 1);
  assert.is(report.state().problem, "refused with 500");
  away = false;
  await cluster.pass(40_000);
  assert.ok(report.state().leader);
  assert.is(writes().length, 2);
  report.stop();
});

test("addresses of the last time that we led are not written when we lead again", async () => {
  const shared = world(1);
  const { report, cluster, writes } = rind(shared, "rind", {
    from: "nodes",
    address: "InternalIP",
  });
  let ip = "10.0.0.1";
  cluster.rules.push(({ path }) => {
    if (path !== "/api/v1/namespaces/rind/pods") return null;
    const conditions = [{ type: "Ready", status: "True" }];
    const items = [{ metadata: { name: "rind-0" }, status: { conditions, hostIP: ip } }];
    const body = { kind: "PodList", metadata: { resourceVersion: "1" }, items };
    return { ok: true, status: 200, body };
  });
  report.start();
  report.published({ findings: [], fresh: [], ours: new Set(["shop/i0"]) });
  await cluster.pass(3_000);
  assert.equal(shared.statuses.get("shop/i0")?.ingress, [{ ip }]);
  let away = true;
  cluster.rules.unshift(({ path }) => (away && path.startsWith(LEASES) ? failure(500) : null));
  await cluster.pass(15_000);
  ip = "10.0.0.2";
  put(shared, "shop/i0", [{ ip }]);
  away = false;
  await cluster.pass(60_000);
  assert.ok(report.state().leader);
  assert.is(writes().length, 1);
  report.stop();
});

test("what waits while leadership is confirmed is written then", async () => {
  const shared = world(1);
  const { report, cluster, writes } = rind(shared, "rind", FIXED);
  report.start();
  report.published({ findings: [], fresh: [], ours: new Set(["shop/i0"]) });
  await cluster.pass(7_000);
  // Somebody labels the lease, and the API server is slow to say what it is now.
  shared.leases.get("rind")!.version += 1;
  const slow = (request: ApiRequest) =>
    request.method !== "GET" || !request.path.startsWith(LEASES)
      ? null
      : new Promise<ApiAnswer>((resolve) => {
          shared.clock.after(1_000, () => resolve(serve(shared, request)!));
        });
  cluster.rules.unshift(slow);
  await cluster.pass(1_100);
  assert.not(report.state().leader);
  put(shared, "shop/i0", []);
  await cluster.pass(1_000);
  assert.ok(report.state().leader);
  await cluster.pass(500);
  assert.is(writes().length, 2);
  report.stop();
});

test("of two with one lease never both write, whoever fails when", async () => {
  const seed = 20261125;
  console.log(`seed ${seed}`);
  const random = new Random(seed);
  const shared = world(3);
  const rinds = ["192.0.2.1", "192.0.2.2"].map((ip) =>
    rind(shared, "rind", { from: "fixed", addresses: [ip] }),
  );
  const down = [false, false];
  rinds.forEach(({ cluster, report }, i) => {
    cluster.rules.unshift(() => (down[i] === true ? failure(0) : null));
    report.published({ findings: [], fresh: [], ours: new Set(shared.statuses.keys()) });
    report.start();
  });
  for (let i = 0; i < 600; i++) {
    if (random.below(10) === 0) down[random.below(2)] = random.below(2) === 0;
    await rinds[0]!.cluster.pass(1_000);
    const leaders = rinds.filter(({ report }) => report.state().leader);
    assert.ok(leaders.length <= 1, `two leaders at ${shared.clock.now()} ms`);
  }
  for (const { report } of rinds) report.stop();
});

test("two controllers with one Ingress and two opinions come to rest", async () => {
  const shared = world(1);
  const rinds = ["192.0.2.1", "192.0.2.2"].map((ip, i) =>
    rind(shared, `rind-${i}`, { from: "fixed", addresses: [ip] }),
  );
  for (const { report } of rinds) {
    report.published({ findings: [], fresh: [], ours: new Set(["shop/i0"]) });
    report.start();
  }
  await rinds[0]!.cluster.pass(3_600_000);
  const writes = rinds.flatMap((each) => each.writes());
  assert.ok(writes.length <= 6 + 6 * 4, `${writes.length} writes in an hour`);
  for (const { report } of rinds) report.stop();
});

test("after a stop nothing is asked for any more, and nothing waits", async () => {
  const waiting = new Set<object>();
  const shared = world(10, waiting);
  const { report, cluster } = rind(shared, "rind", FIXED);
  report.start();
  report.published({ findings: [], fresh: [], ours: new Set(shared.statuses.keys()) });
  report.published({ findings: [], fresh: [finding("a")], ours: new Set(shared.statuses.keys()) });
  // A write is on its way when the end comes.
  cluster.rules.unshift(({ method }) =>
    method !== "PATCH"
      ? null
      : new Promise((resolve) => {
          shared.clock.after(200, () => resolve({ ok: true, status: 200, body: {} }));
        }),
  );
  await cluster.pass(600);
  report.stop();
  await cluster.pass(300);
  assert.is(waiting.size, 0, "a timer that waits keeps the process");
  const { length } = cluster.sent;
  report.published({ findings: [], fresh: [finding("a")], ours: new Set() });
  report.statusMoved("shop/i0");
  await cluster.pass(600_000);
  assert.is(cluster.sent.length, length);
});

test.run();
