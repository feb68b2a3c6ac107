import { test } from "uvu";
import * as assert from "uvu/assert";
import { fakeClock, type FakeClock } from "../../../core/clock.ts";
import { Random } from "../../../core/random.ts";
import type { ApiAnswer, ApiRequest } from "../../source/api/api.ts";
import { Leader } from "../leader.ts";
import { type Cluster, cluster, failure } from "./cluster.ts";

/** How long a lease stays without a holder, when one other rind is there: see leader.ts. */
const RELEASED_MS_MAX = 14_050;
const DEAD_MS_MAX = 33_450;

type Spec = Readonly<Record<string, unknown>>;
type Shelf = { spec: Spec | null; version: number };

/** A lease as the API server keeps it: a PUT must name the version that is there. */
function leases(shelf: Shelf): (request: ApiRequest) => ApiAnswer | null {
  const body = () => ({
    metadata: { name: "rind", namespace: "rind", resourceVersion: String(shelf.version) },
    spec: shelf.spec,
  });
  return ({ method, path, body: written }) => {
    if (!path.startsWith("/apis/coordination.k8s.io/v1/namespaces/rind/leases")) return null;
    if (method === "GET") {
      return shelf.spec === null ? failure(404) : { ok: true, status: 200, body: body() };
    }
    const { metadata, spec } = written as { metadata: Spec; spec: Spec };
    if (method === "POST" && shelf.spec !== null) return failure(409);
    if (method === "PUT" && shelf.spec === null) return failure(404);
    if (method === "PUT" && metadata["resourceVersion"] !== String(shelf.version)) {
      return failure(409);
    }
    shelf.spec = spec;
    shelf.version += 1;
    return { ok: true, status: 200, body: body() };
  };
}

type Candidate = Readonly<{ leader: Leader; cluster: Cluster; changes: string[] }>;

/** Each has a way of its own to the one lease, which can fail without the others'. */
function candidate(shelf: Shelf, identity: string, clock: FakeClock): Candidate {
  const own = cluster(clock);
  own.rules.push(leases(shelf));
  const changes: string[] = [];
  const leader: Leader = new Leader({
    clock,
    random: new Random(identity.length),
    api: own.api,
    today: () => new Date(Date.UTC(2026, 0, 1) + clock.now()).toISOString(),
    lease: { namespace: "rind", name: "rind" },
    identity,
    changed: () => void changes.push(`${clock.now()} ${leader.leading()}`),
  });
  return { leader, cluster: own, changes };
}

function empty(): Shelf {
  return { spec: null, version: 1 };
}

test("a lease that nobody has made is made, and renewed each two seconds", async () => {
  const shelf = empty();
  const clock = fakeClock();
  const one = candidate(shelf, "a", clock);
  one.leader.start();
  await one.cluster.pass(60_000);
  assert.ok(one.leader.leading());
  assert.is(one.leader.holder(), "a");
  assert.equal(one.changes, ["0 true"]);
  assert.is(shelf.spec?.["leaseTransitions"], 0);
  assert.is(shelf.spec?.["leaseDurationSeconds"], 15);
  assert.is(shelf.spec?.["acquireTime"], "2026-01-01T00:00:00.000000Z");
  assert.is(shelf.spec?.["renewTime"], "2026-01-01T00:01:00.000000Z");
  const methods = one.cluster.sent.map(({ request }) => request.method);
  assert.equal(methods.slice(0, 3), ["GET", "POST", "PUT"]);
  assert.is(methods.length, 2 + 30);
});

test("of two one leads; the other takes over when the lease has run out", async () => {
  const shelf = empty();
  const clock = fakeClock();
  const one = candidate(shelf, "a", clock);
  const two = candidate(shelf, "b", clock);
  one.leader.start();
  await one.cluster.pass(100);
  two.leader.start();
  await one.cluster.pass(30_000);
  assert.equal([one.leader.leading(), two.leader.leading()], [true, false]);
  assert.is(two.leader.holder(), "a");
  one.leader.stop();
  assert.not(one.leader.leading());
  const stopped = clock.now();
  await one.cluster.pass(12_000);
  assert.not(two.leader.leading(), "the lease is respected");
  await one.cluster.pass(DEAD_MS_MAX - 12_000);
  assert.ok(two.leader.leading(), `after ${clock.now() - stopped} ms`);
  assert.is(shelf.spec?.["leaseTransitions"], 1);
});

