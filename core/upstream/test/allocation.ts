/** Choosing an endpoint, and waiting for one, allocate nothing. */
import { BAD_RESPONSE } from "../../fault.ts";
import { test } from "uvu";
import { testCollections, type Workloads } from "../../../test/collections.cases.ts";
import { DEFAULT_LIMITS, limitsOf } from "../../limits.ts";
import type { Balance } from "../../model.ts";
import { Random } from "../../random.ts";
import { Timers } from "../../timers.ts";
import { Endpoints } from "../endpoints.ts";
import { pickEndpoint } from "../picker.ts";
import { Queue, type Waiter } from "../queue.ts";

const ENDPOINTS = 100;

/** Picks one of many, and lets it be busy for as many picks as there are endpoints. */
function picking(balance: Balance, ejected: number, limits = DEFAULT_LIMITS): () => number {
  const timers = new Timers();
  const random = new Random(1);
  const site = { timers, limits, random, connect: () => {}, knock: () => {} };
  const registry = new Endpoints(site);
  const endpoints = Array.from({ length: ENDPOINTS }, (_, i) => {
    return { address: `10.0.0.${i}`, port: 80, uid: "" };
  });
  registry.put({ id: "a", endpoints, reason: "", balance, tls: null });
  const backend = registry.at(registry.indexOf("a"))!;
  for (const endpoint of backend.endpoints.slice(0, ejected)) {
    for (let i = 0; i < limits.ejectAfter; i++) endpoint.health.failed(timers.now, BAD_RESPONSE);
  }
  const busy = backend.endpoints.slice();
  let at = 0;
  for (const endpoint of busy) endpoint.active++;
  return () => {
    const endpoint = pickEndpoint(backend, busy[at]!, random, timers.now)!;
    endpoint.active++;
    busy[at]!.active--;
    busy[at] = endpoint;
    at = (at + 1) % ENDPOINTS;
    endpoint.health.succeeded();
    return endpoint.active;
  };
}

const queue = new Queue();
const waiters = Array.from({ length: 3 }, (): Waiter => {
  return { queue: null, ahead: null, behind: null, serve: () => {}, broken: () => {} };
});

function waiting(): number {
  for (let i = 0; i < waiters.length; i++) queue.push(waiters[i]!);
  queue.remove(waiters[1]!);
  return queue.shift() === queue.shift() ? 1 : 0;
}

const mature = limitsOf({ slowStartMs: 0 });
const workloads: Workloads = {
  "least request": picking("leastRequest", 0, mature),
  "least request, all new": picking("leastRequest", 0),
  "least request, nearly all ejected": picking("leastRequest", 98, mature),
  "round robin": picking("roundRobin", 0),
  "round robin, half ejected": picking("roundRobin", 50),
  "a queue": waiting,
};

await testCollections(import.meta.path, workloads, 1_000_000);

test.run();
