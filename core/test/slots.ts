/** A supervisor among workers that do what they like; whatever happens, some things stay true. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { fakeClock } from "../clock.ts";
import { BUG, FAULTS } from "../fault.ts";
import { DEFAULT_LIMITS } from "../limits.ts";
import { Random } from "../random.ts";
import { PLAIN_EDGE } from "../protocol.ts";
import { Supervisor } from "../supervisor.ts";
import type { Child, ChildEvents } from "../launch.ts";
import type { Delta, Model } from "../model.ts";
import type { ToWorker } from "../protocol.ts";
import { NOTHING } from "../../test/delta.ts";

const WORKERS = 3;
const STEPS = 400;
/** Long enough for every back-off, drain and silence. */
const CALM_MS = 200_000;

const SEEDS = Array.from({ length: 40 }, (_, i) => 7_919 * (i + 1));

/** The tallies of a worker that met nothing but bugs. */
function faultsOf(bugs: number): readonly number[] {
  return FAULTS.map((_fault, id) => (id === BUG ? bugs : 0));
}

function model(version: number): Model {
  return { version, hosts: [], backends: [], certificates: [], secure: [] };
}

/** A worker process with a will of its own; `later` are the answers it owes. */
class Puppet {
  readonly index: number;
  alive = true;
  stuck = false;
  listening = false;
  draining = false;
  version = 0;
  bugs = 0;
  /** It does not compile the next delta. */
  refuses = false;
  readonly later: (() => void)[] = [];
  readonly #events: ChildEvents;
  readonly #touch: (index: number) => void;

  constructor(index: number, events: ChildEvents, touch: (index: number) => void) {
    this.index = index;
    this.#events = events;
    this.#touch = touch;
    this.later.push(() => events.message({ kind: "ready" }));
  }

  receive(message: ToWorker): void {
    if (message.kind === "delta") this.later.push(() => this.#apply(message.delta));
    if (message.kind === "drain") this.#drain();
    if (message.kind === "ping") {
      this.later.push(() =>
        this.#events.message({ kind: "pong", faults: faultsOf(this.bugs), heapBytes: 1 }),
      );
    }
  }

  /** Does the next thing it owes. */
  act(): void {
    if (this.alive && !this.stuck) this.later.shift()?.();
  }

  die(why: string): void {
    if (!this.alive) return;
    this.alive = false;
    this.#events.gone(why);
  }

  #drain(): void {
    this.draining = true;
    this.later.push(() => this.die("code 0"));
  }

  #apply({ base, version }: Delta): void {
    assert.is(base, this.version, "a delta fits what the worker has");
    if (this.refuses) {
      this.refuses = false;
      return this.#events.message({ kind: "refused", version, reason: "bug" });
    }
    this.version = version;
    if (!this.listening && !this.draining) {
      this.listening = true;
      // Accepting on a bound socket makes it listen.
      this.#touch(this.index);
      this.#events.message({ kind: "listening" });
    }
    this.#events.message({ kind: "applied", version });
  }
}

/** The supervisor, its puppets, and which sockets listen. */
function stage() {
  const clock = fakeClock();
  const puppets: Puppet[] = [];
  const open = Array.from({ length: WORKERS }, () => false);
  const launch = (index: number, _sockets: readonly number[], events: ChildEvents): Child => {
    const puppet = new Puppet(index, events, (at) => (open[at] = true));
    puppets.push(puppet);
    return {
      pid: puppets.length,
      send: (message) => puppet.receive(message),
      kill: () => queueMicrotask(() => puppet.die("signal SIGKILL")),
    };
  };
  const supervisor = new Supervisor({
    ...PLAIN_EDGE,
    count: WORKERS,
    http: [{ host: "127.0.0.1", port: 8000 }],
    sockets: {
      of: () => [],
      open: (worker) => (open[worker] = true),
      shut: (worker) => (open[worker] = false),
      close: () => open.fill(false),
    },
    cursors: false,
    limits: DEFAULT_LIMITS,
    trusted: [],
    drainMs: 5_000,
    clock,
    launch,
    diff: (old, next) => ({ ...NOTHING, base: old.version, version: next.version }),
  });
  return { clock, puppets, open, supervisor };
}

type Stage = ReturnType<typeof stage>;

async function turns(): Promise<void> {
  for (let turn = 0; turn < 30; turn++) await Promise.resolve();
}

