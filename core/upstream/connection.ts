/**
 * One HTTP/1.1 connection to a backend: connecting, busy with one exchange, idle in its endpoint's
 * pool, or dead. It decodes what the backend sends with the same distrust as what clients send.
 *
 * tidy: file because this is one state machine over one set of private fields; a half of it in
 * another file would have to see them all.
 */
import { release } from "../bytes.ts";
import type { Exchange, Upstream } from "../exchange.ts";
import {
  BAD_RESPONSE,
  BUG,
  CONNECTION_LOST,
  CONNECT_FAILED,
  CONNECT_TIMEOUT,
  MORE,
  OK,
  RESPONSE_CUT,
  RESPONSE_TIMEOUT,
} from "../fault.ts";
import { HAS_CODING, HAS_LENGTH, Head } from "../head.ts";
import { BY_CHUNKS, BY_CLOSE, Body } from "../http1/body.ts";
import { BROKEN, DATA, ENDED } from "../http1/found.ts";
import { nominated } from "../http1/nominate.ts";
import { isKept, parseResponse, responseKind } from "../http1/response.ts";
import { isSwitch } from "../http1/websocket.ts";
import { Partial } from "../http1/partial.ts";
import { writeRequest } from "../http1/write.ts";
import { INTERIM_MAX, LINGER_MS, TUNNEL_IDLE_MS, UPSTREAM_IDLE_MS } from "../limits.ts";
import { Output } from "../output.ts";
import { Slab } from "../slab.ts";
import type { Timed, Timers } from "../timers.ts";
import type { Endpoint } from "./endpoint.ts";
import type { UpstreamSite } from "./site.ts";

const CONNECTING = 0;
const BUSY = 1;
const IDLE = 2;
const DEAD = 3;

const BOTH_FRAMINGS = HAS_CODING | HAS_LENGTH;
const LINE_MAX = 65_536;

/** Shared by all connections of the worker: neither outlives the callback that fills it. */
const SLAB = new Slab();
const HEAD = new Head();

export type UpstreamSocket = Bun.Socket<UpstreamConnection>;

export class UpstreamConnection implements Upstream, Timed {
  readonly endpoint: Endpoint;
  deadline = 0;
  slot = -1;
  prev: Timed | null = null;
  next: Timed | null = null;
  /** It answered an exchange before; a failure may be the idle-close race. */
  reused = false;
  readonly #timers: Timers;
  readonly #body = new Body();
  readonly #out = new Output(SLAB, null);
  #socket: UpstreamSocket | null = null;
  #exchange: Exchange | null = null;
  #state = CONNECTING;
  /** The final response head is here. */
  #answering = false;
  /** A byte of the response is here. */
  #touched = false;
  #keep = false;
  #tunnel = false;
  #held = false;
  /** Somebody may still hold the bytes of the read at hand. */
  #kept = false;
  #closing = false;
  #interims = 0;
  #partial: Partial | null = null;

  constructor(endpoint: Endpoint, site: UpstreamSite) {
    this.endpoint = endpoint;
    this.#timers = site.timers;
  }

  /** Binds the exchange; the request follows through `sendHead`. */
  assign(exchange: Exchange): void {
    const timeouts = exchange.route!.policy.timeouts;
    this.#exchange = exchange;
    this.#answering = false;
    this.#touched = false;
    this.#tunnel = false;
    this.#interims = 0;
    if (this.#state === CONNECTING) {
      this.deadline = this.#timers.after(timeouts.connectMs);
      this.#timers.add(this);
    } else {
      this.#state = BUSY;
      this.deadline = this.#timers.after(timeouts.headMs);
      exchange.upOpen = true;
    }
  }

  /** Takes the request of a connection that never opened. */
  adopt(other: UpstreamConnection): void {
    this.#out.adopt(other.#out);
  }

  // === hot: to the backend ===

  sendHead(head: Head): void {
    this.#out.chunks = head.chunked;
    this.#out.begin();
    const { forwarded, forwardedHost } = this.#exchange!.down;
    writeRequest(SLAB, head, forwarded, forwardedHost);
  }

  sendBody(bytes: Buffer, from: number, to: number): boolean {
    this.#moved();
    return this.#out.body(bytes, from, to);
  }

