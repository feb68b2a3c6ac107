import { test } from "uvu";
import * as assert from "uvu/assert";
import { systemClock } from "../../../core/clock.ts";
import { Random } from "../../../core/random.ts";
import { type ApiServerDouble, startApiServer } from "../../../test/apiserver.ts";
import type { Finding } from "../../finding.ts";
import { ROLES } from "../../powers.ts";
import type { Access } from "../../source/api/api.ts";
import { openClient } from "../../source/api/client.ts";
import { ApiSource } from "../../source/api/source.ts";
import type { Publish } from "../addresses.ts";
import { Report } from "../report.ts";
import { finding } from "./cluster.ts";

/** Longer than anything here takes on a busy machine. */
const PATIENCE_MS = 20_000;
const LEASE = { namespace: "rind", name: "rind" };
const INGRESS = "networking.k8s.io/v1";

async function until(what: string, holds: () => boolean): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  while (!holds()) {
    assert.ok(performance.now() < end, `waited too long for ${what}`);
    await Bun.sleep(5);
  }
}

function accessTo({ url }: ApiServerDouble, token: string): Access {
  const headers = { Authorization: `Bearer ${token}` };
  const rest = { ca: null, cert: null, key: null, serverName: null, verify: true };
  return {
    server: url,
    from: "the test",
    namespace: "rind",
    credentials: () => Promise.resolve({ headers, ...rest }),
    renew: () => {},
  };
}

type Rind = Readonly<{ report: Report; told: () => readonly Finding[]; stop: () => void }>;

/** A rind without traffic: what it follows and what it reports, over real connections. */
function rind(server: ApiServerDouble, name: string, publish?: Publish): Rind {
  const clock = systemClock;
  const random = new Random(name.charCodeAt(name.length - 1));
  const api = openClient(accessTo(server, name), clock);
  const terms = { client: api, clock, random, stream: true };
  const scope = { namespaces: [], namespaceObjects: false, secrets: "named" } as const;
  const source = new ApiSource(terms, scope);
  let told: readonly Finding[] = [];
  const report = new Report({
    clock,
    random,
    api,
    today: () => new Date().toISOString(),
    pod: { namespace: "rind", name },
    lease: LEASE,
    publish: publish ?? { from: "nodes", address: "InternalIP" },
    statuses: source.statuses,
    lookup: () => ({ uid: "u1", apiVersion: INGRESS }),
    tell: (findings) => {
      told = findings;
    },
  });
  source.onStatus((key) => report.statusMoved(key));
  source.watch(() => {});
  report.start();
  const stop = () => {
    report.stop();
    source.stop();
  };
  return { report, told: () => told, stop };
}

function cluster(): ApiServerDouble {
  const server = startApiServer();
  for (const name of ["rind-a", "rind-b", "admin"]) server.guard.tokens.set(name, name);
  for (const name of ["web", "foreign"]) {
    const spec = { defaultBackend: { service: { name, port: { number: 80 } } } };
    const metadata = { name, namespace: "shop" };
    server.put({ apiVersion: INGRESS, kind: "Ingress", metadata, spec });
  }
  return server;
}

function putPod(server: ApiServerDouble, name: string, ip: string, ready = true): void {
  const labels = { "app.kubernetes.io/name": "rind" };
  const conditions = [{ type: "Ready", status: ready ? "True" : "False" }];
  const status = { conditions, hostIP: ip, hostIPs: [{ ip }] };
  const metadata = { name, namespace: "rind", labels };
  server.put({ apiVersion: "v1", kind: "Pod", metadata, spec: { nodeName: name }, status });
}

function shownOf(server: ApiServerDouble, name = "web"): string {
  const status = server.get("Ingress", "shop", name)?.["status"];
  const list = (status as { loadBalancer?: { ingress?: { ip?: string }[] } } | undefined)
    ?.loadBalancer?.ingress;
  return list === undefined ? "nothing" : list.map(({ ip }) => ip).join(" ");
}

/** What was asked for beyond the roles that k8s/ grants. */
function ungranted({ seen }: ApiServerDouble): readonly string[] {
  const powers = ROLES.filter(({ suffix }) => suffix === "").flatMap((role) => role.powers);
  return seen.flatMap(({ call: { row, verb, name, subresource } }) => {
    const resource = [row?.plural, subresource].filter((part) => part !== "").join("/");
    const granted = powers.some(
      (power) =>
        power.group === row?.group &&
        power.resource === resource &&
        power.verbs.includes(verb) &&
        (power.names?.includes(name) ?? true),
    );
    return granted ? [] : [`${verb} ${resource} ${name}`];
  });
}

const OURS = { findings: [], fresh: [], ours: new Set(["shop/web"]) };

