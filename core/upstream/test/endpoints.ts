/** The registry of backends and endpoints: numbers that stay, connections that survive swaps. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { BAD_RESPONSE } from "../../fault.ts";
import { DEFAULT_POLICY, NONE, type Endpoint as Address } from "../../model.ts";
import type * as model from "../../model.ts";
import { DEFAULT_LIMITS, limitsOf } from "../../limits.ts";
import { Random } from "../../random.ts";
import { compileTable, type Table } from "../../route/table.ts";
import { Timers } from "../../timers.ts";
import type { UpstreamConnection } from "../connection.ts";
import { Endpoints } from "../endpoints.ts";

const SITE = {
  timers: new Timers(),
  limits: DEFAULT_LIMITS,
  random: new Random(1),
  connect: () => {},
  knock: () => {},
};

const at = (last: number, uid = ""): Address => ({ address: `10.0.0.${last}`, port: 80, uid });
const backend = (id: string, ...endpoints: Address[]): model.Backend => ({
  id,
  endpoints,
  reason: "",
  balance: "roundRobin",
  tls: null,
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

const host = (name: string, ...backends: string[]): model.VirtualHost => ({
  name,
  policy: "",
  routes: [
    {
      id: name,
      origin: { kind: "", namespace: "", name: "", field: "" },
      match: {
        path: { kind: "prefix", value: "/" },
        ...{ methods: [], headers: [], cookies: [], queries: [] },
      },
      action: {
        kind: "forward",
        split: backends.map((id) => ({ backend: id, weight: 1 })),
        cursor: NONE,
      },
      policy: DEFAULT_POLICY,
    },
  ],
});

/** A table of hosts that lead to these backends. */
const tableOf = (registry: Endpoints, ...hosts: model.VirtualHost[]): Table =>
  compileTable({ version: 1, hosts, backends: [], certificates: [], secure: [] }, registry.indexOf);

/** More than may be vacant before numbers are looked through. */
const MANY = 200;

test("numbers of backends that come and go do not pile up", () => {
  const registry = new Endpoints(SITE);
  let most = 0;
  for (let i = 0; i < 10_000; i++) {
    registry.put(backend(`b${i}`, at(1)));
    most = Math.max(most, registry.indexOf(`b${i}`));
    registry.remove(`b${i}`);
    registry.sweep(tableOf(registry));
  }
  assert.ok(most <= MANY, `${most}`);
});

test("numbers of backends that are named and never arrive do not pile up", () => {
  const registry = new Endpoints(SITE);
  let most = 0;
  for (let i = 0; i < 10_000; i++) {
    const table = tableOf(registry, host("a.test", `b${i}`), host("b.test", `c${i}`, `d${i}`));
    most = Math.max(most, registry.indexOf(`d${i}`));
    registry.sweep(table);
  }
  assert.ok(most <= MANY, `${most}`);
});

test("a number that the table names is not given to another backend", () => {
  const registry = new Endpoints(SITE);
  const table = tableOf(registry, host("a.test", "gone"), host("b.test", "late", "later"));
  const numbers = ["gone", "late", "later"].map(registry.indexOf);
  registry.put(backend("gone", at(1)));
  registry.remove("gone");
  for (let i = 0; i < MANY; i++) registry.indexOf(`stray${i}`);
  registry.sweep(table);
  for (let i = 0; i < MANY; i++) registry.put(backend(`b${i}`, at(2)));
  numbers.forEach((number) => assert.equal(registry.at(number)!.endpoints, []));
  registry.put(backend("later", at(3)));
  assert.is(registry.at(numbers[2]!)!.endpoints[0]!.address, "10.0.0.3");
});

test("a backend that is there keeps its number, also when no route leads to it", () => {
  const registry = new Endpoints(SITE);
  registry.put(backend("a", at(1)));
  const a = registry.indexOf("a");
  for (let i = 0; i < MANY; i++) registry.indexOf(`stray${i}`);
  registry.sweep(tableOf(registry));
  assert.is(registry.indexOf("a"), a);
  assert.is(registry.at(a)!.endpoints.length, 1);
});

