/** What a watch and a list say, and what is neither: then nothing may be taken from it. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { readFrame } from "../frames.ts";
import { readPage } from "../pages.ts";

const NAMED = { metadata: { name: "brie", namespace: "shop", resourceVersion: "7" } };

/** Things that an API server never writes as an object. */
const NAMELESS: readonly unknown[] = [
  null,
  7,
  "brie",
  [],
  {},
  { metadata: null },
  { metadata: {} },
  { metadata: { name: "" } },
  { metadata: { name: 7 } },
  { metadata: { name: "brie", namespace: "" } },
  { metadata: { name: "brie", namespace: 7 } },
];

function pageOf(...items: readonly unknown[]) {
  const body = { kind: "ServiceList", metadata: { resourceVersion: "9" }, items };
  return readPage({ ok: true, status: 200, body }, "Service");
}

for (const object of NAMELESS) {
  test(`an object like ${JSON.stringify(object)} spoils the list it is in, and the watch`, () => {
    for (const type of ["ADDED", "MODIFIED", "DELETED"]) {
      assert.is(readFrame(JSON.stringify({ type, object }), "Service"), null);
    }
    const page = pageOf(NAMED, object);
    assert.is(page.ok, false);
    if (!page.ok) assert.match(page.reason, "without a name");
  });
}

test("objects with names are taken, with a namespace and without one", () => {
  const node = { metadata: { name: "node" } };
  assert.is(pageOf(NAMED, node).ok, true);
  assert.is(pageOf().ok, true);
  const frame = readFrame(JSON.stringify({ type: "ADDED", object: NAMED }), "Service");
  assert.equal(frame, { type: "put", raw: NAMED, version: "7" });
});

test("what is of another kind is not taken for what was asked for", () => {
  for (const type of ["ADDED", "MODIFIED", "DELETED", "BOOKMARK"]) {
    const line = (kind: string) => JSON.stringify({ type, object: { ...NAMED, kind } });
    assert.is(readFrame(line("Pod"), "Service"), null);
    assert.ok(readFrame(line("Service"), "Service"));
  }
  const metadata = { resourceVersion: "9" };
  for (const kind of ["PodList", "List", "PartialObjectMetadataList", "Table", "Service", 7]) {
    const page = readPage(
      { ok: true, status: 200, body: { kind, metadata, items: [] } },
      "Service",
    );
    assert.is(page.ok || page.reason, "the answer to a list is no ServiceList");
  }
});

const BARE = { metadata: { name: "a" } };
const WHOLE = { "k8s.io/initial-events-end": "true" };
const END = { metadata: { resourceVersion: "9", annotations: WHOLE } };
const PLAIN = { code: 500, reason: "the watch ended with an error", retryAfterMs: null };
const LONG = { code: 429, message: "x".repeat(9_000), details: { retryAfterSeconds: 1e9 } };

/** What a line says; null: it is none, and so nothing after it is sure. */
const ROWS: readonly [name: string, line: unknown, frame: object | null][] = [
  ["an addition", { type: "ADDED", object: NAMED }, { type: "put", raw: NAMED, version: "7" }],
  ["a change", { type: "MODIFIED", object: NAMED }, { type: "put", raw: NAMED, version: "7" }],
  ["an end", { type: "DELETED", object: NAMED }, { type: "gone", raw: NAMED, version: "7" }],
  ["a place", { type: "BOOKMARK", object: NAMED }, { type: "mark", version: "7", whole: false }],
  ["a whole list", { type: "BOOKMARK", object: END }, { type: "mark", version: "9", whole: true }],
  ["no version", { type: "ADDED", object: BARE }, { type: "put", raw: BARE, version: "" }],
  [
    "an error without a word",
    { type: "ERROR", object: { code: 500 } },
    { type: "error", ...PLAIN },
  ],
  ["an error that is none", { type: "ERROR" }, { type: "error", ...PLAIN, code: 0 }],
  [
    "an error that asks for years of patience, at length",
    { type: "ERROR", object: LONG },
    { type: "error", code: 429, reason: "x".repeat(400), retryAfterMs: 300_000 },
  ],
  ["a type that nobody knows", { type: "RENAMED", object: NAMED }, null],
  ["a list", [], null],
  ["nothing", null, null],
];

for (const [name, line, frame] of ROWS) {
  test(`a line: ${name}`, () => assert.equal(readFrame(JSON.stringify(line), "Service"), frame));
}

test("a line that is no JSON", () => assert.is(readFrame('{"type":"ADDED"', "Service"), null));

test.run();
