/** What was valid when: the judge of every answer. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { judge, newAsk } from "../clients.ts";
import { Cluster } from "../cluster.ts";
import { tagged } from "../pod.ts";
import { openSite } from "../run.ts";
import type { Site } from "../site.ts";
import { Broken, type Message } from "../wire.ts";

const cluster = suite("cluster");
let folder = "";
let one: Cluster;

cluster.before.each(() => {
  folder = mkdtempSync(join(tmpdir(), "rind-churn-"));
  one = new Cluster(folder, () => {});
});

cluster.after.each(() => {
  for (const pod of one.everyPod()) pod.kill();
  rmSync(folder, { recursive: true });
});

cluster("a pod is valid until it is retired, for what began before", () => {
  const pod = one.open("web");
  one.list(pod);
  one.lead("web.test", "web");
  const before = performance.now();
  assert.is(one.verdict("web.test", pod.name, { from: before, to: before }), "");
  one.retired(pod);
  const after = performance.now() + 1;
  assert.is(one.verdict("web.test", pod.name, { from: before, to: after }), "");
  assert.match(one.verdict("web.test", pod.name, { from: after, to: after }), /retired/);
  assert.match(one.verdict("web.test", "web-99", { from: before, to: after }), /unknown/);
});

cluster("both sides of a flip are valid while it is on its way, then one is", () => {
  const [blue, green] = [one.open("blue"), one.open("green")];
  for (const pod of [blue, green]) one.list(pod);
  one.lead("flip.test", "blue");
  const before = performance.now();
  const now = { from: before, to: before };
  assert.match(one.verdict("flip.test", green.name, now), /did not lead/);
  one.lead("flip.test", "green");
  const during = performance.now();
  for (const pod of [blue, green]) {
    assert.is(one.verdict("flip.test", pod.name, { from: during, to: during }), "");
  }
  one.settled("flip.test");
  const after = performance.now() + 1;
  assert.match(one.verdict("flip.test", blue.name, { from: after, to: after }), /did not lead/);
  assert.is(one.verdict("flip.test", green.name, { from: after, to: after }), "");
  assert.is(one.verdict("flip.test", blue.name, { from: before, to: after }), "");
});

cluster("only what ran when a pod was killed may be lost with it", () => {
  const pod = one.open("fragile");
  one.list(pod);
  one.lead("fragile.test", "fragile");
  const from = performance.now();
  one.kill(pod);
  const to = performance.now() + 1;
  assert.ok(one.killedIn("fragile.test", { from, to }));
  assert.not(one.killedIn("fragile.test", { from: to, to: to + 1 }));
  assert.not(one.killedIn("fragile.test", { from: from - 2, to: from - 1 }));
});

cluster("manifests appear whole, with the conditions of each pod", () => {
  const [stays, leaves] = [one.open("web"), one.open("web")];
  for (const pod of [stays, leaves]) one.list(pod);
  one.leave(leaves);
  one.writeService("web");
  assert.equal(readdirSync(folder), ["service-web.json"]);
  const list = JSON.parse(readFileSync(join(folder, "service-web.json"), "utf8"));
  const slices = list.items.filter((item: { kind: string }) => item.kind === "EndpointSlice");
  const conditions = slices.map(
    (slice: { endpoints: [{ conditions: object }] }) => slice.endpoints[0].conditions,
  );
  assert.equal(conditions, [
    { ready: true, serving: true, terminating: false },
    { ready: false, serving: true, terminating: true },
  ]);
  assert.equal(one.pods("web"), [stays]);
  assert.is(one.everyPod().length, 2);
});

cluster("every way an answer can be wrong is a failure with its reason", () => {
  const { site, close } = openSite({ seed: 1, perSecond: 1, drainMs: 0, lameDuckMs: 0 });
  const pod = site.cluster.open("web");
  site.cluster.list(pod);
  site.cluster.lead("web.test", "web");
  const wrong: readonly (readonly [string, Partial<Answer> | Broken | null])[] = [
    ["", {}],
    ["closed without an answer", null],
    ["reset", new Broken("reset")],
    ["status 502", { first: "HTTP/1.1 502 Bad Gateway" }],
    ["the head of another answer", { id: "other" }],
    ["the body of another answer", { body: Buffer.from("cut") }],
    ["the pod got another body", { crc: "1" }],
    ["an answer of an unknown pod web-7", { pod: "web-7" }],
  ];
  for (const [reason, change] of wrong) {
    const failures = site.score.failures;
    answerOne(site, pod.name, change);
    assert.is(site.score.failures - failures, reason === "" ? 0 : 1, reason);
    assert.ok(site.score.lines().join("\n").includes(reason), reason);
  }
  const id = answerOne(site, pod.name, {}, 2);
  assert.match(site.score.lines().join("\n"), new RegExp(`a POST was run twice\\n +${id}`));
  close();
});

type Answer = { first: string; id: string; pod: string; crc: string; body: Buffer };

/** Judges an answer that is right but for `change`, to a request that was run `times` times. */
function answerOne(
  site: Site,
  pod: string,
  change: Partial<Answer> | Broken | null,
  times = 1,
): string {
  const kind = { name: "POST", hosts: ["web.test"], fresh: false, method: "POST" } as const;
  const ask = newAsk(site, { ...kind, up: 100, down: 100, chunked: false }, "web.test");
  for (let i = 0; i < times; i++) site.executions.witness(ask.id, "POST");
  const right = { first: "HTTP/1.1 200 OK", id: ask.id, pod, crc: `${Bun.hash.crc32(ask.body)}` };
  const given = { ...right, ...(change instanceof Broken ? {} : change) };
  const body = given.body ?? tagged(given.pod, given.id, ask.size);
  const fields = new Map([
    ["x-pod", given.pod],
    ["x-id", given.id],
    ["x-crc", given.crc],
  ]);
  const message: Message = { first: given.first, fields, body, keeps: true };
  const answer = change === null || change instanceof Broken ? change : message;
  judge(site, ask, { from: performance.now(), answer });
  return ask.id;
}

cluster.run();
