/**
 * A live endpoint: one address with its health, the connections that idle to it, and who waits for
 * one. It belongs to the address, not to a backend or a table, so it survives every swap while
 * somebody uses it.
 */
import { contain } from "../contain.ts";
import { IDLE_FLOOR_MS, IDLE_RECOVER_MS, RACE_WINDOW_MS, RACES_MAX } from "../limits.ts";
import { ticksOf } from "../timers.ts";
import type { UpstreamConnection } from "./connection.ts";
import { Health } from "./health.ts";
import { Queue, type Waiter } from "./queue.ts";
import type { Room, Tenant } from "./room.ts";
import type { Secure } from "./secure.ts";
import type { UpstreamSite } from "./site.ts";

/** Endpoints with connections that settle, and whether the end of this turn is awaited. */
const unsettled: Endpoint[] = [];
let awaited = false;

export class Endpoint implements Tenant {
  /** Address, port, uid and TLS settings: what makes it this endpoint and no other. */
  readonly key: string;
  readonly address: string;
  readonly port: number;
  /** How TLS is spoken with it; null is not at all. */
  readonly secure: Secure | null;
  readonly health: Health;
  /** How many backends list this endpoint. */
  users = 0;
  /** Exchanges in flight; who binds one counts it, until it leaves this endpoint. */
  active = 0;
  /** How long an idle connection is kept, milliseconds; learned from races. */
  idleMs: number;
  readonly #site: UpstreamSite;
  readonly #room: Room;
  /** LIFO: the connection used last is the least likely to be closed by the other side. */
  readonly #idle: UpstreamConnection[] = [];
  /** Given in this turn of the event loop, and in the turn before. */
  #given: UpstreamConnection[] = [];
  #settling: UpstreamConnection[] = [];
  #unsettled = false;
  /** Connections that exist: dialling, busy and idle. */
  #connections = 0;
  readonly #queue = new Queue();
  #serving = false;
  /** Races, the ticks of the first and the last, and the tick at which `idleMs` may grow again. */
  #races = 0;
  #since = 0;
  #raced = 0;
  #forgiven = Number.POSITIVE_INFINITY;

  constructor(
    key: string,
    at: Readonly<{ address: string; port: number; secure: Secure | null }>,
    site: UpstreamSite,
    room: Room,
  ) {
    this.key = key;
    this.address = at.address;
    this.port = at.port;
    this.secure = at.secure;
    this.health = new Health(at, site);
    this.idleMs = site.limits.upstreamIdleMs;
    this.#site = site;
    this.#room = room;
  }

  /** How many connections idle. */
  get idle(): number {
    return this.#idle.length + this.#given.length + this.#settling.length;
  }

  /** How many connections exist: dialling, busy and idle. */
  get connections(): number {
    return this.#connections;
  }

  /** How many wait for a connection. */
  get pending(): number {
    return this.#queue.length;
  }

  // === hot ===

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
    if (this.users === 0 || this.idle >= this.#site.limits.upstreamIdle) return false;
    const { now } = this.#site.timers;
    if (now >= this.#forgiven) this.#forgive(now);
    this.#given.push(connection);
    if (!this.#unsettled) {
      this.#unsettled = true;
      unsettled.push(this);
      awaitTurn();
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
    if (this.#queue.length > 0) this.#serve(Number.POSITIVE_INFINITY);
    this.#room.settle();
    this.#unsettled = this.#given.length + this.#settling.length > 0;
    return this.#unsettled;
  }

  /** Whether one more connection may be opened; to say yes an idle one may be closed. */
  mayOpen(): boolean {
    return this.#allowed() ? this.#room.mayOpen() : this.evict();
  }

  // === cold ===

  /** One more connection exists, or will when its dial succeeds. */
  dialled(): void {
    this.#connections++;
    this.#room.open++;
  }

  /** A connection is closed for good, or its dial failed: the next one in the queue may dial. */
  gone(): void {
    this.#connections--;
    this.#room.open--;
    if (this.#queue.length > 0) this.#serve(Number.POSITIVE_INFINITY);
    this.#room.settle();
  }

  /** Lets somebody wait for a connection; false when too many do. */
  enqueue(waiter: Waiter): boolean {
    if (this.#queue.length >= this.#site.limits.pending) return false;
    this.#queue.push(waiter);
    if (this.#allowed()) this.#room.wait(this);
    return true;
  }

  /** It waits no more. */
  withdraw(waiter: Waiter): void {
    this.#queue.remove(waiter);
  }

  admit(): void {
    this.#serve(1);
  }

  /** Whether its own limit allows one more connection. */
  #allowed(): boolean {
    return this.#connections < this.#site.limits.upstreamConnections;
  }

  /**
   * Gives out what is free to so many, first come, first served. A turn that fails at once frees
   * another, which is given out here as well.
   */
  #serve(most: number): void {
    if (this.#serving) return;
    this.#serving = true;
    for (let i = 0; i < most && this.#queue.length > 0; i++) {
      if (this.#idle.length === 0 && !this.mayOpen()) break;
      const waiter = this.#queue.shift()!;
      const connection = this.take();
      contain(waiter, () => waiter.serve(connection));
    }
    this.#serving = false;
    if (this.#queue.length > 0 && this.#allowed()) this.#room.wait(this);
  }

  /**
   * A reused connection died before a byte of its response: the backend closed it for being idle
   * as we wrote. When that repeats, idle connections are kept half as long. Many at the same moment
   * count as one: that is a backend that went down with all its connections.
   */
  raced(now: number): void {
    if (now === this.#raced) return;
    this.#raced = now;
    if (this.#races === 0 || now - this.#since > ticksOf(RACE_WINDOW_MS)) {
      this.#races = 0;
      this.#since = now;
    }
    if (++this.#races < RACES_MAX) return;
    this.#races = 0;
    this.idleMs = Math.max(Math.min(IDLE_FLOOR_MS, this.idleMs), Math.floor(this.idleMs / 2));
    this.#forgiven = now + ticksOf(IDLE_RECOVER_MS);
  }

  /** A long time without races: the backend may have been told to keep connections for longer. */
  #forgive(now: number): void {
    const most = this.#site.limits.upstreamIdleMs;
    this.idleMs = Math.min(most, this.idleMs * 2);
    const whole = this.idleMs === most;
    this.#forgiven = whole ? Number.POSITIVE_INFINITY : now + ticksOf(IDLE_RECOVER_MS);
  }

  /** Forgets an idle connection that went away. */
  drop(connection: UpstreamConnection): void {
    for (const list of [this.#given, this.#settling, this.#idle]) {
      const index = list.lastIndexOf(connection);
      if (index >= 0) list.splice(index, 1);
    }
  }

  evict(): boolean {
    const longest = this.#idle.shift();
    longest?.shut();
    return longest !== undefined;
  }

  /** Closes all idle connections: the endpoint is gone. Busy ones close when they are given. */
  drain(): void {
    this.health.stop();
    for (const list of [this.#given, this.#settling, this.#idle]) {
      for (const connection of list.slice()) connection.shut();
    }
  }
}

function awaitTurn(): void {
  if (awaited) return;
  awaited = true;
  setImmediate(endTurn);
}

function endTurn(): void {
  awaited = false;
  // What is given from here on belongs to the next turn.
  const count = unsettled.length;
  let kept = 0;
  for (let i = 0; i < unsettled.length; i++) {
    const endpoint = unsettled[i]!;
    if (i >= count || endpoint.settle()) unsettled[kept++] = endpoint;
  }
  unsettled.length = kept;
  if (kept > 0) awaitTurn();
}
