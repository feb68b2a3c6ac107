/** Room for connections to all endpoints: who waits for it gets it, from wherever it comes. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { limitsOf, type Limits } from "../../limits.ts";
import { Random } from "../../random.ts";
import { Timers } from "../../timers.ts";
import type { UpstreamConnection } from "../connection.ts";
import type { Endpoint } from "../endpoint.ts";
import { Endpoints } from "../endpoints.ts";
import type { Waiter } from "../queue.ts";

type Setup = Readonly<{
  registry: Endpoints;
  endpoints: readonly Endpoint[];
  /** Who was served, in order: the name that it waited under, and whether it dialled. */
  served: string[];
  wait: (endpoint: Endpoint, name: string) => boolean;
}>;

/** So many endpoints, each of a backend of its own. */
function setup(count: number, given: Partial<Limits>): Setup {
  const site = {
    timers: new Timers(),
    limits: limitsOf(given),
    random: new Random(1),
    connect: () => {},
    knock: () => {},
  };
  const registry = new Endpoints(site);
  const endpoints = Array.from({ length: count }, (_, i) => {
    const endpoint = { address: `192.0.2.${i}`, port: 80, uid: "" };
    registry.put({
      id: `${i}`,
      endpoints: [endpoint],
      reason: "",
      balance: "leastRequest",
      tls: null,
    });
    return registry.at(registry.indexOf(`${i}`))!.endpoints[0]!;
  });
  const served: string[] = [];
  const wait = (endpoint: Endpoint, name: string): boolean => {
    const serve = (connection: UpstreamConnection | null): void => {
      served.push(`${name} ${connection === null ? "dials" : "takes"}`);
      if (connection === null) endpoint.dialled();
    };
    const waiter: Waiter = { queue: null, ahead: null, behind: null, serve, broken: () => {} };
    return endpoint.enqueue(waiter);
  };
  return { registry, endpoints, served, wait };
}

/** A connection that exists and is busy; `shut` closes it. */
const busy = (endpoint: Endpoint): UpstreamConnection => {
  endpoint.dialled();
  return { shut: () => endpoint.gone() } as unknown as UpstreamConnection;
};

test("who waits at one endpoint gets the room of a connection that closes at another", () => {
  const { endpoints, served, wait, registry } = setup(2, { upstreamTotal: 1 });
  const [a, b] = endpoints;
  const connection = busy(a!);
  assert.not.ok(b!.mayOpen());
  assert.ok(wait(b!, "b"));
  connection.shut();
  assert.equal(served, ["b dials"]);
  assert.is(registry.connections, 1);
});

test("who waits at one endpoint gets the room of a connection that has nothing to do", () => {
  const { endpoints, served, wait, registry } = setup(2, { upstreamTotal: 1 });
  const [a, b] = endpoints;
  const connection = busy(a!);
  wait(b!, "b");
  a!.give(connection);
  a!.settle();
  assert.equal(served, [], "its response may still turn out longer");
  a!.settle();
  assert.equal(served, ["b dials"]);
  assert.is(a!.idle, 0);
  assert.is(registry.connections, 1);
});

test("an endpoint's own waiters come before those of others", () => {
  const { endpoints, served, wait } = setup(2, { upstreamTotal: 1 });
  const [a, b] = endpoints;
  const connection = busy(a!);
  wait(b!, "b");
  wait(a!, "a");
  a!.give(connection);
  a!.settle();
  a!.settle();
  assert.equal(served, ["a takes"]);
  connection.shut();
  assert.equal(served, ["a takes", "b dials"]);
});

test("room goes to each endpoint in turn, not to the one with the longest queue", () => {
  const { endpoints, served, wait, registry } = setup(4, { upstreamTotal: 6 });
  const [a, b, c, d] = endpoints;
  const connections = Array.from({ length: 6 }, () => busy(a!));
  for (let i = 0; i < 4; i++) wait(b!, `b${i}`);
  wait(c!, "c0");
  wait(d!, "d0");
  for (const connection of connections) connection.shut();
  const order = ["b0", "c0", "d0", "b1", "b2", "b3"];
  assert.equal(
    served,
    order.map((name) => `${name} dials`),
  );
  assert.is(registry.connections, 6);
});

