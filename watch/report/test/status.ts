import { test } from "uvu";
import * as assert from "uvu/assert";
import { Random } from "../../../core/random.ts";
import type { ApiAnswer, ApiRequest } from "../../source/api/api.ts";
import { type IngressStatus, readStatus } from "../../source/api/status.ts";
import { Outgoing } from "../outgoing.ts";
import { StatusWriter } from "../status.ts";
import { targetsOf } from "../targets.ts";
import { breakdown, type Cluster, cluster, failure, status } from "./cluster.ts";

type Stage = Readonly<{
  cluster: Cluster;
  statuses: Map<string, IngressStatus>;
  writer: StatusWriter;
  /** What others wrote, or a new spec: the watch tells it. */
  edit: (key: string, ...ips: readonly string[]) => void;
  /** `seconds name`, of each write. */
  writes: () => readonly string[];
  lead: (leads: boolean) => void;
}>;

const HERE = ["10.0.0.1"];

/** A server that takes each write that names the version there is, and tells it at once. */
function stage(names: readonly string[], watched = true): Stage {
  const own = cluster();
  const statuses = new Map<string, IngressStatus>();
  for (const name of names) statuses.set(`shop/${name}`, status(1));
  let version = 1;
  let leads = true;
  const writer: StatusWriter = new StatusWriter({
    clock: own.clock,
    statuses,
    wake: () => outgoing.wake(),
    told: () => {},
  });
  const { clock, api } = own;
  const outgoing: Outgoing = new Outgoing({
    clock,
    api,
    random: new Random(1),
    may: () => leads,
    writers: [writer],
    turned: () => {},
  });
  const put = (key: string, ingress: IngressStatus["ingress"]) => {
    version += 1;
    statuses.set(key, { ...status(version), ingress });
    if (watched) writer.moved(key);
  };
  own.rules.push((request) => answerOf(request, statuses, put));
  writer.own(new Set(statuses.keys()));
  return {
    cluster: own,
    statuses,
    writer,
    edit: (key, ...ips) => {
      put(key, status(0, ...ips).ingress);
      writer.moved(key);
    },
    writes: () => own.sent.map(({ at, request }) => `${at / 1_000} ${nameOf(request)}`),
    lead: (now) => {
      leads = now;
      outgoing.wake();
    },
  };
}

function answerOf(
  request: ApiRequest,
  statuses: ReadonlyMap<string, IngressStatus>,
  put: (key: string, ingress: IngressStatus["ingress"]) => void,
): ApiAnswer {
  const key = `shop/${nameOf(request)}`;
  const body = request.body as {
    metadata: { resourceVersion: string };
    status: { loadBalancer: { ingress: IngressStatus["ingress"] } };
  };
  const there = statuses.get(key);
  if (there === undefined) return failure(404);
  if (body.metadata.resourceVersion !== there.resourceVersion) return failure(409);
  put(key, body.status.loadBalancer.ingress);
  return { ok: true, status: 200, body: {} };
}

function nameOf({ path }: ApiRequest): string {
  return path.split("/").at(-2) ?? "";
}

test("each Ingress of ours gets the addresses, as a patch that names its version", async () => {
  const { cluster, writer, statuses, writes } = stage(["a", "b"]);
  writer.own(new Set(["shop/b", "shop/c"]));
  writer.publish(targetsOf(["::1", "10.0.0.1", "lb.example.com", "10.0.0.1"]));
  await cluster.pass(60_000);
  assert.equal(writes(), ["0 b"]);
  assert.equal(cluster.sent[0]?.request, {
    method: "PATCH",
    path: "/apis/networking.k8s.io/v1/namespaces/shop/ingresses/b/status",
    query: { fieldManager: "rind" },
    contentType: "application/merge-patch+json",
    body: {
      metadata: { resourceVersion: "1" },
      status: {
        loadBalancer: {
          ingress: [{ ip: "10.0.0.1" }, { ip: "::1" }, { hostname: "lb.example.com" }],
        },
      },
    },
  });
  assert.is(statuses.get("shop/a")?.ingress.length, 0, "not ours");
});