/** What must be true at any moment. */
function look({ puppets, open, supervisor }: Stage): void {
  const alive = puppets.filter((puppet) => puppet.alive);
  for (let index = 0; index < WORKERS; index++) {
    const here = alive.filter((puppet) => puppet.index === index);
    const ending = here.filter((puppet) => puppet.draining);
    assert.ok(ending.length <= 1, "one generation drains");
    assert.ok(here.length - ending.length <= 2, "one serves and one is its successor");
    const { serving, pid, version } = supervisor.states()[index]!;
    if (!serving) continue;
    assert.ok(open[index], "connections come to a worker that serves");
    const puppet = puppets[pid - 1]!;
    assert.ok(puppet.listening && !puppet.draining && version <= puppet.version);
  }
}

/** One thing that may happen. */
function happen(on: Stage, random: Random, versions: { last: number }): void {
  const { puppets, clock, supervisor } = on;
  const alive = puppets.filter((puppet) => puppet.alive);
  const some = alive[random.below(Math.max(1, alive.length))];
  switch (random.below(13)) {
    case 0:
      return some?.die("code 1");
    case 1:
      if (some !== undefined) some.stuck = random.below(4) === 0;
      return;
    case 2:
      return void supervisor.replace(random.below(3) * 1_000);
    case 3:
      return void supervisor.publish(model(++versions.last));
    case 4:
      if (some !== undefined) some.bugs += random.below(15);
      return;
    case 5:
      if (some !== undefined) some.refuses = true;
      return;
    case 6:
    case 7:
      return clock.advance(random.below(4_000));
    default:
      return some?.act();
  }
}

/** From now on everybody does what is asked. */
async function calm({ clock, puppets }: Stage, lastMs: number): Promise<void> {
  for (let ms = 0; ms < lastMs; ms += 250) {
    for (const puppet of puppets)
      for (let owed = puppet.later.length; owed > 0; owed--) puppet.act();
    clock.advance(250);
    await turns();
  }
}

for (const seed of SEEDS) {
  test(`whatever workers do, seed ${seed}`, async () => {
    const random = new Random(seed);
    const on = stage();
    const versions = { last: 1 };
    void on.supervisor.publish(model(1));
    for (let step = 0; step < STEPS; step++) {
      happen(on, random, versions);
      await turns();
      look(on);
    }
    for (const puppet of on.puppets) puppet.refuses = false;
    const published = on.supervisor.publish(model(++versions.last));
    await calm(on, CALM_MS);
    look(on);
    await published;
    for (const [index, state] of on.supervisor.states().entries()) {
      assert.ok(state.serving, `worker ${index} serves in the end`);
      assert.is(state.version, versions.last);
      assert.ok(on.open[index]);
    }
    assert.is(on.puppets.filter((puppet) => puppet.alive).length, WORKERS);
    const before = new Set(on.supervisor.states().map(({ pid }) => pid));
    const replaced = on.supervisor.replace(1_000);
    await calm(on, 10_000);
    assert.ok(await replaced);
    assert.not.ok(on.supervisor.states().some(({ pid, serving }) => before.has(pid) || !serving));
    const drained = on.supervisor.drain(1_000);
    await calm(on, 10_000);
    await drained;
    assert.is(on.puppets.filter((puppet) => puppet.alive).length, 0);
  });
}

for (const seed of SEEDS) {
  test(`a drain at any moment ends everybody, seed ${seed}`, async () => {
    const random = new Random(seed);
    const on = stage();
    const versions = { last: 1 };
    void on.supervisor.publish(model(1));
    for (let step = random.below(STEPS); step > 0; step--) {
      happen(on, random, versions);
      await turns();
    }
    const replaced = on.supervisor.replace(1_000);
    for (let step = random.below(10); step > 0; step--) happen(on, random, versions);
    if (random.below(2) === 0) await turns();
    const launched = on.puppets.length;
    let ended = false;
    void on.supervisor.drain(1_000).then(() => (ended = true));
    for (let step = random.below(50); step > 0; step--) {
      happen(on, random, versions);
      await turns();
    }
    // Who was told to end has a second and a grace; who was replaced before, its own time.
    await calm(on, 10_000);
    assert.ok(ended);
    assert.is(on.puppets.filter((puppet) => puppet.alive).length, 0);
    assert.is(on.puppets.length, launched, "nobody is started any more");
    await replaced;
    assert.not.ok(on.supervisor.states().some(({ serving }) => serving));
  });
}

test.run();
