/**
 * Which clients may connect, and which idle connection makes room for them. More connections than
 * the worker has files or memory for must never be accepted: at the limit of files a listener that
 * cannot accept wakes up for ever, and backends cannot be dialled.
 *
 * ```text
 *   oldest ⇄ … ⇄ … ⇄ newest      idle connections, in the order in which they became idle
 * ```
 */
import { CLIENT_FULL, CONNECTIONS_FULL, CONNECTION_SHED, OK } from "../fault.ts";
import { tally } from "../tally.ts";

/** An idle connection; the fields belong to the admission. */
export type Idle = {
  idle: boolean;
  older: Idle | null;
  newer: Idle | null;
  /** Closes it. */
  shed(): void;
};

/** From so many parts of a hundred on, an idle connection is closed for each new one. */
const CROWDED_PERCENT = 90;

export class Admission {
  /** Connections there may be at once. */
  readonly capacity: number;
  /** Of one address. */
  readonly share: number;
  /** Connections there are. */
  open = 0;
  readonly #crowded: number;
  readonly #clients = new Map<string, number>();
  #oldest: Idle | null = null;
  #newest: Idle | null = null;

  /** `share` 0 is half of the capacity. */
  constructor(capacity: number, share: number) {
    this.capacity = capacity;
    this.share = share === 0 ? Math.max(1, Math.ceil(capacity / 2)) : share;
    this.#crowded = Math.floor((capacity * CROWDED_PERCENT) / 100);
  }

  // === hot ===

  /** A connection waits for a request. */
  rest(connection: Idle): void {
    if (connection.idle) return;
    connection.idle = true;
    connection.older = this.#newest;
    if (this.#newest === null) this.#oldest = connection;
    else this.#newest.newer = connection;
    this.#newest = connection;
  }

  /** It waits no more, or is gone. */
  wake(connection: Idle): void {
    if (!connection.idle) return;
    const { older, newer } = connection;
    if (older === null) this.#oldest = newer;
    else older.newer = newer;
    if (newer === null) this.#newest = older;
    else newer.older = older;
    connection.idle = false;
    connection.older = null;
    connection.newer = null;
  }

  // === cold ===

  /**
   * Whether one more connection of `address` may come: OK or a fault, which is counted. The one
   * that idles longest goes when it gets crowded. `address` null has no share of its own.
   */
  admit(address: string | null): number {
    if (address !== null && this.connectionsOf(address) >= this.share) {
      tally(CLIENT_FULL);
      return CLIENT_FULL;
    }
    if (this.open >= this.#crowded && this.#oldest !== null) {
      tally(CONNECTION_SHED);
      this.#oldest.shed();
    }
    if (this.open < this.capacity) return OK;
    tally(CONNECTIONS_FULL);
    return CONNECTIONS_FULL;
  }

  /** A connection of `address`, or null, came. */
  enter(address: string | null): void {
    this.open++;
    if (address !== null) this.#clients.set(address, this.connectionsOf(address) + 1);
  }

  /** It went. */
  leave(address: string | null): void {
    this.open--;
    if (address === null) return;
    const left = this.connectionsOf(address) - 1;
    if (left > 0) this.#clients.set(address, left);
    else this.#clients.delete(address);
  }

  /** How many connections of `address` are open. */
  connectionsOf(address: string): number {
    return this.#clients.get(address) ?? 0;
  }
}
