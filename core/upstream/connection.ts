/**
 * One HTTP/1.1 connection to a backend, from before it exists until it is gone:
 *
 *   WAITING ── its turn ──▶ CONNECTING ── opened ──▶ BUSY ◀── assign / done ──▶ IDLE
 *      └──────── every way out, once: ────────────▶ DEAD ◀──────────────────────┘
 *
 * It carries one exchange at a time and knows its time limits; what comes back is read by its
 * `Answer`.
 *
 * tidy: file because this is one state machine over one set of private fields; a half of it in
 * another file would have to see them all.
 */
import { release } from "../bytes.ts";
import type { Exchange } from "../exchange.ts";
import {
  BAD_RESPONSE,
  BUG,
  CONNECTION_LOST,
  CONNECT_FAILED,
  CONNECT_TIMEOUT,
  HEAD_CUT,
  MORE,
  OK,
  PENDING_TIMEOUT,
  RESPONSE_STALLED,
  RESPONSE_TIMEOUT,
  TUNNEL_IDLE,
  UNSOLICITED,
  UPSTREAM_TLS_FAILED,
} from "../fault.ts";
import { hangUp } from "../hangup.ts";
import type { Head } from "../head.ts";
import { CHUNKS_MAX, LONG_READ } from "../limits.ts";
import { writeRequest } from "../http1/write.ts";
import { Output } from "../output.ts";
import { Slab } from "../slab.ts";
import type { Upstream } from "../streams.ts";
import { tally } from "../tally.ts";
import { ticksOf } from "../timers.ts";
import type { Timed } from "../timers.ts";
import { Answer, LEFT } from "./answer.ts";
import type { Endpoint } from "./endpoint.ts";
import type { Queue, Waiter } from "./queue.ts";
import type { UpstreamSite } from "./site.ts";

/** It has no socket yet, and waits in its endpoint's queue for leave to open one. */
const WAITING = 0;
const CONNECTING = 1;
const BUSY = 2;
const IDLE = 3;
const DEAD = 4;

/** A connection that its backend closed for being idle is lost within a way there and back. */
const RACE_TICKS = ticksOf(1_000);

/** Shared by all connections of the worker: it is empty whenever a callback returns. */
const SLAB = new Slab();

/** Faults that speak against the endpoint: no connection to it, or none with an answer. */
const FAILED = [
  CONNECT_FAILED,
  CONNECT_TIMEOUT,
  UPSTREAM_TLS_FAILED,
  CONNECTION_LOST,
  HEAD_CUT,
  RESPONSE_TIMEOUT,
  BAD_RESPONSE,
];

export type UpstreamSocket = Bun.Socket<UpstreamConnection>;

export class UpstreamConnection implements Upstream, Timed, Waiter {
  readonly endpoint: Endpoint;
  deadline = 0;
  slot = -1;
  prev: Timed | null = null;
  next: Timed | null = null;
  queue: Queue | null = null;
  ahead: Waiter | null = null;
  behind: Waiter | null = null;
  /** It answered an exchange before, or may turn out as one that did: it can be the idle race. */
  reused = false;
  readonly #site: UpstreamSite;
  readonly #answer = new Answer(this);
  readonly #out = new Output(SLAB, null);
  #socket: UpstreamSocket | null = null;
  #exchange: Exchange | null = null;
  #state = CONNECTING;
  /** The endpoint counts it as one of its connections. */
  #counted = false;
  /** When the exchange began, in ticks, and what the kernel had taken by then. */
  #since = 0;
  #before = 0;
  #held = false;
  /** Somebody may still hold the bytes of the read at hand. */
  #kept = false;
  /** A tunnel ends each way by itself: the client's side has, so that FIN follows what waits. */
  #closing = false;
  /** The backend's side has. */
  #fin = false;

  constructor(endpoint: Endpoint, site: UpstreamSite) {
    this.endpoint = endpoint;
    this.#site = site;
  }

