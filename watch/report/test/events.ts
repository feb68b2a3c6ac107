import { test } from "uvu";
import * as assert from "uvu/assert";
import { Random } from "../../../core/random.ts";
import type { Finding } from "../../finding.ts";
import type { ApiAnswer } from "../../source/api/api.ts";
import type { Identity } from "../event.ts";
import { EventWriter } from "../events.ts";
import { Outgoing } from "../outgoing.ts";
import { breakdown, type Cluster, cluster, failure, finding } from "./cluster.ts";

type Body = Readonly<Record<string, unknown>> &
  Readonly<{ metadata: Readonly<{ name: string; namespace: string }>; message: string }>;
type Stage = Readonly<{
  cluster: Cluster;
  writer: EventWriter;
  identities: Map<string, Identity>;
  /** These findings and no others, from now on. */
  found: (...findings: readonly Finding[]) => void;
  writes: () => readonly string[];
  body: (i: number) => Body;
}>;

function stage(): Stage {
  const own = cluster();
  const identities = new Map<string, Identity>();
  const { clock, api } = own;
  const writer: EventWriter = new EventWriter({
    clock,
    today: () => new Date(Date.UTC(2026, 0, 1) + clock.now()).toISOString(),
    instance: "rind-x7",
    lookup: (kind, namespace, name) => identities.get(`${kind} ${namespace}/${name}`) ?? null,
    wake: () => outgoing.wake(),
    told: () => {},
  });
  const random = new Random(1);
  const more = { may: () => true, writers: [writer], turned: () => {} };
  const outgoing: Outgoing = new Outgoing({ clock, api, random, ...more });
  let known: readonly Finding[] = [];
  const found = (...findings: readonly Finding[]) => {
    writer.found(
      findings,
      findings.filter((one) => !known.some((other) => Bun.deepEquals(one, other))),
    );
    known = findings;
  };
  writer.begin();
  const writes = () => own.sent.map(({ at, request }) => `${at / 1_000} ${request.method}`);
  const body = (i: number) => own.sent[i]?.request.body as Body;
  return { cluster: own, writer, identities, found, writes, body };
}

test("a finding is an Event on its object", async () => {
  const { cluster, identities, found, body } = stage();
  identities.set("Ingress shop/web", { uid: "u1", apiVersion: "networking.k8s.io/v1" });
  found(finding("web", { hint: "try this", effect: "this path answers 503" }));
  await cluster.pass(60_000);
  assert.is(cluster.sent.length, 1);
  assert.is(cluster.sent[0]?.request.method, "POST");
  assert.is(cluster.sent[0]?.request.path, "/api/v1/namespaces/shop/events");
  const { metadata, ...event } = body(0);
  assert.match(metadata.name, /^web\.[0-9a-f]{16}$/);
  assert.is(metadata.namespace, "shop");
  assert.equal(event, {
    apiVersion: "v1",
    kind: "Event",
    involvedObject: {
      apiVersion: "networking.k8s.io/v1",
      kind: "Ingress",
      name: "web",
      namespace: "shop",
      uid: "u1",
    },
    type: "Warning",
    reason: "Rejected",
    message: "spec.rules: is odd; try this; this path answers 503",
    source: { component: "rind" },
    reportingComponent: "rind.dev/ingress-controller",
    reportingInstance: "rind-x7",
    firstTimestamp: "2026-01-01T00:00:03.000Z",
    lastTimestamp: "2026-01-01T00:00:03.000Z",
    count: 1,
  });
});

/** What is told of whom: the namespace and the reason of the Event, or "" for none. */
const SUBJECTS: readonly [name: string, of: Partial<Finding>, told: string][] = [
  ["an error", {}, "shop Rejected"],
  ["a warning", { level: "warning" }, "shop Ignored"],
  [
    "an annotation",
    { field: "metadata.annotations[rind.dev/timeout]", level: "warning" },
    "shop AnnotationIgnored",
  ],
  ["an object without a namespace", { kind: "IngressClass", namespace: "" }, "default Rejected"],
  ["a Secret", { kind: "Secret" }, "shop CertificateRejected"],
  ["a Secret that is used", { kind: "Secret", level: "warning" }, "shop CertificateWarning"],
  ["a file", { kind: "File", name: "a.yaml" }, ""],
  ["rind itself", { kind: "Rind", name: "translate" }, ""],
  ["a kind that rind does not read", { kind: "Node" }, ""],
  ["a name that no object can have", { name: "../x" }, ""],
  ["no name", { name: "" }, ""],
];

for (const [name, of, told] of SUBJECTS) {
  test(`${name} is told ${told === "" ? "to nobody" : `as ${told}`}`, async () => {
    const { cluster, found, body, writer } = stage();
    found(finding("web", of));
    await cluster.pass(60_000);
    assert.is(writer.pending(), 0);
    const got = cluster.sent.map((_, i) => `${body(i).metadata.namespace} ${body(i)["reason"]}`);
    assert.equal(got, told === "" ? [] : [told]);
  });
}

