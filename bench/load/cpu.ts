/**
 * What a product cost, as the kernel counted it: nanoseconds on a CPU and resident memory, over
 * the whole tree of its processes.
 */
import { readdirSync, readFileSync } from "node:fs";

const TICK_MS = 10;

/**
 * Nanoseconds on a CPU, by the scheduler's clock and by ticks, which know dead threads too; and
 * nanoseconds that the busiest process's main thread was ready but had to wait for a CPU.
 */
export type CpuTime = Readonly<{
  ns: number;
  tickNs: number;
  busiestPid: number;
  busiestWaitNs: number;
}>;

/** KiB. PSS shares out pages mapped by several processes; RSS counts them whole. */
export type Memory = Readonly<{ rssKib: number; pssKib: number }>;

/** Ticks of one CPU since boot. */
export type CpuTicks = Readonly<{ total: number; idle: number; steal: number }>;

/** The process and all that descends from it, parents first. */
export function treeOf(root: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync("/proc")) {
    const pid = Number(name);
    if (!Number.isInteger(pid)) continue;
    const stat = read(`/proc/${pid}/stat`);
    if (stat === null) continue;
    const parent = Number(fieldsOf(stat)[1]);
    children.set(parent, [...(children.get(parent) ?? []), pid]);
  }
  const tree = [root];
  for (let i = 0; i < tree.length; i++) tree.push(...(children.get(tree[i]!) ?? []));
  return tree;
}

/** Sums field 1 of /proc/PID/task/TID/schedstat (Documentation/scheduler/sched-stats). */
export function cpuOf(root: number): CpuTime {
  let ns = 0;
  let tickNs = 0;
  let busiest = { pid: root, ns: -1 };
  for (const pid of treeOf(root)) {
    let own = 0;
    for (const thread of list(`/proc/${pid}/task`)) {
      const text = read(`/proc/${pid}/task/${thread}/schedstat`);
      if (text !== null) own += Number(text.split(" ")[0]);
    }
    const stat = read(`/proc/${pid}/stat`);
    const fields = stat === null ? [] : fieldsOf(stat);
    tickNs += (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) * TICK_MS * 1e6;
    ns += own;
    if (own > busiest.ns) busiest = { pid, ns: own };
  }
  const main = read(`/proc/${busiest.pid}/schedstat`) ?? "0 0 0";
  return {
    ns,
    tickNs,
    busiestPid: busiest.pid,
    busiestWaitNs: Number(main.split(" ")[1]),
  };
}

/** Nanoseconds that a process's main thread had a CPU: without compiling and collecting beside. */
export function mainNsOf(pid: number): number {
  return Number((read(`/proc/${pid}/schedstat`) ?? "0").split(" ")[0]);
}

/** Memory of one process, from smaps_rollup; `null` once it is gone. */
export function memoryOf(pid: number): Memory | null {
  const text = read(`/proc/${pid}/smaps_rollup`);
  if (text === null) return null;
  const kib = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(text)?.[1]);
  return { rssKib: kib("Rss"), pssKib: kib("Pss") };
}

/** One CPU's ticks from /proc/stat. */
export function ticksOf(cpu: number): CpuTicks {
  const line = (read("/proc/stat") ?? "").split("\n").find((l) => l.startsWith(`cpu${cpu} `));
  const ticks = (line ?? "").split(" ").slice(1, 9).map(Number);
  const total = ticks.reduce((sum, n) => sum + n, 0);
  return { total, idle: (ticks[3] ?? 0) + (ticks[4] ?? 0), steal: ticks[7] ?? 0 };
}

/** The fields of /proc/PID/stat after the command, which may itself hold spaces and brackets. */
function fieldsOf(stat: string): string[] {
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
}

function list(path: string): string[] {
  try {
    return readdirSync(path);
  } catch (error) {
    return gone(error, []);
  }
}

function read(path: string): string | null {
  try {
    return readFileSync(path, "latin1");
  } catch (error) {
    return gone(error, null);
  }
}

/** A process may end between the listing and the reading; anything else is not expected. */
function gone<T>(error: unknown, absent: T): T {
  const code = (error as { code?: string }).code;
  if (code === "ENOENT" || code === "ESRCH" || code === "EACCES") return absent;
  throw error;
}
