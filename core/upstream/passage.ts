/**
 * From a pipe to an endpoint that takes it. While none has, no byte has left: an endpoint that
 * refuses, or answers nothing in time, makes the pipe go to another one.
 */
import { ATTEMPTS_MAX } from "../limits.ts";
import type { Passage, Passages, Pipe } from "../pipe.ts";
import type { Endpoint } from "./endpoint.ts";
import type { Backend, Endpoints } from "./endpoints.ts";
import { pickEndpoint } from "./picker.ts";
import { RawConnection } from "./raw.ts";
import type { DialRaw } from "./raw.ts";
import type { UpstreamSite } from "./site.ts";

/** Picks that may come out as an endpoint that was tried, before all are looked at. */
const DRAWS_MAX = 3;

/** Finds the endpoints of passages; `dial` is what connects to one. */
export function passagesTo(endpoints: Endpoints, site: UpstreamSite, dial: DialRaw): Passages {
  return {
    open: (id, pipe) => {
      const backend = endpoints.named(id);
      if (backend === null) return null;
      const way = new Way(backend, site, { pipe, dial });
      return way.begin() ? way : null;
    },
  };
}

class Way implements Passage {
  readonly #backend: Backend;
  readonly #site: UpstreamSite;
  readonly #pipe: Pipe;
  readonly #dial: DialRaw;
  readonly #tried: Endpoint[] = [];
  #connection: RawConnection | null = null;

  constructor(backend: Backend, site: UpstreamSite, ends: Readonly<{ pipe: Pipe; dial: DialRaw }>) {
    this.#backend = backend;
    this.#site = site;
    this.#pipe = ends.pipe;
    this.#dial = ends.dial;
  }

  /** Tries the next endpoint that has room; false when there is none, or enough were tried. */
  begin(): boolean {
    while (this.#tried.length < ATTEMPTS_MAX) {
      const endpoint = this.#untried();
      if (endpoint === null) return false;
      this.#tried.push(endpoint);
      const failed = (fault: number): void => this.#failed(fault);
      const owner = { pipe: this.#pipe, dial: this.#dial, failed };
      const connection = new RawConnection(endpoint, this.#site, owner);
      this.#connection = connection;
      if (connection.reach()) return true;
    }
    return false;
  }

  /** An endpoint that was not tried, a healthy one if there is; or null. */
  #untried(): Endpoint | null {
    const { random, timers } = this.#site;
    const last = this.#tried.at(-1) ?? null;
    for (let i = 0; i < DRAWS_MAX; i++) {
      const picked = pickEndpoint(this.#backend, last, random, timers.now);
      if (picked === null || !this.#tried.includes(picked)) return picked;
    }
    const left = this.#backend.endpoints.filter((endpoint) => !this.#tried.includes(endpoint));
    return left.find(({ health }) => health.available(timers.now)) ?? left[0] ?? null;
  }

  #failed(fault: number): void {
    this.#connection = null;
    if (!this.begin()) this.#pipe.owner.failed(fault);
  }

  moved(): void {
    this.#connection?.moved();
  }

  close(): void {
    this.#connection?.close();
    this.#connection = null;
  }
}
