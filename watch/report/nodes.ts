/** The external addresses of nodes, asked for one by one: rind does not follow all nodes. */
import type { Cancel, Clock } from "../../core/clock.ts";
import type { ApiClient } from "../source/api/api.ts";
import { readNode } from "./pods.ts";

/** Addresses of nodes hardly ever change. */
const FRESH_MS = 600_000;
/** After a failure. A lack of permission is mended by people. */
const RETRY_MS = 5_000;
const DENIED_MS = 30_000;

/** `problem` says why the node has no external address that we know, or is "". */
export type NodeAddresses = Readonly<{ addresses: readonly string[]; problem: string }>;

type Known = NodeAddresses & Readonly<{ until: number }>;

export class Nodes {
  readonly #config: Readonly<{ clock: Clock; api: ApiClient; changed: () => void }>;
  readonly #known = new Map<string, Known>();
  #wanted: ReadonlySet<string> = new Set();
  #asking = false;
  #stopped = false;
  #cancel: Cancel | null = null;

  /** `changed` hears when there is more to know. */
  constructor(config: Readonly<{ clock: Clock; api: ApiClient; changed: () => void }>) {
    this.#config = config;
  }

  /** Which nodes matter; others are forgotten. */
  want(names: ReadonlySet<string>): void {
    this.#wanted = names;
    for (const name of this.#known.keys()) if (!names.has(name)) this.#known.delete(name);
    void this.#ask();
  }

  /** What is known of a node that is wanted, or null: not yet. */
  get(name: string): NodeAddresses | null {
    return this.#known.get(name) ?? null;
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel?.();
  }

  async #ask(): Promise<void> {
    if (this.#asking) return;
    this.#asking = true;
    this.#cancel?.();
    let retryMs = FRESH_MS;
    for (let name = this.#next(); name !== null; name = this.#next()) {
      const waitMs = await this.#askFor(name);
      retryMs = Math.min(retryMs, waitMs);
      if (this.#stopped) return;
      // The next one would fare no better.
      if (waitMs === RETRY_MS) break;
    }
    this.#asking = false;
    this.#cancel = this.#config.clock.after(retryMs, () => void this.#ask());
  }

  async #askFor(name: string): Promise<number> {
    const { clock, api, changed } = this.#config;
    const answer = await api.ask({ method: "GET", path: `/api/v1/nodes/${name}` });
    if (this.#stopped || !this.#wanted.has(name)) return FRESH_MS;
    if (!answer.ok && answer.status !== 403 && answer.status !== 404) return RETRY_MS;
    const addresses = answer.ok ? readNode(answer.body, "ExternalIP") : [];
    const problem = answer.ok ? `node ${name} has no ExternalIP` : answer.reason;
    const waitMs = answer.ok ? FRESH_MS : DENIED_MS;
    const until = clock.now() + waitMs;
    this.#known.set(name, { addresses, problem: addresses.length > 0 ? "" : problem, until });
    changed();
    return waitMs;
  }

  #next(): string | null {
    const now = this.#config.clock.now();
    for (const name of this.#wanted) {
      if ((this.#known.get(name)?.until ?? -Infinity) <= now) return name;
    }
    return null;
  }
}
