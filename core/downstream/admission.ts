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
import { DRAIN_IDLE_MS, LIMITS } from "../limits.ts";
import type { Limits } from "../limits.ts";
import type { Fields } from "../log.ts";
import { Notices } from "../notice.ts";
import { tally } from "../tally.ts";
import { TICK_MS } from "../timers.ts";
import type { Timers } from "../timers.ts";

/** An idle connection; the fields belong to the admission. */
export type Idle = {
  /** The tick since which it idles; 0 when it does not. */
  idleSince: number;
  older: Idle | null;
  newer: Idle | null;
  /** Closes it. */
  shed(): void;
};

/** From so many parts of a hundred on, an idle connection is closed for each new one. */
const CROWDED_PERCENT = 90;
const RACE_TICKS = DRAIN_IDLE_MS / TICK_MS;

export class Admission {
  /** Connections there may be at once. */
  readonly capacity: number;
  /** Of one address. */
  readonly share: number;
  /** Connections there are. */
  open = 0;
  readonly #crowded: number;
  readonly #timers: Timers;
  readonly #clients = new Map<string, number>();
  #oldest: Idle | null = null;
  #newest: Idle | null = null;
  readonly #notices: Notices;

  constructor(limits: Limits, timers: Timers) {
    const { connections, connectionsPerClient } = limits;
    this.capacity = connections;
    this.share = connectionsPerClient === 0 ? Math.ceil(connections / 2) : connectionsPerClient;
    this.#crowded = Math.floor((connections * CROWDED_PERCENT) / 100);
    this.#timers = timers;
    this.#notices = new Notices(timers);
  }

  // === hot ===

  /** A connection waits for a request. */
  rest(connection: Idle): void {
    if (connection.idleSince > 0) return;
    connection.idleSince = this.#timers.now;
    connection.older = this.#newest;
    if (this.#newest === null) this.#oldest = connection;
    else this.#newest.newer = connection;
    this.#newest = connection;
  }

  /** It waits no more, or is gone. */
  wake(connection: Idle): void {
    if (connection.idleSince === 0) return;
    const { older, newer } = connection;
    if (older === null) this.#oldest = newer;
    else older.newer = newer;
    if (newer === null) this.#newest = older;
    else newer.older = older;
    connection.idleSince = 0;
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
      const limit = LIMITS.connectionsPerClient.name;
      return this.#tell(CLIENT_FULL, { limit, value: this.share, client: address });
    }
    if (this.open >= this.#crowded) this.#shed();
    if (this.open < this.capacity) return OK;
    return this.#tell(CONNECTIONS_FULL, { limit: LIMITS.connections.name, value: this.capacity });
  }

  /** Closes what idles longest, if its next request is not likely to be on its way already. */
  #shed(): void {
    const oldest = this.#oldest;
    if (oldest === null || this.#timers.now - oldest.idleSince < RACE_TICKS) return;
    this.#tell(CONNECTION_SHED, { limit: LIMITS.connections.name, value: this.capacity });
    oldest.shed();
  }

  /** Counts the fault, and says now and then which limit it was. */
  #tell(fault: number, fields: Fields): number {
    tally(fault);
    const raise = `--limit ${fields["limit"]}=…; open files and memory are limits too`;
    this.#notices.tell(fault, { ...fields, raise });
    return fault;
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
