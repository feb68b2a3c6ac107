import { test } from "uvu";
import * as assert from "uvu/assert";
import { NONE } from "../../model.ts";
import { compileSchedule, RUNNING, type Schedule, shareAt, step } from "../schedule.ts";
import { seeded } from "./random.cases.ts";

const random = seeded();

/** How far a schedule is followed when its period is longer. */
const REQUESTS = 300_000;

/** The shares of the first `count` requests, whatever the form. */
function picks(schedule: Schedule, count: number): number[] {
  const debts = new Float64Array(schedule.weights.length);
  const made: number[] = [];
  for (let n = 0; n < count; n++) {
    made.push(
      schedule.form === RUNNING ? step(schedule, debts) : shareAt(schedule, n % schedule.period),
    );
  }
  return made;
}

/**
 * Asserts |x − n·w/W| ≤ 1 − 1/(2k − 2) after every request, in whole numbers: D·|W·x − n·w| ≤
 * (D − 1)·W with D = 2k − 2. After a whole period nobody is owed anything.
 */
function assertBound(weights: readonly number[]): void {
  const schedule = compileSchedule(weights);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const d = 2 * weights.filter((weight) => weight > 0).length - 2;
  const count = Math.min(schedule.period, REQUESTS);
  const made = picks(schedule, count);
  const owed = new Float64Array(weights.length);
  for (let n = 0; n < count; n++) {
    for (let i = 0; i < weights.length; i++) {
      owed[i]! += weights[i]! - (made[n] === i ? total : 0);
      if (d * Math.abs(owed[i]!) > (d - 1) * total) {
        assert.unreachable(`share ${i} of ${weights} is off by ${owed[i]}/${total} after ${n + 1}`);
      }
    }
  }
  const nothing = weights.map(() => 0);
  if (count === schedule.period) assert.equal([...owed], nothing, "a whole period");
}

const SPLITS: readonly (readonly number[])[] = [
  [89, 11],
  [11, 89],
  [99, 1],
  [1, 1],
  [73, 27],
  [50, 25, 25],
  [60, 25, 10, 5],
  [98, 1, 1],
  [333, 333, 334],
  [999_999, 1],
  [999_983, 17],
  [123_457, 7, 91_234, 1],
  [1_000_000, 999_999, 999_998],
  [100, ...Array.from({ length: 15 }, () => 1)],
  Array.from({ length: 16 }, (_, i) => 2 ** i),
  [2_147_483_647, 2_147_483_629],
  [2_147_483_647, 1, 2_147_483_629],
  [0, 3, 0, 2, 0],
  Array.from({ length: 300 }, (_, i) => i % 7),
];

for (const weights of SPLITS) {
  const name = weights.length > 16 ? `${weights.length} shares` : weights.join("/");
  test(`${name} stay within the bound after every request`, () => assertBound(weights));
}

test("every split of 100 into two is within half a request", () => {
  for (let weight = 1; weight < 100; weight++) assertBound([weight, 100 - weight]);
});

test("random splits of up to 16 shares stay within the bound", () => {
  for (let round = 0; round < 120; round++) {
    const top = random.one([3, 10, 100, 1_000, 100_000]);
    const weights = Array.from({ length: 2 + random.below(15) }, () => random.below(top));
    if (weights.filter((weight) => weight > 0).length < 2) continue;
    const period = weights.reduce((sum, weight) => sum + weight, 0);
    if (period <= 20_000 || round % 10 === 0) assertBound(weights);
  }
});

test("any 4 in a row of 50/25/25 are 2/1/1", () => {
  const made = picks(compileSchedule([50, 25, 25]), 400);
  for (let start = 0; start + 4 <= made.length; start++) {
    assert.equal(
      made
        .slice(start, start + 4)
        .toSorted()
        .join(""),
      "0012",
      `from ${start}`,
    );
  }
});

test("89/11 serves the 11 every ninth time or so, not after a run of 79", () => {
  const made = picks(compileSchedule([89, 11]), 200).join("");
  assert.is(made.indexOf("1"), 4);
  assert.is(Math.max(...made.split("1").map((run) => run.length)), 9);
  assert.not.match(made, "11");
});

test("any run of requests from two shares is rounded down or up, never more", () => {
  for (const [a, b] of [
    [89, 11],
    [50, 50],
    [997, 3],
  ] as const) {
    const made = picks(compileSchedule([a, b]), 2 * (a + b));
    for (let start = 0; start < a + b; start++) {
      let second = 0;
      for (let size = 1; size <= a + b; size++) {
        second += made[start + size - 1]!;
        assert.ok(
          Math.abs(second * (a + b) - size * b) < a + b,
          `${a}/${b}: ${size} from ${start}`,
        );
      }
    }
  }
});

test("weights of one ratio share one period", () => {
  const schedules = [
    [50, 25, 25],
    [2, 1, 1],
    [200, 100, 100],
  ].map(compileSchedule);
  for (const schedule of schedules) {
    assert.is(schedule.period, 4);
    assert.is(schedule.slots, schedules[0]!.slots);
  }
  const shifted = compileSchedule([0, 2, 1, 1]);
  assert.equal(
    picks(shifted, 8),
    picks(schedules[0]!, 8).map((share) => share + 1),
  );
});

test("nobody with weight zero is picked, and nobody at all when all are zero", () => {
  for (const weights of [
    [0, 3, 0, 2],
    [0, 1, 1, 2],
    [0, 5_000, 0, 1, 70],
  ]) {
    for (const share of picks(compileSchedule(weights), 10_000)) assert.ok(weights[share]! > 0);
  }
  assert.is(shareAt(compileSchedule([0, 0]), 0), NONE);
  assert.is(shareAt(compileSchedule([]), 0), NONE);
  assert.is(shareAt(compileSchedule([0, 7]), 0), 1);
});

test("what is no weight is a broken model", () => {
  for (const weights of [[-1, 2], [0.5, 1], [Number.NaN], [2 ** 53, 1], [2 ** 52, 2 ** 52 - 1]]) {
    assert.throws(() => compileSchedule(weights), /weights/, `${weights}`);
  }
});

test.run();
