import { test } from "uvu";
import * as assert from "uvu/assert";
import { fakeClock } from "../clock.ts";
import { DEFAULT_LIMITS } from "../limits.ts";
import { Supervisor } from "../supervisor.ts";
import type { ChildEvents } from "../launch.ts";
import type { Model } from "../model.ts";
import type { ToWorker } from "../protocol.ts";

const HTTP = [{ host: "127.0.0.1", port: 8000 }];

type Fake = { index: number; events: ChildEvents; inbox: ToWorker[]; killed: boolean };

function model(version: number): Model {
  return { version, hosts: [], backends: [] };
}

/** A supervisor whose workers are played by the test. */
function stage(count: number) {
  const clock = fakeClock();
  const launched: Fake[] = [];
  const supervisor = new Supervisor({
    count,
    http: HTTP,
    cursors: true,
    limits: DEFAULT_LIMITS,
    trusted: [],
    clock,
    launch: (index, events) => {
      const fake: Fake = { index, events, inbox: [], killed: false };
      launched.push(fake);
      return {
        pid: 100 + launched.length,
        send: (message) => fake.inbox.push(message),
        kill: () => {
          fake.killed = true;
        },
      };
    },
    diff: (old, next) => ({
      base: old.version,
      version: next.version,
      hosts: [],
      hostsGone: [],
      backends: [],
      backendsGone: [],
    }),
  });
  return { clock, launched, supervisor };
}

function deltas(fake: Fake): string[] {
  return fake.inbox.flatMap((message) =>
    message.kind === "delta" ? [`${message.delta.base}-${message.delta.version}`] : [],
  );
}

function ready(fake: Fake): void {
  fake.events.message({ kind: "ready" });
}

function applied(fake: Fake, version: number): void {
  fake.events.message({ kind: "applied", version });
}

function listening(fake: Fake): void {
  fake.events.message({ kind: "listening", addresses: HTTP });
}

/** Whether a promise has been resolved by now. */
async function settled(promise: Promise<unknown>): Promise<boolean> {
  const not = Symbol("not yet");
  // A few turns: a promise may hang behind others.
  for (let turn = 0; turn < 5; turn++) await Promise.resolve();
  return (await Promise.race([promise, Promise.resolve(not)])) !== not;
}

test("one delta is in flight, and a slow worker skips what lies between", async () => {
  const { launched, supervisor } = stage(2);
  const [fast, slow] = launched as [Fake, Fake];
  ready(fast);
  ready(slow);
  const first = supervisor.publish(model(1));
  applied(fast, 1);
  void supervisor.publish(model(2));
  applied(fast, 2);
  const third = supervisor.publish(model(3));
  applied(fast, 3);
  assert.equal(deltas(fast), ["0-1", "1-2", "2-3"]);
  assert.equal(deltas(slow), ["0-1"]);
  assert.not.ok(await settled(first));
  applied(slow, 1);
  assert.equal(deltas(slow), ["0-1", "1-3"]);
  assert.ok(await settled(first));
  assert.not.ok(await settled(third));
  applied(slow, 3);
  assert.ok(await settled(third));
});

test("a worker gets its addresses first, and its model only when it is ready", () => {
  const { launched, supervisor } = stage(1);
  void supervisor.publish(model(1));
  assert.equal(launched[0]!.inbox, []);
  ready(launched[0]!);
  assert.equal(launched[0]!.inbox[0], {
    kind: "start",
    http: HTTP,
    cursors: true,
    limits: DEFAULT_LIMITS,
    trusted: [],
  });
  assert.equal(deltas(launched[0]!), ["0-1"]);
});

test("started when all serve their first model; failed when one cannot listen", async () => {
  const good = stage(2);
  good.launched.forEach(ready);
  void good.supervisor.publish(model(1));
  good.launched.forEach(listening);
  applied(good.launched[0]!, 1);
  assert.not.ok(await settled(good.supervisor.started));
  applied(good.launched[1]!, 1);
  assert.equal(await good.supervisor.started, { ok: true });
  const bad = stage(2);
  listening(bad.launched[0]!);
  bad.launched[1]!.events.message({ kind: "failed", reason: "in use" });
  assert.equal(await bad.supervisor.started, { ok: false, reason: "in use" });
});

