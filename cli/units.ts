/** Times, sizes and counts as people write them: `30s`, `64k`, `500`. */
import type { Limits, LIMITS } from "../core/limits.ts";

export type Unit = (typeof LIMITS)[keyof Limits]["unit"];

/** From the largest: `show` takes the first that leaves no rest. */
const TIMES: readonly (readonly [string, number])[] = [
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1_000],
  ["ms", 1],
];
const SIZES: readonly (readonly [string, number])[] = [
  ["m", 1_048_576],
  ["k", 1_024],
  ["", 1],
];
const PLAIN: readonly (readonly [string, number])[] = [["", 1]];

/** What may stand behind a number, the last of all being the smallest, and an example. */
const UNITS: Readonly<
  Record<Unit, Readonly<{ suffixes: typeof TIMES; like: string; noun: string }>>
> = {
  time: { suffixes: TIMES, like: "30s, 500ms, 2m or 1h", noun: "a time" },
  bytes: { suffixes: SIZES, like: "65536, 64k or 1m", noun: "a size in bytes" },
  rate: { suffixes: SIZES, like: "500 or 1k", noun: "bytes a second" },
  count: { suffixes: PLAIN, like: "1024", noun: "a whole number" },
  percent: { suffixes: PLAIN, like: "20", noun: "a percentage" },
};

/** The value in the smallest unit (ms, bytes), or null when it is not one. */
export function readUnit(unit: Unit, text: string): number | null {
  const match = /^(\d{1,12})([a-z]*)$/.exec(text);
  if (match === null) return null;
  const suffix = UNITS[unit].suffixes.find(([name]) => name === match[2]);
  return suffix === undefined ? null : Number(match[1]) * suffix[1];
}

/** As `readUnit` would read it, and as short as it can be. */
export function showUnit(unit: Unit, value: number): string {
  const { suffixes } = UNITS[unit];
  const found = suffixes.find(([, factor]) => value >= factor && value % factor === 0);
  return found === undefined ? `${value}${suffixes.at(-1)![0]}` : `${value / found[1]}${found[0]}`;
}

/** `a time such as 30s, …`: what was expected instead. */
export function describeUnit(unit: Unit): string {
  return `${UNITS[unit].noun} such as ${UNITS[unit].like}`;
}
