import { test } from "uvu";
import * as assert from "uvu/assert";
import { Lanes } from "../lanes.ts";

function take(lanes: Lanes, count: number): (string | null)[] {
  return Array.from({ length: count }, () => lanes.take());
}

test("namespaces take turns, and in each who came first is first", () => {
  const lanes = new Lanes();
  for (let i = 0; i < 3_000; i++) lanes.add(`crowd/i${i}`);
  for (const key of ["shop/a", "shop/b", "blog/x", "shop/a"]) lanes.add(key);
  assert.is(lanes.size, 3_003);
  assert.equal(take(lanes, 6), ["crowd/i0", "shop/a", "blog/x", "crowd/i1", "shop/b", "crowd/i2"]);
  assert.is(lanes.size, 2_997);
});

test("what is taken back does not come, and all of it comes once", () => {
  const lanes = new Lanes();
  for (const key of ["a/1", "a/2", "b/1"]) lanes.add(key);
  for (const key of ["a/1", "b/1", "c/1", "a/1"]) lanes.delete(key);
  assert.equal([lanes.has("a/2"), lanes.has("a/1"), lanes.size], [true, false, 1]);
  assert.equal(take(lanes, 2), ["a/2", null]);
  lanes.add("a/1");
  lanes.clear();
  assert.equal([lanes.size, lanes.take()], [0, null]);
});

test.run();