test("a crashed worker is back within a second with the whole model; others notice nothing", () => {
  const { clock, launched, supervisor } = stage(2);
  launched.forEach(ready);
  void supervisor.publish(model(1));
  applied(launched[0]!, 1);
  applied(launched[1]!, 1);
  launched[0]!.events.gone("signal SIGKILL");
  clock.advance(1_000);
  assert.is(launched.length, 3);
  assert.is(launched[2]!.index, 0);
  ready(launched[2]!);
  assert.equal(deltas(launched[2]!), ["0-1"]);
  assert.equal(deltas(launched[1]!), ["0-1"]);
});

test("a worker that keeps dying is started less and less often", () => {
  const { clock, launched } = stage(1);
  const waitsMs = [100, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000];
  for (const [crashes, waitMs] of waitsMs.entries()) {
    launched.at(-1)!.events.gone("code 1");
    clock.advance(waitMs - 1);
    assert.is(launched.length, crashes + 1, `still waiting after crash ${crashes + 1}`);
    clock.advance(1);
    assert.is(launched.length, crashes + 2);
  }
});

test("a worker that lived a minute is restarted as soon as a new one", () => {
  const { clock, launched } = stage(1);
  for (let crash = 0; crash < 4; crash++) {
    launched.at(-1)!.events.gone("code 1");
    clock.advance(30_000);
  }
  ready(launched.at(-1)!);
  clock.advance(60_000);
  const before = launched.length;
  launched.at(-1)!.events.gone("code 1");
  clock.advance(100);
  assert.is(launched.length, before + 1);
});

test("five crashes in a minute are a storm, which passes", () => {
  const { clock, launched, supervisor } = stage(5);
  for (const fake of launched.slice(0, 4)) fake.events.gone("code 1");
  assert.not.ok(supervisor.stormy());
  launched[4]!.events.gone("code 1");
  assert.ok(supervisor.stormy());
  clock.advance(60_001);
  assert.not.ok(supervisor.stormy());
});

test("publish does not wait for a worker that is gone, but for one at least", async () => {
  const { clock, launched, supervisor } = stage(2);
  launched.forEach(ready);
  const published = supervisor.publish(model(1));
  launched[0]!.events.gone("code 1");
  launched[1]!.events.gone("code 1");
  assert.not.ok(await settled(published));
  clock.advance(100);
  launched.slice(2).forEach(ready);
  applied(launched[2]!, 1);
  launched[3]!.events.gone("code 1");
  assert.ok(await settled(published));
});

test("a refused delta is not sent again; the next starts at the table that serves", async () => {
  const { launched, supervisor } = stage(1);
  const worker = launched[0]!;
  ready(worker);
  void supervisor.publish(model(1));
  applied(worker, 1);
  const refused = supervisor.publish(model(2));
  worker.events.message({ kind: "refused", version: 2, reason: "bug" });
  assert.ok(await settled(refused));
  assert.is(supervisor.states()[0]!.version, 1);
  void supervisor.publish(model(3));
  assert.equal(deltas(worker), ["0-1", "1-2", "1-3"]);
});

test("a worker that does not answer is killed; one that answers is left alone", () => {
  const { clock, launched, supervisor } = stage(2);
  launched.forEach(ready);
  void supervisor.publish(model(1));
  applied(launched[0]!, 1);
  clock.advance(30_000);
  assert.equal(
    launched.map((fake) => fake.killed),
    [false, true],
  );
});

test("drain tells every worker, restarts none and ends with the last of them", async () => {
  const { clock, launched, supervisor } = stage(3);
  launched.forEach(ready);
  void supervisor.publish(model(1));
  launched[2]!.events.gone("code 1");
  const waiting = supervisor.publish(model(2));
  const drained = supervisor.drain(500);
  assert.equal(launched[0]!.inbox.at(-1), { kind: "drain", deadlineMs: 500 });
  launched[0]!.events.gone("code 0");
  assert.not.ok(await settled(drained));
  launched[1]!.events.gone("code 0");
  assert.ok(await settled(drained));
  assert.ok(await settled(waiting));
  clock.advance(120_000);
  assert.is(launched.length, 3);
});

test("a worker that comes up during a drain is sent home", async () => {
  const { launched, supervisor } = stage(1);
  const drained = supervisor.drain(500);
  ready(launched[0]!);
  assert.equal(launched[0]!.inbox.at(-1), { kind: "drain", deadlineMs: 0 });
  launched[0]!.events.gone("code 0");
  assert.ok(await settled(drained));
});

test("a drain that does not end in time is ended", () => {
  const { clock, launched, supervisor } = stage(1);
  launched.forEach(ready);
  void supervisor.drain(500);
  clock.advance(500);
  assert.not.ok(launched[0]!.killed);
  clock.advance(1_000);
  assert.ok(launched[0]!.killed);
});

test.run();
