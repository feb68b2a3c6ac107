/** Samples in, sentences out: a Markdown table and a verdict on every promise. Pure. */
import { type Sample } from "./measure.ts";
import { HOSTS, type ProductName, type Row, WORKER_RSS_MB_MAX } from "./rows.ts";
import { type Estimate, estimate, median } from "./statistics.ts";

const STEAL_MAX = 0.01;
const WAITING_MAX = 0.05;
const COLUMNS: readonly ProductName[] = [
  "floor",
  "rind",
  "rind-peek",
  "nginx",
  "nginx-big",
  "haproxy",
];

/** One line a promise; `passed` when none is missed and nothing is void. */
export type Verdicts = Readonly<{ lines: readonly string[]; passed: boolean }>;

/** CPU microseconds a piece, median of the rounds; in brackets rind's ratio to that product. */
export function table(rows: readonly Row[], samples: readonly Sample[]): string {
  const lines = [
    "",
    "CPU-µs a request or a handshake (median of rounds); [rind ÷ product, 95 % interval]",
    "",
    `| row | ${COLUMNS.join(" | ")} | rind RSS / PSS MB |`,
    `|---|${COLUMNS.map(() => "---:").join("|")}|---:|`,
  ];
  for (const row of rows) {
    const cells = COLUMNS.map((name) => cell(row, name, samples));
    lines.push(`| ${row.name} | ${cells.join(" | ")} | ${memoryCell(row, samples)} |`);
  }
  return lines.join("\n") + "\n";
}

/** PASS or MISS for every target, VOID for every row with a fault, and notes on doubtful rounds. */
export function judge(rows: readonly Row[], samples: readonly Sample[]): Verdicts {
  const lines: string[] = [];
  let passed = true;
  for (const row of rows) {
    const own = samples.filter((sample) => sample.row === row.name);
    for (const sample of own.filter((s) => s.fault !== null)) {
      lines.push(`VOID ${row.name} ${sample.product} round ${sample.round + 1}: ${sample.fault}`);
      passed = false;
    }
    for (const target of row.targets) {
      const ratio = ratioOf(row, target.than, samples);
      if (ratio === null) {
        lines.push(`---- ${row.name}: rind or ${target.than} did not run`);
        continue;
      }
      const kept = ratio.median <= target.max;
      if (!kept) passed = false;
      const goal = `≤ ${target.max.toFixed(2)} × ${target.than}`;
      lines.push(`${kept ? "PASS" : "MISS"} ${row.name}: ${show(ratio)} (${goal})`);
    }
    lines.push(...doubts(row, own));
  }
  const clear = rssMbOf(rows.filter(isClear), samples);
  if (clear > 0) {
    const kept = clear <= WORKER_RSS_MB_MAX;
    if (!kept) passed = false;
    const goal = `≤ ${WORKER_RSS_MB_MAX} MB`;
    lines.push(`${kept ? "PASS" : "MISS"} worker RSS at most ${clear.toFixed(1)} MB (${goal})`);
  }
  const secure = rssMbOf(
    rows.filter((row) => !isClear(row)),
    samples,
  );
  if (secure > 0) lines.push(`note worker RSS at most ${secure.toFixed(1)} MB over TLS`);
  return { lines, passed };
}

/** Whether a row is without TLS on both sides, which is what the promise about memory is for. */
function isClear(row: Row): boolean {
  return row.kind === "requests" && !row.secure && row.host !== HOSTS.backend;
}

/** The most that rind's worker weighed after any of these rows; 0 when it did not run. */
function rssMbOf(rows: readonly Row[], samples: readonly Sample[]): number {
  const names = new Set(rows.map(({ name }) => name));
  const own = ofRind(samples).filter((sample) => names.has(sample.row));
  return Math.max(0, ...own.map((sample) => toMb(sample.memory?.rssKib ?? 0)));
}

/** rind's cost over `than`'s, round by round; `null` when one of them has no sound sample. */
function ratioOf(row: Row, than: ProductName, samples: readonly Sample[]): Estimate | null {
  const ratios: number[] = [];
  for (const rind of ofRind(samples)) {
    if (rind.row !== row.name || rind.fault !== null) continue;
    const other = samples.find(
      (s) => s.row === row.name && s.product === than && s.round === rind.round,
    );
    if (other?.fault === null) ratios.push(rind.microseconds / other.microseconds);
  }
  return ratios.length === 0 ? null : estimate(ratios);
}

function cell(row: Row, name: ProductName, samples: readonly Sample[]): string {
  const own = samples.filter((s) => s.row === row.name && s.product === name);
  if (own.length === 0) return "–";
  if (own.some((s) => s.fault !== null)) return "VOID";
  const cost = median(own.map((s) => s.microseconds)).toFixed(2);
  const ratio = name === "rind" ? null : ratioOf(row, name, samples);
  return ratio === null ? cost : `${cost} [${show(ratio)}]`;
}

function memoryCell(row: Row, samples: readonly Sample[]): string {
  const last = ofRind(samples).findLast((s) => s.row === row.name && s.memory !== null);
  if (last === undefined || last.memory === null) return "–";
  return `${toMb(last.memory.rssKib).toFixed(1)} / ${toMb(last.memory.pssKib).toFixed(1)}`;
}

/** What makes a reader trust a row less, said out loud. */
function doubts(row: Row, own: readonly Sample[]): string[] {
  const lines: string[] = [];
  const stolen = own.filter((s) => s.steal > STEAL_MAX).length;
  if (stolen > 0) lines.push(`note ${row.name}: ${stolen} rounds lost over 1 % to the hypervisor`);
  const crowded = own.filter((s) => s.waiting > WAITING_MAX).length;
  if (crowded > 0) {
    lines.push(`note ${row.name}: in ${crowded} of ${own.length} samples others used the CPU too`);
  }
  const busy = median(own.map((s) => s.loadBusy));
  if (own.length > 0) {
    lines.push(`note ${row.name}: generator's CPU ${(busy * 100).toFixed(0)} % busy`);
  }
  return lines;
}

function toMb(kib: number): number {
  return (kib * 1024) / 1e6;
}

function ofRind(samples: readonly Sample[]): readonly Sample[] {
  return samples.filter((sample) => sample.product === "rind");
}

function show(ratio: Estimate): string {
  return `${ratio.median.toFixed(3)} (${ratio.low.toFixed(3)}–${ratio.high.toFixed(3)})`;
}