test("what stands is told once, in ten minutes of publishing the same", async () => {
  const { cluster, found, writes } = stage();
  for (let i = 0; i < 600; i++) {
    found(finding("a"), finding("b"));
    await cluster.pass(1_000);
  }
  assert.equal(writes(), ["3 POST", "3.05 POST"]);
});

test("what is over within three seconds is not told", async () => {
  const { cluster, found, writes, writer } = stage();
  found(finding("a"), finding("b"));
  await cluster.pass(2_500);
  found(finding("b"));
  await cluster.pass(60_000);
  assert.equal(writes(), ["3 POST"]);
  assert.is(writer.pending(), 0);
});

test("what comes later is told too, unless it is over by then", async () => {
  const { cluster, found, writes } = stage();
  found(finding("a"));
  await cluster.pass(10_000);
  found(finding("a"), finding("b"), finding("c"));
  await cluster.pass(1_000);
  found(finding("a"), finding("c"));
  await cluster.pass(60_000);
  assert.equal(writes(), ["3 POST", "13 POST"]);
});

test("a hint that gets better before it is told is told as it is then", async () => {
  const { cluster, found, writes, body } = stage();
  found(finding("web"));
  await cluster.pass(2_000);
  found(finding("web", { hint: "did you mean wep?" }));
  await cluster.pass(60_000);
  assert.equal(writes(), ["3 POST"]);
  assert.match(body(0).message, "did you mean wep?");
});

test("what comes back is told again after ten minutes only, with its count", async () => {
  const { cluster, found, writes, body } = stage();
  cluster.rules.push(({ method }) =>
    method === "PATCH" ? { ok: true, status: 200, body: { count: 7 } } : null,
  );
  for (let i = 0; i < 25; i++) {
    found(finding("a"));
    await cluster.pass(30_000);
    found();
    await cluster.pass(30_000);
  }
  assert.equal(writes(), ["3 POST", "663 PATCH", "1323 PATCH"]);
  assert.equal(body(1), { count: 2, lastTimestamp: "2026-01-01T00:11:03.000Z" });
  assert.is(body(2)["count"], 8, "counted on from what the server said");
});

test("what another leader has told is not told again, nor counted wrongly", async () => {
  const { cluster, found, writes, body } = stage();
  cluster.rules.push(({ method }) => (method === "POST" ? failure(409) : null));
  found(finding("a"));
  await cluster.pass(700_000);
  found();
  found(finding("a"));
  await cluster.pass(10_000);
  assert.equal(writes(), ["3 POST", "703 PATCH"]);
  assert.equal(Object.keys(body(1)), ["lastTimestamp"]);
});

test("a new leader tells everything that stands, under the same names", async () => {
  const [one, two] = [stage(), stage()];
  for (const { found, cluster } of [one, two]) {
    found(finding("a"), finding("b"));
    await cluster.pass(5_000);
  }
  assert.equal(
    [one.body(0), one.body(1)].map(({ metadata }) => metadata.name),
    [two.body(0), two.body(1)].map(({ metadata }) => metadata.name),
  );
  two.writer.begin();
  await two.cluster.pass(5_000);
  assert.is(two.cluster.sent.length, 2, "told already");
});

test("of the first findings all are told, whatever others knew of them", async () => {
  const { cluster, writer } = stage();
  writer.found([finding("a"), finding("b")], []);
  await cluster.pass(5_000);
  assert.is(cluster.sent.length, 2);
});

test("who does not lead keeps nothing to tell, and begins with what stands then", async () => {
  const { cluster, writer, found, writes, body } = stage();
  found(finding("a"));
  writer.end();
  const many = Array.from({ length: 3_000 }, (_, i) => i);
  found(...many.map((i) => finding(`i${i}`, { namespace: `ns-${i % 20}` })));
  assert.is(writer.pending(), 0);
  assert.is(writer.dropped(), 0);
  await cluster.pass(10_000);
  found(finding("b"));
  writer.begin();
  await cluster.pass(10_000);
  assert.equal(writes(), ["13 POST"]);
  assert.match(body(0).metadata.name, /^b\./);
});

test("an object that was made anew hears of it too", async () => {
  const { cluster, found, identities, body } = stage();
  const apiVersion = "networking.k8s.io/v1";
  identities.set("Ingress shop/a", { uid: "u1", apiVersion });
  found(finding("a"));
  await cluster.pass(5_000);
  found();
  identities.set("Ingress shop/a", { uid: "u2", apiVersion });
  found(finding("a"));
  await cluster.pass(5_000);
  assert.is(cluster.sent.length, 2);
  assert.is.not(body(0).metadata.name, body(1).metadata.name);
});

test("an Event that is gone when it is to be counted is made anew", async () => {
  const { cluster, found, writes } = stage();
  cluster.rules.push(({ method }) => (method === "PATCH" ? failure(404) : null));
  found(finding("a"));
  await cluster.pass(700_000);
  found();
  found(finding("a"));
  await cluster.pass(10_000);
  assert.equal(writes(), ["3 POST", "703 PATCH", "703.05 POST"]);
});

