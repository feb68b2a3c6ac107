/**
 * From a parsed request head to a connection that carries it: match, pick, take. And the other way
 * round when that connection fails: whether, and where, the request may go again.
 */
import type { Exchange, Router } from "./exchange.ts";
import { BODY_TOO_LARGE, FAULTS, NO_ENDPOINT, NO_ROUTE, OK } from "./fault.ts";
import { Head, PATH_ODD } from "./head.ts";
import { parseRequest } from "./http1/request.ts";
import { ATTEMPTS_MAX } from "./limits.ts";
import { canonicalPath } from "./route/path.ts";
import { pick } from "./route/split.ts";
import { match } from "./route/table.ts";
import type { Reply, Table } from "./route/table.ts";
import { UpstreamConnection } from "./upstream/connection.ts";
import type { Endpoint } from "./upstream/endpoint.ts";
import type { Backend, Endpoints } from "./upstream/endpoints.ts";
import { pickEndpoint } from "./upstream/picker.ts";
import type { UpstreamSite } from "./upstream/site.ts";

const RETRIED_HEAD = new Head();

export class Dispatch implements Router {
  /** The live table: replaced by one assignment, never edited. */
  table: Table;
  readonly #endpoints: Endpoints;
  readonly #site: UpstreamSite;

  constructor(table: Table, endpoints: Endpoints, site: UpstreamSite) {
    this.table = table;
    this.#endpoints = endpoints;
    this.#site = site;
  }

  // === hot ===

  route(exchange: Exchange, head: Head): void {
    const route = match(this.table, head);
    if (route === null) return exchange.fail(NO_ROUTE);
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
    const connection = endpoint.take() ?? this.#open(endpoint);
    this.#bind(exchange, connection);
    connection.sendHead(head);
  }

  #pick(backend: Backend, not: Endpoint | null): Endpoint | null {
    return pickEndpoint(backend, not, this.#site.random, this.#site.timers.now);
  }

  #bind(exchange: Exchange, connection: UpstreamConnection): void {
    exchange.attempts++;
    exchange.endpoint = connection.endpoint;
    exchange.up = connection;
    connection.assign(exchange);
  }

  // === cold ===

  #open(endpoint: Endpoint): UpstreamConnection {
    const connection = new UpstreamConnection(endpoint, this.#site);
    this.#site.connect(connection);
    return connection;
  }

  retry(exchange: Exchange, fault: number): boolean {
    const failed = exchange.up;
    if (!(failed instanceof UpstreamConnection) || exchange.attempts >= ATTEMPTS_MAX) return false;
    if (FAULTS[fault]!.retry === "unsent") return this.#retryUnsent(exchange, failed);
    return FAULTS[fault]!.retry === "reused" && this.#retryReused(exchange, failed);
  }

  /** Nothing was sent: what waits in the outbox goes to another endpoint, body and all. */
  #retryUnsent(exchange: Exchange, failed: UpstreamConnection): boolean {
    const endpoint = this.#pick(exchange.backend!, failed.endpoint);
    if (endpoint === null || endpoint === failed.endpoint) return false;
    const connection = this.#open(endpoint);
    connection.adopt(failed);
    this.#bind(exchange, connection);
    return true;
  }

  /**
   * The backend closed an idle connection while we wrote to it. An idempotent request without a
   * body is sent once more, on a fresh connection (RFC 9110 §9.2.2).
   */
  #retryReused(exchange: Exchange, failed: UpstreamConnection): boolean {
    const replayable = exchange.idempotent && exchange.requestDone && exchange.sent === 0;
    if (!failed.reused || !replayable) return false;
    const endpoint = this.#pick(exchange.backend!, failed.endpoint);
    if (endpoint === null) return false;
    const head = RETRIED_HEAD;
    head.reset(exchange.replay, exchange.replayStart);
    if (parseRequest(head, exchange.replay.length) !== OK) return false;
    if ((head.flags & PATH_ODD) !== 0 && !canonicalPath(head)) return false;
    const connection = this.#open(endpoint);
    this.#bind(exchange, connection);
    connection.sendHead(head);
    connection.sendEnd();
    connection.flush();
    return true;
  }
}

function answer(exchange: Exchange, reply: Reply): void {
  const { status, location, body } = reply;
  const extra = location === "" ? "" : `Location: ${location}\r\n`;
  exchange.answer(status, body, extra);
}
