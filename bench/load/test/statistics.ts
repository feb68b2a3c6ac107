import { test } from "uvu";
import * as assert from "uvu/assert";
import { estimate, median, orderOf } from "../statistics.ts";

const MEDIANS: readonly [readonly number[], number][] = [
  [[3], 3],
  [[4, 2], 3],
  [[9, 1, 5], 5],
  [[10, 9, 100, 1], 9.5],
];

for (const [values, middle] of MEDIANS) {
  test(`median of ${values.join(" ")}`, () => assert.is(median(values), middle));
}

test("two rounds are ABBA, so linear drift cancels", () => {
  const played = [...orderOf(["a", "b"], 0), ...orderOf(["a", "b"], 1)];
  assert.equal(played, ["a", "b", "b", "a"]);
});

test("an interval holds its median, and no spread has no width", () => {
  const wide = estimate([1, 1.1, 0.9, 1.3, 0.8, 1.05, 1]);
  assert.ok(wide.low <= wide.median && wide.median <= wide.high);
  assert.ok(wide.low >= 0.8 && wide.high <= 1.3);
  assert.equal(estimate([2, 2, 2]), { median: 2, low: 2, high: 2 });
});

test("the same rounds give the same interval", () => {
  const rounds = [1, 2, 4, 8, 16];
  assert.equal(estimate(rounds), estimate(rounds));
});

test.run();
