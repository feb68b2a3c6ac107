/** What each process of a proxy holds, second by second, as the kernel counts it. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { treeOf } from "../load/cpu.ts";

/** One look at one process. `minute` counts from the first look. */
export type Sample = Readonly<{
  minute: number;
  rssKib: number;
  /** As the process itself says; 0 before its first collection. */
  heapKib: number;
  fds: number;
  sockets: number;
}>;

/** The samples of one process, oldest first. */
export type Series = { readonly pid: number; readonly role: string; readonly samples: Sample[] };

const LOOK_MS = 1_000;
/** Samples kept of a process: beyond, every second one is dropped, which bounds a long soak. */
const SAMPLES_MAX = 7_200;

/** Looks at a process and all its children every second, until `stop`. */
export class Sampler {
  readonly series = new Map<number, Series>();
  readonly #root: number;
  readonly #heaps: () => ReadonlyMap<number, number>;
  readonly #began = performance.now();
  readonly #timer: Timer;

  /** `heaps`: bytes by pid, as of the last time that anybody asked. */
  constructor(root: number, heaps: () => ReadonlyMap<number, number>) {
    this.#root = root;
    this.#heaps = heaps;
    this.#timer = setInterval(() => this.look(), LOOK_MS);
  }

  /** Takes a sample of each now. */
  look(): void {
    const minute = (performance.now() - this.#began) / 60_000;
    for (const pid of treeOf(this.#root)) {
      const held = holdings(pid);
      if (held === null) continue;
      const role = pid === this.#root ? "supervisor" : "worker";
      const series = this.series.get(pid) ?? { pid, role, samples: [] };
      this.series.set(pid, series);
      const heapKib = Math.round((this.#heaps().get(pid) ?? 0) / 1_024);
      series.samples.push({ minute, heapKib, ...held });
      if (series.samples.length > SAMPLES_MAX) thin(series.samples);
    }
  }

  /** Open descriptors of the whole tree now. */
  fds(): number {
    return treeOf(this.#root).reduce((sum, pid) => sum + (holdings(pid)?.fds ?? 0), 0);
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

/** `null` for a process that has gone. */
function holdings(pid: number): Omit<Sample, "minute" | "heapKib"> | null {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "latin1");
    const fds = readdirSync(`/proc/${pid}/fd`);
    const sockets = fds.filter((fd) => isSocket(`/proc/${pid}/fd/${fd}`)).length;
    const rss = /^VmRSS:\s+(\d+) kB$/m.exec(status);
    return rss === null ? null : { rssKib: Number(rss[1]), fds: fds.length, sockets };
  } catch (error) {
    if (["ENOENT", "ESRCH"].includes((error as { code?: string }).code ?? "")) return null;
    throw error;
  }
}

function isSocket(path: string): boolean {
  try {
    return readlinkSync(path).startsWith("socket:");
  } catch (error) {
    // Closed since the folder was read.
    if ((error as { code?: string }).code === "ENOENT") return false;
    throw error;
  }
}

function thin(samples: Sample[]): void {
  const kept = samples.filter((_sample, i) => i % 2 === 0);
  samples.splice(0, samples.length, ...kept);
}