test("room that comes free at once goes to each in turn as well", () => {
  const { endpoints, served, wait, registry } = setup(3, { upstreamTotal: 3 });
  const [a, b, c] = endpoints;
  const connections = Array.from({ length: 3 }, () => busy(a!));
  for (let i = 0; i < 3; i++) wait(b!, `b${i}`);
  wait(c!, "c0");
  for (const connection of connections) a!.give(connection);
  a!.settle();
  a!.settle();
  assert.equal(served, ["b0 dials", "c0 dials", "b1 dials"]);
  assert.is(registry.connections, 3);
});

test("an endpoint at its own limit does not wait for room", () => {
  const { endpoints, served, wait } = setup(2, { upstreamTotal: 2, upstreamConnections: 1 });
  const [a, b] = endpoints;
  const [first, second] = [busy(a!), busy(b!)];
  wait(a!, "a");
  second.shut();
  assert.equal(served, []);
  first.shut();
  assert.equal(served, ["a dials"]);
});

test("long queues in which every dial fails at once empty, without a deep stack", () => {
  const { endpoints } = setup(3, { upstreamTotal: 1, pending: 20_000 });
  const [a, b, c] = endpoints;
  const connection = busy(a!);
  let depth = 0;
  let deepest = 0;
  for (let i = 0; i < 40_000; i++) {
    const endpoint = i % 2 === 0 ? b! : c!;
    const serve = (): void => {
      deepest = Math.max(deepest, ++depth);
      endpoint.dialled();
      endpoint.gone();
      depth--;
    };
    endpoint.enqueue({ queue: null, ahead: null, behind: null, serve, broken: () => {} });
  }
  connection.shut();
  assert.equal([b!.pending, c!.pending, deepest], [0, 0, 1]);
});

test("who gave up gets no room, and what is left waits for none", () => {
  const { endpoints, registry, served, wait } = setup(2, { upstreamTotal: 1 });
  const [a, b] = endpoints;
  const connection = busy(a!);
  const waiter: Waiter = {
    queue: null,
    ahead: null,
    behind: null,
    serve: () => served.push("gave up"),
    broken: () => {},
  };
  b!.enqueue(waiter);
  b!.withdraw(waiter);
  a!.give(connection);
  a!.settle();
  a!.settle();
  assert.equal(served, []);
  assert.is(a!.idle, 1, "nothing is closed for nobody");
  wait(b!, "b");
  assert.is(registry.connections, 1);
});

test("anything in any order: never too many connections, and nobody waits beside room", () => {
  const seed = Number(process.env["SEED"] ?? 20_261_125);
  console.log(`SEED=${seed}`);
  const random = new Random(seed);
  const { endpoints, registry } = setup(5, { upstreamTotal: 7, upstreamConnections: 3 });
  const open: [Endpoint, UpstreamConnection][] = [];
  const shut = (endpoint: Endpoint): UpstreamConnection => {
    const connection = { shut: () => endpoint.gone() } as unknown as UpstreamConnection;
    open.push([endpoint, connection]);
    return connection;
  };
  for (let step = 0; step < 20_000; step++) {
    const endpoint = endpoints[random.below(5)]!;
    const move = random.below(3);
    if (move === 0) {
      const serve = (connection: UpstreamConnection | null): void => {
        if (connection === null) endpoint.dialled();
        shut(endpoint);
      };
      const taken = endpoint.take();
      const waiter: Waiter = { queue: null, ahead: null, behind: null, serve, broken: () => {} };
      if (taken !== null) shut(endpoint);
      else if (endpoint.mayOpen()) serve(null);
      else endpoint.enqueue(waiter);
    } else if (open.length > 0) {
      const [from, connection] = open.splice(random.below(open.length), 1)[0]!;
      if (move === 1 || !from.give(connection)) from.gone();
    }
    for (const each of endpoints) each.settle();
    for (const each of endpoints) each.settle();
    assert.ok(registry.connections <= 7, `step ${step}`);
    for (const each of endpoints) {
      assert.ok(each.connections <= 3, `step ${step}`);
      if (each.pending === 0 || each.connections === 3) continue;
      assert.is(registry.connections, 7, `step ${step}: waits beside free room`);
      assert.is(registry.idle, 0, `step ${step}: waits beside an idle connection`);
    }
  }
});

test.run();
