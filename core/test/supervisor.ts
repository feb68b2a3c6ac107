import { test } from "uvu";
import * as assert from "uvu/assert";
import { fakeClock } from "../clock.ts";
import { BUG, FAULTS } from "../fault.ts";
import { DEFAULT_LIMITS } from "../limits.ts";
import { Supervisor } from "../supervisor.ts";
import type { Child, ChildEvents } from "../launch.ts";
import type { Model } from "../model.ts";
import type { ToWorker } from "../protocol.ts";
import { PLAIN_EDGE } from "../protocol.ts";
import { NOTHING } from "../../test/delta.ts";

const HTTP = [{ host: "127.0.0.1", port: 8000 }];

type Fake = {
  index: number;
  sockets: readonly number[];
  events: ChildEvents;
  inbox: ToWorker[];
  killed: boolean;
  /** It answers no ping. */
  stuck: boolean;
  bugs: number;
};

/** The tallies of a worker that met nothing but bugs. */
function faultsOf(bugs: number): readonly number[] {
  return FAULTS.map((_fault, id) => (id === BUG ? bugs : 0));
}

function model(version: number): Model {
  return { version, hosts: [], backends: [], certificates: [], secure: [] };
}

/** A worker process that the test plays. */
function launchFake(launched: Fake[], index: number, sockets: readonly number[]) {
  return (events: ChildEvents): Child => {
    const fake: Fake = { index, sockets, events, inbox: [], killed: false, stuck: false, bugs: 0 };
    launched.push(fake);
    return {
      pid: 100 + launched.length,
      send: (message) => {
        if (message.kind !== "ping") fake.inbox.push(message);
        else if (!fake.stuck)
          events.message({ kind: "pong", faults: faultsOf(fake.bugs), heapBytes: 1 });
      },
      kill: () => {
        fake.killed = true;
      },
    };
  };
}

/** A supervisor whose workers are played by the test; `touched` is what it did to the sockets. */
function stage(count: number) {
  const clock = fakeClock();
  const launched: Fake[] = [];
  const touched: string[] = [];
  const supervisor = new Supervisor({
    count,
    ...PLAIN_EDGE,
    http: HTTP,
    sockets: {
      of: (worker) => [10 + worker],
      open: (worker) => touched.push(`open ${worker}`),
      shut: (worker) => touched.push(`shut ${worker}`),
      close: () => touched.push("close"),
    },
    cursors: true,
    limits: DEFAULT_LIMITS,
    trusted: [],
    drainMs: 700,
    clock,
    launch: (index, sockets, events) => launchFake(launched, index, sockets)(events),
    diff: (old, next) => ({ ...NOTHING, base: old.version, version: next.version }),
  });
  return { clock, launched, supervisor, touched };
}

/** What a worker goes through until it serves `version`. */
function serve(fake: Fake, version: number): void {
  ready(fake);
  listening(fake);
  applied(fake, version);
}

