/** What an endpoint keeps: idle connections, who waits for one, and what it learned from races. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { limitsOf, type Limits } from "../../limits.ts";
import { Random } from "../../random.ts";
import { Timers } from "../../timers.ts";
import type { UpstreamConnection } from "../connection.ts";
import { Endpoint } from "../endpoint.ts";
import { Room } from "../room.ts";
import type { Waiter } from "../queue.ts";

const TICKS_A_MINUTE = 240;
const MINUTE = 60_000;

function setup(given: Partial<Limits> = {}): Readonly<{ endpoint: Endpoint; timers: Timers }> {
  const timers = new Timers();
  const site = {
    timers,
    limits: limitsOf(given),
    random: new Random(1),
    connect: () => {},
    knock: () => {},
  };
  const room = new Room(Number.POSITIVE_INFINITY, new Map());
  const endpoint = new Endpoint(
    "key",
    { address: "192.0.2.1", port: 80, secure: null },
    site,
    room,
  );
  endpoint.users = 1;
  return { endpoint, timers };
}

/** Stands in for a connection; only who has it matters here. */
const fake = (): UpstreamConnection => ({ shut: () => {} }) as unknown as UpstreamConnection;

/** Two turns: what was given can be taken. */
const settle = (endpoint: Endpoint): void => {
  endpoint.settle();
  endpoint.settle();
};

type Served = UpstreamConnection | null;

/** One that waits, and notes what it was served with in `served`. */
function waiterOf(served: Served[], then: (with_: Served) => void = () => {}): Waiter {
  return {
    queue: null,
    ahead: null,
    behind: null,
    serve: (connection) => {
      served.push(connection);
      then(connection);
    },
    broken: () => {},
  };
}

test("idle connections are bounded, in whatever turn they are", () => {
  const { endpoint } = setup({ upstreamIdle: 3 });
  assert.ok(endpoint.give(fake()));
  endpoint.settle();
  assert.ok(endpoint.give(fake()));
  endpoint.settle();
  assert.ok(endpoint.give(fake()));
  assert.not.ok(endpoint.give(fake()));
  assert.is(endpoint.idle, 3);
  endpoint.settle();
  assert.ok(endpoint.take() !== null);
  assert.ok(endpoint.give(fake()));
});

test("connections that exist are bounded, dialling ones too", () => {
  const { endpoint } = setup({ upstreamConnections: 2 });
  endpoint.dialled();
  assert.ok(endpoint.mayOpen());
  endpoint.dialled();
  assert.not.ok(endpoint.mayOpen());
  assert.is(endpoint.connections, 2);
  endpoint.gone();
  assert.ok(endpoint.mayOpen());
});

test("who waits gets the connections that come back, in order, when they have settled", () => {
  const { endpoint } = setup({ upstreamConnections: 1 });
  endpoint.dialled();
  const served: [string, Served][] = [];
  for (const name of ["first", "second"]) {
    const waiter = waiterOf([], (connection) => served.push([name, connection]));
    assert.ok(endpoint.enqueue(waiter));
  }
  const connection = fake();
  endpoint.give(connection);
  assert.is(endpoint.take(), null, "not before those who wait");
  endpoint.settle();
  assert.equal(served, [], "bytes behind its response may still come");
  endpoint.settle();
  assert.is(served.length, 1);
  assert.is(served[0]![0], "first");
  assert.is(served[0]![1], connection);
  assert.is(endpoint.take(), null);
  endpoint.give(connection);
  settle(endpoint);
  assert.is(served[1]![0], "second");
  assert.is(endpoint.pending, 0);
  endpoint.give(connection);
  settle(endpoint);
  assert.is(endpoint.take(), connection, "nobody waits any more");
});

test("when a connection is gone, the first who waits may open one", () => {
  const { endpoint } = setup({ upstreamConnections: 1 });
  endpoint.dialled();
  const served: Served[] = [];
  const dial = (): void => endpoint.dialled();
  endpoint.enqueue(waiterOf(served, dial));
  endpoint.enqueue(waiterOf(served, dial));
  endpoint.gone();
  assert.equal(served, [null]);
  assert.is(endpoint.connections, 1);
  assert.is(endpoint.pending, 1);
});

test("who gives up waits no more, and the next one is served", () => {
  const { endpoint } = setup({ upstreamConnections: 1 });
  endpoint.dialled();
  const [first, second]: [Served[], Served[]] = [[], []];
  const impatient = waiterOf(first);
  endpoint.enqueue(impatient);
  endpoint.enqueue(waiterOf(second));
  endpoint.withdraw(impatient);
  endpoint.withdraw(impatient);
  endpoint.gone();
  assert.equal([first, second], [[], [null]]);
});

