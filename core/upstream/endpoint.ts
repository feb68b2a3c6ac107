/**
 * A live endpoint: one address with the connections that idle to it. It belongs to the address, not
 * to a backend or a table, so it survives every swap while somebody uses it.
 */
import type { UpstreamConnection } from "./connection.ts";

/** Idle connections kept for one endpoint by one worker. */
const IDLE_MAX = 256;

/** Endpoints with connections that settle, and whether the end of this turn is awaited. */
const unsettled: Endpoint[] = [];
let awaited = false;

export class Endpoint {
  /** Address, port and uid: what makes it this endpoint and no other. */
  readonly key: string;
  readonly address: string;
  readonly port: number;
  /** How many backends list this endpoint. */
  users = 0;
  /** LIFO: the connection used last is the least likely to be closed by the other side. */
  readonly #idle: UpstreamConnection[] = [];
  /** Given in this turn of the event loop, and in the turn before. */
  #given: UpstreamConnection[] = [];
  #settling: UpstreamConnection[] = [];

  constructor(key: string, address: string, port: number) {
    this.key = key;
    this.address = address;
    this.port = port;
  }

  /** How many connections idle. */
  get idle(): number {
    return this.#idle.length + this.#given.length + this.#settling.length;
  }

  /** The connection used last, or null. It is the caller's from here on. */
  take(): UpstreamConnection | null {
    return this.#idle.length === 0 ? null : this.#idle.pop()!;
  }

  /**
   * Takes a connection back; false when it is not wanted and must be closed. It can be taken again
   * two turns of the event loop later: bytes behind the response (the body of an answer to HEAD,
   * say) are read by then and close it, so that they never answer somebody else.
   */
  give(connection: UpstreamConnection): boolean {
    if (this.users === 0 || this.idle >= IDLE_MAX) return false;
    if (this.#given.length === 0 && this.#settling.length === 0) unsettled.push(this);
    this.#given.push(connection);
    if (!awaited) {
      awaited = true;
      setImmediate(endTurn);
    }
    return true;
  }

  /** The turn is over. True while connections still settle. */
  settle(): boolean {
    const settled = this.#settling;
    for (let i = 0; i < settled.length; i++) this.#idle.push(settled[i]!);
    settled.length = 0;
    this.#settling = this.#given;
    this.#given = settled;
    return this.#settling.length > 0;
  }

  /** Forgets an idle connection that went away. */
  drop(connection: UpstreamConnection): void {
    for (const list of [this.#given, this.#settling, this.#idle]) {
      const index = list.lastIndexOf(connection);
      if (index >= 0) list.splice(index, 1);
    }
  }

  /** Closes all idle connections: the endpoint is gone. Busy ones close when they are given. */
  drain(): void {
    for (const list of [this.#given, this.#settling, this.#idle]) {
      for (const connection of list.slice()) connection.shut();
    }
  }
}

function endTurn(): void {
  awaited = false;
  let kept = 0;
  for (let i = 0; i < unsettled.length; i++) {
    const endpoint = unsettled[i]!;
    if (endpoint.settle()) unsettled[kept++] = endpoint;
  }
  unsettled.length = kept;
  if (kept > 0) {
    awaited = true;
    setImmediate(endTurn);
  }
}