test("two rinds report with one voice, and hand it over", async () => {
  const server = cluster();
  putPod(server, "rind-a", "10.0.0.1");
  putPod(server, "rind-b", "10.0.0.2");
  const a = rind(server, "rind-a");
  await until("a leader", () => a.report.state().leader);
  const b = rind(server, "rind-b");
  const odd = finding("web");
  for (const { report } of [a, b]) report.published({ ...OURS, findings: [odd], fresh: [odd] });
  await until("the status", () => shownOf(server) === "10.0.0.1 10.0.0.2");
  await until("the Event", () => server.count({ verb: "create", resource: "events" }) === 1);
  await until("b to know", () => b.report.state().leaderName.startsWith("rind-a_"));
  assert.not(b.report.state().leader);
  assert.is(shownOf(server, "foreign"), "nothing");
  assert.is(server.count({ verb: "patch", resource: "ingresses" }), 1);

  // a ends: its node leaves at once, b takes over, and has nothing to add.
  const began = performance.now();
  await a.report.drain(5_000);
  assert.is(shownOf(server), "10.0.0.2");
  assert.ok(performance.now() - began < 5_000);
  a.stop();
  server.remove("Pod", "rind", "rind-a");
  await until("b to lead", () => b.report.state().leader);
  await until("b to be done", () => b.report.state().pending === 0);
  assert.is(server.count({ verb: "patch", resource: "ingresses" }), 2);

  // The last one leaves no address.
  await b.report.drain(5_000);
  assert.is(shownOf(server), "");
  b.stop();
  server.stop();
  assert.equal(ungranted(server), []);
});

test("a status that somebody wipes is restored; fixed addresses need no pods", async () => {
  const server = cluster();
  const a = rind(server, "rind-a", { from: "fixed", addresses: ["192.0.2.1"] });
  a.report.published(OURS);
  await until("the status", () => shownOf(server) === "192.0.2.1");
  await until("the echo", () => a.report.state().pending === 0);
  server.put({ ...server.get("Ingress", "shop", "web")!, status: {} });
  await until("the status again", () => shownOf(server) === "192.0.2.1");
  assert.is(server.count({ resource: "pods" }), 0);
  a.stop();
  server.stop();
});

test("what is denied is told with the reason of the server", async () => {
  const server = cluster();
  server.deny({ resource: "ingresses", subresource: "status", user: "rind-a" });
  const a = rind(server, "rind-a", { from: "fixed", addresses: ["192.0.2.1"] });
  a.report.published(OURS);
  await until("the finding", () => a.told().length === 1);
  assert.match(a.told()[0]?.reason ?? "", /ingresses/);
  assert.is(a.told()[0]?.kind, "Rind");
  assert.is(a.report.state().problem, a.told()[0]?.reason);
  assert.is(a.report.state().pending, 1);
  assert.ok(a.report.state().leader, "Events go on");
  // Another one leads, and what a could not write is not a's to complain about any more.
  const lease = server.get("Lease", "rind", "rind")!;
  const spec = { ...(lease["spec"] as object), holderIdentity: "rind-b_x" };
  server.put({ ...lease, spec });
  await until("a to know", () => a.told().length === 0);
  assert.not(a.report.state().leader);
  a.stop();
  server.stop();
});

test("without a lease nothing is written", async () => {
  const server = cluster();
  server.deny({ resource: "leases", user: "rind-a" });
  const a = rind(server, "rind-a", { from: "fixed", addresses: ["192.0.2.1"] });
  a.report.published(OURS);
  await until("the finding", () => a.told().length === 1);
  assert.match(a.told()[0]?.reason ?? "", /leases/);
  assert.not(a.report.state().leader);
  assert.is(server.count({ verb: "patch" }), 0);
  // There is nothing to hand over, and so nothing to wait for.
  await a.report.drain(60_000);
  a.stop();
  server.stop();
});

test("an address that was written a moment ago is taken back at once", async () => {
  const server = cluster();
  putPod(server, "rind-a", "10.0.0.1");
  const a = rind(server, "rind-a");
  a.report.published(OURS);
  await until("the status", () => shownOf(server) === "10.0.0.1");
  await a.report.drain(4_000);
  assert.is(shownOf(server), "");
  a.stop();
  server.stop();
});

test("a drain ends in time when the API server does not answer", async () => {
  const server = cluster();
  putPod(server, "rind-a", "10.0.0.1");
  const a = rind(server, "rind-a");
  a.report.published(OURS);
  await until("the status", () => shownOf(server) === "10.0.0.1");
  server.disturb({ kind: "blackhole" });
  const began = performance.now();
  await a.report.drain(1_500);
  assert.ok(performance.now() - began < 4_000, "the deadline, and some patience for the machine");
  a.stop();
  server.stop();
});

test.run();