  sendEnd(): void {
    if (this.#tunnel) return this.#close();
    this.#moved();
    this.#out.end(null);
  }

  /**
   * Bytes went through, either way: the backend's time starts anew, until the head of its answer or
   * its next piece. While it is held for a slow client it has all the time.
   */
  #moved(): void {
    const exchange = this.#exchange;
    if (this.#state !== BUSY || exchange === null || this.#held) return;
    const { headMs, idleMs } = exchange.route!.policy.timeouts;
    const ms = this.#tunnel ? TUNNEL_IDLE_MS : this.#answering ? idleMs : headMs;
    this.deadline = this.#timers.after(ms);
  }

  flush(): void {
    this.#out.flush();
  }

  // === hot: from the backend ===

  received(bytes: Buffer): void {
    const exchange = this.#exchange;
    if (this.#state !== BUSY || exchange === null) {
      // Unsolicited bytes would answer the next request, whoever asks it: GHSA-35p6-xmwp-9g52.
      this.#kill(true);
      return;
    }
    this.#touched = true;
    this.#kept = false;
    if (this.#answering) this.#readBody(exchange, bytes, 0, bytes.length);
    else if (this.#partial !== null) this.#readMore(exchange, bytes);
    else {
      HEAD.reset(bytes, 0);
      this.#readHead(exchange, HEAD, bytes.length);
    }
    if (!this.#kept) release(bytes);
  }

  #readHead(exchange: Exchange, head: Head, available: number): void {
    while (this.#exchange === exchange) {
      const result = parseResponse(head, available);
      if (result === MORE) return this.#waitForMore(head, available);
      if (result !== OK) return exchange.fail(result);
      if (head.status >= 200 || head.status === 101) break;
      if (++this.#interims > INTERIM_MAX) return exchange.fail(BAD_RESPONSE);
      // We answer Expect ourselves, so a 100 is no news to the client (RFC 9110 §15.2).
      if (head.status !== 100) exchange.responseInterim(head);
      head.reset(head.bytes, head.end);
    }
    if (this.#exchange !== exchange) return;
    const bytes = head.bytes;
    const end = head.end;
    this.#partial = null;
    if (head.status === 101) this.#switch(exchange, head);
    else this.#answer(exchange, head);
    if (this.#exchange === exchange) this.#readBody(exchange, bytes, end, available);
  }

  #answer(exchange: Exchange, head: Head): void {
    const kind = responseKind(head, exchange.headMethod);
    this.#answering = true;
    this.#keep = kind !== BY_CLOSE && isKept(head) && !exchange.switches && !exchange.bound;
    this.#body.start(kind, head.length, true);
    if (exchange.trailers && kind === BY_CHUNKS) this.#body.keepTrailers(nominated(head));
    // Two framings at once: nobody knows what this backend meant (RFC 9112 §6.3).
    if ((head.flags & BOTH_FRAMINGS) === BOTH_FRAMINGS) exchange.last = true;
    exchange.responseHead(head, kind);
  }

  #readBody(exchange: Exchange, bytes: Buffer, from: number, end: number): void {
    const body = this.#body;
    let at = from;
    while (true) {
      const found = body.next(bytes, at, end);
      at = body.at;
      if (found === DATA) {
        exchange.responseBody(bytes, body.from, body.to);
        if (this.#exchange !== exchange) return;
      } else if (found === ENDED) return this.#done(exchange, at === end);
      else if (found === BROKEN) return exchange.fail(RESPONSE_CUT);
      else break;
    }
    this.#moved();
    exchange.down.flush();
  }

  /** The response is complete: back to the pool first, so that the next request may use it. */
  #done(exchange: Exchange, clean: boolean): void {
    const trailers = this.#body.trailers();
    const reusable = this.#keep && clean && exchange.requestDone && this.#out.waiting === 0;
    this.#exchange = null;
    exchange.up = null;
    if (this.#held) this.#unhold();
    if (reusable && !this.#closing && this.endpoint.give(this)) {
      this.#state = IDLE;
      this.reused = true;
      this.deadline = this.#timers.after(UPSTREAM_IDLE_MS);
    } else this.#kill(false);
    exchange.responseEnd(trailers);
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

  /** Keeps an unfinished head; it goes on line by line when more arrives. */
  #waitForMore(head: Head, available: number): void {
    this.#partial ??= new Partial(head.bytes, head.start, available);
  }

  #readMore(exchange: Exchange, bytes: Buffer): void {
    const partial = this.#partial!;
    if (partial.more(bytes, LINE_MAX)) this.#readHead(exchange, partial.head, partial.end);
  }

  /** 101: only for a handshake that we passed on, and only the right answer to it. */
  #switch(exchange: Exchange, head: Head): void {
    if (!exchange.switches || !isSwitch(head, exchange.replay, exchange.replayStart)) {
      exchange.last = true;
      exchange.fail(BAD_RESPONSE);
      return;
    }
    this.#answering = true;
    this.#keep = false;
    this.#tunnel = true;
    this.#out.chunks = false;
    this.#body.start(BY_CLOSE, 0, true);
    exchange.responseSwitch(head);
  }

  opened(socket: UpstreamSocket): void {
    if (this.#state === DEAD) {
      socket.terminate();
      return;
    }
    this.#socket = socket;
    this.#out.sink = socket;
    this.#state = BUSY;
    const exchange = this.#exchange!;
    this.#moved();
    if (this.#out.drain()) exchange.upDrained();
    exchange.upOpen = true;
    exchange.offerContinue();
  }

  drained(): void {
    if (!this.#closing) this.#moved();
    if (!this.#out.drain()) return;
    if (this.#closing) this.#socket?.shutdown();
    else if (this.#exchange !== null) this.#exchange.upDrained();
  }

  refused(): void {
    if (this.#state === CONNECTING) this.#lose(CONNECT_FAILED);
  }

  /** The backend sends no more. */
  ended(): void {
    const exchange = this.#exchange;
    if (exchange !== null && this.#answering && this.#body.kind === BY_CLOSE) {
      this.#done(exchange, true);
    } else this.#lose(this.#lossFault());
  }

  closed(): void {
    this.#socket = null;
    if (this.#state === DEAD) return;
    // A tunnel has no message that could be cut short: however it closes, it is over.
    if (this.#tunnel && this.#exchange !== null) this.#done(this.#exchange, false);
    else this.#lose(this.#lossFault());
  }

  broken(): void {
    this.#lose(BUG);
  }

  #lossFault(): number {
    if (this.#answering) return RESPONSE_CUT;
    return this.#touched ? BAD_RESPONSE : CONNECTION_LOST;
  }

  expire(): void {
    if (this.#state === CONNECTING) this.#lose(CONNECT_TIMEOUT);
    else if (this.#state === BUSY && this.#exchange !== null) {
      // As downstream: `drain` comes late for a slow reader, a write knows.
      const { waiting } = this.#out;
      if (waiting > 0) this.drained();
      if (this.#out.waiting < waiting) return;
      this.#exchange.fail(this.#answering ? RESPONSE_CUT : RESPONSE_TIMEOUT);
    } else this.#kill(false);
  }

  #lose(fault: number): void {
    const exchange = this.#exchange;
    this.#exchange = null;
    // First the exchange: another connection may adopt what waits here.
    if (exchange !== null) exchange.fail(fault);
    this.#kill(false);
  }

  /** The exchange ends without us: nothing on this connection can be trusted any more. */
  abort(): void {
    this.#kill(true);
  }

  /** Closes an idle connection. */
  shut(): void {
    this.#kill(false);
  }

  /** Ends a tunnel: what waits, then FIN; the rest ends when the backend's FIN comes, or soon. */
  #close(): void {
    this.#closing = true;
    this.deadline = this.#timers.after(LINGER_MS);
    if (this.#out.waiting === 0) this.#socket?.shutdown();
  }

  #kill(reset: boolean): void {
    const socket = this.#socket;
    if (this.#state === IDLE) this.endpoint.drop(this);
    this.#state = DEAD;
    this.#exchange = null;
    this.#socket = null;
    this.#out.close();
    this.#timers.remove(this);
    if (socket === null) return;
    if (reset) socket.terminate();
    else socket.end();
  }
}
