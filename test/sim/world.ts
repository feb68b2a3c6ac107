/** A worker's data plane over the network in memory: one host, one backend, time by hand. */
import { Dispatch } from "../../core/dispatch.ts";
import { DownstreamConnection } from "../../core/downstream/connection.ts";
import type { DownstreamSocket } from "../../core/downstream/socket.ts";
import { openSite, type Site } from "../../core/downstream/site.ts";
import { limitsOf, type Limits } from "../../core/limits.ts";
import { DEFAULT_POLICY, EMPTY_MODEL, NONE } from "../../core/model.ts";
import type { Action, Endpoint, Model, Route, RoutePolicy } from "../../core/model.ts";
import { Random } from "../../core/random.ts";
import type { Budget } from "../../core/retry.ts";
import { compileTable } from "../../core/route/table.ts";
import { Slab } from "../../core/slab.ts";
import { Timers, type Timed } from "../../core/timers.ts";
import { HANDSHAKE_FAULTS, type HandshakeFault } from "./plan.ts";
import type { UpstreamConnection, UpstreamSocket } from "../../core/upstream/connection.ts";
import type { Endpoint as Live } from "../../core/upstream/endpoint.ts";
import { Endpoints } from "../../core/upstream/endpoints.ts";
import type { UpstreamSite } from "../../core/upstream/site.ts";
import { Network, Socket, type Actor, type Remote } from "./network.ts";

const TICK_MS = 250;
const SECOND = 1_000;
/** No deadline of the world below is longer. */
const AGES_MS = 8_000 * SECOND;

/** When the kernel gives up a connection that nobody accepts. */
const LATE_MS = 130 * SECOND;

/** Shorter than the defaults, in the same order of length. */
const LIMITS: Partial<Limits> = {
  firstByteMs: 4 * SECOND,
  headMs: 4 * SECOND,
  bodyIdleMs: 7 * SECOND,
  bodyGraceMs: 7 * SECOND,
  clientStallMs: 8 * SECOND,
  keepAliveMs: 15 * SECOND,
  connectionAgeMs: 300 * SECOND,
  upstreamIdleMs: 11 * SECOND,
  tunnelIdleMs: 20 * SECOND,
  pendingMs: 3 * SECOND,
};
const POLICY: RoutePolicy = {
  ...DEFAULT_POLICY,
  timeouts: { connectMs: 3 * SECOND, headMs: 9 * SECOND, idleMs: 6 * SECOND },
};

/** What a backend's connection does; `index` counts them over all endpoints, from 0. */
export type Serve = (remote: Remote, index: number) => Actor;

export type WorldOptions = Readonly<{
  serve: Serve;
  /** Endpoints of the backend; the first `refusing` of them refuse every connection. */
  endpoints: number;
  refusing: number;
  limits: Partial<Limits>;
  policy: Partial<RoutePolicy>;
  /** The send buffer of sockets, in bytes. */
  rooms: Readonly<{ client: number; backend: number }>;
  seed: number;
}>;

/** Every slab rind uses, found out as it claims them. */
const SLABS = new Set<Slab>();
const { claim } = Slab.prototype;
Slab.prototype.claim = function spied(this: Slab, owner: object): void {
  SLABS.add(this);
  claim.call(this, owner);
};

export class World {
  readonly network = new Network();
  readonly timers = new Timers();
  readonly #filed = new Set<Timed>();
  readonly endpoints: Endpoints;
  readonly clients: Remote[] = [];
  readonly backends: Remote[] = [];
  #dials = 0;
  /** Every endpoint there ever was. */
  readonly #known = new Set<Live>();
  readonly #options: WorldOptions;
  readonly #site: Site;
  readonly #budget: Budget;

  constructor(options: WorldOptions) {
    this.#options = options;
    const limits = limitsOf({ ...LIMITS, ...options.limits });
    const random = new Random(options.seed);
    const { timers } = this;
    const connect = (connection: UpstreamConnection): void => this.#connect(connection);
    // Nobody answers: an ejected endpoint serves its wait.
    const knock = (): void => {};
    const upstream: UpstreamSite = { timers, limits, random, connect, knock };
    this.endpoints = new Endpoints(upstream);
    const model = modelOf(options.endpoints, { ...POLICY, ...options.policy });
    const table = compileTable(model, this.endpoints.indexOf);
    this.#put(model);
    const router = new Dispatch(table, this.endpoints, upstream);
    this.#budget = router.budget;
    this.#site = openSite({ router, timers, limits, random, unacked: () => 0 });
    timers.add = (item) => {
      this.#filed.add(item);
      Timers.prototype.add.call(timers, item);
    };
    timers.remove = (item) => {
      this.#filed.delete(item);
      Timers.prototype.remove.call(timers, item);
    };
    this.network.check = () => this.#checkSlabs();
  }

  /** Exchanges with a backend. */
  get inFlight(): number {
    return this.#budget.active;
  }