/** Lets promises run that hang behind others. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
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
  fake.events.message({ kind: "listening" });
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
    ...PLAIN_EDGE,
    kind: "start",
    http: HTTP,
    inherited: true,
    cursors: true,
    workers: 1,
    limits: DEFAULT_LIMITS,
    trusted: [],
  });
  assert.equal(deltas(launched[0]!), ["0-1"]);
});

test("faults add up over workers, and over those that are gone", () => {
  const { clock, launched, supervisor } = stage(2);
  launched.forEach(ready);
  launched[0]!.bugs = 2;
  launched[1]!.bugs = 1;
  clock.advance(1_000);
  launched[0]!.bugs = 3;
  clock.advance(1_000);
  assert.is(supervisor.faults()[BUG], 4);
  launched[0]!.events.gone("signal SIGKILL");
  clock.advance(1_000);
  const next = launched[2]!;
  ready(next);
  next.bugs = 1;
  clock.advance(1_000);
  assert.is(supervisor.faults()[BUG], 5);
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
  const refused = { ok: false, address: HTTP[0]!, code: "EADDRINUSE" } as const;
  bad.launched[1]!.events.message({ kind: "failed", refused });
  assert.equal(await bad.supervisor.started, refused);
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
  clock.advance(3_000);
  assert.ok(launched[0]!.killed);
});

test("a worker inherits the sockets of its slot, and they open when it serves", () => {
  const { launched, supervisor, touched } = stage(2);
  assert.equal(
    launched.map((fake) => fake.sockets),
    [[10], [11]],
  );
  void supervisor.publish(model(1));
  ready(launched[1]!);
  listening(launched[1]!);
  assert.equal(touched, []);
  applied(launched[1]!, 1);
  assert.equal(touched, ["open 1"]);
});

test("connections wait for a restart that comes soon, and go elsewhere for a later one", () => {
  const { clock, launched, supervisor, touched } = stage(1);
  void supervisor.publish(model(1));
  serve(launched[0]!, 1);
  for (const waitMs of [100, 1_000]) {
    launched.at(-1)!.events.gone("code 1");
    clock.advance(waitMs);
    serve(launched.at(-1)!, 1);
    clock.advance(10_000);
  }
  assert.equal(touched, ["open 0", "open 0", "open 0"]);
  launched.at(-1)!.events.gone("code 1");
  assert.is(touched.at(-1), "shut 0");
  clock.advance(2_000);
  serve(launched.at(-1)!, 1);
  clock.advance(10_000);
  assert.is(touched.at(-1), "open 0");
});

test("connections do not wait for a restarted worker that takes long to serve", () => {
  const { clock, launched, supervisor, touched } = stage(2);
  void supervisor.publish(model(1));
  launched.forEach((fake) => serve(fake, 1));
  launched[1]!.events.gone("code 1");
  clock.advance(100);
  ready(launched[2]!);
  clock.advance(3_000);
  assert.equal(touched, ["open 0", "open 1", "shut 1"]);
  listening(launched[2]!);
  applied(launched[2]!, 1);
  assert.is(touched.at(-1), "open 1");
});

test("a stuck worker serves no more after ten beats, and is killed; a late beat is none", () => {
  const { clock, launched, supervisor } = stage(2);
  void supervisor.publish(model(1));
  launched.forEach((fake) => serve(fake, 1));
  launched[1]!.stuck = true;
  clock.advance(10_000);
  assert.not.ok(launched[1]!.killed);
  clock.advance(1_000);
  assert.equal(
    launched.map((fake) => fake.killed),
    [false, true],
  );
  assert.equal(
    supervisor.states().map((state) => state.serving),
    [true, false],
  );
});

test("workers are replaced one by one: the new one serves before the old one drains", async () => {
  const { launched, supervisor } = stage(2);
  void supervisor.publish(model(1));
  launched.forEach((fake) => serve(fake, 1));
  const replaced = supervisor.replace(500);
  await turns();
  assert.equal(
    launched.slice(2).map((fake) => [fake.index, ...fake.sockets]),
    [[0, 10]],
  );
  void supervisor.publish(model(2));
  applied(launched[0]!, 2);
  applied(launched[1]!, 2);
  assert.is(launched[0]!.inbox.at(-1)!.kind, "delta");
  serve(launched[2]!, 2);
  await turns();
  assert.equal(launched[0]!.inbox.at(-1), { kind: "drain", deadlineMs: 500 });
  assert.is(launched[1]!.inbox.at(-1)!.kind, "delta");
  assert.is(launched[3]!.index, 1);
  serve(launched[3]!, 2);
  assert.is(await replaced, true);
  launched[0]!.events.gone("code 0");
  launched[1]!.events.gone("code 0");
  assert.is(launched.length, 4);
  assert.not.ok(supervisor.stormy());
  assert.equal(supervisor.states(), [
    { pid: 103, serving: true, version: 2, heapBytes: 0 },
    { pid: 104, serving: true, version: 2, heapBytes: 0 },
  ]);
});

test("workers that drain are told what changes, and nobody waits for them", async () => {
  const { launched, supervisor } = stage(1);
  void supervisor.publish(model(1));
  serve(launched[0]!, 1);
  void supervisor.replace(500);
  await turns();
  serve(launched[1]!, 1);
  await turns();
  const published = supervisor.publish(model(2));
  assert.equal(deltas(launched[0]!), ["0-1", "1-2"]);
  applied(launched[1]!, 2);
  assert.ok(await settled(published));
  void supervisor.drain(500);
  void supervisor.publish(model(3));
  applied(launched[0]!, 2);
  assert.equal(deltas(launched[0]!), ["0-1", "1-2", "2-3"]);
  assert.equal(deltas(launched[1]!), ["0-1", "1-2", "2-3"]);
});

test("a new worker that does not come up ends the round, and the old ones serve on", async () => {
  const { clock, launched, supervisor } = stage(2);
  void supervisor.publish(model(1));
  launched.forEach((fake) => serve(fake, 1));
  const replaced = supervisor.replace(500);
  await turns();
  launched[2]!.events.gone("code 1");
  assert.is(await replaced, false);
  clock.advance(60_000);
  assert.is(launched.length, 3);
  assert.equal(
    supervisor.states().map((state) => state.serving),
    [true, true],
  );
});

test("a new worker that cannot compile the model ends the round, and itself", async () => {
  const { launched, supervisor } = stage(2);
  void supervisor.publish(model(1));
  launched.forEach((fake) => serve(fake, 1));
  const replaced = supervisor.replace(500);
  await turns();
  ready(launched[2]!);
  launched[2]!.events.message({ kind: "refused", version: 1, reason: "bug" });
  assert.ok(launched[2]!.killed);
  launched[2]!.events.gone("signal SIGKILL");
  assert.is(await replaced, false);
  assert.is(launched.length, 3);
});

test("a round waits for a worker that is being replaced already", async () => {
  const { clock, launched, supervisor } = stage(2);
  void supervisor.publish(model(1));
  launched.forEach((fake) => serve(fake, 1));
  launched[0]!.bugs = 100;
  clock.advance(1_000);
  await turns();
  assert.is(launched.length, 3);
  const replaced = supervisor.replace(500);
  await turns();
  assert.is(launched.length, 3, "the second slot has to wait");
  launched[2]!.events.gone("code 1");
  assert.is(await replaced, false);
});

test("when the old worker dies meanwhile, the new one takes over", async () => {
  const { clock, launched, supervisor, touched } = stage(1);
  void supervisor.publish(model(1));
  serve(launched[0]!, 1);
  const replaced = supervisor.replace(500);
  await turns();
  launched[0]!.events.gone("signal SIGSEGV");
  clock.advance(10_000);
  assert.is(launched.length, 2);
  assert.is(touched.at(-1), "shut 0");
  serve(launched[1]!, 1);
  assert.ok(await settled(replaced));
  clock.advance(10_000);
  assert.ok(supervisor.states()[0]!.serving);
  assert.is(touched.at(-1), "open 0");
});

test("when both die, the slot starts again", async () => {
  const { clock, launched, supervisor } = stage(1);
  void supervisor.publish(model(1));
  serve(launched[0]!, 1);
  const replaced = supervisor.replace(500);
  await turns();
  launched[0]!.events.gone("code 1");
  launched[1]!.events.gone("code 1");
  assert.ok(await settled(replaced));
  clock.advance(1_000);
  assert.is(launched.length, 3);
});

test("rounds do not pile up, and a slot holds two generations at most", async () => {
  const { launched, supervisor } = stage(1);
  void supervisor.publish(model(1));
  serve(launched[0]!, 1);
  const first = supervisor.replace(500);
  await turns();
  const second = supervisor.replace(500);
  assert.is(supervisor.replace(500), second);
  serve(launched[1]!, 1);
  assert.ok(await settled(first));
  await turns();
  assert.is(launched.length, 2);
  launched[0]!.events.gone("code 0");
  await turns();
  assert.is(launched.length, 3);
  serve(launched[2]!, 1);
  assert.ok(await settled(second));
});

test("a worker with more than ten bugs in a minute is replaced, not one in two", async () => {
  const { clock, launched, supervisor } = stage(2);
  void supervisor.publish(model(1));
  launched.forEach((fake) => serve(fake, 1));
  launched[0]!.bugs = 8;
  clock.advance(61_000);
  launched[0]!.bugs = 16;
  launched[1]!.bugs = 11;
  clock.advance(1_000);
  await turns();
  assert.equal(
    launched.slice(2).map((fake) => fake.index),
    [1],
  );
  serve(launched[2]!, 1);
  await turns();
  assert.equal(launched[1]!.inbox.at(-1), { kind: "drain", deadlineMs: 700 });
});

test("the sockets are given up before workers drain; a successor drains too", async () => {
  const { launched, supervisor, touched } = stage(1);
  void supervisor.publish(model(1));
  serve(launched[0]!, 1);
  void supervisor.replace(500);
  await turns();
  ready(launched[1]!);
  const drained = supervisor.drain(300);
  assert.is(touched.at(-1), "close");
  for (const fake of launched) {
    assert.equal(fake.inbox.at(-1), { kind: "drain", deadlineMs: 300 });
    fake.events.gone("code 0");
  }
  assert.ok(await settled(drained));
});

test.run();