test("nothing is written in ten minutes of a steady state, whatever else moves", async () => {
  const names = Array.from({ length: 50 }, (_, i) => `i${i}`);
  const { cluster, writer, writes, edit } = stage(names);
  writer.publish(targetsOf(["10.0.0.2", "10.0.0.1"]));
  await cluster.pass(10_000);
  assert.is(writes().length, 50);
  assert.is(writer.pending(), 0);
  for (let i = 0; i < 600; i++) {
    // A new spec is a new version with the old status, in any order.
    edit(`shop/i${i % 50}`, "10.0.0.1", "10.0.0.2");
    if (i % 60 === 0) writer.publish(targetsOf(["10.0.0.1", "10.0.0.2"]));
    if (i % 60 === 30) writer.own(new Set(names.map((name) => `shop/${name}`)));
    await cluster.pass(1_000);
  }
  assert.is(writes().length, 50);
});

test("at most twenty are written in any second", async () => {
  const { cluster, writer } = stage(Array.from({ length: 200 }, (_, i) => `i${i}`));
  writer.publish(targetsOf(HERE));
  await cluster.pass(15_000);
  assert.is(cluster.sent.length, 200);
  for (const { at } of cluster.sent) {
    const within = cluster.sent.filter((other) => other.at >= at && other.at < at + 1_000);
    assert.ok(within.length <= 20, `${within.length} from ${at} ms on`);
  }
});

test("addresses that change all the time are written each five seconds at most", async () => {
  const { cluster, writer, statuses } = stage(["a"]);
  for (let i = 0; i < 60; i++) {
    writer.publish(targetsOf([`10.0.0.${i}`]));
    await cluster.pass(1_000);
  }
  await cluster.pass(5_000);
  assert.ok(cluster.sent.length <= 13, `${cluster.sent.length} writes in 65 s`);
  assert.equal(statuses.get("shop/a")?.ingress, [{ ip: "10.0.0.59" }]);
});

test("a status that was wiped is restored", async () => {
  const { cluster, writer, writes, edit, statuses } = stage(["a"]);
  writer.publish(targetsOf(HERE));
  await cluster.pass(60_000);
  edit("shop/a");
  await cluster.pass(60_000);
  assert.equal(writes(), ["0 a", "60.5 a"]);
  assert.equal(statuses.get("shop/a")?.ingress, [{ ip: "10.0.0.1" }]);
  assert.equal(writer.findings(), []);
});

test("no addresses are written as long as none are known", async () => {
  const { cluster, writer, writes, edit } = stage(["a"]);
  await cluster.pass(10_000);
  assert.is(writer.pending(), 0);
  writer.publish(targetsOf(HERE));
  await cluster.pass(10_000);
  writer.publish(null);
  edit("shop/a", "10.0.0.9");
  await cluster.pass(10_000);
  assert.equal(writes(), ["10 a"]);
});

test("no address at all is written where the last one left", async () => {
  const { cluster, writer, edit, statuses } = stage(["a"]);
  edit("shop/a", "10.0.0.1");
  writer.publish(targetsOf([]));
  await cluster.pass(1_000);
  assert.equal(statuses.get("shop/a")?.ingress, []);
});

test("who overwrites again and again is left alone, and named", async () => {
  const { cluster, writer, edit } = stage(["a", "b"]);
  writer.publish(targetsOf(HERE));
  let overwritten = 0;
  for (let i = 0; i < 540; i++) {
    await cluster.pass(1_000);
    const ours = cluster.sent.filter(({ request }) => nameOf(request) === "a").length;
    if (ours === overwritten) continue;
    overwritten = ours;
    edit("shop/a", "192.0.2.7");
  }
  assert.equal(
    cluster.sent.map(({ request }) => nameOf(request)).toSorted(),
    ["a", "a", "a", "b"],
    "three writes of the one, and the other is not concerned",
  );
  assert.equal(
    writer.findings().map(({ kind, namespace, name }) => `${kind} ${namespace}/${name}`),
    ["Ingress shop/a"],
  );
  // The rival goes away.
  await cluster.pass(600_000);
  assert.is(cluster.sent.length, 5, "tried again after ten minutes");
  await cluster.pass(300_000);
  assert.equal(writer.findings(), [], "and it lasted");
});

