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
import { NOTHING } from "../../test/delta.ts";

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
    hosts: names.map((name) => ({ name: `h${name}.example`, policy: "", routes: routes() })),
    backends: names.map((name) => ({
      balance: "leastRequest" as const,
      tls: null,
      id: `b${name}`,
      endpoints: Array.from({ length: random(3) }, (_, i) => ({
        address: `10.0.0.${i}`,
        port: 80 + random(2),
        uid: "",
      })),
      reason: "",
    })),
    certificates: names.map((name) => ({ id: `c${name}`, chain: `${random(2)}`, key: "" })),
    secure: names.map((name) => ({
      name: `h${name}.example`,
      certificates: [`c${random(2)}`],
      policy: null,
      passthrough: "",
    })),
  };
}

/** What a receiver of deltas does, in the plainest way. */
function applied(model: Model, delta: Delta): Model {
  assert.is(delta.base, model.version);
  const name = (item: Readonly<{ name: string }>): string => item.name;
  const id = (item: Readonly<{ id: string }>): string => item.id;
  return {
    version: delta.version,
    hosts: edited(model.hosts, delta.hosts, delta.hostsGone, name),
    backends: edited(model.backends, delta.backends, delta.backendsGone, id),
    certificates: edited(model.certificates, delta.certificates, delta.certificatesGone, id),
    secure: edited(model.secure, delta.secure, delta.secureGone, name),
  };
}

function edited<T>(
  old: readonly T[],
  changed: readonly T[],
  gone: readonly string[],
  key: (item: T) => string,
): readonly T[] {
  const items = new Map(old.map((item) => [key(item), item]));
  for (const name of gone) assert.ok(items.delete(name), "only what was there goes");
  for (const item of changed) {
    assert.not.equal(items.get(key(item)), item, "only what changed is sent");
    items.set(key(item), item);
  }
  return [...items.values()];
}

function inOrder(model: Model): Model {
  return {
    version: model.version,
    hosts: model.hosts.toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    backends: model.backends.toSorted((a, b) => (a.id < b.id ? -1 : 1)),
    certificates: model.certificates.toSorted((a, b) => (a.id < b.id ? -1 : 1)),
    secure: model.secure.toSorted((a, b) => (a.name < b.name ? -1 : 1)),
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
  const added = { name: "new.example", policy: "", routes: [] };
  assert.is(equal(old, { ...old, hosts: [...old.hosts, added] }), false);
  assert.is(equal(old, { ...old, backends: old.backends.slice(1) }), false);
});

test("models whose names are not in order are a bug, and not a wrong delta", () => {
  const names = (...hosts: string[]): Model => {
    return {
      version: 1,
      hosts: hosts.map((name) => ({ name, policy: "", routes: [] })),
      backends: [],
      certificates: [],
      secure: [],
    };
  };
  assert.throws(() => diff(names("a"), names("c", "b")), /in order/);
});

test("a change of endpoints alone sends that backend alone", () => {
  const endpoint = { address: "10.0.0.1", port: 80, uid: "" };
  const old: Model = {
    version: 1,
    hosts: [{ name: "a.example", policy: "", routes: [route("a", 1)] }],
    backends: [
      { id: "one", endpoints: [], reason: "no ready endpoint", balance: "leastRequest", tls: null },
      { id: "two", endpoints: [endpoint], reason: "", balance: "leastRequest", tls: null },
    ],
    certificates: [],
    secure: [],
  };
  const changed: Backend = {
    id: "one",
    endpoints: [endpoint],
    reason: "",
    balance: "leastRequest",
    tls: null,
  };
  const next = { ...structuredClone(old), version: 2, backends: [changed, old.backends[1]!] };
  assert.equal(diff(old, next), { ...NOTHING, base: 1, version: 2, backends: [changed] });
});

test.run();
