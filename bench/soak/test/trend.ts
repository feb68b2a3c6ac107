/** A leak is told from a warm-up and from the waves of a collected heap. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Random } from "../../../core/random.ts";
import { type Trend, trendOf } from "../trend.ts";

const MINUTES = 10;
const SEED = 20_261_125;

/** What a process does, its size in KiB at a minute, and the verdict over ten minutes. */
const CASES: readonly (readonly [string, (minute: number) => number, Trend["verdict"]])[] = [
  ["stands still", () => 60_000, "flat"],
  ["grows by 1 % a minute", (minute) => 60_000 + 600 * minute, "grows"],
  ["shrinks", (minute) => 60_000 - 600 * minute, "flat"],
  ["doubles in the warm-up and stands", (minute) => 30_000 * Math.min(2, 1 + minute), "flat"],
  ["grows a little, below the bound", (minute) => 60_000 + 300 * minute, "flat"],
  ["goes in waves", (minute) => 60_000 + 8_000 * (minute % 1), "flat"],
  ["goes in waves that rise", (minute) => 60_000 + 8_000 * (minute % 1) + 900 * minute, "grows"],
];

const trend = suite("trend");

for (const [what, size, verdict] of CASES) {
  trend(`what ${what} is ${verdict}`, () => {
    const noise = new Random(SEED);
    const points = Array.from({ length: MINUTES * 60 }, (_, second) => {
      return { minute: second / 60, value: size(second / 60) + noise.below(1_000) };
    });
    const found = trendOf(points);
    assert.is(found.verdict, verdict, `${found.growth}`);
    assert.ok(found.min <= found.start && found.end <= found.max);
  });
}

trend("the slope is in units a minute", () => {
  const points = Array.from({ length: 600 }, (_, second) => {
    return { minute: second / 60, value: 1_000 + 2 * second };
  });
  assert.ok(Math.abs(trendOf(points).slope - 120) < 1e-6);
});

trend("a short run is not judged", () => {
  const points = [0, 1, 2, 3].map((minute) => ({ minute, value: 100 * (minute + 1) }));
  assert.is(trendOf(points).verdict, "too short to judge");
  assert.is(trendOf(points.slice(0, 1)).slope, 0);
});

trend.run();
