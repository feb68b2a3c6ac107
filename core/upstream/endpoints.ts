/**
 * The worker's registry of backends and endpoints. Routes refer to backends by a small number that
 * stays the same as long as the backend exists; endpoints are counted by the backends that list
 * them and let go when nobody does.
 */
import { NONE } from "../model.ts";
import type * as model from "../model.ts";
import { Endpoint } from "./endpoint.ts";

/** A backend as the worker sees it; the arrays are replaced, never edited. */
export class Backend {
  readonly id: string;
  endpoints: readonly Endpoint[] = [];
  /** Where round robin goes on. */
  turn = 0;

  constructor(id: string) {
    this.id = id;
  }
}

export class Endpoints {
  readonly #numbers = new Map<string, number>();
  readonly #backends: (Backend | null)[] = [];
  readonly #free: number[] = [];
  readonly #endpoints = new Map<string, Endpoint>();

  /** The number of a backend, made on first sight: a route may name it before it arrives. */
  readonly indexOf = (id: string): number => {
    const known = this.#numbers.get(id);
    if (known !== undefined) return known;
    const index = this.#free.pop() ?? this.#backends.length;
    this.#numbers.set(id, index);
    this.#backends[index] = new Backend(id);
    return index;
  };

  /** The backend of a number; null for NONE and for one that is gone. */
  at(index: number): Backend | null {
    return index === NONE ? null : (this.#backends[index] ?? null);
  }

  /** Gives a backend its endpoints; unchanged addresses keep their connections. */
  put(backend: model.Backend): void {
    const live = this.at(this.indexOf(backend.id))!;
    const before = live.endpoints;
    live.endpoints = backend.endpoints.map((endpoint) => this.#acquire(endpoint));
    for (const endpoint of before) this.#release(endpoint);
  }

  /** Forgets a backend. Call it after the table that named it was replaced. */
  remove(id: string): void {
    const index = this.#numbers.get(id);
    if (index === undefined) return;
    const live = this.#backends[index]!;
    for (const endpoint of live.endpoints) this.#release(endpoint);
    live.endpoints = [];
    this.#numbers.delete(id);
    this.#backends[index] = null;
    this.#free.push(index);
  }

  /** Closes every idle connection; used when the worker stops. */
  drain(): void {
    for (const endpoint of this.#endpoints.values()) endpoint.drain();
  }

  /** How many connections idle, over all endpoints. */
  get idle(): number {
    let sum = 0;
    for (const endpoint of this.#endpoints.values()) sum += endpoint.idle;
    return sum;
  }

  #acquire(endpoint: model.Endpoint): Endpoint {
    const key = keyOf(endpoint);
    const live = this.#endpoints.get(key) ?? new Endpoint(key, endpoint.address, endpoint.port);
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

/** An address alone is not an identity: a new pod may get the address of a dead one. */
function keyOf(endpoint: model.Endpoint): string {
  return `${endpoint.address} ${endpoint.port} ${endpoint.uid}`;
}