test("health belongs to the address, whoever lists it, and survives swaps", () => {
  const registry = new Endpoints(SITE);
  registry.put(backend("a", at(1), at(2)));
  registry.put(backend("b", at(1)));
  const [one] = registry.at(registry.indexOf("a"))!.endpoints;
  for (let i = 0; i < 3; i++) one!.health.failed(SITE.timers.now, BAD_RESPONSE);
  registry.put(backend("a", at(3), at(1)));
  const again = registry.at(registry.indexOf("a"))!.endpoints[1]!;
  assert.not.ok(again.health.available(SITE.timers.now));
  assert.is(registry.at(registry.indexOf("b"))!.endpoints[0], again);
  registry.put(backend("a", at(1, "new"), at(2)));
  const young = registry.at(registry.indexOf("a"))!.endpoints[0]!;
  assert.ok(young.health.available(SITE.timers.now), "another pod at the same address");
});

const REFUSED: readonly (readonly [why: string, change: Partial<model.Backend>])[] = [
  ["a name", { endpoints: [{ ...at(1), address: "web.default.svc" }] }],
  ["nothing", { endpoints: [{ ...at(1), address: "" }] }],
  ["brackets", { endpoints: [{ ...at(1), address: "[::1]" }] }],
  ["port 0", { endpoints: [{ ...at(1), port: 0 }] }],
  ["port 65536", { endpoints: [at(1), { ...at(2), port: 65_536 }] }],
  ["half a port", { endpoints: [{ ...at(1), port: 80.5 }] }],
  ["no number", { endpoints: [{ ...at(1), port: Number.NaN }] }],
  ["an unknown balance", { balance: "ewma" as model.Balance }],
  ["a balance of every object", { balance: "toString" as model.Balance }],
];

test("a backend that nothing can connect to is refused, and nothing changes", () => {
  for (const [why, change] of REFUSED) {
    const registry = new Endpoints(SITE);
    registry.put(backend("a", at(7)));
    assert.throws(() => registry.put({ ...backend("a"), ...change }), /backend a/, why);
    const { endpoints } = registry.at(registry.indexOf("a"))!;
    assert.equal(
      endpoints.map(({ key, users }) => [key, users]),
      [["10.0.0.7 80 ", 1]],
      why,
    );
  }
  const registry = new Endpoints(SITE);
  registry.put(backend("a", { address: "::1", port: 65_535, uid: "" }));
});

test("connections to all endpoints are bounded: what idles longest at one makes room", () => {
  const registry = new Endpoints({ ...SITE, limits: limitsOf({ upstreamTotal: 3 }) });
  registry.put(backend("a", at(1)));
  registry.put(backend("b", at(2)));
  const [a, b] = ["a", "b"].map((id) => registry.at(registry.indexOf(id))!.endpoints[0]!);
  const shut: string[] = [];
  const open = (name: string): UpstreamConnection => {
    a!.dialled();
    const connection = { shut: () => (shut.push(name), a!.gone()) };
    return connection as unknown as UpstreamConnection;
  };
  for (const name of ["first", "second"]) assert.ok(a!.give(open(name)));
  a!.settle();
  a!.settle();
  assert.ok(b!.mayOpen());
  b!.dialled();
  assert.is(registry.connections, 3);
  assert.ok(b!.mayOpen(), "an idle one goes");
  assert.equal(shut, ["first"]);
  b!.dialled();
  assert.ok(b!.mayOpen());
  b!.dialled();
  assert.equal(shut, ["first", "second"]);
  assert.not.ok(b!.mayOpen(), "nothing idles any more");
  b!.gone();
  assert.ok(b!.mayOpen());
});

test.run();
