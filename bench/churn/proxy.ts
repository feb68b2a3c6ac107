/** rind as a child process: its doors, its state, its log, and what it is made to go through. */
import { join } from "node:path";
import { mortal } from "../load/namespace.ts";

const RIND = join(import.meta.dir, "../../rind.ts");
const WAIT_MS_MAX = 60_000;
const POLL_MS = 20;
/** Lines of the log that are kept to be shown. */
const KEPT_LINES = 40;

/** What `/readyz` says, as far as it matters here. */
type Ready = Readonly<{
  ready: boolean;
  version: number;
  heapBytes: number;
  workers: readonly Readonly<{
    pid: number;
    serving: boolean;
    version: number;
    heapBytes: number;
  }>[];
}>;

/** What `/api/routes` says, as far as it matters here. */
export type Served = Readonly<{
  version: number;
  hosts: readonly Readonly<{
    name: string;
    routes: readonly { action: { split?: readonly { backend: string }[] } }[];
  }>[];
  backends: readonly Readonly<{ id: string; endpoints: readonly { uid: string }[] }>[];
}>;

/** One rind with its workers. */
export class Proxy {
  readonly child: Bun.Subprocess<"ignore", "pipe", "pipe">;
  port = 0;
  adminPort = 0;
  /** As the balancer believes it, from its last look. */
  ready = false;
  pids: readonly number[] = [];
  /** What the last collection left on the heap of each process, bytes by pid. */
  heaps: ReadonlyMap<number, number> = new Map();
  /** When workers of it, or all, were told to drain: from the signal until all of them knew. */
  readonly drains: { readonly from: number; to: number }[] = [];
  /** When it stops to accept connections. */
  #lameUntil = Infinity;
  /** Errors in the log that are nobody's manifest. */
  readonly errors: string[] = [];
  errorCount = 0;
  #doors = "";
  #gone = false;

  constructor(args: readonly string[]) {
    const doors = ["--http", "127.0.0.1:0", "--https", "none", "--admin", "127.0.0.1:0"];
    const own = Object.entries(process.env).filter(([name]) => !name.startsWith("RIND_"));
    this.child = Bun.spawn([...mortal(), process.execPath, RIND, "run", ...doors, ...args], {
      env: Object.fromEntries(own),
      stdio: ["ignore", "pipe", "pipe"],
    });
    void this.#read(this.child.stdout);
    void this.#read(this.child.stderr);
    void this.child.exited.then(() => {
      this.#gone = true;
      this.ready = false;
    });
  }

  /** Resolves when it serves. */
  async started(): Promise<void> {
    await until("rind serves", () => this.#gone || this.#doors !== "");
    const [, http, admin] =
      /http=127\.0\.0\.1:(\d+) https=\S* admin=127\.0\.0\.1:(\d+)/.exec(this.#doors) ?? [];
    if (admin === undefined) throw new Error(`rind did not start:\n${this.errors.join("\n")}`);
    this.port = Number(http);
    this.adminPort = Number(admin);
    await this.look();
  }

  /** Asks for its state, as a load balancer does. */
  async look(): Promise<Ready | null> {
    const state = this.#gone ? null : await this.#ask<Ready>("/readyz");
    this.ready = state?.ready === true && this.child.exitCode === null;
    if (state !== null) {
      this.pids = state.workers.map(({ pid }) => pid);
      const workers = state.workers.map(({ pid, heapBytes }) => [pid, heapBytes] as const);
      this.heaps = new Map([[this.child.pid, state.heapBytes], ...workers]);
    }
    return state;
  }

  /** Whether `holds` is true of the model and every worker has it. */
  async serves(holds: (served: Served) => boolean): Promise<boolean> {
    const served = await this.#ask<Served>("/api/routes");
    if (served === null || !holds(served)) return false;
    const state = await this.look();
    if (state === null || !state.workers.some(({ serving }) => serving)) return false;
    return state.version >= served.version;
  }

  /** Whether it takes new connections, now or soon: one that drains is not asked any more. */
  get open(): boolean {
    return this.adminPort !== 0 && !this.#gone && performance.now() < this.#lameUntil;
  }

  /** Replaces all workers, one after the other; resolves to how many once the new ones serve. */
  async replaceWorkers(): Promise<number> {
    const before = (await this.look())?.workers.map(({ pid }) => pid) ?? [];
    const drain = { from: performance.now(), to: Infinity };
    this.drains.push(drain);
    this.child.kill("SIGHUP");
    await until("every worker is a new one", async () => {
      const now = await this.look();
      if (this.#gone) throw new Error("SIGHUP ended rind");
      return (
        now?.ready === true && now.workers.every(({ pid }) => pid > 0 && !before.includes(pid))
      );
    });
    drain.to = performance.now();
    return before.length;
  }

  /** Whether some worker of it may have been draining in this span. */
  drained(span: Readonly<{ from: number; to: number }>, drainMs: number): boolean {
    return this.drains.some(({ from, to }) => from <= span.to && span.from <= to + drainMs);
  }

  /** SIGTERM; resolves to the exit code. `lameDuckMs` as it was told. */
  async stop(lameDuckMs: number): Promise<number> {
    const from = performance.now();
    this.#lameUntil = from + lameDuckMs;
    this.drains.push({ from, to: Infinity });
    this.child.kill("SIGTERM");
    const late = setTimeout(() => this.child.kill("SIGKILL"), WAIT_MS_MAX);
    const code = await this.child.exited;
    clearTimeout(late);
    return code;
  }

  async #ask<T>(path: string): Promise<T | null> {
    try {
      const answer = await fetch(`http://127.0.0.1:${this.adminPort}${path}`, {
        headers: { accept: "application/json", connection: "close" },
        signal: AbortSignal.timeout(5_000),
      });
      return (await answer.json()) as T;
    } catch {
      // Not there yet, or not any more: for a balancer that is the same as not ready.
      return null;
    }
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    let rest = "";
    for await (const bytes of stream) {
      const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) this.#note(line);
    }
  }

  #note(line: string): void {
    if (line.includes("rind serves http=")) this.#doors = line;
    // `Kind namespace/name  what is wrong`: half of what churn does is wrong on purpose.
    const findings = /^\S+ (warn|error) +[A-Z]\w+ \S+ {2}/.test(line);
    const logged = /^\d{4}-\S+ (info|warn|error) /.exec(line);
    if (findings || (logged !== null && logged[1] !== "error")) return;
    if (line.trim() === "") return;
    this.errorCount++;
    if (this.errors.length < KEPT_LINES) this.errors.push(line.slice(0, 1_000));
  }
}

/** Resolves when `holds`; throws, with what was waited for, after a minute. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + WAIT_MS_MAX;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`waited in vain until ${what}`);
    await Bun.sleep(POLL_MS);
  }
}
