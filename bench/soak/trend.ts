/**
 * Whether a row of numbers grows: a least-squares line through what follows the warm-up. It goes
 * through the lowest of each half minute: a heap grows until it is collected, and what a collection
 * leaves is what is kept.
 */

/** Part of the time that a process needs to reach its working size. */
const WARM_UP = 1 / 3;
/** Growth over the judged time that is still called none, as part of the mean. */
const GROWTH_MAX = 0.05;
const WINDOW_MINUTES = 0.5;
/** Shorter runs show the waves of the heap, not the tide. */
const JUDGED_MINUTES_MIN = 4;

export type Point = Readonly<{ minute: number; value: number }>;

/** `slope` in units a minute; `growth` is its part of the mean over the judged time. */
export type Trend = Readonly<{
  start: number;
  end: number;
  min: number;
  max: number;
  slope: number;
  growth: number;
  verdict: "flat" | "grows" | "too short to judge";
}>;

/**
 * The trend of at least one point, in the order of time. `whole` is what growth is a part of: the
 * mean of the points themselves when it is left out.
 */
export function trendOf(points: readonly Point[], whole?: number): Trend {
  const values = points.map(({ value }) => value);
  const first = points[0]!;
  const last = points.at(-1)!;
  const warm = first.minute + (last.minute - first.minute) * WARM_UP;
  const judged = lowest(points.filter(({ minute }) => minute >= warm));
  const mean = meanOf(judged.map(({ value }) => value));
  const minutes = last.minute - warm;
  const slope = slopeOf(judged, mean);
  const growth = mean === 0 ? 0 : (slope * minutes) / (whole ?? mean);
  const short = minutes < JUDGED_MINUTES_MIN;
  return {
    start: first.value,
    end: last.value,
    min: Math.min(...values),
    max: Math.max(...values),
    slope,
    growth,
    verdict: short ? "too short to judge" : growth > GROWTH_MAX ? "grows" : "flat",
  };
}

/** The lowest point of each window, in the order of time. */
function lowest(points: readonly Point[]): Point[] {
  const windows = new Map<number, Point>();
  for (const point of points) {
    const window = Math.floor(point.minute / WINDOW_MINUTES);
    const known = windows.get(window);
    if (known === undefined || point.value < known.value) windows.set(window, point);
  }
  return [...windows.values()];
}

function slopeOf(points: readonly Point[], mean: number): number {
  const middle = meanOf(points.map(({ minute }) => minute));
  let spread = 0;
  let together = 0;
  for (const { minute, value } of points) {
    spread += (minute - middle) ** 2;
    together += (minute - middle) * (value - mean);
  }
  return spread === 0 ? 0 : together / spread;
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