test("a rival that stays costs one write in ten minutes", async () => {
  const { cluster, writer, edit } = stage(["a"]);
  writer.publish(targetsOf(HERE));
  let seen = 0;
  for (let i = 0; i < 3_600; i++) {
    await cluster.pass(1_000);
    if (cluster.sent.length > seen) edit("shop/a", "192.0.2.7");
    seen = cluster.sent.length;
  }
  assert.ok(cluster.sent.length <= 3 + 6, `${cluster.sent.length} writes in an hour`);
  assert.is(writer.findings().length, 1);
});

test("addresses that change often are no rival; what is not ours is let be", async () => {
  const { cluster, writer, statuses, edit } = stage(["a"]);
  for (const ip of ["10.0.0.1", "10.0.0.2", "10.0.0.1"]) {
    writer.publish(targetsOf([ip]));
    await cluster.pass(20_000);
  }
  edit("shop/a");
  await cluster.pass(20_000);
  assert.equal(statuses.get("shop/a")?.ingress, [{ ip: "10.0.0.1" }], "wiped once, and restored");
  for (let i = 0; i < 3; i++) {
    edit("shop/a", "192.0.2.7");
    await cluster.pass(20_000);
  }
  assert.is(writer.findings().length, 1);
  statuses.set("shop/a", { ...status(90), uid: "u2" });
  writer.moved("shop/a");
  await cluster.pass(20_000);
  assert.equal(writer.findings(), [], "it is another Ingress");
  assert.equal(statuses.get("shop/a")?.ingress, [{ ip: "10.0.0.1" }]);
  for (let i = 0; i < 4; i++) {
    edit("shop/a", "192.0.2.7");
    await cluster.pass(20_000);
  }
  writer.own(new Set());
  assert.equal(writer.findings(), [], "it is not ours");
});

test("an Ingress that was made anew has no past", async () => {
  const { cluster, writer, statuses, writes } = stage(["a"]);
  writer.publish(targetsOf(HERE));
  await cluster.pass(1_000);
  statuses.set("shop/a", { ...status(9), uid: "u2" });
  writer.moved("shop/a");
  await cluster.pass(2_000);
  assert.equal(writes(), ["0 a", "1.5 a"]);
});

test("an Ingress that is not ours any more is left as it is", async () => {
  const { cluster, writer, statuses, writes, edit } = stage(["a"]);
  writer.publish(targetsOf(HERE));
  await cluster.pass(1_000);
  writer.own(new Set());
  writer.publish(targetsOf(["10.0.0.2"]));
  edit("shop/a", "10.0.0.9");
  await cluster.pass(60_000);
  assert.equal(writes(), ["0 a"]);
  assert.equal(statuses.get("shop/a")?.ingress, [{ ip: "10.0.0.9" }]);
});

test("an Ingress that is given to another class is not written once more", async () => {
  const { cluster, writer, edit, writes } = stage(["a"]);
  writer.publish(targetsOf(HERE));
  await cluster.pass(60_000);
  // Its new controller is quicker than our translation, which takes up to 100 ms.
  edit("shop/a", "192.0.2.7");
  await cluster.pass(100);
  writer.own(new Set());
  await cluster.pass(60_000);
  assert.equal(writes(), ["0 a"]);
});

/** An answer to the first writes, when they are made in 100 s, and what is said of it. */
const ANSWERS: readonly [
  name: string,
  answer: ApiAnswer,
  times: number,
  writes: readonly number[],
  said: string,
][] = [
  ["a conflict waits for news", failure(409), 1, [0, 5], ""],
  ["an Ingress that is gone is forgotten", failure(404), 1, [0], ""],
  [
    "a policy that refuses this one is respected for ten minutes",
    {
      ok: false,
      status: 403,
      reason: "a policy denies it",
      retryAfterMs: null,
      body: { message: 'admission webhook "x" denied the request: no' },
    },
    1,
    [0],
    "a policy denies it",
  ],
  ["a denial is tried again after 30 s", failure(403, "RBAC denies"), 2, [0, 30, 60], ""],
  ["a refusal is tried again after ten minutes", failure(422, "bad ip"), 1, [0], "bad ip"],
  [
    "a busy server is obeyed",
    { ok: false, status: 429, reason: "busy", retryAfterMs: 20_000, body: null },
    1,
    [0, 20],
    "",
  ],
];

