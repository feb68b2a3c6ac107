/**
 * A live endpoint: one address with the connections that idle to it. It belongs to the address, not
 * to a backend or a table, so it survives every swap while somebody uses it.
 */
import type { UpstreamConnection } from "./connection.ts";

/** Idle connections kept for one endpoint by one worker. */
const IDLE_MAX = 256;

export class Endpoint {
  /** Address, port and uid: what makes it this endpoint and no other. */
  readonly key: string;
  readonly address: string;
  readonly port: number;
  /** How many backends list this endpoint. */
  users = 0;
  /** LIFO: the connection used last is the least likely to be closed by the other side. */
  readonly #idle: UpstreamConnection[] = [];

  constructor(key: string, address: string, port: number) {
    this.key = key;
    this.address = address;
    this.port = port;
  }

  /** How many connections idle. */
  get idle(): number {
    return this.#idle.length;
  }

  /** The connection used last, or null. It is the caller's from here on. */
  take(): UpstreamConnection | null {
    return this.#idle.length === 0 ? null : this.#idle.pop()!;
  }

  /** Takes a connection back; false when it is not wanted and must be closed. */
  give(connection: UpstreamConnection): boolean {
    if (this.users === 0 || this.#idle.length >= IDLE_MAX) return false;
    this.#idle.push(connection);
    return true;
  }

  /** Forgets an idle connection that went away. */
  drop(connection: UpstreamConnection): void {
    const index = this.#idle.lastIndexOf(connection);
    if (index >= 0) this.#idle.splice(index, 1);
  }

  /** Closes all idle connections: the endpoint is gone. Busy ones close when they are given. */
  drain(): void {
    for (const connection of this.#idle.splice(0)) connection.shut();
  }
}
