import { test } from "uvu";
import * as assert from "uvu/assert";
import { Camera, snapshotOf } from "../snapshot.ts";
import { Store } from "../store.ts";
import { ingress, object, service, slice } from "./fixture/objects.ts";

test("a kind that did not change keeps its collection", () => {
  const store = new Store();
  const camera = new Camera(store);
  store.apply({ type: "put", object: ingress("web") });
  store.apply({ type: "put", object: slice("a-1", "a", ["10.0.0.1"]) });
  const before = camera.take([]);
  store.apply({ type: "put", object: slice("a-1", "a", ["10.0.0.2"]) });
  const after = camera.take([]);
  assert.is(after.ingresses, before.ingresses);
  assert.is(after.services, before.services);
  assert.is(after.classes, before.classes);
  assert.is(after.endpoints, before.endpoints);
  assert.is.not(after.slices, before.slices);
});

test("a snapshot does not change when the store does", () => {
  const store = new Store();
  const camera = new Camera(store);
  store.apply({ type: "put", object: service("a") });
  const before = camera.take([]);
  store.apply({ type: "put", object: service("b") });
  assert.equal([...before.services.keys()], ["default/a"]);
  assert.equal([...camera.take([]).services.keys()], ["default/a", "default/b"]);
});

test("lists are in the order of their keys, in whatever order the objects came", () => {
  const snapshot = snapshotOf(
    [ingress("b"), slice("z", "s", []), ingress("a"), slice("y", "s", [])],
    [],
  );
  assert.equal(
    snapshot.ingresses.map(({ metadata }) => metadata.name),
    ["a", "b"],
  );
  assert.equal(
    snapshot.slices.get("default/s")?.map(({ metadata }) => metadata.name),
    ["y", "z"],
  );
});

test("a slice without the label of its service is a finding", () => {
  const stray = object({
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name: "stray" },
  });
  const store = new Store();
  store.apply({ type: "put", object: stray });
  for (const snapshot of [snapshotOf([stray], []), new Camera(store).take([])]) {
    assert.is(snapshot.slices.size, 0);
    assert.is(snapshot.findings[0]?.name, "stray");
  }
});

test("of two objects with one key, the first counts", () => {
  const snapshot = snapshotOf([service("a", { spec: 1 }), service("a", { spec: 2 })], []);
  assert.is(snapshot.services.get("default/a")?.["spec"], 1);
});

test.run();
