/**
 * The answering half of a connection to a backend: what it says in one exchange, from the first
 * byte to the last, decoded with the same distrust as what clients say. It tells the exchange as it
 * goes, and the connection what to do at the end of each read.
 */
import type { Exchange } from "../exchange.ts";
import {
  BAD_RESPONSE,
  CONNECTION_LOST,
  HEAD_CUT,
  MORE,
  OK,
  RESPONSE_CUT,
  RESPONSE_EXCESS,
} from "../fault.ts";
import { HAS_CODING, HAS_LENGTH, Head } from "../head.ts";
import { BY_CHUNKS, BY_CLOSE, Body } from "../http1/body.ts";
import { BROKEN, DATA, ENDED } from "../http1/found.ts";
import { nominated } from "../http1/nominate.ts";
import { Partial } from "../http1/partial.ts";
import { isKept, parseResponse, responseKind } from "../http1/response.ts";
import { isSwitch } from "../http1/websocket.ts";
import { INTERIM_MAX } from "../limits.ts";
import type { Upstream } from "../streams.ts";
import { tally } from "../tally.ts";

const BOTH_FRAMINGS = HAS_CODING | HAS_LENGTH;
const LINE_MAX = 65_536;

/** The exchange left while it was told something; what is left of the read is nobody's. */
export const LEFT = -1;

/** Shared by all connections of the worker: it does not outlive the callback that fills it. */
const HEAD = new Head();

export class Answer {
  /** A byte of it is here. */
  touched = false;
  /** The final head is here. */
  begun = false;
  /** It switched protocols: from here on bytes have no form. */
  tunnel = false;
  /** The connection may carry another request behind it. */
  keep = false;
  /** How long the backend keeps an idle connection, as it says, seconds; −1: it does not. */
  keepAliveSeconds = -1;
  readonly #up: Upstream;
  readonly #body = new Body();
  #interims = 0;
  #partial: Partial | null = null;

  constructor(up: Upstream) {
    this.#up = up;
  }

  /** Every field above, for the next exchange. */
  reset(): void {
    this.touched = false;
    this.begun = false;
    this.tunnel = false;
    this.keep = false;
    this.keepAliveSeconds = -1;
    this.#interims = 0;
    this.#partial = null;
  }

  /** Chunks that were read, in all its time: the work that small ones make. */
  get chunks(): number {
    return this.#body.chunks;
  }

  // === hot ===

  /** Takes a read. OK: the response is complete. MORE: it goes on. LEFT, or a fault. */
  read(exchange: Exchange, bytes: Buffer): number {
    this.touched = true;
    if (this.begun) return this.#readBody(exchange, bytes, 0, bytes.length);
    if (this.#partial !== null) return this.#readMore(exchange, bytes);
    HEAD.reset(bytes, 0);
    return this.#readHead(exchange, HEAD, bytes.length);
  }

  #readHead(exchange: Exchange, head: Head, available: number): number {
    while (true) {
      const result = parseResponse(head, available);
      if (result === MORE) return this.#waitForMore(head, available);
      if (result !== OK) return result;
      if (head.status >= 200 || head.status === 101) break;
      if (++this.#interims > INTERIM_MAX) return BAD_RESPONSE;
      // We answer Expect ourselves, so a 100 is no news to the client (RFC 9110 §15.2).
      if (head.status !== 100) exchange.responseInterim(head);
      if (exchange.up !== this.#up) return LEFT;
      head.reset(head.bytes, head.end);
    }
    const bytes = head.bytes;
    const end = head.end;
    this.#partial = null;
    if (head.status !== 101) this.#begin(exchange, head);
    else if (!this.#switch(exchange, head)) return BAD_RESPONSE;
    return exchange.up === this.#up ? this.#readBody(exchange, bytes, end, available) : LEFT;
  }

  #begin(exchange: Exchange, head: Head): void {
    const kind = responseKind(head, exchange.headMethod);
    this.begun = true;
    this.keep = kind !== BY_CLOSE && isKept(head) && !exchange.switches && !exchange.bound;
    this.keepAliveSeconds = head.keepAliveSeconds;
    this.#body.start(kind, head.length, true);
    if (exchange.trailers && kind === BY_CHUNKS) this.#body.keepTrailers(nominated(head));
    // Two framings at once: nobody knows what this backend meant (RFC 9112 §6.3).
    if ((head.flags & BOTH_FRAMINGS) === BOTH_FRAMINGS) exchange.last = true;
    exchange.responseHead(head, kind);
  }

  #readBody(exchange: Exchange, bytes: Buffer, from: number, end: number): number {
    const body = this.#body;
    let at = from;
    while (true) {
      const found = body.next(bytes, at, end);
      at = body.at;
      if (found === DATA) {
        exchange.responseBody(bytes, body.from, body.to);
        if (exchange.up !== this.#up) return LEFT;
      } else if (found === ENDED) {
        if (at < end) this.#overflow();
        return OK;
      } else return found === BROKEN ? RESPONSE_CUT : MORE;
    }
  }

  // === cold ===

  /** Keeps an unfinished head; it goes on line by line when more arrives. */
  #waitForMore(head: Head, available: number): number {
    this.#partial ??= new Partial(head.bytes, head.start, available);
    return MORE;
  }

  #readMore(exchange: Exchange, bytes: Buffer): number {
    const partial = this.#partial!;
    if (!partial.more(bytes, LINE_MAX)) return MORE;
    return this.#readHead(exchange, partial.head, partial.end);
  }

  /** 101: only for a handshake that we passed on, and only the right answer to it. */
  #switch(exchange: Exchange, head: Head): boolean {
    if (!exchange.switches || !isSwitch(head, exchange.replay, exchange.replayStart)) {
      exchange.last = true;
      return false;
    }
    this.begun = true;
    this.tunnel = true;
    this.#body.start(BY_CLOSE, 0, true);
    exchange.responseSwitch(head);
    return true;
  }

  /** Bytes behind the response: it is good, but nobody may trust what comes next. */
  #overflow(): void {
    this.keep = false;
    tally(RESPONSE_EXCESS);
  }

  /** Its trailer lines for the client, or null. */
  trailers(): Uint8Array | null {
    return this.#body.trailers();
  }

  /** Whether FIN is a proper end of it. */
  get endsByClose(): boolean {
    return this.begun && this.#body.kind === BY_CLOSE;
  }

  /** What it means that the connection ended here. */
  get lossFault(): number {
    if (this.begun) return RESPONSE_CUT;
    return this.touched ? HEAD_CUT : CONNECTION_LOST;
  }
}
