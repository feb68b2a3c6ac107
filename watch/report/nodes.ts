/** The external addresses of nodes, asked for one by one: rind does not follow all nodes. */
import type { Cancel, Clock } from "../../core/clock.ts";
import type { ApiClient } from "../source/api/api.ts";
import { isRefused } from "../source/api/codes.ts";
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
    let answered = true;
    // Where one is not answered, the next one would fare no better.
    for (let name = this.#next(); answered && name !== null; name = this.#next()) {
      answered = await this.#askFor(name);
      if (this.#stopped) return;
    }
    this.#asking = false;
    const waitMs = answered ? this.#freshMs() : RETRY_MS;
    this.#cancel = this.#config.clock.after(waitMs, () => void this.#ask());
  }

  async #askFor(name: string): Promise<boolean> {
    const { clock, api, changed } = this.#config;
    const answer = await api.ask({ method: "GET", path: `/api/v1/nodes/${name}` });
    if (this.#stopped || !this.#wanted.has(name)) return true;
    if (!answer.ok && !isRefused(answer.status)) return false;
    const addresses = answer.ok ? readNode(answer.body, "ExternalIP") : [];
    const problem = answer.ok ? `node ${name} has no ExternalIP` : answer.reason;
    const until = clock.now() + (answer.ok ? FRESH_MS : DENIED_MS);
    this.#known.set(name, { addresses, problem: addresses.length > 0 ? "" : problem, until });
    changed();
    return true;
  }

  /** Until the first of what is known is too old. */
  #freshMs(): number {
    const now = this.#config.clock.now();
    let freshMs = FRESH_MS;
    for (const { until } of this.#known.values()) freshMs = Math.min(freshMs, until - now);
    return Math.max(0, freshMs);
  }

  #next(): string | null {
    const now = this.#config.clock.now();
    for (const name of this.#wanted) {
      if ((this.#known.get(name)?.until ?? -Infinity) <= now) return name;
    }
    return null;
  }
}
