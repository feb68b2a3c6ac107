import { test } from "uvu";
import * as assert from "uvu/assert";
import { Store, type StoreEvent } from "../store.ts";
import { ingress, object, service } from "./fixture/objects.ts";

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
    const revision = store.revision("Ingress");
    const services = store.revision("Service");
    assert.is(store.apply(event), matters);
    assert.is(store.revision("Ingress") !== revision, matters);
    assert.is(store.revision("Service"), services);
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