test("a lease that is released is taken at the next look", async () => {
  const shelf = empty();
  const clock = fakeClock();
  const one = candidate(shelf, "a", clock);
  const two = candidate(shelf, "b", clock);
  one.leader.start();
  await one.cluster.pass(100);
  two.leader.start();
  await one.cluster.pass(10_000);
  await one.leader.release();
  assert.not(one.leader.leading());
  assert.is(shelf.spec?.["holderIdentity"], "");
  await one.cluster.pass(RELEASED_MS_MAX);
  assert.ok(two.leader.leading());
});

test("who follows a leader that renews looks rarely, and often when it does not", async () => {
  const shelf = empty();
  const clock = fakeClock();
  const one = candidate(shelf, "a", clock);
  const two = candidate(shelf, "b", clock);
  one.leader.start();
  await one.cluster.pass(100);
  two.leader.start();
  await one.cluster.pass(600_000);
  const [first = 0, second = 0, ...others] = two.cluster.sent.map(({ at }) => at);
  assert.ok(second - first <= 4_400, "one look cannot tell whether it renews");
  const gaps = others.map((at, i) => at - (others[i - 1] ?? second));
  assert.ok(Math.min(...gaps) >= 10_000 && Math.max(...gaps) <= 14_010, gaps.join());
  one.leader.stop();
  const stopped = clock.now();
  await one.cluster.pass(DEAD_MS_MAX);
  const looks = two.cluster.sent
    .filter(({ at, request }) => at > stopped && request.method === "GET")
    .map(({ at }) => at);
  const late = looks.slice(2).map((at, i) => at - (looks[i + 1] ?? 0));
  assert.ok(late.length > 0 && Math.max(...late) <= 4_410, late.join());
  assert.ok(two.leader.leading());
});

test("however the looks fall, the next leader comes within the time that is promised", async () => {
  const seed = 20261126;
  console.log(`seed ${seed}`);
  const random = new Random(seed);
  for (const end of ["stop", "release", "stop", "release", "stop", "release"] as const) {
    const shelf = empty();
    const clock = fakeClock();
    const one = candidate(shelf, "a", clock);
    const two = candidate(shelf, "b", clock);
    one.leader.start();
    await one.cluster.pass(random.below(2_000));
    two.leader.start();
    await one.cluster.pass(30_000 + random.below(14_000));
    if (end === "stop") one.leader.stop();
    else await one.leader.release();
    await one.cluster.pass(end === "stop" ? DEAD_MS_MAX : RELEASED_MS_MAX);
    assert.ok(two.leader.leading(), `after a ${end} at ${clock.now()} ms`);
    two.leader.stop();
  }
});

test("a leader that cannot renew stops before another may begin", async () => {
  const shelf = empty();
  const clock = fakeClock();
  const one = candidate(shelf, "a", clock);
  const two = candidate(shelf, "b", clock);
  one.leader.start();
  await one.cluster.pass(100);
  two.leader.start();
  await one.cluster.pass(5_000);
  one.cluster.rules.unshift(() => failure(0, "cannot reach it"));
  const both: number[] = [];
  let gap = 0;
  for (let i = 0; i < 680; i++) {
    await one.cluster.pass(50);
    if (one.leader.leading() && two.leader.leading()) both.push(clock.now());
    if (!one.leader.leading() && !two.leader.leading()) gap += 50;
  }
  assert.equal(both, []);
  assert.ok(gap >= 5_000, `${gap} ms without a leader: a write that began late is over`);
  assert.ok(two.leader.leading());
  assert.is(one.leader.failure()?.reason, "cannot reach it");
  one.cluster.rules.shift();
  await one.cluster.pass(31_000);
  assert.is(one.leader.holder(), "b");
  assert.is(one.leader.failure(), null);
});

test("leadership counts from when a renewal was asked for, not from its answer", async () => {
  const one = candidate(empty(), "a", fakeClock());
  one.leader.start();
  await one.cluster.pass(2_000);
  // The renewal of 2 s is answered at 6 s, and there is no other one.
  const { clock, rules } = one.cluster;
  const serve = rules[0]!;
  let renewals = 0;
  rules.unshift((request) => {
    renewals += 1;
    if (renewals > 1) return failure(0);
    return new Promise((resolve) => clock.after(4_000, () => resolve(serve(request)!)));
  });
  await one.cluster.pass(9_800);
  assert.is(one.cluster.sent.filter(({ at }) => at >= 3_900 && at <= 4_100).length, 1);
  assert.ok(one.leader.leading());
  await one.cluster.pass(2_300);
  assert.not(one.leader.leading(), "10 s after it was asked for");
});

