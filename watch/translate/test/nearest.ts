import { test } from "uvu";
import * as assert from "uvu/assert";

import { nearest } from "../nearest.ts";

const CHEESES = ["cheddar", "stilton", "wensleydale", "brie", "edam"];

const CASES: readonly (readonly [name: string, found: string | null])[] = [
  ["wensledale", "wensleydale"],
  ["wensleydaley", "wensleydale"],
  ["wenslaydale", "wensleydale"],
  ["chedadr", "cheddar"],
  ["ched", null],
  ["stil", null],
  ["bri", "brie"],
  ["cheddar", null],
  ["", null],
  ["x", null],
  ["x".repeat(100_000), null],
];

for (const [name, found] of CASES) {
  test(`${name.slice(0, 16)} → ${found}`, () => {
    assert.is(nearest(name, CHEESES), found);
  });
}

test("among equally near names the first in the alphabet, in whatever order they come", () => {
  assert.is(nearest("webx", ["weby", "webb", "web"]), "web");
  assert.is(nearest("webx", ["web", "webb", "weby"]), "web");
});

test("fewer edits win over the alphabet", () => {
  assert.is(nearest("shop-api", ["shop-aqq", "shop-apj"]), "shop-apj");
});

test("short names do not resemble each other", () => {
  assert.is(nearest("ab", ["cd"]), null);
});

test.run();
