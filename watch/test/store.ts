import { test } from "uvu";
import * as assert from "uvu/assert";
import { Store, type StoreEvent } from "../store.ts";
import { ingress, object, service, slice } from "./fixture/objects.ts";

const NOISE = { resourceVersion: "2", generation: 3, managedFields: [{ manager: "kubectl" }] };

/** Events from the same start, an Ingress `web` and a Service `a`: does each of them matter? */
const CASES: readonly [name: string, event: StoreEvent, matters: boolean][] = [
  ["the same again", { type: "put", object: ingress("web") }, false],
  ["noise in metadata", { type: "put", object: ingress("web", { metadata: NOISE }) }, false],
  ["status", { type: "put", object: ingress("web", { status: { loadBalancer: {} } }) }, false],
  ["another spec", { type: "put", object: ingress("web", { spec: {} }) }, true],
  ["an annotation", put({ annotations: { a: "1" } }), true],
  ["a new uid under the same name", put({ uid: "2" }), true],
  ["another namespace", put({ namespace: "shop" }), true],
  ["a deletion", { type: "gone", object: ingress("web") }, true],
  ["a deletion of what never was", { type: "gone", object: ingress("api") }, false],
  ["an equal list", { type: "replace", kind: "Ingress", objects: [ingress("web")] }, false],
  ["an empty list", { type: "replace", kind: "Ingress", objects: [] }, true],
  ["a list with another one", list("web", "api"), true],
  ["a list of another kind", { type: "replace", kind: "Endpoints", objects: [] }, false],
];

function put(metadata: Readonly<Record<string, unknown>>): StoreEvent {
  return { type: "put", object: ingress("web", { metadata }) };
}

function list(...names: readonly string[]): StoreEvent {
  return { type: "replace", kind: "Ingress", objects: names.map((name) => ingress(name)) };
}

for (const [name, event, matters] of CASES) {
  test(`${name} ${matters ? "matters" : "does not matter"}`, () => {
    const store = new Store();
    store.apply({ type: "put", object: ingress("web") });
    store.apply({ type: "put", object: service("a") });
    store.changes();
    assert.is(store.apply(event), matters);
    assert.equal([...store.changes().keys()], matters ? ["Ingress"] : []);
  });
}

test("an object that did not change stays the same object", () => {
  const store = new Store();
  const first = ingress("web");
  store.apply({ type: "put", object: first });
  store.apply(list("web", "api"));
  assert.is(store.objects("Ingress").get("default/web"), first);
});

test("a list removes what it does not hold, of its kind only", () => {
  const store = new Store();
  store.apply(list("a", "b"));
  store.apply({ type: "put", object: service("a") });
  store.apply(list("b", "c"));
  assert.equal([...store.objects("Ingress").keys()].sort(), ["default/b", "default/c"]);
  assert.is(store.objects("Service").size, 1);
});

/** Edits after a Service `a` with the slice `s-1`, and what they change. */
const CHANGES: readonly [name: string, event: StoreEvent, changes: Record<string, string[]>][] = [
  [
    "a slice counts for its Service",
    { type: "put", object: slice("s-1", "a", ["10.0.0.2"]) },
    { EndpointSlice: ["default/a"] },
  ],
  [
    "a slice that changes over counts for both",
    { type: "put", object: slice("s-1", "b", ["10.0.0.1"]) },
    { EndpointSlice: ["default/a", "default/b"] },
  ],
  [
    "a slice that is gone counts for its Service, whatever the event says of it",
    { type: "gone", object: slice("s-1", "c", []) },
    { EndpointSlice: ["default/a"] },
  ],
  [
    "a new Service is a new name in its namespace",
    { type: "put", object: service("b") },
    { Service: ["default/b"], Siblings: ["default"] },
  ],
  [
    "another spec of a Service is not",
    { type: "put", object: service("a", { spec: {} }) },
    { Service: ["default/a"] },
  ],
  [
    "a list changes what differs",
    { type: "replace", kind: "Service", objects: [service("a"), service("b")] },
    { Service: ["default/b"], Siblings: ["default"] },
  ],
  [
    "a DNS name",
    { type: "name", name: "a.example", resolved: { addresses: ["10.0.0.1"], problem: "" } },
    { Name: ["a.example"] },
  ],
  ["a DNS name that never was", { type: "name", name: "a.example", resolved: null }, {}],
];

for (const [name, event, expected] of CHANGES) {
  test(`changes: ${name}`, () => {
    const store = new Store();
    store.apply({ type: "put", object: service("a") });
    store.apply({ type: "put", object: slice("s-1", "a", ["10.0.0.1"]) });
    store.changes();
    store.apply(event);
    const changes = [...store.changes()].map(([topic, keys]) => [topic, [...keys]]);
    assert.equal(Object.fromEntries(changes), expected);
    assert.is(store.changes().size, 0, "each change is told once");
  });
}

test("that a Secret is not there is a change once", () => {
  const store = new Store();
  const absent = (known: boolean): StoreEvent => {
    return { type: "absent", kind: "Secret", key: "default/tls", known };
  };
  const told = [absent(false), absent(true), absent(true), absent(false), absent(false)];
  assert.equal(
    told.map((event) => store.apply(event)),
    [false, true, false, true, false],
  );
  assert.equal([...store.changes()], [["Secret", new Set(["default/tls"])]]);
});

test("names from Object.prototype are names like any other", () => {
  const store = new Store();
  const event: StoreEvent = { type: "put", object: service("constructor") };
  assert.is(store.objects("Service").get("default/constructor"), undefined);
  assert.is(store.apply(event), true);
  assert.is(store.apply(event), false);
});

test("one object under two API versions is one object", () => {
  const store = new Store();
  store.apply({ type: "put", object: ingress("web") });
  const old = object({
    apiVersion: "extensions/v1beta1",
    kind: "Ingress",
    metadata: { name: "web" },
  });
  assert.is(store.apply({ type: "put", object: old }), true);
  assert.is(store.objects("Ingress").size, 1);
});

test.run();