  /** A client connects and does what `act` says. */
  client(act: (remote: Remote) => Actor): Remote {
    const { network } = this;
    const socket = new Socket(network, "client", this.clients.length);
    socket.room = this.#options.rooms.client;
    socket.remote.actor = act(socket.remote);
    this.clients.push(socket.remote);
    network.call(null, () => {
      const near = socket as unknown as DownstreamSocket;
      socket.events = new DownstreamConnection(near, this.#site, socket.remoteAddress);
    });
    return socket.remote;
  }

  #connect(connection: UpstreamConnection): void {
    const { network } = this;
    const fault = network.fault({ kind: "connect", side: "backend", index: this.#dials++ });
    const refusing = connection.endpoint.port <= this.#options.refusing;
    const refused = refusing || fault === "refused" || fault === "never";
    const now = this.timers.now;
    const after = fault === "slow" ? SECOND : fault === "late" || fault === "never" ? LATE_MS : 0;
    network.dial(
      () => this.timers.now >= now + after / TICK_MS,
      () => {
        const handshake = HANDSHAKE_FAULTS.find((way) => way === fault);
        if (refused) network.call(connection, () => connection.refused());
        else if (handshake === undefined) this.#accept(connection, this.#socketOf(connection));
        else this.#shake(connection, handshake);
      },
    );
  }

  /** TLS begins with a backend, and goes as `fault` says. */
  #shake(connection: UpstreamConnection, fault: HandshakeFault): void {
    const { network } = this;
    const socket = this.#socketOf(connection);
    const { remote } = socket;
    network.call(connection, () => connection.reached(socket as unknown as UpstreamSocket));
    if (fault === "clear") remote.send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged");
    else if (fault === "hungUp") remote.leave();
    else if (fault === "distrusted") {
      network.call(connection, () => connection.distrusted("it is somebody else"));
    } else if (fault === "shaken") {
      const end = this.timers.now + SECOND / TICK_MS;
      network.dial(
        () => socket.closed || this.timers.now >= end,
        () => {
          if (!socket.closed) this.#accept(connection, socket);
        },
      );
    }
  }

  #socketOf(connection: UpstreamConnection): Socket {
    const socket = new Socket(this.network, "backend", this.backends.length);
    socket.room = this.#options.rooms.backend;
    socket.events = connection;
    return socket;
  }

  #accept(connection: UpstreamConnection, socket: Socket): void {
    const { network } = this;
    socket.remote.actor = this.#options.serve(socket.remote, this.backends.length);
    this.backends.push(socket.remote);
    network.call(connection, () => connection.opened(socket as unknown as UpstreamSocket));
  }

  /** The backend's endpoints are replaced by others at the same addresses. */
  replace(uid: string): void {
    this.#put(modelOf(this.#options.endpoints, POLICY, uid));
  }

  /** The worker drains. */
  drain(): void {
    this.#site.draining = true;
    for (const connection of this.#site.connections) connection.drain();
  }

  #put(model: Model): void {
    for (const backend of model.backends) {
      this.endpoints.put(backend);
      const live = this.endpoints.at(this.endpoints.indexOf(backend.id))!;
      for (const endpoint of live.endpoints) this.#known.add(endpoint);
    }
  }

  /** Time passes, until rind has let go of everything or `ms` are over. */
  pass(ms = AGES_MS): void {
    for (let at = 0; at < ms && this.leaks().length > 0; at += TICK_MS) {
      this.network.call(null, () => this.timers.tick());
      this.network.settle();
    }
  }

  /** What rind still holds. */
  leaks(): string[] {
    const leaks: string[] = [];
    const { sockets } = this.network;
    const count = (what: string, of: number): void => {
      if (of > 0) leaks.push(`${of} ${what}`);
    };
    count("clients' connections", this.#site.connections.size);
    count("bytes that wait for clients", this.#site.waiting.total);
    count("idle connections to backends", this.endpoints.idle);
    for (const endpoint of this.#known) {
      count("exchanges counted by an endpoint", endpoint.active);
      count("connections counted by an endpoint", endpoint.connections);
      count("requests in the queue of an endpoint", endpoint.pending);
    }
    count("dials", this.network.dialling);
    count("open sockets", sockets.filter(({ closed }) => !closed).length);
    count("exchanges in flight", this.#budget.active);
    count("retries in flight", this.#budget.retries);
    count("clients admitted", this.#site.admission.open);
    count("deadlines", this.#filed.size);
    return leaks;
  }

  #checkSlabs(): void {
    for (const slab of SLABS) {
      if (slab.end > 0) this.network.bugs.push(`${slab.end} bytes left in a slab`);
      slab.end = 0;
    }
  }
}

function modelOf(endpoints: number, policy: RoutePolicy, uid = ""): Model {
  const list: Endpoint[] = [];
  for (let i = 1; i <= endpoints; i++) list.push({ address: "192.0.2.2", port: i, uid });
  const action = { kind: "forward", split: [{ backend: "sim", weight: 1 }], cursor: NONE } as const;
  const own = { kind: "respond", status: 200, body: "rind's own\n" } as const;
  const routes = [routeOf("/", action, policy), routeOf("/own", own, policy)];
  return {
    ...EMPTY_MODEL,
    version: 1,
    hosts: [{ name: "*", policy: "", routes }],
    backends: [{ id: "sim", endpoints: list, reason: "", balance: "roundRobin", tls: null }],
  };
}

function routeOf(path: string, action: Action, policy: RoutePolicy): Route {
  const everything = { methods: [], headers: [], cookies: [], queries: [] };
  return {
    id: path,
    origin: { kind: "Test", namespace: "sim", name: path, field: "" },
    match: { path: { kind: "prefix", value: path }, ...everything },
    action,
    policy,
  };
}
