/** A whole run, both directions in turn: bounded, with progress, and a report at its end. */
import { requestCase, responseCase } from "./cases.ts";
import { shown } from "./judge.ts";
import { minimize, type Runner } from "./minimize.ts";
import { RequestRun, type Failure } from "./requests.ts";
import { ResponseRun } from "./responses.ts";

/** Cases between two looks at what the origin saw. */
const EPOCH = 500;
const PROGRESS_MS = 30_000;
/** A run that failed so often has made its point. */
const FAILURES_MAX = 5;
/** Epochs of each direction until the heap has its usual size. */
const WARM_EPOCHS = 8;
/**
 * I6. Connections of both sides at once, with all that rind may hold for one; and what the run
 * itself, in the same process, may need more than it had.
 */
const CONNECTIONS_MAX = 4 * 64;
const CONNECTION_BYTES_MAX = 512 * 1024;
const SLACK_BYTES = 96 * 1024 * 1024;

export type Direction = "requests" | "responses";

/** `cases` are of each direction; whichever of `cases` and `ms` is used up first ends the run. */
export type RunOptions = Readonly<{
  seed: number;
  from: number;
  cases: number;
  ms: number;
  directions: readonly Direction[];
  say: (line: string) => void;
  stopped: () => boolean;
}>;

type Tools = { requests: RequestRun | null; responses: ResponseRun | null };

/** Runs; resolves with the failures, which it has said. Throws when Node is missing. */
export async function fuzz(options: RunOptions): Promise<readonly string[]> {
  const tools: Tools = {
    requests: options.directions.includes("requests") ? await RequestRun.open(options) : null,
    responses: options.directions.includes("responses") ? new ResponseRun(options.seed) : null,
  };
  const strays: string[] = [];
  const stray = (error: unknown): void => {
    strays.push(`I7: nobody caught: ${error instanceof Error ? error.stack : String(error)}`);
  };
  process.on("uncaughtException", stray);
  process.on("unhandledRejection", stray);
  try {
    return await new Run(options, tools, strays).run();
  } finally {
    process.off("uncaughtException", stray);
    process.off("unhandledRejection", stray);
    tools.requests?.stop();
    tools.responses?.stop();
  }
}

class Run {
  readonly #options: RunOptions;
  readonly #tools: Tools;
  /** What nobody caught; taken after each epoch. */
  readonly #strays: string[];
  readonly #began = performance.now();
  readonly #failures: string[] = [];
  #spoke = performance.now();
  #rssWarm = 0;

  constructor(options: RunOptions, tools: Tools, strays: string[]) {
    this.#options = options;
    this.#tools = tools;
    this.#strays = strays;
  }

  async run(): Promise<readonly string[]> {
    const { from, cases, ms, stopped } = this.#options;
    for (let done = 0; done < cases; done += EPOCH) {
      const count = Math.min(EPOCH, cases - done);
      for (const direction of this.#options.directions) {
        await this.#epoch(direction, from + done, count);
      }
      if (this.#rssWarm === 0 && done >= WARM_EPOCHS * EPOCH) this.#rssWarm = rss();
      const over = performance.now() - this.#began >= ms || stopped();
      if (over || this.#failures.length >= FAILURES_MAX) break;
      if (performance.now() - this.#spoke >= PROGRESS_MS) this.#progress();
    }
    this.#report();
    return this.#failures;
  }

  async #epoch(direction: Direction, from: number, count: number): Promise<void> {
    const runner = this.#tools[direction]!;
    for (const failure of await runner.epoch(from, count)) {
      if (this.#failures.length >= FAILURES_MAX) break;
      await this.#tell(direction, failure, { from, count });
    }
    for (const text of this.#strays.splice(0)) this.#fail(text, []);
  }

  /** Says what failed, with the smallest case that does. */
  async #tell(
    direction: Direction,
    failure: Failure,
    epoch: Readonly<{ from: number; count: number }>,
  ): Promise<void> {
    const make = direction === "requests" ? requestCase : responseCase;
    const { seed } = this.#options;
    const all = Array.from({ length: epoch.count }, (_, i) => make(seed, epoch.from + i));
    const suspects = failure.found === null ? all : [failure.found];
    const runner: Runner = this.#tools[direction]!;
    const { found, text, alone } = await minimize(runner, suspects, failure.text);
    const original = make(seed, found.index).bytes.length;
    const again = `--seed ${seed} --only ${direction} --from ${found.index} --cases 1`;
    const ends = found.ends.length === found.bytes.length ? "every byte" : String(found.ends);
    this.#fail(failure.text, [
      alone ? `alone: ${text}` : `not alone: the cases from ${epoch.from} on, side by side`,
      `case ${found.index}; mutators: ${found.mutators.join(", ") || "none"}`,
      `again: npm run fuzz -- ${again}`,
      `bytes, ${found.bytes.length} of ${original}, written up to ${ends}:`,
      shown(found.bytes),
    ]);
  }

  #fail(text: string, lines: readonly string[]): void {
    this.#failures.push(text);
    this.#options.say(`FAILURE ${text.slice(0, 2_000)}`);
    for (const line of lines) this.#options.say(`  ${line}`);
  }

  #progress(): void {
    this.#spoke = performance.now();
    this.#options.say(`${Math.round((this.#spoke - this.#began) / 1_000)} s: ${this.#counts()}`);
  }

  #counts(): string {
    const { requests, responses } = this.#tools;
    const seconds = (performance.now() - this.#began) / 1_000;
    const cases = (requests?.cases ?? 0) + (responses?.cases ?? 0);
    const parts = [`${cases} cases, ${Math.round(cases / seconds)}/s`];
    if (requests !== null) {
      parts.push(`requests ${requests.accepted} accepted, ${requests.rejected} rejected`);
    }
    if (responses !== null) {
      const { relayed } = responses;
      parts.push(`responses ${relayed} relayed, ${responses.cases - relayed} refused or cut`);
    }
    return [...parts, `RSS ${megabytes(process.memoryUsage.rss())}`].join("; ");
  }

  #report(): void {
    const end = rss();
    const bound = this.#rssWarm + CONNECTIONS_MAX * CONNECTION_BYTES_MAX + SLACK_BYTES;
    if (this.#rssWarm > 0 && end > bound) {
      this.#fail(`I6: RSS ${megabytes(end)}, at most ${megabytes(bound)} expected`, []);
    }
    const { say, seed } = this.#options;
    say(`seed ${seed}: ${this.#counts()}`);
    if (this.#rssWarm > 0)
      say(`RSS ${megabytes(this.#rssWarm)} warm, ${megabytes(end)} at the end`);
    say(this.#failures.length === 0 ? "no failures" : `${this.#failures.length} failures`);
  }
}

function rss(): number {
  Bun.gc(true);
  return process.memoryUsage.rss();
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1_048_576)} MB`;
}
