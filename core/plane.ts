/** One worker's data plane: listeners, the live table, its endpoints, and every connection. */
import { assert } from "./assert.ts";
import { ascii } from "./bytes.ts";
import { fittedLimits, surroundingsOf } from "./capacity.ts";
import { cidrsOf } from "./cidr.ts";
import { Dispatch } from "./dispatch.ts";
import { Handshakes } from "./downstream/handshake.ts";
import { listen } from "./downstream/listen.ts";
import type { Listener, Place } from "./downstream/listen.ts";
import { beginSecure } from "./downstream/peek.ts";
import type { Begin } from "./downstream/preface.ts";
import { SecureListener } from "./downstream/relisten.ts";
import type { SecureSite } from "./downstream/secure.ts";
import { openSite } from "./downstream/site.ts";
import type { Site } from "./downstream/site.ts";
import { Vault } from "./downstream/vault.ts";
import { unackedBy } from "./libc.ts";
import { log } from "./log.ts";
import { EMPTY_MODEL } from "./model.ts";
import type { Delta } from "./model.ts";
import type { Bound, EdgeSettings, Refused } from "./protocol.ts";
import { Random } from "./random.ts";
import { lookupHost } from "./route/hosts.ts";
import { shareCursors } from "./route/split.ts";
import { compileTable, patchTable } from "./route/table.ts";
import { Timers } from "./timers.ts";
import { connect, connectRaw, knock } from "./upstream/connect.ts";
import { assertBackend, Endpoints } from "./upstream/endpoints.ts";
import { passagesTo } from "./upstream/passage.ts";

export type PlaneConfig = EdgeSettings &
  Readonly<{
    /** Of sockets bound to `http`, then `https`; none: it binds its own. */
    sockets: readonly number[];
    /** Its own sockets let others bind the same addresses. */
    reusePort: boolean;
    /** Number of this worker: workers start their splits at different places. */
    worker: number;
    /** How many there are: they share the memory. */
    workers: number;
    /** Counters that all workers share, so that splits are exact over them; null: own ones. */
    cursors: Int32Array | null;
  }>;

/** What is open; `capacity` of clients' connections. */
type Counts = Readonly<{
  connections: number;
  capacity: number;
  idleUpstream: number;
  backends: number;
}>;

/** How often a draining worker looks whether its last connection has closed. */
const DRAIN_LOOK_MS = 20;
/** What the ends of a tunnel get to agree on its end. */
const FAREWELL_MS = 1_000;
/** Turns of the event loop between the order to drain and the last accept. */
const ACCEPT_TURNS = 3;

export class Plane {
  readonly #config: PlaneConfig;
  readonly #timers = new Timers();
  readonly #endpoints: Endpoints;
  readonly #dispatch: Dispatch;
  readonly #site: Site;
  /** Null where nobody listens for TLS. */
  readonly #secure: SecureSite | null;
  #listeners: Listener[] = [];
  #secureListeners: SecureListener[] = [];
  #version = EMPTY_MODEL.version;

