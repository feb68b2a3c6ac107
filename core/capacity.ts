/** How many connections this process has files and memory for. */
import { readFileSync } from "node:fs";
import { assert } from "./assert.ts";
import type { Limits } from "./limits.ts";

/** What the process was given; `Infinity` where nobody says. */
export type Surroundings = Readonly<{ files: number; memoryBytes: number }>;

/** For logs, listeners, the runtime, and connections that are accepted only to be refused. */
const RESERVE_FILES_MAX = 1_024;
/**
 * One client's connection at its fullest, with the one to its backend: requests that wait, an
 * answer that waits, and what the runtime takes for them. Measured with clients that pipeline
 * without end and do not read: 137 KiB.
 */
const CONNECTION_BYTES = 147_456;
/** A worker or the supervisor without any: 50 MB at the start, 60 after a while. */
const PROCESS_BYTES = 67_108_864;

/**
 * The limits with fewer connections, where files or memory do not suffice: never so many clients
 * that their requests cannot be carried on, because each may need a connection to a backend too.
 * One client and one connection to a backend are always left. Files are this process's own, and
 * memory is that of all `workers` and their supervisor; at least a quarter is for connections, and
 * half of that for answers that wait, which may be half a MiB for one client.
 */
export function fittedLimits(limits: Limits, given: Surroundings, workers: number): Limits {
  const reserve = Math.min(RESERVE_FILES_MAX, Math.ceil(given.files / 4));
  const files = given.files === Infinity ? Infinity : given.files - reserve;
  const spare = given.memoryBytes - (workers + 1) * PROCESS_BYTES;
  const memoryBytes = Math.max(spare, given.memoryBytes / 4) / workers;
  const byMemory = Math.floor(memoryBytes / CONNECTION_BYTES);
  const connections = Math.max(1, Math.min(limits.connections, Math.floor(files / 2), byMemory));
  const left = Math.max(1, files - connections);
  const upstreamTotal = Math.min(limits.upstreamTotal, left);
  const waitingBytes = Math.min(limits.waitingBytes, Math.floor(memoryBytes / 2));
  return { ...limits, connections, upstreamTotal, waitingBytes };
}

/**
 * The soft limit of open files and the memory limit of the control group, version 1 or 2. `read`
 * gives the text of a file, or null when there is none. Of several limits the smallest counts.
 */
export function surroundingsOf(read = textOf): Surroundings {
  const files = /^Max open files\s+(\d+)/m.exec(read("/proc/self/limits") ?? "");
  const groups = read("/proc/self/cgroup") ?? "";
  const own = /^0::(\/.*)$/m.exec(groups)?.[1] ?? "";
  const old = /^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(\/.*)$/m.exec(groups)?.[1] ?? "";
  // The group's own path is there unless the process lives in a namespace, where it is the root.
  const limits = [
    "/sys/fs/cgroup/memory.max",
    `/sys/fs/cgroup${own}/memory.max`,
    "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    `/sys/fs/cgroup/memory${old}/memory.limit_in_bytes`,
  ].map((path) => amount(read(path)));
  return { files: amount(files?.[1] ?? null), memoryBytes: Math.min(...limits) };
}

/** A file of the system; null where there is none or it may not be read, as in some sandboxes. */
function textOf(path: string): string | null {
  try {
    return readFileSync(path, "latin1");
  } catch (error) {
    assert(error instanceof Error, "reading a file fails with an Error");
    return null;
  }
}

/** `max` and everything else that is no number is no limit. */
function amount(text: string | null): number {
  const trimmed = text?.trim() ?? "";
  return /^\d+$/.test(trimmed) ? Number(trimmed) : Infinity;
}