test("a lease that somebody else wrote is read again before it is kept", async () => {
  const shelf = empty();
  const one = candidate(shelf, "a", fakeClock());
  one.leader.start();
  await one.cluster.pass(3_000);
  shelf.version += 1;
  await one.cluster.pass(2_000);
  assert.ok(one.leader.leading(), "only its labels were written");
  shelf.spec = { ...shelf.spec, holderIdentity: "b" };
  shelf.version += 1;
  await one.cluster.pass(2_000);
  assert.not(one.leader.leading(), "it was taken");
  assert.equal(one.changes, ["0 true", "4000 true", "6000 false"]);
});

test("a renewal that is on its way when the lease is released does not take it back", async () => {
  const shelf = empty();
  const one = candidate(shelf, "a", fakeClock());
  const { clock, rules } = one.cluster;
  const serve = rules[0]!;
  one.leader.start();
  await one.cluster.pass(1_900);
  rules.unshift((request) => {
    rules.shift();
    return new Promise((resolve) => clock.after(1_000, () => resolve(serve(request)!)));
  });
  await one.cluster.pass(200);
  const released = one.leader.release();
  await one.cluster.pass(3_000);
  await released;
  assert.is(shelf.spec?.["holderIdentity"], "");
  assert.not(one.leader.leading());
});

test("after a while of health the next failure is a first one", async () => {
  const shelf = { spec: { holderIdentity: "b", leaseDurationSeconds: 15 }, version: 1 };
  const one = candidate(shelf, "a", fakeClock());
  const { rules, sent } = one.cluster;
  // The other one renews, of course.
  rules.unshift(() => ((shelf.version += 1), null));
  rules.unshift(() => (Object.assign(shelf.spec, { renewTime: `${shelf.version}` }), null));
  one.leader.start();
  await one.cluster.pass(120_000);
  const before = sent.length;
  rules.unshift(() => (rules.shift(), failure(0)));
  while (sent.length === before) await one.cluster.pass(10);
  assert.is(one.leader.failure()?.status, 0);
  await one.cluster.pass(4_500);
  assert.ok(sent.length > before + 1, "and soon the next try");
  one.leader.stop();
});

test("a lease that somebody deleted is made again", async () => {
  const shelf = empty();
  const one = candidate(shelf, "a", fakeClock());
  one.leader.start();
  await one.cluster.pass(3_000);
  shelf.spec = null;
  await one.cluster.pass(2_000);
  assert.ok(one.leader.leading());
  assert.is(shelf.spec?.["holderIdentity"], "a");
  one.leader.stop();
});

/** What the lease says, and how many milliseconds it keeps others out. */
const STRANGE: readonly [name: string, spec: Spec, freeAfterMs: number][] = [
  ["no spec to speak of", {}, 0],
  ["nobody holds it", { holderIdentity: "", leaseDurationSeconds: 15 }, 0],
  ["no duration", { holderIdentity: "x" }, 15_000],
  ["a short duration", { holderIdentity: "x", leaseDurationSeconds: 1 }, 1_000],
  ["a duration of years", { holderIdentity: "x", leaseDurationSeconds: 1e9 }, 60_000],
  ["a duration that is none", { holderIdentity: "x", leaseDurationSeconds: "15" }, 15_000],
  [
    "a time of day in the far future",
    { holderIdentity: "x", leaseDurationSeconds: 15, renewTime: "2099-01-01T00:00:00.000000Z" },
    15_000,
  ],
];

for (const [name, spec, freeAfterMs] of STRANGE) {
  test(`a lease found with ${name} keeps others out for ${freeAfterMs} ms`, async () => {
    const one = candidate({ spec, version: 1 }, "a", fakeClock());
    one.leader.start();
    if (freeAfterMs > 0) {
      await one.cluster.pass(freeAfterMs - 50);
      assert.not(one.leader.leading());
    }
    await one.cluster.pass(4_500);
    assert.ok(one.leader.leading());
  });
}

test("without permission there is no leader, a reason, and few requests", async () => {
  const one = candidate(empty(), "a", fakeClock());
  one.cluster.rules.unshift(() => failure(403, "RBAC denies get of leases"));
  one.leader.start();
  await one.cluster.pass(300_000);
  assert.not(one.leader.leading());
  assert.is(one.leader.failure()?.reason, "RBAC denies get of leases");
  assert.ok(one.cluster.sent.length <= 11, `${one.cluster.sent.length} requests in 5 min`);
  assert.equal(one.changes, ["0 false"]);
});

test("while the API server is away it is asked four times a minute at most", async () => {
  const one = candidate(empty(), "a", fakeClock());
  one.cluster.rules.unshift(() => failure(0));
  one.leader.start();
  await one.cluster.pass(60_000);
  const before = one.cluster.sent.length;
  await one.cluster.pass(240_000);
  assert.ok(one.cluster.sent.length - before <= 16, `${one.cluster.sent.length - before} in 4 min`);
});

test.run();
