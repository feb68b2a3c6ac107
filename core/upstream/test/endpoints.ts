/** The registry of backends and endpoints: numbers that stay, connections that survive swaps. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { NONE, type Endpoint as Address } from "../../model.ts";
import type * as model from "../../model.ts";
import { DEFAULT_LIMITS } from "../../limits.ts";
import { Random } from "../../random.ts";
import { Timers } from "../../timers.ts";
import type { UpstreamConnection } from "../connection.ts";
import { Backend, Endpoints } from "../endpoints.ts";
import type { Endpoint } from "../endpoint.ts";
import { pickEndpoint } from "../picker.ts";

const SITE = {
  timers: new Timers(),
  limits: DEFAULT_LIMITS,
  random: new Random(1),
  connect: () => {},
};

const pick = (from: Backend, not: Endpoint | null): Endpoint | null =>
  pickEndpoint(from, not, SITE.random, SITE.timers.now);

const at = (last: number, uid = ""): Address => ({ address: `10.0.0.${last}`, port: 80, uid });
const backend = (id: string, ...endpoints: Address[]): model.Backend => ({
  id,
  endpoints,
  reason: "",
  balance: "roundRobin",
});

/** Stands in for a connection; only that it was shut matters here. */
const idle = (): { connection: UpstreamConnection; shut: () => number } => {
  let count = 0;
  const connection = { shut: () => count++ } as unknown as UpstreamConnection;
  return { connection, shut: () => count };
};

test("a backend keeps its number, also when it is named before it arrives", () => {
  const registry = new Endpoints(SITE);
  const a = registry.indexOf("a");
  registry.put(backend("b", at(1)));
  registry.put(backend("a", at(2)));
  registry.put(backend("a", at(3)));
  assert.is(registry.indexOf("a"), a);
  assert.is(registry.at(a)?.id, "a");
  assert.equal(
    registry.at(a)?.endpoints.map((endpoint) => endpoint.address),
    ["10.0.0.3"],
  );
  assert.is(registry.at(NONE), null);
});

test("a number of a backend that went away never means another one's endpoints by accident", () => {
  const registry = new Endpoints(SITE);
  registry.put(backend("a", at(1)));
  const a = registry.at(registry.indexOf("a"))!;
  registry.remove("a");
  assert.is(a.endpoints.length, 0, "whoever still holds it finds no endpoint");
  registry.remove("a");
  registry.put(backend("b", at(2)));
  registry.put(backend("a", at(3)));
  assert.is.not(registry.indexOf("a"), registry.indexOf("b"));
});

/** A connection can be taken again when the turn after the one it was given in is over. */
const settled = async (): Promise<void> => {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
};

test("a connection that was just given is not taken in the same turn", async () => {
  const registry = new Endpoints(SITE);
  registry.put(backend("a", at(1)));
  const endpoint = registry.at(registry.indexOf("a"))!.endpoints[0]!;
  const [one, two] = [idle(), idle()];
  endpoint.give(one.connection);
  endpoint.give(two.connection);
  assert.is(endpoint.take(), null);
  assert.is(endpoint.idle, 2);
  endpoint.drop(one.connection);
  await settled();
  assert.is(endpoint.take(), two.connection);
  assert.is(endpoint.take(), null);
});

test("connections stay with an address while anybody lists it", () => {
  const registry = new Endpoints(SITE);
  registry.put(backend("a", at(1), at(2)));
  registry.put(backend("b", at(1)));
  const one = registry.at(registry.indexOf("a"))!.endpoints[0]!;
  const { connection, shut } = idle();
  assert.ok(one.give(connection));
  registry.put(backend("a", at(1), at(3)));
  assert.is(registry.at(registry.indexOf("a"))!.endpoints[0], one, "the same endpoint");
  registry.put(backend("a", at(3)));
  assert.is(shut(), 0, "the other backend lists it");
  assert.is(registry.idle, 1);
  registry.remove("b");
  assert.is(shut(), 1);
  assert.is(registry.idle, 0);
  assert.not.ok(one.give(connection), "a connection that comes back late is not wanted");
});

test("the same address of another pod is another endpoint", () => {
  const registry = new Endpoints(SITE);
  registry.put(backend("a", at(1, "old")));
  const old = registry.at(registry.indexOf("a"))!.endpoints[0]!;
  const { connection, shut } = idle();
  old.give(connection);
  registry.put(backend("a", at(1, "new")));
  const young = registry.at(registry.indexOf("a"))!.endpoints[0]!;
  assert.is.not(young, old);
  assert.is(young.take(), null);
  assert.is(shut(), 1);
});

test("the connection used last is taken first, and one that went away is not taken", async () => {
  const registry = new Endpoints(SITE);
  registry.put(backend("a", at(1)));
  const endpoint = registry.at(registry.indexOf("a"))!.endpoints[0]!;
  const [one, two, three] = [idle(), idle(), idle()];
  for (const { connection } of [one, two, three]) endpoint.give(connection);
  await settled();
  endpoint.drop(two.connection);
  endpoint.drop(two.connection);
  assert.is(endpoint.take(), three.connection);
  assert.is(endpoint.take(), one.connection);
  assert.is(endpoint.take(), null);
});

test("idle connections are bounded", () => {
  const registry = new Endpoints(SITE);
  registry.put(backend("a", at(1)));
  const endpoint = registry.at(registry.indexOf("a"))!.endpoints[0]!;
  let kept = 0;
  for (let i = 0; i < 10_000; i++) if (endpoint.give(idle().connection)) kept++;
  assert.ok(kept > 0 && kept <= 1_024, `${kept} kept`);
  assert.is(endpoint.idle, kept);
});

const live = (count: number): Backend => {
  const registry = new Endpoints(SITE);
  registry.put(backend("a", ...Array.from({ length: count }, (_, i) => at(i))));
  return registry.at(registry.indexOf("a"))!;
};

test("every endpoint has its turn", () => {
  for (const count of [1, 2, 3, 7]) {
    const picked = new Map<Endpoint, number>();
    const one = live(count);
    for (let i = 0; i < count * 10; i++) {
      const endpoint = pick(one, null)!;
      picked.set(endpoint, (picked.get(endpoint) ?? 0) + 1);
    }
    assert.equal([...picked.values()], Array(count).fill(10), `${count} endpoints`);
  }
});

test("the endpoint that failed is passed over while there is another", () => {
  for (const count of [2, 3, 5]) {
    const one = live(count);
    for (let i = 0; i < 50; i++) {
      const failed = pick(one, null);
      assert.is.not(pick(one, failed), failed);
    }
  }
  const alone = live(1);
  assert.is(pick(alone, alone.endpoints[0]!), alone.endpoints[0]);
  assert.is(pick(live(0), null), null);
});

test("a turn beyond a list that shrank starts again", () => {
  const registry = new Endpoints(SITE);
  registry.put(backend("a", at(1), at(2), at(3)));
  const one = registry.at(registry.indexOf("a"))!;
  one.turn = 2;
  registry.put(backend("a", at(1)));
  assert.is(pick(one, null)?.address, "10.0.0.1");
});

test.run();
