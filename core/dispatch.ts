/**
 * From a parsed request head to a connection that carries it: match, pick, take. And the other way
 * round when that connection fails: whether, and where, the request may go again.
 */
import type { Exchange, Router } from "./exchange.ts";
import {
  BAD_HOST,
  BODY_TOO_LARGE,
  ENDPOINT_FULL,
  MISDIRECTED,
  NO_ENDPOINT,
  NO_ROUTE,
  OK,
  PENDING_TIMEOUT,
  RETRIES_FULL,
} from "./fault.ts";
import { HTTPS, Head, PATH_ODD } from "./head.ts";
import { WIDEST_LIMITS } from "./http1/fields.ts";
import { parseRequest } from "./http1/request.ts";
import { ATTEMPTS_MAX, LIMITS } from "./limits.ts";
import { Notices } from "./notice.ts";
import { AGAIN, Budget, MOVE, replayMax, verdict } from "./retry.ts";
import { ADMITTED, ELSEWHERE, judge, secureUrl } from "./route/guard.ts";
import type { Guard } from "./route/guard.ts";
import { canonicalPath } from "./route/path.ts";
import { pick } from "./route/split.ts";
import { match } from "./route/table.ts";
import type { Reply, Table } from "./route/table.ts";
import { tally } from "./tally.ts";
import { UpstreamConnection } from "./upstream/connection.ts";
import type { Endpoint } from "./upstream/endpoint.ts";
import type { Backend, Endpoints } from "./upstream/endpoints.ts";
import { pickEndpoint } from "./upstream/picker.ts";
import type { UpstreamSite } from "./upstream/site.ts";

/** Picks that may come out as an endpoint that was tried, before all are looked at. */
const DRAWS_MAX = 3;

/** Where HTTPS is: the port that clients know for it, and whether this rind listens for it. */
type Https = Readonly<{ port: number; own: boolean }>;

/** Whoever speaks HTTPS with clients stands in front. */
const IN_FRONT: Https = { port: 443, own: false };

const NO_BYTES = new Uint8Array(0);

const RETRIED_HEAD = new Head();

export class Dispatch implements Router {
  /** The live table: replaced by one assignment, never edited. */
  table: Table;
  readonly #endpoints: Endpoints;
  readonly #site: UpstreamSite;
  /** How many exchanges are in flight, and how many of them were sent again. */
  readonly budget: Budget;
  readonly #notices: Notices;
  readonly #https: Https;

  constructor(table: Table, endpoints: Endpoints, site: UpstreamSite, https = IN_FRONT) {
    this.table = table;
    this.#endpoints = endpoints;
    this.#site = site;
    this.budget = new Budget(site.limits);
    this.#notices = new Notices(site.timers);
    this.#https = https;
  }

  // === hot ===

  route(exchange: Exchange, head: Head): void {
    const route = match(this.table, head);
    if (route === null) return exchange.fail(NO_ROUTE);
    const { guard } = route;
    if (guard !== null || exchange.down.policy !== "" || (head.flags & HTTPS) !== 0) {
      if (!this.#admits(exchange, head, guard)) return;
    }
    exchange.route = route;
    if (route.reply !== null) return answer(exchange, route.reply);
    const max = route.policy.bodyBytesMax;
    if (max !== null && head.length > max) return exchange.fail(BODY_TOO_LARGE);
    const index = route.split === null ? route.backend : pick(route.split);
    const backend = this.#endpoints.at(index);
    if (backend === null) return exchange.fail(NO_ENDPOINT);
    exchange.backend = backend;
    const endpoint = this.#pick(backend, null);
    if (endpoint === null) return exchange.fail(NO_ENDPOINT);
    const connection = endpoint.take() ?? this.#open(endpoint) ?? this.#spare(backend, endpoint);
    if (connection === null) return this.#full(exchange, endpoint);
    this.budget.active++;
    this.#bind(exchange, connection);
    connection.sendHead(head);
  }

  #pick(backend: Backend, not: Endpoint | null): Endpoint | null {
    return pickEndpoint(backend, not, this.#site.random, this.#site.timers.now);
  }

  #bind(exchange: Exchange, connection: UpstreamConnection): void {
    exchange.attempts++;
    exchange.endpoint = connection.endpoint;
    exchange.endpoint.active++;
    exchange.up = connection;
    connection.assign(exchange);
  }

  /** The final head of its answer is here: a retry has become an exchange like any other. */
  answered(exchange: Exchange): void {
    if (!exchange.retrying) return;
    exchange.retrying = false;
    this.budget.retries--;
  }

  over(exchange: Exchange): void {
    if (exchange.endpoint === null) return;
    this.answered(exchange);
    exchange.endpoint.active--;
    exchange.endpoint = null;
    this.budget.active--;
  }

  // === cold ===

