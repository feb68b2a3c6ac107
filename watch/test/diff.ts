import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  type Backend,
  DEFAULT_POLICY,
  type Delta,
  type Model,
  NONE,
  type Route,
} from "../../core/model.ts";
import { diff, equal } from "../diff.ts";

const ROUNDS = 500;
const SEED = Number(process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 31));
console.log(`seed ${SEED} (SEED=… repeats it)`);

/** Park and Miller's generator: 1 ≤ state < 2³¹ − 1. */
function randomFrom(seed: number): (below: number) => number {
  let state = (seed % 2_147_483_646) + 1;
  return (below) => {
    state = (state * 48_271) % 2_147_483_647;
    return state % below;
  };
}

function route(id: string, weight: number): Route {
  return {
    id,
    origin: { kind: "Ingress", namespace: "default", name: id, field: "" },
    match: {
      path: { kind: "prefix", value: `/${id}` },
      methods: [],
      headers: [],
      cookies: [],
      queries: [],
    },
    action: { kind: "forward", split: [{ backend: "b0", weight }], cursor: NONE },
    policy: DEFAULT_POLICY,
  };
}

/** Small on purpose, so that two random models often share hosts, backends and their contents. */
function randomModel(random: (below: number) => number, version: number): Model {
  const names = [0, 1, 2, 3, 4, 5].filter(() => random(3) > 0);
  const routes = (): Route[] =>
    Array.from({ length: random(3) }, (_, i) => route(`r${i}`, random(2)));
  return {
    version,
    hosts: names.map((name) => ({ name: `h${name}.example`, routes: routes() })),
    backends: names.map((name) => ({
      balance: "leastRequest" as const,
      id: `b${name}`,
      endpoints: Array.from({ length: random(3) }, (_, i) => ({
        address: `10.0.0.${i}`,
        port: 80 + random(2),
        uid: "",
      })),
      reason: "",
    })),
  };
}

/** What a receiver of deltas does, in the plainest way. */
function applied(model: Model, delta: Delta): Model {
  assert.is(delta.base, model.version);
  const hosts = new Map(model.hosts.map((host) => [host.name, host]));
  const backends = new Map(model.backends.map((backend) => [backend.id, backend]));
  for (const name of delta.hostsGone) assert.ok(hosts.delete(name), "only what was there goes");
  for (const id of delta.backendsGone) assert.ok(backends.delete(id), "only what was there goes");
  for (const host of delta.hosts) {
    assert.not.equal(hosts.get(host.name), host, "only what changed is sent");
    hosts.set(host.name, host);
  }
  for (const backend of delta.backends) {
    assert.not.equal(backends.get(backend.id), backend, "only what changed is sent");
    backends.set(backend.id, backend);
  }
  return { version: delta.version, hosts: [...hosts.values()], backends: [...backends.values()] };
}

function inOrder(model: Model): Model {
  return {
    version: model.version,
    hosts: model.hosts.toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    backends: model.backends.toSorted((a, b) => (a.id < b.id ? -1 : 1)),
  };
}

test("applying the difference of two models to the first gives the second, and is minimal", () => {
  const random = randomFrom(SEED);
  for (let round = 0; round < ROUNDS; round++) {
    const old = randomModel(random, 1);
    const next = randomModel(random, 2);
    assert.equal(inOrder(applied(old, diff(old, next))), inOrder(next));
    assert.is(equal(old, next), Bun.deepEquals({ ...old, version: 2 }, next));
  }
});

test("models are equal when nothing but the version differs", () => {
  const old = randomModel(randomFrom(7), 1);
  assert.is(equal(old, structuredClone({ ...old, version: 2 })), true);
  const added = { name: "new.example", routes: [] };
  assert.is(equal(old, { ...old, hosts: [...old.hosts, added] }), false);
  assert.is(equal(old, { ...old, backends: old.backends.slice(1) }), false);
});

test("models whose names are not in order are a bug, and not a wrong delta", () => {
  const names = (...hosts: string[]): Model => {
    return { version: 1, hosts: hosts.map((name) => ({ name, routes: [] })), backends: [] };
  };
  assert.throws(() => diff(names("a"), names("c", "b")), /in order/);
});

test("a change of endpoints alone sends that backend alone", () => {
  const endpoint = { address: "10.0.0.1", port: 80, uid: "" };
  const old: Model = {
    version: 1,
    hosts: [{ name: "a.example", routes: [route("a", 1)] }],
    backends: [
      { id: "one", endpoints: [], reason: "no ready endpoint", balance: "leastRequest" },
      { id: "two", endpoints: [endpoint], reason: "", balance: "leastRequest" },
    ],
  };
  const changed: Backend = {
    id: "one",
    endpoints: [endpoint],
    reason: "",
    balance: "leastRequest",
  };
  const next = { ...structuredClone(old), version: 2, backends: [changed, old.backends[1]!] };
  assert.equal(diff(old, next), {
    base: 1,
    version: 2,
    hosts: [],
    hostsGone: [],
    backends: [changed],
    backendsGone: [],
  });
});

test.run();
