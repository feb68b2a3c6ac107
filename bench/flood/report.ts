/** Rounds of floods in, lines out. Pure. */
import { quantile } from "../cluster/report.ts";
import { estimate, median } from "../load/statistics.ts";
import { type Flood, FLOODS, type Round } from "./run.ts";

/** With clients that shake hands as they should. */
const TARGET: Readonly<{ flood: Flood; max: number }> = { flood: "full", max: 2 };

export type Line = Readonly<{ text: string; missed: boolean }>;

/** A line for each product and kind of flood, and a verdict where rind has a target. */
export function linesOf(rounds: readonly Round[]): Line[] {
  const lines: Line[] = [];
  for (const flood of FLOODS) {
    const ofKind = rounds.filter((round) => round.flood === flood);
    for (const product of new Set(ofKind.map((round) => round.product))) {
      lines.push(...productLines(ofKind.filter((round) => round.product === product)));
    }
  }
  return lines;
}

function productLines(rounds: readonly Round[]): Line[] {
  const { product, flood } = rounds[0]!;
  const name = `flood of ${flood} handshakes, ${product}`;
  const failed = rounds.reduce((sum, { quiet, flooded }) => sum + quiet.failed + flooded.failed, 0);
  const broken = rounds.reduce((sum, round) => sum + round.broken, 0);
  const lines: Line[] = [];
  if (failed > 0) lines.push({ text: `VOID ${name}: ${failed} requests failed`, missed: true });
  if (broken > 0) lines.push({ text: `note ${name}: ${broken} handshakes broke`, missed: false });
  const ratio = estimate(rounds.map((round) => p99(round.flooded.us) / p99(round.quiet.us)));
  const share = `${ratio.median.toFixed(2)} (${ratio.low.toFixed(2)}–${ratio.high.toFixed(2)})`;
  const rate = median(rounds.map(({ handshakes }) => handshakes)).toFixed(0);
  const busy = (median(rounds.map((round) => round.busy)) * 100).toFixed(0);
  const times = `quiet ${timesOf(rounds, "quiet")}, flooded ${timesOf(rounds, "flooded")}`;
  const text = `${name}: p99 × ${share}; ${times}; ${rate} a second, CPU ${busy} %`;
  if (product !== "rind" || flood !== TARGET.flood) {
    lines.push({ text: `     ${text}`, missed: false });
    return lines;
  }
  const missed = !(ratio.median <= TARGET.max);
  const goal = `p99 ≤ ${TARGET.max.toFixed(2)} × quiet`;
  lines.push({ text: `${missed ? "MISS" : "PASS"} ${text} (${goal})`, missed });
  return lines;
}

function timesOf(rounds: readonly Round[], when: "quiet" | "flooded"): string {
  const at = (part: number): string =>
    median(rounds.map((round) => quantile(round[when].us, part))).toFixed(0);
  return `p50 ${at(0.5)} p90 ${at(0.9)} p99 ${at(0.99)} µs`;
}

function p99(us: readonly number[]): number {
  return quantile(us, 0.99);
}
