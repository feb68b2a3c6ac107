import { test } from "uvu";
import * as assert from "uvu/assert";
import { Turns } from "../turns.ts";

const REST_MS = 10_000;

test("one object of a small namespace does not wait for ten thousand of another", () => {
  const turns = new Turns();
  for (let i = 0; i < 10_000; i++) turns.add(`crowd/secret-${i}`);
  turns.add("shop/tls");
  const taken = [0, 50, 100].map((now) => turns.take(now, REST_MS));
  assert.equal(taken, ["crowd/secret-0", "shop/tls", "crowd/secret-1"]);
});

test("who had a turn comes again after its rest, in the same order", () => {
  const turns = new Turns();
  for (const key of ["a/1", "a/2", "b/1"]) turns.add(key);
  const take = (now: number): string | null => turns.take(now, REST_MS);
  assert.equal([0, 1, 2, 3, 9_999].map(take), ["a/1", "b/1", "a/2", null, null]);
  assert.equal([10_000, 10_001, 10_002, 10_003].map(take), ["a/1", "b/1", "a/2", null]);
});

test("who comes anew does not wait for those who had their turn", () => {
  const turns = new Turns();
  for (const key of ["a/1", "a/2"]) turns.add(key);
  const take = (now: number): string | null => turns.take(now, REST_MS);
  assert.equal([0, 9_000].map(take), ["a/1", "a/2"]);
  turns.add("a/3");
  assert.not.ok(turns.settled());
  assert.equal([10_000, 10_001].map(take), ["a/3", "a/1"]);
  assert.ok(turns.settled());
});

test("who is gone has no turn, and who comes anew has one at once", () => {
  const turns = new Turns();
  for (const key of ["a/1", "a/2"]) turns.add(key);
  assert.is(turns.take(0, REST_MS), "a/1");
  turns.delete("a/1");
  turns.delete("a/2");
  turns.delete("a/3");
  assert.is(turns.take(1, REST_MS), null);
  turns.add("a/1");
  assert.is(turns.take(2, REST_MS), "a/1");
});

test.run();
