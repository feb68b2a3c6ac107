/** What everybody who makes load shares: where to go, when, and where to tell how it went. */
import type { Random } from "../../core/random.ts";
import type { Cluster } from "./cluster.ts";
import type { Proxy } from "./proxy.ts";
import type { Score } from "./score.ts";

export type Site = {
  readonly cluster: Cluster;
  readonly score: Score;
  readonly front: Front;
  readonly pace: Pace;
  readonly random: Random;
  readonly executions: Executions;
  /** What a worker gets to drain in, as rind was told. */
  readonly drainMs: number;
  readonly lameDuckMs: number;
  /** Pods that are ending; each takes as long as its tunnels do. */
  readonly ending: Set<Promise<void>>;
  running: boolean;
};

/** A load balancer in the client: new connections go to one of those that say they are ready. */
export class Front {
  readonly #random: Random;
  #proxies: readonly Proxy[] = [];

  constructor(random: Random) {
    this.#random = random;
  }

  add(proxy: Proxy): void {
    this.#proxies = [...this.#proxies, proxy];
  }

  remove(proxy: Proxy): void {
    this.#proxies = this.#proxies.filter((each) => each !== proxy);
  }

  get all(): readonly Proxy[] {
    return this.#proxies;
  }

  /** One that is ready; when none is, one that is there: somebody has to tell that it fails. */
  pick(): Proxy {
    const ready = this.#proxies.filter((proxy) => proxy.ready);
    const from = ready.length > 0 ? ready : this.#proxies;
    return from[this.#random.below(from.length)]!;
  }
}

/** Turns at a steady mean rate, with the gaps of independent clients (a Poisson process). */
export class Pace {
  readonly #random: Random;
  readonly #meanMs: number;
  #next = 0;

  constructor(perSecond: number, random: Random) {
    this.#meanMs = 1e3 / perSecond;
    this.#random = random;
  }

  /** Resolves when it is the caller's turn. Who cannot keep up gets no burst afterwards. */
  async turn(): Promise<void> {
    const now = performance.now();
    const gap = -Math.log((this.#random.below(1e6) + 1) / 1e6) * this.#meanMs;
    this.#next = Math.max(now, this.#next + gap);
    await Bun.sleep(this.#next - now);
  }
}

/** How often each request that must not run twice was run. */
export class Executions {
  readonly #counts = new Map<string, number>();

  /** A pod runs a request. */
  witness(id: string, method: string): void {
    if (method === "POST") this.#counts.set(id, (this.#counts.get(id) ?? 0) + 1);
  }

  /** How often it was run; asked once, when its client is done with it. */
  settle(id: string): number {
    const count = this.#counts.get(id) ?? 0;
    this.#counts.delete(id);
    return count;
  }
}
