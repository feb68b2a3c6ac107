/** A result in lines, against its targets. Pure. */
import { quantile } from "../cluster/report.ts";
import type { Result } from "./run.ts";
import type { Start } from "./start.ts";

const COUNT = 2_000;
/** Of COUNT certificates. */
const SERVED_MS_MAX = 1_000;
const WORKER_MB_MAX = 50;
/** Of one more, on a CPU on its way from a file to a handshake. */
const SINGLE_MS_MAX = 5;

export type Line = Readonly<{ text: string; missed: boolean }>;

/** A line for each figure. Targets are for COUNT certificates, and for no other number. */
export function linesOf(result: Result): Line[] {
  const { count, wrong, singleMs } = result;
  const judged = count === COUNT;
  const heavier = result.workerAfterMb - result.workerBeforeMb;
  const single = (part: number): string => quantile(singleMs, part).toFixed(1);
  return [
    line(`${count} certificates, all served`, result.servedMs, {
      most: judged ? SERVED_MS_MAX : Infinity,
      unit: "ms",
    }),
    plain(`  on a CPU: ${ms(result.cpuMs)}, of which the worker ${ms(result.workerCpuMs)}`),
    line("names with another's certificate", wrong, { most: 0, unit: "names" }),
    line("memory of the worker, more", heavier, {
      most: judged ? WORKER_MB_MAX : Infinity,
      unit: "MB",
    }),
    plain(`  before ${mb(result.workerBeforeMb)}, after ${mb(result.workerAfterMb)}`),
    plain(`  the supervisor then: ${mb(result.supervisorAfterMb)}`),
    line("one more, work until it is shown", result.singlePathMs, {
      most: SINGLE_MS_MAX,
      unit: "ms",
    }),
    plain(
      `  of which the worker ${ms(result.singleWorkerMs)}; all threads ${ms(result.singleCpuMs)}`,
    ),
    plain(`  until a handshake shows it: p50 ${single(0.5)} ms, p99 ${single(0.99)} ms`),
  ];
}

/** A line for each start behind an API server; it is missed when a client was shown another's. */
export function startLines(starts: readonly Start[]): Line[] {
  return starts.map(({ reading, ms, early, wrong }) => {
    const what = `start behind an API server, Secrets read as ${reading}: ${ms.toFixed(0)} ms`;
    const first = early
      ? "the first client was shown another's"
      : "the first client was shown its own";
    const missed = early || wrong > 0;
    return { text: `${missed ? "MISS" : "PASS"} ${what}; ${first}, ${wrong} wrong`, missed };
  });
}

function line(
  what: string,
  value: number,
  { most, unit }: Readonly<{ most: number; unit: string }>,
): Line {
  const missed = !(value <= most);
  const figure = `${what}: ${Number.isInteger(value) ? value : value.toFixed(1)} ${unit}`;
  if (most === Infinity) return plain(`     ${figure}`);
  return { text: `${missed ? "MISS" : "PASS"} ${figure} (≤ ${most} ${unit})`, missed };
}

function plain(text: string): Line {
  return { text, missed: false };
}

function ms(value: number): string {
  return `${value.toFixed(2)} ms`;
}

function mb(value: number): string {
  return `${value.toFixed(1)} MB`;
}
