import { test } from "uvu";
import * as assert from "uvu/assert";
import { Random } from "../../../core/random.ts";
import type { ApiAnswer } from "../../source/api/api.ts";
import { type Errand, Outgoing } from "../outgoing.ts";
import { breakdown, cluster, failure } from "./cluster.ts";

/** A writer with so many requests, all of one name. */
function writer(name: string, count: number): { left: number; next: () => Errand | null } {
  const self = {
    left: count,
    next: (): Errand | null => {
      if (self.left === 0) return null;
      self.left -= 1;
      const request = { method: "POST", path: name } as const;
      return { request, done: (answer) => void (self.left += answer.ok ? 0 : 1) };
    },
  };
  return self;
}

function stage(writers: readonly ReturnType<typeof writer>[]) {
  const own = cluster();
  let may = true;
  let idle = 0;
  const { clock, api } = own;
  const outgoing = new Outgoing({
    clock,
    api,
    random: new Random(7),
    may: () => may,
    writers,
    turned: () => void (idle += 1),
  });
  const paths = () => own.sent.map(({ request }) => request.path).join("");
  return { ...own, outgoing, paths, allow: (now: boolean) => (may = now), idle: () => idle };
}

test("the first writer goes first, whenever the second one began", async () => {
  const [a, b] = [writer("a", 0), writer("b", 20)];
  const { outgoing, pass, paths } = stage([a, b]);
  outgoing.wake();
  await pass(250);
  a.left = 3;
  await pass(2_000);
  assert.match(paths(), /^b{5,6}a{3}b{14,15}$/);
});

test("one request at a time, fifty milliseconds apart", async () => {
  const { outgoing, pass, sent, idle } = stage([writer("a", 30)]);
  for (let i = 0; i < 100; i++) outgoing.wake();
  await pass(3_000);
  assert.is(sent.length, 30);
  sent.forEach(({ at }, i) => assert.is(at, i * 50));
  assert.is(idle(), 31, "after each answer, and when there was nothing more");
});

test("a writer that wakes it while it is asked does not make it two requests", async () => {
  const b = writer("b", 3);
  const restless = { left: 0, next: () => (b.left > 0 ? outgoing.wake() : null, null) };
  const { outgoing, pass, sent, rules, clock } = stage([restless, b]);
  let open = 0;
  let most = 0;
  rules.push(async () => {
    most = Math.max(most, ++open);
    await new Promise<void>((resolve) => void clock.after(500, resolve));
    open -= 1;
    return { ok: true, status: 200, body: {} };
  });
  outgoing.wake();
  await pass(5_000);
  assert.is(sent.length, 3);
  assert.is(most, 1);
  outgoing.stop();
});

test("it may not: nothing is asked for, and what is there stays", async () => {
  const a = writer("a", 3);
  const { outgoing, pass, sent, allow } = stage([a]);
  allow(false);
  outgoing.wake();
  await pass(1_000);
  assert.is(a.left, 3);
  allow(true);
  outgoing.wake();
  await pass(1_000);
  assert.is(sent.length, 3);
});

test("a server that fails is asked less and less, and the rest goes as before", async () => {
  const a = writer("a", 100);
  const { outgoing, pass, sent, rules } = stage([a]);
  rules.push(() => failure(503, "is busy"));
  outgoing.wake();
  await pass(120_000);
  assert.is(outgoing.problem(), "is busy");
  const gaps = sent.slice(1).map(({ at }, i) => at - (sent[i]?.at ?? 0));
  gaps.slice(0, 6).forEach((gap, i) => {
    const base = Math.min(30_000, 800 * 2 ** i);
    assert.ok(gap >= base && gap <= 2 * base + 50, `${gap} ms after ${base}`);
  });
  rules.pop();
  await pass(65_000);
  assert.is(a.left, 0);
  assert.is(outgoing.problem(), "");
});

test("a write that the server fails at alone holds the others up for 1.6 s", async () => {
  const [healthy, broken] = [writer("b", 0), writer("a", 1)];
  const { outgoing, pass, sent, rules } = stage([healthy, broken]);
  rules.push(({ path }) => (path === "a" ? breakdown() : null));
  outgoing.wake();
  await pass(120_000);
  const gaps = sent.slice(1).map(({ at }, i) => at - (sent[i]?.at ?? 0));
  const rounded = gaps.slice(0, 7).map((ms) => Math.floor(ms / 100) * 100);
  assert.equal(rounded, [100, 200, 400, 800, 1_600, 1_600, 1_600]);
  assert.is(outgoing.problem(), "", "the server takes writes");
  healthy.left = 20;
  await pass(1_600 + 20 * 50);
  assert.is(healthy.left, 0);
});

/** Answers after which all writes wait, not only those of the object. */
const ABOUT_ALL: readonly [name: string, answer: ApiAnswer][] = [
  ["a proxy that has no server", { ...failure(502), body: null }],
  ["a proxy that waited in vain", { ...failure(504), body: null }],
  ["a server that is away", { ...breakdown(), status: 503 } as ApiAnswer],
  ["a server that says when to come again", { ...breakdown(), retryAfterMs: 1_000 } as ApiAnswer],
];

for (const [name, answer] of ABOUT_ALL) {
  test(`${name} makes everything wait`, async () => {
    const { outgoing, pass, sent, rules } = stage([writer("a", 3)]);
    rules.push(() => answer);
    outgoing.wake();
    await pass(700);
    assert.is(sent.length, 1);
  });
}

test("after a success the next failure is a first one", async () => {
  const { outgoing, pass, sent, rules } = stage([writer("a", 9)]);
  const answers = [503, 503, 503, 503, 200, 503, 200];
  rules.push(() => {
    const status = answers.shift() ?? 200;
    return status === 200 ? { ok: true, status, body: {} } : failure(status);
  });
  outgoing.wake();
  await pass(120_000);
  const gapMs = (sent[6]?.at ?? 0) - (sent[5]?.at ?? 0);
  assert.ok(gapMs >= 800 && gapMs <= 1_650, `${gapMs} ms`);
});

test("a stopped one sends nothing, whoever wakes it", async () => {
  const { outgoing, pass, sent } = stage([writer("a", 3)]);
  outgoing.wake();
  outgoing.stop();
  outgoing.wake();
  await pass(1_000);
  assert.is(sent.length, 0);
});

test.run();