for (const [name, answer, times, expected, said] of ANSWERS) {
  test(name, async () => {
    const { cluster, writer } = stage(["a"]);
    let left = times;
    cluster.rules.unshift(() => (left-- > 0 ? answer : null));
    writer.publish(targetsOf(HERE));
    await cluster.pass(100_000);
    assert.equal(
      cluster.sent.map(({ at }) => Math.floor(at / 1_000)),
      expected,
    );
    assert.ok(writer.findings().length === (said === "" ? 0 : 1));
    assert.ok(said === "" || writer.findings()[0]?.reason.includes(said));
  });
}

test("a denial is told as long as it lasts, and costs one write in 30 s", async () => {
  const { cluster, writer } = stage(Array.from({ length: 100 }, (_, i) => `i${i}`));
  let denied = true;
  cluster.rules.unshift(() => (denied ? failure(403, "RBAC denies patch") : null));
  writer.publish(targetsOf(HERE));
  await cluster.pass(300_000);
  assert.ok(cluster.sent.length <= 11, `${cluster.sent.length} writes in 5 min`);
  assert.is(writer.problem(), "RBAC denies patch");
  assert.is(writer.pending(), 100);
  denied = false;
  await cluster.pass(60_000);
  assert.is(writer.problem(), "");
  assert.is(writer.pending(), 0);
});

test("of thousands that say what they should, the one that does not is found", async () => {
  const names = Array.from({ length: 3_000 }, (_, i) => `i${i}`);
  const { cluster, writer, statuses, writes } = stage(names);
  for (const name of names.slice(0, -1)) statuses.set(`shop/${name}`, status(1, ...HERE));
  writer.publish(targetsOf(HERE));
  await cluster.pass(1_000);
  assert.equal(
    writes().map((write) => write.split(" ")[1]),
    ["i2999"],
  );
  assert.is(writer.pending(), 0);
});

test("a new Ingress does not wait for a change of all of them", async () => {
  const names = Array.from({ length: 100 }, (_, i) => `i${i}`);
  const { cluster, writer, edit, statuses } = stage(names);
  writer.publish(targetsOf(HERE));
  await cluster.pass(10_000);
  writer.publish(targetsOf(["10.0.0.2"]));
  await cluster.pass(500);
  edit("shop/new");
  writer.own(new Set([...names.map((name) => `shop/${name}`), "shop/new"]));
  await cluster.pass(200);
  assert.equal(statuses.get("shop/new")?.ingress, [{ ip: "10.0.0.2" }]);
  await cluster.pass(10_000);
  assert.is(writer.pending(), 0);
  assert.is(cluster.sent.length, 201);
});

test("nothing is lost while the server is away", async () => {
  const { cluster, writer } = stage(["a", "b", "c"]);
  let away = true;
  cluster.rules.unshift(() => (away ? failure(0, "cannot reach it") : null));
  writer.publish(targetsOf(HERE));
  await cluster.pass(60_000);
  const before = cluster.sent.length;
  await cluster.pass(240_000);
  assert.ok(cluster.sent.length - before <= 16, `${cluster.sent.length - before} tries in 4 min`);
  away = false;
  await cluster.pass(65_000);
  assert.is(writer.pending(), 0);
});

