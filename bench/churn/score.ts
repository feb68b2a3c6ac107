/** What happened: requests by kind, failures by reason, latencies in buckets. */

/** Buckets grow by 2 %, from 10 µs to over a minute. */
const FIRST_US = 10;
const GROWTH = Math.log(1.02);
const BUCKETS = 800;
const EXAMPLES_MAX = 3;

type Failure = { count: number; readonly examples: string[] };

/** Latencies, within 2 %. */
class Latencies {
  readonly #buckets = new Uint32Array(BUCKETS);
  count = 0;
  maxMs = 0;

  add(ms: number): void {
    const bucket = Math.floor(Math.log(Math.max(1, (ms * 1e3) / FIRST_US)) / GROWTH);
    this.#buckets[Math.min(bucket, BUCKETS - 1)]!++;
    this.count++;
    this.maxMs = Math.max(this.maxMs, ms);
  }

  /** The latency in ms below which `share` of all are. */
  at(share: number): number {
    let left = share * this.count;
    for (let i = 0; i < BUCKETS; i++) {
      left -= this.#buckets[i]!;
      if (left <= 0) return (FIRST_US * Math.exp((i + 1) * GROWTH)) / 1e3;
    }
    return this.maxMs;
  }
}

export class Score {
  readonly #kinds = new Map<string, Latencies>();
  readonly #failures = new Map<string, Failure>();
  /** What is no failure and worth a line: tunnels that a drain ended, answers lost on purpose. */
  readonly #notes = new Map<string, number>();

  /** A request that was answered as it should be; a change, when `kind` is in brackets. */
  served(kind: string, ms: number): void {
    const latencies = this.#kinds.get(kind) ?? new Latencies();
    this.#kinds.set(kind, latencies);
    latencies.add(ms);
  }

  /** A request that was not. `example` helps to find out why. */
  failed(kind: string, reason: string, example: string): void {
    const failure = this.#failures.get(`${kind}: ${reason}`) ?? { count: 0, examples: [] };
    this.#failures.set(`${kind}: ${reason}`, failure);
    failure.count++;
    if (failure.examples.length < EXAMPLES_MAX) failure.examples.push(example);
  }

  note(what: string): void {
    this.#notes.set(what, this.noted(what) + 1);
  }

  noted(what: string): number {
    return this.#notes.get(what) ?? 0;
  }

  get requests(): number {
    const kinds = [...this.#kinds].filter(([kind]) => !kind.startsWith("("));
    return kinds.reduce((sum, [, { count }]) => sum + count, 0);
  }

  get failures(): number {
    return [...this.#failures.values()].reduce((sum, { count }) => sum + count, 0);
  }

  /** The whole of it, a line each. */
  lines(): string[] {
    const ms = (value: number) => `${value.toFixed(1)} ms`.padStart(10);
    const lines = ["(pods let a quarter of the requests wait, for up to 40 ms)"];
    lines.push("kind                 answered       p50       p99       max");
    for (const [kind, each] of [...this.#kinds].sort()) {
      const [p50, p99] = [each.at(0.5), each.at(0.99)];
      lines.push(
        `${kind.padEnd(20)} ${`${each.count}`.padStart(8)}${ms(p50)}${ms(p99)}${ms(each.maxMs)}`,
      );
    }
    for (const [what, count] of [...this.#notes].sort()) lines.push(`besides: ${count} × ${what}`);
    for (const [reason, { count, examples }] of [...this.#failures].sort()) {
      lines.push(`FAILED: ${count} × ${reason}`, ...examples.map((text) => `    ${text}`));
    }
    lines.push(`${this.requests} answered, ${this.failures} failed`);
    return lines;
  }
}
