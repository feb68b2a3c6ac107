/** A target that is missed is seen to be missed. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { linesOf, quantile } from "../report.ts";
import type { Result } from "../run.ts";

const GOOD: Result = {
  size: { ingresses: 10, services: 10, endpoints: 40 },
  servingMs: 3_000,
  rssMib: 238,
  rssStartMib: 238,
  rssPeakMib: 999,
  objectMs: [30, 1],
  endpointMs: [20, 1],
  waitedMs: 9_999,
  idleCores: 0,
  churnCores: 0.3,
  churned: 10_000,
  churnSeconds: 20,
  client: { requests: 100, failed: 0, examples: [] },
};

/** One figure a little beyond its target, and the line that says so. */
const MISSES: readonly (readonly [Partial<Result>, string])[] = [
  [{ servingMs: 3_000.1 }, "to serving"],
  [{ rssMib: 239 }, "once settled"],
  [{ rssStartMib: Number.NaN }, "highest until then"],
  [{ objectMs: [30.1] }, "object change live in every worker, p99"],
  [{ endpointMs: [] }, "endpoint change live in every worker, p99"],
  [{ churnCores: 0.31 }, "churn"],
  [{ client: { requests: 100, failed: 1, examples: ["why"] } }, "1 of 100 failed"],
];

test("all targets are met at their very values", () => {
  assert.not.ok(linesOf(GOOD).some(({ missed }) => missed));
});

for (const [bad, what] of MISSES) {
  test(`missed: ${what}`, () => {
    const missed = linesOf({ ...GOOD, ...bad }).filter(({ missed }) => missed);
    assert.is(missed.length, 1);
    assert.ok(missed[0]!.text.includes(what), missed[0]!.text);
    assert.match(missed[0]!.text, "MISSED");
  });
}

test("a quantile is one of the values, and no smaller than its part of them", () => {
  const values = Array.from({ length: 200 }, (_, i) => 200 - i);
  assert.is(quantile(values, 0.5), 100);
  assert.is(quantile(values, 0.99), 198);
  assert.is(quantile([7], 0.99), 7);
  assert.ok(Number.isNaN(quantile([], 0.5)));
});

test.run();
