/**
 * How an endpoint is chosen inside a backend. Ejected ones are passed over while there is another;
 * when there is none, as if nobody were ejected: a backend is never answered 503 for its health.
 */
import type { Balance } from "../model.ts";
import type { Random } from "../random.ts";
import type { Endpoint } from "./endpoint.ts";
import type { Backend } from "./endpoints.ts";

type Pick = (
  backend: Backend,
  not: Endpoint | null,
  random: Random,
  now: number,
) => Endpoint | null;

/** Pairs that are drawn before all endpoints are looked at. */
const DRAWS_MAX = 4;

/** How to choose, by what the backend asks for. */
export const PICKERS: Readonly<Record<Balance, Pick>> = { leastRequest, roundRobin };

// === hot ===

/**
 * An endpoint for a request at tick `now`, or null when the backend has none. `not` has just failed
 * it, and is only chosen when it is the only one.
 */
export function pickEndpoint(
  backend: Backend,
  not: Endpoint | null,
  random: Random,
  now: number,
): Endpoint | null {
  const endpoint = backend.pick(backend, not, random, now);
  if (endpoint !== null) endpoint.health.chosen(now);
  return endpoint;
}

/**
 * The less busy of two random ones (Mitzenmacher, "The Power of Two Choices", 2001). When they are
 * equally busy it is the turn of the next one in the list, if it is no busier: requests one after
 * the other are spread evenly, not at random.
 */
function leastRequest(
  backend: Backend,
  not: Endpoint | null,
  random: Random,
  now: number,
): Endpoint | null {
  const { endpoints } = backend;
  const count = endpoints.length;
  if (count < 2) return count === 0 ? null : endpoints[0]!;
  for (let i = 0; i < DRAWS_MAX; i++) {
    const first = random.below(count);
    const second = random.below(count - 1);
    const one = endpoints[first]!;
    const other = endpoints[second < first ? second : second + 1]!;
    if (!fits(one, not, now)) {
      if (fits(other, not, now)) return other;
    } else if (!fits(other, not, now)) return one;
    else {
      const load = loadOf(one, now);
      const otherLoad = loadOf(other, now);
      if (load !== otherLoad) return load < otherLoad ? one : other;
      const next = endpoints[turnOf(backend, count)]!;
      return fits(next, not, now) && loadOf(next, now) <= load ? next : one;
    }
  }
  return leastOfAll(backend, not, now);
}

/** Each in its turn. */
function roundRobin(
  backend: Backend,
  not: Endpoint | null,
  _random: Random,
  now: number,
): Endpoint | null {
  const { endpoints } = backend;
  const count = endpoints.length;
  for (let i = 0; i < count; i++) {
    const endpoint = endpoints[turnOf(backend, count)]!;
    if (fits(endpoint, not, now)) return endpoint;
  }
  return anyOther(backend, not);
}

function fits(endpoint: Endpoint, not: Endpoint | null, now: number): boolean {
  return endpoint !== not && endpoint.health.available(now);
}

function loadOf(endpoint: Endpoint, now: number): number {
  return endpoint.health.load(endpoint.active, now);
}

/** The place of the next one in the list; the list may have become shorter. */
function turnOf(backend: Backend, count: number): number {
  const turn = backend.turn < count ? backend.turn : 0;
  backend.turn = turn + 1;
  return turn;
}

/** For when most are ejected: looks at every one, from where the turn is. */
function leastOfAll(backend: Backend, not: Endpoint | null, now: number): Endpoint | null {
  const { endpoints } = backend;
  const count = endpoints.length;
  const start = turnOf(backend, count);
  let least = -1;
  let load = 0;
  for (let i = 0; i < count; i++) {
    const at = start + i < count ? start + i : start + i - count;
    const endpoint = endpoints[at]!;
    if (!fits(endpoint, not, now)) continue;
    const found = loadOf(endpoint, now);
    if (least >= 0 && found >= load) continue;
    least = at;
    load = found;
  }
  if (least < 0) return anyOther(backend, not);
  backend.turn = least + 1;
  return endpoints[least]!;
}

/** As if nobody were ejected. */
function anyOther(backend: Backend, not: Endpoint | null): Endpoint | null {
  const { endpoints } = backend;
  const count = endpoints.length;
  if (count === 0) return null;
  const endpoint = endpoints[turnOf(backend, count)]!;
  return endpoint === not ? endpoints[turnOf(backend, count)]! : endpoint;
}