  constructor(config: PlaneConfig) {
    this.#config = config;
    shareCursors(config.cursors, config.worker);
    const seed = crypto.getRandomValues(new Int32Array(1))[0]!;
    const random = new Random(seed);
    const timers = this.#timers;
    const limits = fittedLimits(config.limits, surroundingsOf(), config.workers);
    const upstream = { timers, limits, random, connect, knock };
    this.#endpoints = new Endpoints(upstream);
    const table = compileTable(EMPTY_MODEL, this.#endpoints.indexOf, seed);
    const https = { port: config.tls.port, own: config.https.length > 0 };
    this.#dispatch = new Dispatch(table, this.#endpoints, upstream, https);
    const parts = { router: this.#dispatch, timers, limits, random, unacked: unackedBy() };
    const peers = { trusted: cidrsOf(config.trusted), proxies: cidrsOf(config.proxies) };
    this.#site = openSite(parts, peers, passagesTo(this.#endpoints, upstream, connectRaw));
    this.#secure = config.https.length === 0 ? null : this.#secureSite(config);
    this.#timers.start();
  }

  #secureSite({ https, tls }: PlaneConfig): SecureSite {
    const site = this.#site;
    // Who says where clients are redirected to, and listens nowhere there, has ports mapped.
    const mapped = https.every(({ port }) => port !== tls.port);
    const serves = (name: string): boolean => {
      const { hosts } = this.#dispatch.table;
      return lookupHost(hosts, ascii(name), 0, name.length) !== hosts.any;
    };
    const handshakes = new Handshakes(site);
    // Not a copy: whether it drains is one fact.
    return Object.assign(site, {
      vault: new Vault(tls),
      handshakes,
      unknown: tls.unknown,
      serves,
      port: mapped ? tls.port : 0,
      wallMs: () => Date.now(),
    });
  }

  /** The version of the model that is served. */
  get version(): number {
    return this.#version;
  }

  /** Accepts on every address; answers the first where that cannot be, and accepts on none then. */
  listen(): Refused | null {
    const { http, https, sockets, reusePort } = this.#config;
    for (const [i, address] of [...http, ...https].entries()) {
      const place = { address, fd: sockets[i] ?? null, reusePort };
      try {
        if (i < http.length) this.#listeners.push(listen(place, this.#site));
        else this.#listenSecure(place);
      } catch (error) {
        this.#shut();
        return { ok: false, address, code: codeOf(error) };
      }
    }
    return null;
  }

  #listenSecure(place: Place): void {
    const secure = this.#secure;
    assert(secure !== null, "who listens for TLS has certificates");
    const begin: Begin = (socket, _site, opening) => beginSecure(socket, secure, opening);
    this.#secureListeners.push(new SecureListener(place, secure, begin));
  }

  /** Listens no more; what is open stays open. */
  #shut(): void {
    for (const listener of this.#listeners.splice(0)) listener.stop();
    for (const listener of this.#secureListeners.splice(0)) listener.stop();
  }

  /** Where it listens. */
  addresses(): Bound {
    return {
      http: this.#listeners.map(({ address }) => address),
      https: this.#secureListeners.map(({ address }) => address),
    };
  }

  /**
   * Compiles the change beside the live table, then swaps. A change that does not compile throws
   * and changes nothing; a route never points at a backend that is not there yet, or no more.
   */
  apply(delta: Delta): void {
    assert(delta.base === this.#version, `delta for ${delta.base}, this is ${this.#version}`);
    delta.backends.forEach(assertBackend);
    // Always: the table's version goes along, or the next change of hosts would not fit it.
    const next = patchTable(this.#dispatch.table, delta, this.#endpoints.indexOf);
    for (const backend of delta.backends) this.#endpoints.put(backend);
    this.#dispatch.table = next;
    for (const id of delta.backendsGone) this.#endpoints.remove(id);
    this.#endpoints.sweep(next);
    this.#version = delta.version;
    this.#secure?.vault.patch(delta);
    for (const listener of this.#secureListeners) listener.refresh();
  }

  /**
   * Accepts what waits and nothing after it, and finishes what runs. What still runs when the time
   * is up is closed within FAREWELL_MS: tunnels by FIN first. Resolves when all is closed.
   */
  async drain(deadlineMs: number): Promise<void> {
    this.#site.draining = true;
    // A turn polls once and takes all that waits: who raced us gets an answer and no reset.
    for (let turn = 0; turn < ACCEPT_TURNS; turn++) await nextTurn();
    this.#shut();
    for (const connection of this.#site.connections) connection.drain();
    await this.#untilClosed(deadlineMs);
    const late = this.#site.connections.size;
    if (late > 0) log("warn", "the drain is over: what still runs is cut", { connections: late });
    for (const connection of this.#site.connections) connection.farewell();
    await this.#untilClosed(FAREWELL_MS);
    this.stop();
  }

  async #untilClosed(waitMs: number): Promise<void> {
    const end = performance.now() + waitMs;
    while (this.#site.connections.size > 0 && performance.now() < end) {
      await Bun.sleep(DRAIN_LOOK_MS);
    }
  }

  /** Closes everything now. */
  stop(): void {
    this.#shut();
    for (const connection of this.#site.connections) connection.abort();
    this.#endpoints.drain();
    this.#timers.stop();
  }

  /** What is open, for tests and the drain report. */
  counts(): Counts {
    const { idle, size } = this.#endpoints;
    const { connections, admission } = this.#site;
    const { capacity } = admission;
    return { connections: connections.size, capacity, idleUpstream: idle, backends: size };
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : String(error);
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
