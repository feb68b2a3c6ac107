/**
 * An exchange: one request with its response, from head to finish. It stands between a downstream
 * stream and an upstream stream and knows neither's codec: bytes and heads go through, backpressure
 * goes back, and every exchange, good or bad, ends in `#finish` exactly once, then `down.over`.
 */
import { assert } from "./assert.ts";
import { Backlog } from "./backlog.ts";
import { BODY_TOO_LARGE, BUG, CLIENT_GONE, FAULTS } from "./fault.ts";
import type { Head } from "./head.ts";
import { faultBody, faultLines } from "./refusal.ts";
import type { CompiledRoute } from "./route/table.ts";
import type { Downstream, Upstream } from "./streams.ts";
import type { Backend } from "./upstream/endpoints.ts";
import { tally } from "./tally.ts";
import type { Endpoint } from "./upstream/endpoint.ts";

/** What an exchange needs from the worker: where to go, and where else. */
export interface Router {
  /** Finds the route and an upstream for the parsed head, or answers by itself. */
  route(exchange: Exchange, head: Head): void;
  /** Takes the exchange to another connection after `fault`; false when it must fail. */
  retry(exchange: Exchange, fault: number): boolean;
  /** How much of the request's body to keep for that, bytes; 0 when it would not be sent again. */
  replayMax(exchange: Exchange): number;
  /** The final head of its response is here. */
  answered(exchange: Exchange): void;
  /** It is finished; called once for each exchange. */
  over(exchange: Exchange): void;
}

const NO_BYTES = Buffer.alloc(0);

export class Exchange {
  readonly down: Downstream;
  readonly #router: Router;
  up: Upstream | null = null;
  route: CompiledRoute | null = null;
  backend: Backend | null = null;
  /** Where it is, and where it was before. */
  endpoint: Endpoint | null = null;
  tried: Endpoint | null = null;
  /** Connections it had, how often it was sent again, and whether it counts as a retry now. */
  attempts = 0;
  resent = 0;
  retrying = false;
  /** The head as it came and the body so far, to be sent again; an empty head: it cannot be. */
  replay: Buffer = NO_BYTES;
  replayStart = 0;
  kept: Backlog | null = null;
  /** Facts of the request that outlive its head. */
  headMethod = false;
  idempotent = false;
  expects = false;
  switches = false;
  /** The client authenticates its connection: nobody else may use the backend's side of it. */
  bound = false;
  /** The client wants trailers (`TE: trailers`). */
  trailers = false;
  /** A header line for the final head, instead of the backend's, or "" (RFC 6797 §7.1). */
  hsts = "";
  /** A connection to the backend is open. */
  upOpen = false;
  /** The client's connection must not carry another request. */
  last = false;
  /** Body bytes passed on so far. */
  sent = 0;
  requestDone = false;
  /** A final response head went to the client. */
  answered = false;
  finished = true;

  constructor(down: Downstream, router: Router) {
    this.down = down;
    this.#router = router;
  }

  /** Every field above, for the next request. */
  reset(): void {
    assert(this.finished, "an exchange is reused after it finished");
    this.up = null;
    this.route = null;
    this.backend = null;
    this.endpoint = null;
    this.tried = null;
    this.attempts = 0;
    this.resent = 0;
    this.retrying = false;
    this.replay = NO_BYTES;
    this.replayStart = 0;
    this.kept = null;
    this.headMethod = false;
    this.idempotent = false;
    this.expects = false;
    this.switches = false;
    this.bound = false;
    this.trailers = false;
    this.hsts = "";
    this.upOpen = false;
    this.last = false;
    this.sent = 0;
    this.requestDone = false;
    this.answered = false;
    this.finished = false;
  }

  // === from downstream ===

  begin(head: Head): void {
    this.#router.route(this, head);
  }

  requestBody(bytes: Buffer, from: number, to: number): void {
    if (this.finished || this.up === null) return;
    this.sent += to - from;
    if (this.replay !== NO_BYTES) this.#keep(bytes, from, to);
    const max = this.route === null ? null : this.route.policy.bodyBytesMax;
    if (max !== null && this.sent > max) this.fail(BODY_TOO_LARGE);
    else if (!this.up.sendBody(bytes, from, to)) this.down.hold();
  }

