/**
 * The whole way of a request through a worker allocates nothing of ours: no collection is asked for
 * in two million exchanges over a pooled connection. The sockets are doubles: the kernel's part,
 * and the array that the runtime makes for each read, are not counted.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { testCollections } from "../../test/collections.cases.ts";
import { Dispatch } from "../dispatch.ts";
import { DownstreamConnection } from "../downstream/connection.ts";
import type { DownstreamSocket } from "../downstream/socket.ts";
import { openSite } from "../downstream/site.ts";
import { SECURE } from "../downstream/socket.ts";
import { Exchange } from "../exchange.ts";
import { OK } from "../fault.ts";
import { Head } from "../head.ts";
import { parseRequest } from "../http1/request.ts";
import { parseResponse } from "../http1/response.ts";
import { DEFAULT_LIMITS, limitsOf } from "../limits.ts";
import { DEFAULT_POLICY, NONE, type Model, type RoutePolicy, type VirtualHost } from "../model.ts";
import { Random } from "../random.ts";
import { compileTable, match } from "../route/table.ts";
import { Timers } from "../timers.ts";
import { UpstreamConnection, type UpstreamSocket } from "../upstream/connection.ts";
import { Endpoints } from "../upstream/endpoints.ts";

const requestOf = (host: string): Buffer =>
  Buffer.from(
    `GET /cheese/stilton?age=12 HTTP/1.1\r\nHost: ${host}\r\nUser-Agent: test\r\n` +
      "Accept: */*\r\nX-Forwarded-For: 192.0.2.1\r\nCookie: a=b\r\nConnection: keep-alive\r\n\r\n",
  );
const REQUEST = requestOf("shop.example");
const GUARDED = requestOf("safe.example");
const RESPONSE = Buffer.from(
  "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n" +
    "Keep-Alive: timeout=5\r\nConnection: keep-alive\r\n\r\ncheese",
);

const hostOf = (name: string, policy: RoutePolicy): VirtualHost => ({
  name,
  policy: "",
  routes: [
    {
      id: name,
      origin: { kind: "", namespace: "", name: "", field: "" },
      match: {
        path: { kind: "prefix", value: "/cheese" },
        ...{ methods: [], headers: [], cookies: [], queries: [] },
      },
      action: { kind: "forward", split: [{ backend: "b", weight: 1 }], cursor: NONE },
      policy,
    },
  ],
});

const endpoint = { address: "127.0.0.1", port: 1, uid: "" };
const model: Model = {
  version: 1,
  backends: [{ id: "b", reason: "", endpoints: [endpoint], balance: "leastRequest", tls: null }],
  certificates: [],
  secure: [],
  hosts: [
    hostOf("safe.example", { ...DEFAULT_POLICY, redirect: true, hsts: "max-age=63072000" }),
    hostOf("shop.example", DEFAULT_POLICY),
  ],
};

/** A socket that takes everything and does nothing. */
const socket = {
  remoteAddress: "192.0.2.7",
  localPort: 80,
  bytes: 0,
  write(_bytes: Uint8Array, _from: number, length: number): number {
    this.bytes += length;
    return length;
  },
};

const timers = new Timers();
const upstreamSite = {
  timers,
  limits: DEFAULT_LIMITS,
  random: new Random(1),
  connect: () => {},
  knock: () => {},
};
const endpoints = new Endpoints(upstreamSite);
for (const backend of model.backends) endpoints.put(backend);
const table = compileTable(model, endpoints.indexOf);
const router = new Dispatch(table, endpoints, upstreamSite);
// One connection carries them all.
const limits = limitsOf({ keepAliveRequests: 0 });
const site = openSite({ router, timers, limits, random: new Random(1), unacked: () => 0 });
const client = new DownstreamConnection(socket as unknown as DownstreamSocket, site);
const secured = new DownstreamConnection(socket as unknown as DownstreamSocket, site, null, SECURE);
const live = endpoints.at(endpoints.indexOf("b"))!.endpoints[0]!;
const head = new Head();
const upstream = prime();

/** An idle upstream connection in the pool: one that has answered an exchange. */
function prime(): UpstreamConnection {
  const connection = new UpstreamConnection(live, upstreamSite);
  const exchange = new Exchange(client, router);
  head.reset(REQUEST, 0);
  assert.is(parseRequest(head, REQUEST.length), OK);
  exchange.reset();
  exchange.route = match(table, head);
  exchange.up = connection;
  exchange.requestDone = true;
  connection.assign(exchange);
  connection.opened(socket as unknown as UpstreamSocket);
  connection.received(RESPONSE);
  live.settle();
  live.settle();
  return connection;
}

function exchangeOnce(): number {
  client.received(REQUEST);
  upstream.received(RESPONSE);
  live.settle();
  live.settle();
  return live.idle;
}

/** Over TLS, where its route asks for that and for a line in the answer. */
function exchangeSecured(): number {
  secured.received(GUARDED);
  upstream.received(RESPONSE);
  live.settle();
  live.settle();
  return live.idle;
}

function parseBoth(): number {
  head.reset(REQUEST, 0);
  const request = parseRequest(head, REQUEST.length);
  head.reset(RESPONSE, 0);
  return request + parseResponse(head, RESPONSE.length);
}

const before = socket.bytes;
assert.is(exchangeOnce(), 1, "the exchange goes over the pooled connection");
assert.ok(socket.bytes > before + REQUEST.length, "both ends were written to");

const plain = socket.bytes;
assert.is(exchangeOnce(), 1);
const guarded = socket.bytes;
assert.is(exchangeSecured(), 1, "the same with a guard");
assert.ok(socket.bytes - guarded > guarded - plain, "and the line that it adds");

const workloads = {
  "both heads parsed": parseBoth,
  "a whole exchange": exchangeOnce,
  "a whole exchange of a guarded route": exchangeSecured,
};
await testCollections(import.meta.path, workloads, 2_000_000);

test.run();