/** Namespaces that end, quotas and policies answer 403 as well. */
const TERMINATING: ApiAnswer = {
  ok: false,
  status: 403,
  reason: "namespace shop is being terminated",
  retryAfterMs: null,
  body: { message: "forbidden: unable to create new content in namespace shop" },
};

/** The first answer, the seconds of the writes in two minutes, and the problem right after it. */
const ANSWERS: readonly [
  name: string,
  answer: ApiAnswer,
  writes: readonly number[],
  problem: string,
][] = [
  ["a denial", failure(403, "RBAC denies"), [3, 33], "RBAC denies"],
  ["a namespace that ends", TERMINATING, [3], ""],
  ["a namespace that is gone", failure(404), [3], ""],
  ["an Event that is refused", failure(422), [3], ""],
  ["a server that fails", failure(500), [3, 3], ""],
];

for (const [name, answer, expected, problem] of ANSWERS) {
  test(`${name}: told at ${expected.join(" and ")} s`, async () => {
    const { cluster, writer, found } = stage();
    let first = true;
    cluster.rules.push(() => {
      const now = first;
      first = false;
      return now ? answer : null;
    });
    found(finding("a"));
    await cluster.pass(3_100);
    assert.is(writer.problem(), problem);
    await cluster.pass(117_000);
    assert.equal(
      cluster.sent.map(({ at }) => Math.floor(at / 1_000)),
      expected,
    );
    assert.is(writer.problem(), "");
    assert.is(writer.pending(), 0);
  });
}

test("a flood is bounded: the oldest are dropped, and counted", async () => {
  const { cluster, found, writer } = stage();
  const many = Array.from({ length: 3_000 }, (_, i) => i);
  found(...many.map((i) => finding(`i${i}`, { namespace: `ns-${i % 20}` })));
  assert.is(writer.pending(), 1_000);
  assert.is(writer.dropped(), 2_000);
  await cluster.pass(60_000);
  assert.is(cluster.sent.length, 1_000);
  assert.is(writer.pending(), 0);
});

test("the flood of one namespace does not push out what another one waits for", async () => {
  const { cluster, found, writer } = stage();
  const flood = Array.from({ length: 3_000 }, (_, i) => finding(`i${i}`, { namespace: "crowd" }));
  found(finding("web"), ...flood);
  assert.is(writer.pending(), 251);
  await cluster.pass(60_000);
  const told = cluster.sent.filter(({ request }) => request.path.includes("/shop/"));
  assert.is(told.length, 1);
  assert.is(cluster.sent.length, 251);
});

test("an object whose faults change all the time has 25 Events, and few after them", async () => {
  const { cluster, found } = stage();
  for (let i = 0; i < 200; i++) {
    found(finding("web", { reason: `is odd in way ${i}` }));
    await cluster.pass(4_000);
  }
  // 800 s, of which 25 Events took the first 100.
  assert.is(cluster.sent.length, 27);
  found(finding("web"), finding("other"));
  await cluster.pass(4_000);
  assert.is(cluster.sent.length, 28);
});

test("a message is one line of at most a kilobyte, whatever users wrote", async () => {
  const { cluster, found, body } = stage();
  found(
    finding("a", { reason: "a\nb\u0000c\u202ed\ud800e" }),
    finding("b", { reason: "ä€😀".repeat(1_000) }),
  );
  await cluster.pass(5_000);
  assert.is(body(0).message, "spec.rules: a b c d\ufffde");
  const long = body(1).message;
  assert.ok(Buffer.byteLength(long) <= 1_024 && Buffer.byteLength(long) > 1_000);
  assert.ok(long.endsWith("…") && !long.includes("\ufffd"));
});

test("a long name leaves room for what tells Events apart", async () => {
  const { cluster, found, body } = stage();
  const name = `${"a".repeat(235)}.${"b".repeat(17)}`;
  found(finding(name), finding(name, { reason: "is odd too" }));
  await cluster.pass(5_000);
  assert.ok(body(0).metadata.name.length <= 253);
  assert.match(body(0).metadata.name, /^a+\.[0-9a-f]{16}$/);
  assert.is.not(body(0).metadata.name, body(1).metadata.name);
});

test("an Event that the server fails at is tried each 30 s; the others go on", async () => {
  const { cluster, writer, found } = stage();
  const { sent, rules, pass } = cluster;
  let broken = true;
  rules.push(({ body }) => {
    const { metadata } = body as Body;
    return broken && metadata.name.startsWith("bad.") ? breakdown() : null;
  });
  found(finding("bad"), ...Array.from({ length: 20 }, (_, i) => finding(`i${i}`)));
  await pass(5_000);
  assert.is(sent.length, 21);
  assert.is(writer.pending(), 1);
  await pass(60_000);
  assert.is(sent.length, 23);
  broken = false;
  await pass(30_000);
  assert.is(sent.length, 24);
  assert.is(writer.pending(), 0);
});

test.run();