  /** Keeps body bytes while they are few and may be sent again; from then on nothing is. */
  #keep(bytes: Buffer, from: number, to: number): void {
    if (this.sent > this.#router.replayMax(this)) return this.#forget();
    if (this.kept === null) {
      this.kept = new Backlog();
      // The bytes of the head may be written over: they came with the body that leaves now.
      this.keepHead(bytes, from);
    }
    this.kept.append(bytes, from, to);
  }

  /** The read that the request's head came with is not to be held for it any more. */
  keepHead(bytes: Buffer, end: number): void {
    if (this.replay !== bytes) return;
    this.replay = Buffer.from(bytes.subarray(this.replayStart, end));
    this.replayStart = 0;
  }

  /** Whether all that was sent of the request is kept. */
  get whole(): boolean {
    return this.replay !== NO_BYTES;
  }

  requestEnd(): void {
    if (this.finished) return;
    this.requestDone = true;
    if (this.up !== null) this.up.sendEnd();
  }

  /** The downstream event is handled: what was laid together for the backend leaves. */
  requestFlush(): void {
    if (this.finished || this.up === null) return;
    this.up.flush();
    if (this.expects) this.offerContinue();
  }

  /** The client went away, or its body broke: nobody is left to answer. */
  requestCut(fault = CLIENT_GONE): void {
    if (this.finished) return;
    this.answered = true;
    this.fail(fault);
  }

  downDrained(): void {
    if (!this.finished && this.up !== null) this.up.resume();
  }

  // === from upstream ===

  upDrained(): void {
    if (!this.finished) this.down.resume();
  }

  /** Once a connection is in hand, a client that waits for 100 and sent nothing may go on. */
  offerContinue(): void {
    if (!this.expects || !this.upOpen || this.finished || this.answered) return;
    this.expects = false;
    if (!this.requestDone && this.sent === 0) this.down.sendContinue();
  }

  responseInterim(head: Head): void {
    this.down.sendInterim(head);
  }

  responseHead(head: Head, kind: number): void {
    this.answered = true;
    this.expects = false;
    this.#forget();
    this.#router.answered(this);
    this.down.sendHead(head, kind);
  }

  responseSwitch(head: Head): void {
    this.answered = true;
    this.#forget();
    this.#router.answered(this);
    this.down.sendSwitch(head);
  }

  responseBody(bytes: Buffer, from: number, to: number): void {
    if (!this.down.sendBody(bytes, from, to) && this.up !== null) this.up.hold();
  }

  /** The backend's side of a tunnel ended; the client's goes on. */
  tunnelHalved(): void {
    this.down.sendEnd(null);
  }

  /**
   * The response is complete, with these trailer lines behind it. The upstream has let go of this
   * exchange already.
   */
  responseEnd(trailers: Uint8Array | null): void {
    this.down.sendEnd(trailers);
    this.down.flush();
    this.#finish();
    this.down.over();
  }

  // === both ===

  /** Answers with rind's own response (redirect, fixed response) and ends the exchange. */
  answer(status: number, body: Uint8Array, extra: string): void {
    this.answered = true;
    this.#finish();
    this.down.answer(status, body, extra + this.hsts);
    this.down.over();
  }

  /** Ends the exchange with a fault, or takes it to another connection where that is allowed. */
  fail(fault: number): void {
    if (this.finished) return;
    // A bug was counted where it was reported.
    if (fault !== BUG) tally(fault);
    if (!this.answered && this.#router.retry(this, fault)) return;
    const { status } = FAULTS[fault]!;
    // A request refused for its form is the last one of its connection (RFC 9112 §9.6). So is one
    // that came on the wrong connection: when what its host asks of connections changes, a pool of
    // clients would go on with it for an hour.
    if (status === 400 || status === 413 || status === 421) this.last = true;
    const up = this.up;
    // Before anything else: closing either side must not come back here.
    this.#finish();
    if (up !== null) up.abort();
    if (this.answered) this.down.abort();
    else this.down.answer(status, faultBody(fault), faultLines(fault) + this.hsts);
    this.answered = true;
    this.down.over();
  }

  #finish(): void {
    assert(!this.finished, "an exchange finishes once");
    this.finished = true;
    this.#router.over(this);
    this.up = null;
    this.#forget();
  }

  /** The request is not sent again: its read, up to half a megabyte, is not held any longer. */
  #forget(): void {
    this.replay = NO_BYTES;
    this.kept = null;
  }
}
