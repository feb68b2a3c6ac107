/**
 * The worker's registry of backends and endpoints. Routes refer to backends by a small number that
 * stays the same as long as the backend exists; endpoints are counted by the backends that list
 * them and let go when nobody does.
 */
import { isIP } from "node:net";

import { assert } from "../assert.ts";
import { NONE } from "../model.ts";
import type * as model from "../model.ts";
import { namedBackends, type Table } from "../route/table.ts";
import { Endpoint } from "./endpoint.ts";
import { PICKERS } from "./picker.ts";
import { Room } from "./room.ts";
import { type Secure, Secures } from "./secure.ts";
import type { UpstreamSite } from "./site.ts";

const PORT_MAX = 65_535;

/** Numbers without a backend that are left alone until a table has to be searched for them. */
const VACANT_MAX = 64;

/** A backend as the worker sees it; the arrays are replaced, never edited. */
export class Backend {
  readonly id: string;
  endpoints: readonly Endpoint[] = [];
  pick = PICKERS.leastRequest;
  /** How TLS is spoken with its endpoints; null is not at all. */
  secure: Secure | null = null;
  /** Where round robin goes on. */
  turn = 0;
  /** It is in the model; else only a number that a table names, or has named. */
  present = false;

  constructor(id: string) {
    this.id = id;
  }
}

export class Endpoints {
  readonly #site: UpstreamSite;
  readonly #numbers = new Map<string, number>();
  readonly #backends: (Backend | null)[] = [];
  readonly #free: number[] = [];
  readonly #endpoints = new Map<string, Endpoint>();
  readonly #room: Room;
  readonly #secures: Secures;
  /** Numbers whose backend is not present, and how many may be before they are looked through. */
  #vacant = 0;
  #vacantMax = VACANT_MAX;

  constructor(site: UpstreamSite) {
    this.#site = site;
    this.#room = new Room(site.limits.upstreamTotal, this.#endpoints);
    this.#secures = new Secures(site.timers);
  }

  /** The number of a backend, made on first sight: a route may name it before it arrives. */
  readonly indexOf = (id: string): number => {
    const known = this.#numbers.get(id);
    if (known !== undefined) return known;
    const index = this.#free.pop() ?? this.#backends.length;
    this.#numbers.set(id, index);
    this.#backends[index] = new Backend(id);
    this.#vacant++;
    return index;
  };

  /** The backend of a number; null for NONE and for one that is gone. */
  at(index: number): Backend | null {
    return index === NONE ? null : (this.#backends[index] ?? null);
  }

  /** The backend with this id; null when it is not in the model. */
  named(id: string): Backend | null {
    const backend = this.at(this.#numbers.get(id) ?? NONE);
    return backend?.present === true ? backend : null;
  }

  /** Gives a backend its endpoints; unchanged addresses keep their connections and their health. */
  put(backend: model.Backend): void {
    assertBackend(backend);
    const live = this.at(this.indexOf(backend.id))!;
    const { endpoints: before, secure: secured } = live;
    live.secure = backend.tls === null ? null : this.#secures.take(backend.tls);
    live.endpoints = backend.endpoints.map((endpoint) => this.#acquire(endpoint, live.secure));
    for (const endpoint of before) this.#release(endpoint);
    if (secured !== null) this.#secures.give(secured);
    live.pick = PICKERS[backend.balance];
    // Workers and replicas begin at different places, or the first endpoint would get most.
    if (before.length === 0) live.turn = this.#site.random.below(live.endpoints.length || 1);
    if (!live.present) this.#vacant--;
    live.present = true;
  }

  /** Forgets a backend. Its number stays its own as long as the table may name it: see `sweep`. */
  remove(id: string): void {
    const live = this.at(this.#numbers.get(id) ?? NONE);
    if (live === null || !live.present) return;
    for (const endpoint of live.endpoints) this.#release(endpoint);
    live.endpoints = [];
    if (live.secure !== null) this.#secures.give(live.secure);
    live.secure = null;
    live.present = false;
    this.#vacant++;
  }

  /**
   * Lets numbers go whose backend is not present and that `table`, the live one, does not name.
   * Looks only when there are twice as many as it left the last time, so that it costs little.
   */
  sweep(table: Table): void {
    if (this.#vacant <= this.#vacantMax) return;
    const named = namedBackends(table, this.#backends.length);
    for (const [id, index] of this.#numbers) {
      if (named[index] === 1 || this.#backends[index]!.present) continue;
      this.#numbers.delete(id);
      this.#backends[index] = null;
      this.#free.push(index);
      this.#vacant--;
    }
    this.#vacantMax = Math.max(VACANT_MAX, this.#vacant * 2);
  }

  /** Closes every idle connection; used when the worker stops. */
  drain(): void {
    for (const endpoint of this.#endpoints.values()) endpoint.drain();
  }

  /** How many backends have a number, those that are only named included. */
  get size(): number {
    return this.#numbers.size;
  }

  /** How many TLS settings are in use. */
  get secures(): number {
    return this.#secures.size;
  }

  /** How many connections to backends there are: dialling, busy and idle. */
  get connections(): number {
    return this.#room.open;
  }

  /** How many connections idle, over all endpoints. */
  get idle(): number {
    let sum = 0;
    for (const endpoint of this.#endpoints.values()) sum += endpoint.idle;
    return sum;
  }

  #acquire({ address, port, uid }: model.Endpoint, secure: Secure | null): Endpoint {
    // An address alone is not an identity: a new pod may get that of a dead one. And what is sent
    // to one whose certificate was checked must not go to it by a connection without TLS.
    const key = `${address} ${port} ${uid}${secure === null ? "" : ` ${secure.key}`}`;
    const at = { address, port, secure };
    const live = this.#endpoints.get(key) ?? new Endpoint(key, at, this.#site, this.#room);
    this.#endpoints.set(key, live);
    live.users++;
    return live;
  }

  #release(endpoint: Endpoint): void {
    if (--endpoint.users > 0) return;
    this.#endpoints.delete(endpoint.key);
    endpoint.drain();
  }
}

/** Throws for a backend that nothing can connect to: a bug of who made the model. */
export function assertBackend({ id, endpoints, balance }: model.Backend): void {
  assert(Object.hasOwn(PICKERS, balance), `backend ${id} has no balance ${balance}`);
  for (const { address, port } of endpoints) {
    assert(isIP(address) !== 0, `backend ${id}: ${address} is not an IP address`);
    const valid = Number.isInteger(port) && port > 0 && port <= PORT_MAX;
    assert(valid, `backend ${id}: ${port} is no port`);
  }
}