test("the queue is bounded, and 0 is none", () => {
  const { endpoint } = setup({ pending: 2 });
  assert.ok(endpoint.enqueue(waiterOf([])));
  assert.ok(endpoint.enqueue(waiterOf([])));
  assert.not.ok(endpoint.enqueue(waiterOf([])));
  assert.is(endpoint.pending, 2);
  assert.not.ok(setup({ pending: 0 }).endpoint.enqueue(waiterOf([])));
});

test("a long queue in which every dial fails at once empties, without a deep stack", () => {
  const { endpoint } = setup({ upstreamConnections: 1, pending: 100_000 });
  endpoint.dialled();
  const served: Served[] = [];
  let depth = 0;
  let deepest = 0;
  for (let i = 0; i < 100_000; i++) {
    const fail = (): void => {
      deepest = Math.max(deepest, ++depth);
      endpoint.dialled();
      endpoint.gone();
      depth--;
    };
    endpoint.enqueue(waiterOf(served, fail));
  }
  endpoint.gone();
  assert.is(served.length, 100_000);
  assert.is(deepest, 1);
  assert.is(endpoint.connections, 0);
});

test("a waiter that throws is closed, and the one behind it is served", () => {
  const { endpoint } = setup({ upstreamConnections: 1 });
  endpoint.dialled();
  const served: Served[] = [];
  let broken = 0;
  const faulty = waiterOf([], () => {
    throw new Error("a bug, thrown by this test");
  });
  faulty.broken = () => {
    broken++;
  };
  endpoint.enqueue(faulty);
  endpoint.enqueue(waiterOf(served));
  endpoint.gone();
  assert.is(broken, 1);
  assert.equal(served, [null]);
});

/** Races, one after the other. */
const race = (endpoint: Endpoint, timers: Timers, times = 3): void => {
  for (let i = 0; i < times; i++) {
    timers.tick();
    endpoint.raced(timers.now);
  }
};
const pass = (timers: Timers, minutes: number): void => {
  for (let i = 0; i < minutes * TICKS_A_MINUTE; i++) timers.tick();
};

test("three races within a minute halve how long connections idle, down to a second", () => {
  const { endpoint, timers } = setup({ upstreamIdleMs: 55_000 });
  race(endpoint, timers, 2);
  assert.is(endpoint.idleMs, 55_000);
  race(endpoint, timers, 1);
  assert.is(endpoint.idleMs, 27_500);
  race(endpoint, timers);
  assert.is(endpoint.idleMs, 13_750);
  for (let i = 0; i < 20; i++) race(endpoint, timers);
  assert.is(endpoint.idleMs, 1_000);
});

test("races far from each other teach nothing", () => {
  const { endpoint, timers } = setup({ upstreamIdleMs: 55_000 });
  for (let i = 0; i < 10; i++) {
    race(endpoint, timers, 2);
    pass(timers, 2);
  }
  assert.is(endpoint.idleMs, 55_000);
});

test("a crash that takes a hundred connections along is one race", () => {
  const { endpoint, timers } = setup({ upstreamIdleMs: 55_000 });
  for (let crash = 0; crash < 2; crash++) {
    timers.tick();
    for (let i = 0; i < 100; i++) endpoint.raced(timers.now);
  }
  assert.is(endpoint.idleMs, 55_000);
});

test("a limit below the floor is not raised to it", () => {
  const { endpoint, timers } = setup({ upstreamIdleMs: 500 });
  race(endpoint, timers);
  assert.is(endpoint.idleMs, 500);
});

test("what is given while a turn ends settles for two turns as well", async () => {
  const limits = { upstreamConnections: 1 };
  const [one, other] = [setup(limits).endpoint, setup(limits).endpoint];
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  one.dialled();
  one.enqueue(waiterOf([], () => other.give(fake())));
  one.give(fake());
  while (one.pending > 0) await turn();
  assert.is(other.take(), null);
  await turn();
  assert.is(other.take(), null, "one turn is not enough");
  await turn();
  assert.ok(other.take() !== null);
});

test("after a long time without races connections idle longer again, up to the limit", () => {
  const { endpoint, timers } = setup({ upstreamIdleMs: MINUTE });
  const use = (): void => {
    endpoint.give(fake());
    settle(endpoint);
    endpoint.take();
  };
  race(endpoint, timers, 6);
  assert.is(endpoint.idleMs, MINUTE / 4);
  use();
  assert.is(endpoint.idleMs, MINUTE / 4);
  const learned: number[] = [];
  for (let i = 0; i < 4; i++) {
    pass(timers, 31);
    use();
    learned.push(endpoint.idleMs);
  }
  assert.equal(learned, [MINUTE / 2, MINUTE, MINUTE, MINUTE]);
});

test.run();
