/** One sample: a product under one row's load for seconds, and what the kernel says it cost. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Contestant, LOAD_CPU, PRODUCT_CPU, runLoad } from "./arena.ts";
import { cpuOf, type CpuTicks, type Memory, memoryOf, ticksOf } from "./cpu.ts";
import { OUT } from "./products.ts";
import { type ProductName, type Row } from "./rows.ts";
import { type Counts, faultOf, parseCounts, scriptOf, wrkCommand } from "./wrk.ts";

const NOTHING: Counts = { requests: 0, bytes: 0, refused: 0, broken: 0, late: 0, bad: 0 };

/** Ticks are 10 ms long: what two readings of a few processes may differ by at both ends. */
const TICK_ERROR_NS = 40e6;
/** Clients that shake hands at the same time. */
const HANDSHAKES_AT_ONCE = 16;
/** wrk ends by itself; a wrk that does not is killed, and the round is void. */
const GRACE_SECONDS = 20;

export type Sample = Readonly<{
  row: string;
  product: ProductName;
  round: number;
  requests: number;
  /** CPU microseconds a request or a handshake, over the product's whole process tree. */
  microseconds: number;
  /** How much of it was used by threads that had ended before anybody could read their clock. */
  hiddenMicroseconds: number;
  /** Of the serving process, after the load; `null` when it is gone. */
  memory: Memory | null;
  /** Share of the round that the product was ready and waited for its CPU: neighbours were busy. */
  waiting: number;
  /** Shares of 1: taken from the product's CPU by the hypervisor, and how busy both CPUs were. */
  steal: number;
  loadBusy: number;
  productBusy: number;
  /** Why the sample is void, or `null`. */
  fault: string | null;
}>;

/** Puts a product under load without looking, until its code is compiled and its pools are full. */
export async function warm(contestant: Contestant, row: Row, seconds: number): Promise<void> {
  await load(contestant, row, seconds);
}

/** Loads for `seconds` and reads the product's clocks just before and just after. */
export async function measure(
  contestant: Contestant,
  row: Row,
  at: Readonly<{ round: number; seconds: number }>,
): Promise<Sample> {
  const begun = Bun.nanoseconds();
  const before = { cpu: cpuOf(contestant.pid), load: ticksOf(LOAD_CPU), own: ticksOf(PRODUCT_CPU) };
  const output = await load(contestant, row, at.seconds);
  const after = { cpu: cpuOf(contestant.pid), load: ticksOf(LOAD_CPU), own: ticksOf(PRODUCT_CPU) };
  const waited = after.cpu.busiestWaitNs - before.cpu.busiestWaitNs;
  const elapsed = Bun.nanoseconds() - begun;
  const seen = after.cpu.ns - before.cpu.ns;
  const ticks = after.cpu.tickNs - before.cpu.tickNs;
  const hidden = ticks - seen > TICK_ERROR_NS ? ticks - seen : 0;
  const counts = parseCounts(output) ?? NOTHING;
  const own = shares(before.own, after.own);
  return {
    row: row.name,
    product: contestant.product.name,
    round: at.round,
    requests: counts.requests,
    microseconds: (seen + hidden) / 1e3 / counts.requests,
    hiddenMicroseconds: hidden / 1e3 / counts.requests,
    memory: memoryOf(after.cpu.busiestPid),
    waiting: waited / elapsed,
    steal: own.steal,
    loadBusy: shares(before.load, after.load).busy,
    productBusy: own.busy,
    fault: faultOf(counts, row),
  };
}

function load(contestant: Contestant, row: Row, seconds: number): Promise<string> {
  return runLoad(commandOf(contestant, row, seconds), seconds + GRACE_SECONDS);
}

function commandOf({ port, securePort }: Contestant, row: Row, seconds: number): string[] {
  if (row.kind === "handshakes") {
    const { host, version, resumed } = row;
    const how = [`${seconds}`, `${HANDSHAKES_AT_ONCE}`, version, resumed ? "resumed" : "full"];
    return [join(OUT, "handshakes"), `${securePort}`, host, ...how];
  }
  const script = join(OUT, `${row.name}.lua`);
  writeFileSync(script, scriptOf(row));
  return wrkCommand(row.secure ? securePort : port, row, seconds, script);
}

function shares(before: CpuTicks, after: CpuTicks): { busy: number; steal: number } {
  const total = Math.max(1, after.total - before.total);
  return {
    busy: 1 - (after.idle - before.idle) / total,
    steal: (after.steal - before.steal) / total,
  };
}
