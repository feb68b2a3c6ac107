import { test } from "uvu";
import * as assert from "uvu/assert";
import { snapshotOf } from "../snapshot.ts";
import { Store } from "../store.ts";
import { object, service, slice } from "./fixture/objects.ts";

const NONE: ReadonlyMap<string, string> = new Map();

test("slices stand under their Service, and move when their label does", () => {
  const store = new Store();
  const names = (service: string): readonly string[] | undefined =>
    store
      .snapshot([])
      .slices.get(service)
      ?.map(({ metadata }) => metadata.name);
  for (const name of ["c", "a", "b"]) store.apply({ type: "put", object: slice(name, "s", []) });
  assert.equal(names("default/s"), ["a", "b", "c"]);
  store.apply({ type: "put", object: slice("b", "t", []) });
  assert.equal(names("default/s"), ["a", "c"]);
  assert.equal(names("default/t"), ["b"]);
  store.apply({ type: "gone", object: slice("b", "t", []) });
  assert.is(names("default/t"), undefined);
  const other = { ...slice("a", "s", []), addressType: "IPv6" };
  store.apply({ type: "put", object: other });
  assert.equal(names("default/s"), ["a", "c"]);
  assert.is(store.snapshot([]).slices.get("default/s")?.[0], other, "in the place of the old one");
});

test("the siblings of a namespace are the names of its Services", () => {
  const store = new Store();
  for (const name of ["a", "b"]) store.apply({ type: "put", object: service(name) });
  store.apply({ type: "gone", object: service("a") });
  assert.equal(store.snapshot([]).siblings.get("default"), new Set(["b"]));
  store.apply({ type: "gone", object: service("b") });
  assert.is(store.snapshot([]).siblings.has("default"), false);
});

test("findings that did not change are the same list", () => {
  const store = new Store();
  const findings = [] as const;
  const before = store.snapshot(findings).findings;
  store.apply({ type: "put", object: slice("a", "s", []) });
  assert.is(store.snapshot(findings).findings, before);
  const stray = slice("a", "s", []);
  store.apply({ type: "put", object: { ...stray, metadata: { ...stray.metadata, labels: NONE } } });
  const told = store.snapshot(findings).findings;
  assert.is(told.length, 1);
  const more = { ...stray, metadata: { ...stray.metadata, labels: NONE }, endpoints: [] };
  assert.ok(store.apply({ type: "put", object: { ...more, addressType: "IPv6" } }));
  assert.is(store.snapshot(findings).findings, told, "the finding says nothing of endpoints");
  store.apply({ type: "put", object: stray });
  assert.equal(store.snapshot(findings).findings, before);
});

test("slices are in the order of their keys, in whatever order they came", () => {
  const snapshot = snapshotOf([slice("z", "s", []), slice("y", "s", [])], []);
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
  for (const snapshot of [snapshotOf([stray], []), store.snapshot([])]) {
    assert.is(snapshot.slices.size, 0);
    assert.is(snapshot.findings[0]?.name, "stray");
  }
});

test("of two objects with one key, the first counts", () => {
  const snapshot = snapshotOf([service("a", { spec: 1 }), service("a", { spec: 2 })], []);
  assert.is(snapshot.services.get("default/a")?.["spec"], 1);
});

test.run();