test("an Ingress whose writes always fail is tried less and less; the others go on", async () => {
  const names = Array.from({ length: 20 }, (_, i) => `i${i}`);
  const { cluster, writer, writes, edit } = stage(names);
  let broken = true;
  cluster.rules.unshift((request) => (broken && nameOf(request) === "i0" ? breakdown() : null));
  writer.publish(targetsOf(HERE));
  await cluster.pass(1_500);
  assert.is(writer.pending(), 1);
  assert.equal(writer.findings(), [], "once is no news");
  await cluster.pass(298_500);
  const tries = writes().filter((write) => write.endsWith(" i0"));
  assert.equal(
    tries.map((write) => Math.floor(Number(write.split(" ")[0]))),
    [0, 5, 15, 35, 75, 135, 195, 255],
  );
  assert.match(writer.findings()[0]?.reason ?? "", "fails to write our status: failed calling");
  // Addresses that change, or news of it, are no reason to ask sooner.
  writer.publish(targetsOf(["10.0.0.2"]));
  edit("shop/i0");
  await cluster.pass(10_000);
  assert.is(writes().filter((write) => write.endsWith(" i0")).length, tries.length);
  assert.is(writer.pending(), 1);
  broken = false;
  await cluster.pass(60_000);
  assert.is(writer.pending(), 0);
  assert.equal(writer.findings(), []);
});

test("nothing is written while another one leads", async () => {
  const { cluster, writer, writes, lead } = stage(["a"]);
  lead(false);
  writer.publish(targetsOf(HERE));
  await cluster.pass(60_000);
  assert.equal(writes(), []);
  lead(true);
  await cluster.pass(1_000);
  assert.equal(writes(), ["60 a"]);
});

test("news that is older than our own write does not make another one", async () => {
  const { cluster, writer, statuses } = stage(["a"], false);
  writer.publish(targetsOf(HERE));
  await cluster.pass(100);
  const written = statuses.get("shop/a");
  assert.ok(written !== undefined);
  // A spec was edited just before our write, and this is told late.
  statuses.set("shop/a", status(1));
  writer.moved("shop/a");
  await cluster.pass(2_000);
  statuses.set("shop/a", written);
  writer.moved("shop/a");
  await cluster.pass(60_000);
  assert.is(cluster.sent.length, 1);
});

/** A server that takes each write after `answerMs`, and whose watch tells of none. */
function silent(own: Cluster, answerMs: number): { said: () => unknown } {
  let there = status(1);
  own.rules.unshift(async ({ body }) => {
    const patch = body as { metadata: { resourceVersion: string } };
    if (patch.metadata.resourceVersion !== there.resourceVersion) return failure(409);
    const version = Number(there.resourceVersion) + 1;
    there = { ...status(version), ingress: readStatus(patch).ingress };
    const written = { ...patch, metadata: { uid: "u1", resourceVersion: `${version}` } };
    await new Promise<void>((resolve) => void own.clock.after(answerMs, resolve));
    return { ok: true, status: 200, body: written };
  });
  return { said: () => there.ingress };
}

for (const [name, answerMs] of [
  ["answered, and not told by the watch", 10],
  ["still on its way", 300],
] as const) {
  test(`the end comes when a write is ${name}: it is taken back`, async () => {
    const { cluster, writer } = stage(["a"]);
    const { said } = silent(cluster, answerMs);
    writer.publish(targetsOf(HERE));
    await cluster.pass(100);
    assert.equal(said(), [{ ip: "10.0.0.1" }]);
    writer.hurry();
    writer.publish(targetsOf([]));
    assert.is(writer.pending(), 1);
    await cluster.pass(1_500);
    assert.equal(said(), []);
    assert.is(writer.pending(), 0);
    assert.is(cluster.sent.length, 2, "and nothing was asked for in vain");
    writer.stop();
  });
}

test("what the watch tells after our write counts, and not what we wrote", async () => {
  const { cluster, writer, statuses } = stage(["a"]);
  silent(cluster, 10);
  writer.publish(targetsOf(HERE));
  await cluster.pass(10_000);
  assert.is(cluster.sent.length, 1, "the watch is late: no reason to write it again");
  // Somebody wiped it, and the watch tells of both in one go.
  statuses.set("shop/a", status(3));
  writer.moved("shop/a");
  await cluster.pass(10_000);
  const { body } = cluster.sent[1]!.request as { body: { metadata: object } };
  assert.equal(body.metadata, { resourceVersion: "3" });
});

test.run();