  /** Whether the request came as its route demands; otherwise it is answered. */
  #admits(exchange: Exchange, head: Head, guard: Guard | null): boolean {
    const { down } = exchange;
    const { port, own } = this.#https;
    switch (judge(guard, down, head, own)) {
      case ADMITTED:
        if (guard !== null && down.secure) exchange.hsts = guard.hsts;
        return true;
      case ELSEWHERE:
        redirect(exchange, secureUrl(head, port));
        return false;
      default:
        exchange.fail(MISDIRECTED);
        return false;
    }
  }

  /** A connection that will be: it dials, or waits for its turn. Null when too many wait. */
  #open(endpoint: Endpoint): UpstreamConnection | null {
    const connection = new UpstreamConnection(endpoint, this.#site);
    return connection.reach() ? connection : null;
  }

  #full(exchange: Exchange, endpoint: Endpoint): void {
    exchange.fail(ENDPOINT_FULL);
    this.#tell(ENDPOINT_FULL, LIMITS.pending.name, endpoint);
  }

  #tell(fault: number, limit: string, { address, port }: Endpoint): void {
    this.#notices.tell(fault, { limit, address, port });
  }

  /** Which limit kept a request waiting: the endpoint's own, or that of the worker. */
  #tellPending(endpoint: Endpoint): void {
    const { upstreamConnections } = this.#site.limits;
    const own = endpoint.connections >= upstreamConnections;
    const limit = own ? LIMITS.upstreamConnections : LIMITS.upstreamTotal;
    this.#tell(PENDING_TIMEOUT, limit.name, endpoint);
  }

  /** For a full endpoint, one of another. */
  #spare(backend: Backend, full: Endpoint): UpstreamConnection | null {
    const endpoint = this.#pick(backend, full);
    if (endpoint === null || endpoint === full) return null;
    return endpoint.take() ?? this.#open(endpoint);
  }

  replayMax(exchange: Exchange): number {
    const { up } = exchange;
    return up instanceof UpstreamConnection ? replayMax(exchange, up.reused, this.#site.limits) : 0;
  }

  retry(exchange: Exchange, fault: number): boolean {
    const failed = exchange.up;
    if (!(failed instanceof UpstreamConnection)) return false;
    if (fault === PENDING_TIMEOUT) this.#tellPending(failed.endpoint);
    switch (verdict(fault, failed, exchange, exchange.route!.policy.retry)) {
      case MOVE:
        return this.#move(exchange, failed);
      case AGAIN:
        return this.#again(exchange, failed);
      default:
        return false;
    }
  }

  /** Nothing was sent: what waits in the outbox goes to another connection, body and all. */
  #move(exchange: Exchange, failed: UpstreamConnection): boolean {
    if (exchange.attempts - exchange.resent >= ATTEMPTS_MAX) return false;
    const endpoint = failed.connecting
      ? this.#untried(exchange, failed.endpoint)
      : this.#pick(exchange.backend!, failed.endpoint);
    const connection = endpoint === null ? null : this.#open(endpoint);
    if (connection === null) return false;
    this.#rebind(exchange, connection);
    connection.adopt(failed);
    return true;
  }

  /** An endpoint that was not tried for this exchange, a healthy one if there is; or null. */
  #untried(exchange: Exchange, failed: Endpoint): Endpoint | null {
    const backend = exchange.backend!;
    for (let i = 0; i < DRAWS_MAX; i++) {
      const picked = this.#pick(backend, failed);
      if (picked !== failed && picked !== exchange.tried) return picked;
    }
    let left: Endpoint | null = null;
    for (const endpoint of backend.endpoints) {
      if (endpoint === failed || endpoint === exchange.tried) continue;
      if (endpoint.health.available(this.#site.timers.now)) return endpoint;
      left ??= endpoint;
    }
    return left;
  }

  /** Sends what is kept of the request once more, on a connection of its own. */
  #again(exchange: Exchange, failed: UpstreamConnection): boolean {
    if (!this.budget.allows) {
      tally(RETRIES_FULL);
      this.#tell(RETRIES_FULL, LIMITS.retryBudget.name, failed.endpoint);
      return false;
    }
    const endpoint = this.#pick(exchange.backend!, failed.endpoint);
    if (endpoint === null) return false;
    const head = RETRIED_HEAD;
    head.reset(exchange.replay, exchange.replayStart);
    if (parseRequest(head, exchange.replay.length, WIDEST_LIMITS) !== OK) return false;
    if ((head.flags & PATH_ODD) !== 0 && !canonicalPath(head)) return false;
    const connection = this.#open(endpoint);
    if (connection === null) return false;
    exchange.resent++;
    if (!exchange.retrying) this.budget.retries++;
    exchange.retrying = true;
    this.#rebind(exchange, connection);
    connection.sendHead(head);
    const { kept } = exchange;
    if (kept !== null) connection.sendBody(kept.bytes, 0, kept.end);
    if (exchange.requestDone) connection.sendEnd();
    connection.flush();
    return true;
  }

  #rebind(exchange: Exchange, connection: UpstreamConnection): void {
    exchange.tried = exchange.endpoint;
    exchange.endpoint!.active--;
    this.#bind(exchange, connection);
  }
}

function answer(exchange: Exchange, reply: Reply): void {
  const { status, location, body } = reply;
  const extra = location === "" ? "" : `Location: ${location}\r\n`;
  exchange.answer(status, body, extra);
}

/** The method and the body go along: 308 (RFC 9110 §15.4.9). */
function redirect(exchange: Exchange, url: string): void {
  if (url === "") exchange.fail(BAD_HOST);
  else exchange.answer(308, NO_BYTES, `Location: ${url}\r\n`);
}