  /** Binds the exchange; the request follows through `sendHead`. */
  assign(exchange: Exchange): void {
    this.#exchange = exchange;
    this.#since = this.#site.timers.now;
    this.#before = this.#out.taken;
    this.#answer.reset();
    exchange.upOpen = this.#state === IDLE || this.#state === BUSY;
    if (exchange.upOpen) {
      this.#state = BUSY;
      this.deadline = 0;
    } else {
      const { connectMs } = exchange.route!.policy.timeouts;
      const ms = this.#state === WAITING ? this.#site.limits.pendingMs : connectMs;
      this.deadline = this.#site.timers.after(ms);
      this.#site.timers.add(this);
    }
  }

  /** Whether it is still on its way to a socket. */
  get connecting(): boolean {
    return this.#state === CONNECTING;
  }

  /** Whether the kernel took nothing of the request at hand. */
  get unsent(): boolean {
    return this.#out.taken === this.#before;
  }

  // === hot: to the backend ===

  sendHead(head: Head): void {
    this.#out.chunks = head.chunked;
    this.#out.begin();
    const { forwarded, forwardedHost } = this.#exchange!.down;
    writeRequest(SLAB, head, forwarded, forwardedHost);
  }

  sendBody(bytes: Buffer, from: number, to: number): boolean {
    const flowing = this.#out.body(bytes, from, to);
    this.#moved();
    return flowing;
  }

