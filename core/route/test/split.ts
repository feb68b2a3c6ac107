import { test } from "uvu";
import * as assert from "uvu/assert";
import { NONE, type Weighted } from "../../model.ts";
import { compileSplit, pick, resume, shareCursors, type Split } from "../split.ts";
import { seeded } from "./random.cases.ts";

const random = seeded();

/** Backends are numbered 100, 101, … by their place in the split. */
function splitOf(weights: readonly number[], cursor: number = NONE, route = "r"): Split {
  const shares = weights.map((weight, i): Weighted => ({ backend: `${100 + i}`, weight }));
  return compileSplit(shares, Number, { route, cursor });
}

function picks(split: Split, count: number): number[] {
  return Array.from({ length: count }, () => pick(split) - 100);
}

function counts(made: readonly number[], shares: number): number[] {
  const counted = new Array<number>(shares).fill(0);
  for (const share of made) counted[share]!++;
  return counted;
}

test.after.each(() => shareCursors(null));

test("a period from anywhere is exact", () => {
  for (const weights of [
    [50, 25, 25],
    [89, 11],
    [1, 1],
    [3, 0, 1],
  ]) {
    const split = splitOf(weights);
    picks(split, random.below(1_000));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    assert.equal(counts(picks(split, total), weights.length), weights);
  }
});

test("100 requests to 50/25/25 are 50, 25 and 25, and any 4 in a row 2, 1 and 1", () => {
  const made = picks(splitOf([50, 25, 25]), 100);
  assert.equal(counts(made, 3), [50, 25, 25]);
  for (let start = 0; start + 4 <= made.length; start++) {
    assert.equal(counts(made.slice(start, start + 4), 3), [2, 1, 1]);
  }
});

test("all weights zero picks nobody", () => {
  assert.is(pick(splitOf([0, 0])), NONE);
  assert.is(pick(splitOf([])), NONE);
});

test("one share alone is always picked", () => {
  assert.equal(picks(splitOf([0, 4, 0]), 3), [1, 1, 1]);
});

test("over shared counters several workers are as exact as one", () => {
  const cursors = new Int32Array(new SharedArrayBuffer(4 * 8));
  shareCursors(cursors);
  const workers = [0, 1, 2].map(() => splitOf([89, 11], 5));
  const made = Array.from({ length: 100 }, () => pick(random.one(workers)) - 100);
  assert.equal(counts(made, 2), [89, 11]);
  assert.is(cursors[5], 100);
  assert.is(
    cursors.reduce((sum, count) => sum + count, 0),
    100,
    "no other counter moved",
  );
});

test("a shared counter beyond 2^31 and 2^32 goes on", () => {
  const cursors = Int32Array.of(2 ** 31 - 2);
  shareCursors(cursors);
  const split = splitOf([50, 25, 25], 0);
  assert.equal(counts(picks(split, 8), 3), [4, 2, 2], "signed in the array, unsigned here");
  cursors[0] = -2;
  for (const share of picks(split, 8)) assert.ok(share >= 0 && share < 3);
});

test("without shared counters, or beyond them, a worker counts alone", () => {
  const cursors = new Int32Array(2);
  const alone = splitOf([50, 25, 25], 1);
  assert.equal(counts(picks(alone, 4), 3), [2, 1, 1]);
  shareCursors(cursors);
  assert.equal(counts(picks(splitOf([50, 25, 25], 2), 4), 3), [2, 1, 1]);
  assert.equal(counts(picks(splitOf([50, 25, 25], NONE), 4), 3), [2, 1, 1]);
  assert.equal([...cursors], [0, 0]);
});

test("a longer period is kept by the worker, exactly", () => {
  const weights = [7_001, 2_003, 996];
  const split = splitOf(weights);
  assert.equal(counts(picks(split, 10_000), 3), weights);
});

test("the same weights go on as if nothing had happened", () => {
  for (const weights of [
    [50, 25, 25],
    [89, 11],
    [7_001, 2_003, 996],
  ]) {
    const plain = splitOf(weights);
    const expected = picks(plain, 500);
    let split = splitOf(weights);
    const made: number[] = [];
    while (made.length < 500) {
      made.push(...picks(split, 1 + random.below(9)));
      const next = splitOf(weights.map((weight) => weight * 3));
      resume(next, split);
      split = next;
    }
    assert.equal(made.slice(0, 500), expected, `${weights}`);
  }
});

test("each change of weights costs a share less than two requests, with two shares one", () => {
  const families = [
    {
      sets: [
        [99, 1],
        [98, 2],
        [95, 5],
        [50, 50],
        [89, 11],
      ],
      allowed: 1,
    },
    {
      sets: [
        [50, 25, 25],
        [60, 20, 20],
        [7_001, 2_003, 996],
        [98, 1, 1],
      ],
      allowed: 2,
    },
  ];
  for (const { sets, allowed } of families) {
    let split = splitOf(sets[0]!);
    for (let change = 0; change < 300; change++) {
      const weights = random.one(sets);
      const next = splitOf(weights);
      resume(next, split);
      split = next;
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      const off = weights.map(() => 0);
      for (const share of picks(split, 1 + random.below(120))) {
        weights.forEach((weight, i) => (off[i]! += weight / total - (share === i ? 1 : 0)));
        for (const one of off) assert.ok(Math.abs(one) < allowed, `${weights}: ${one}`);
      }
    }
  }
});

test("a canary is not starved by weights that change before its turn", () => {
  let split = splitOf([99, 1]);
  let canary = 0;
  for (let change = 0; change < 1_000; change++) {
    const next = splitOf(change % 2 === 0 ? [98, 2] : [99, 1]);
    resume(next, split);
    split = next;
    canary += counts(picks(split, 10), 2)[1]!;
  }
  assert.ok(canary > 75 && canary < 225, `${canary} of 10000, about 150 are fair`);
});

test("workers that count alone start at different places", () => {
  const starts = new Set<number>();
  for (let worker = 0; worker < 8; worker++) {
    shareCursors(null, worker);
    starts.add(splitOf([99, 1]).at);
  }
  assert.is(starts.size, 8);
});

test.run();