  sendEnd(): void {
    if (this.#answer.tunnel) this.#close();
    else this.#out.end(null);
    this.#moved();
  }

  flush(): void {
    this.#out.flush();
  }

  /**
   * Bytes went through, either way, and the backend's time starts anew: for its next piece, for
   * taking what waits, or, when it has the whole request, for the head of its answer, however
   * that comes. It has all the time while the client is awaited: to take what is held, or to send
   * on.
   */
  #moved(): void {
    const exchange = this.#exchange;
    if (this.#state !== BUSY || exchange === null || this.#held) return;
    const { headMs, idleMs } = exchange.route!.policy.timeouts;
    let ms = headMs;
    if (this.#answer.tunnel && !this.#closing && !this.#fin) ms = this.#site.limits.tunnelIdleMs;
    else if (this.#answer.begun) ms = idleMs;
    else if (!exchange.requestDone && this.#out.waiting === 0) {
      this.deadline = 0;
      return;
    }
    this.deadline = this.#site.timers.after(ms);
  }

  // === hot: from the backend ===

  received(bytes: Buffer): void {
    const exchange = this.#exchange;
    if (this.#state !== BUSY || exchange === null) return this.#unasked();
    this.#kept = false;
    const begun = this.#answer.begun;
    const chunks = this.#answer.chunks;
    const result = this.#answer.read(exchange, bytes);
    if (!begun && this.#answer.begun) this.#answered(exchange);
    if (result === MORE) {
      if (this.#answer.begun) this.#goOn(exchange);
    } else if (result === OK) this.#done(exchange);
    else if (result !== LEFT) this.#fail(result);
    if (bytes.length >= LONG_READ && this.#answer.chunks - chunks > CHUNKS_MAX) this.#giveWay();
    if (!this.#kept) release(bytes);
  }

  /**
   * The head of its answer is here, and the endpoint is well. Who answers before the whole request
   * is there may never read the rest, and take it for the next request (GHSA-3ccp-42pg-hgv6).
   */
  #answered(exchange: Exchange): void {
    this.endpoint.health.succeeded();
    if (!exchange.requestDone || this.#out.waiting > 0) this.#answer.keep = false;
  }

  #goOn(exchange: Exchange): void {
    this.#moved();
    exchange.down.flush();
  }

  /** The response is complete: back to the pool first, so that the next request may use it. */
  #done(exchange: Exchange): void {
    const trailers = this.#answer.trailers();
    const kept = this.#answer.keep;
    this.#exchange = null;
    exchange.up = null;
    if (this.#held) this.#unhold();
    if (!kept || !this.#rest()) this.#kill(false);
    exchange.responseEnd(trailers);
  }

  /** Idles for as long as the backend says and races have taught; false when nobody wants it. */
  #rest(): boolean {
    let ms = this.endpoint.idleMs;
    const seconds = this.#answer.keepAliveSeconds;
    // A second less than it says: it may be on its way to us that long.
    if (seconds >= 0) ms = Math.min(ms, (seconds - 1) * 1_000);
    if (ms <= 0 || !this.endpoint.give(this)) return false;
    this.#state = IDLE;
    this.reused = true;
    this.deadline = this.#site.timers.after(ms);
    return true;
  }

  hold(): void {
    this.#kept = true;
    if (this.#held || this.#socket === null) return;
    this.#held = true;
    this.#socket.pause();
    this.deadline = 0;
  }

  resume(): void {
    if (this.#held) this.#unhold();
  }

  #unhold(): void {
    this.#held = false;
    if (this.#socket !== null) this.#socket.resume();
    this.#moved();
  }

  // === cold ===

  /** What it sent was work: others have a turn before its next read. */
  #giveWay(): void {
    if (this.#held || this.#socket === null) return;
    this.#socket.pause();
    setImmediate(() => {
      if (!this.#held) this.#socket?.resume();
    });
  }

  /**
   * Gets a socket: opens one, or waits until one is free when the endpoint has as many as it may.
   * False when too many wait already. The exchange is assigned right behind.
   */
  reach(): boolean {
    if (this.endpoint.mayOpen()) {
      this.#dial();
      return true;
    }
    this.#state = WAITING;
    this.reused = true;
    return this.endpoint.enqueue(this);
  }

  #dial(): void {
    this.#state = CONNECTING;
    this.reused = false;
    this.#counted = true;
    this.endpoint.dialled();
    this.#site.connect(this);
  }

  /** Its turn in the queue: the request moves to a connection that came free, or one is opened. */
  serve(connection: UpstreamConnection | null): void {
    const exchange = this.#exchange!;
    if (connection === null) {
      this.deadline = this.#site.timers.after(exchange.route!.policy.timeouts.connectMs);
      this.#dial();
      return;
    }
    exchange.up = connection;
    connection.assign(exchange);
    connection.adopt(this);
    this.#kill(false);
    connection.#begin(exchange);
  }

  /** Takes over what waits in a connection that sent nothing of the request. */
  adopt(other: UpstreamConnection): void {
    this.#out.adopt(other.#out);
  }

  /** The backend took the connection, and TLS with it begins: until `opened` nothing is sent. */
  reached(socket: UpstreamSocket): void {
    if (this.#state === CONNECTING) this.#socket = socket;
    else this.opened(socket);
  }

  /** The way to the backend is there, and it is known who is at the other end of it. */
  opened(socket: UpstreamSocket): void {
    const exchange = this.#exchange;
    if (this.#state === DEAD || exchange === null) {
      socket.terminate();
      this.#discount();
      return;
    }
    this.#socket = socket;
    this.#out.sink = socket;
    this.#state = BUSY;
    exchange.upOpen = true;
    this.#begin(exchange);
  }

  /** The socket is there: what waits leaves, and who waited for it goes on. */
  #begin(exchange: Exchange): void {
    const drained = this.#out.drain();
    this.#moved();
    if (drained) exchange.upDrained();
    exchange.offerContinue();
  }

  drained(): void {
    const drained = this.#out.drain();
    this.#moved();
    if (!drained) return;
    if (this.#closing) this.#shutDown();
    else if (this.#exchange !== null) this.#exchange.upDrained();
  }

  refused(): void {
    this.#discount();
    const impossible = this.endpoint.secure?.options === null;
    if (this.#state === CONNECTING) this.#fail(impossible ? UPSTREAM_TLS_FAILED : CONNECT_FAILED);
  }

  /** There is no TLS with the other side any more, and a reason for operators. */
  distrusted(reason: string): void {
    if (this.#state === DEAD) return;
    this.#fail(this.#loss());
    // Behind the count, which it tells.
    this.endpoint.secure?.tell(reason, this.endpoint);
  }

  /** What it means that the backend is gone: on the way to `opened` it had no TLS for us. */
  #loss(): number {
    return this.#state === CONNECTING ? UPSTREAM_TLS_FAILED : this.#answer.lossFault;
  }

  /** The backend sends no more. */
  ended(): void {
    const exchange = this.#exchange;
    if (this.#state === DEAD) return;
    if (exchange !== null && this.#answer.tunnel) this.#halve(exchange);
    else if (exchange !== null && this.#answer.endsByClose && !this.#out.dead) this.#done(exchange);
    else this.#fail(this.#loss());
  }

  closed(): void {
    this.#socket = null;
    this.#discount();
    const exchange = this.#exchange;
    if (this.#state === DEAD) return;
    // A tunnel has no message that could be cut short: however it closes, it is over.
    if (exchange !== null && this.#answer.tunnel) this.#done(exchange);
    else this.#fail(this.#loss());
  }

  broken(): void {
    this.#fail(BUG);
  }

  expire(): void {
    if (this.#state === WAITING) return this.#fail(PENDING_TIMEOUT);
    if (this.#state === CONNECTING) return this.#fail(CONNECT_TIMEOUT);
    if (this.#state !== BUSY || this.#exchange === null) return this.#kill(false);
    // As downstream: `drain` comes late for a slow reader, a write knows.
    const { waiting } = this.#out;
    if (waiting > 0) this.drained();
    if (this.#out.waiting < waiting) return;
    if (this.#answer.tunnel) this.#fail(TUNNEL_IDLE);
    else this.#fail(this.#answer.begun ? RESPONSE_STALLED : RESPONSE_TIMEOUT);
  }

  /** Ends what is going on here with a fault: the endpoint learns of it, then the exchange. */
  #fail(fault: number): void {
    const exchange = this.#exchange;
    if (exchange !== null) {
      this.#report(fault);
      // Another connection may adopt what waits here, so this one dies only afterwards.
      exchange.fail(fault);
    }
    this.#kill(exchange !== null);
  }

  /** What a fault tells about the endpoint; the client's and our own tell nothing. */
  #report(fault: number): void {
    const { endpoint } = this;
    const { now } = this.#site.timers;
    const raced = this.reused && now - this.#since <= RACE_TICKS;
    if (fault === CONNECTION_LOST && raced) endpoint.raced(now);
    else if (FAILED.includes(fault)) endpoint.health.failed(now, fault);
  }

  /**
   * Bytes that nobody asked for would answer the next request (GHSA-35p6-xmwp-9g52), and those
   * before the end of the handshake are anybody's (CVE-2026-1642).
   */
  #unasked(): void {
    if (this.#state === CONNECTING) return this.#fail(UPSTREAM_TLS_FAILED);
    if (this.#state === IDLE) tally(UNSOLICITED);
    this.#kill(true);
  }

  /** The exchange ends without us: nothing on this connection can be trusted any more. */
  abort(): void {
    this.#kill(true);
  }

  /** Closes an idle connection. */
  shut(): void {
    this.#kill(false);
  }

  /** The client's side of a tunnel ended: FIN, behind what waits. The other way goes on. */
  #close(): void {
    this.#closing = true;
    if (this.#out.flush()) this.#shutDown();
  }

  /** Nothing waits any more: FIN, which is the end of it all when the backend's is here. */
  #shutDown(): void {
    this.#socket?.shutdown();
    const exchange = this.#exchange;
    if (this.#fin && exchange !== null) this.#done(exchange);
  }

  /** The backend's side of a tunnel ended: the client learns it, and its own side goes on. */
  #halve(exchange: Exchange): void {
    this.#fin = true;
    if (this.#closing && this.#out.waiting === 0) return this.#done(exchange);
    this.#moved();
    exchange.tunnelHalved();
  }

  #kill(reset: boolean): void {
    const socket = this.#socket;
    if (this.#state === IDLE) this.endpoint.drop(this);
    else if (this.#state === WAITING) this.endpoint.withdraw(this);
    this.#state = DEAD;
    this.#exchange = null;
    this.#socket = null;
    this.#out.close();
    this.#site.timers.remove(this);
    if (socket === null) return;
    if (reset) socket.terminate();
    else hangUp(socket);
    this.#discount();
  }

  /** The socket is closed, or will never be: the endpoint may open another one. */
  #discount(): void {
    if (!this.#counted) return;
    this.#counted = false;
    this.endpoint.gone();
  }
}
