/**
 * One HTTP/1.1 connection of a client. Requests are answered in order, one at a time; what is
 * pipelined behind the current one waits in a bounded backlog, then in the kernel.
 *
 * tidy: file because this is one state machine over one set of private fields; a half of it in
 * another file would have to see them all.
 */
import { Backlog } from "../backlog.ts";
import { ascii, release } from "../bytes.ts";
import { contain } from "../contain.ts";
import { Exchange } from "../exchange.ts";
import type { Downstream } from "../exchange.ts";
import { faultBody, faultLines } from "../exchange.ts";
import { BAD_PATH, BUG, FAULTS, METHOD_REFUSED, MORE, OK, REQUEST_TIMEOUT } from "../fault.ts";
import {
  ASTERISK,
  BOUND,
  CLOSE,
  EXPECT,
  Head,
  KEEP_ALIVE,
  PATH_ODD,
  TRAILERS,
  WEBSOCKET,
} from "../head.ts";
import { BY_CHUNKS, BY_CLOSE, BY_LENGTH, Body, NO_BODY } from "../http1/body.ts";
import { BROKEN, DATA, ENDED } from "../http1/found.ts";
import { forwardedLines, relayedLines } from "../http1/forwarded.ts";
import type { Arrival } from "../http1/forwarded.ts";
import { Partial } from "../http1/partial.ts";
import { parseRequest, requestLineMax } from "../http1/request.ts";
import { canonicalPath } from "../route/path.ts";
import {
  BACKLOG_MAX,
  CLIENT_STALL_MS,
  DISCARD_MAX,
  DRAIN_IDLE_MS,
  KEEP_ALIVE_MS,
  LINGER_MS,
  REQUEST_BODY_MS,
  REQUEST_HEAD_MS,
  TURN_MAX,
} from "../limits.ts";
import type { Timed } from "../timers.ts";
import { Reply } from "./reply.ts";
import type { Site } from "./site.ts";

const HEAD_STATE = 0;
/** The request's body is arriving. */
const BODY_STATE = 1;
/** The request is complete, the response is not. */
const BUSY = 2;
/** FIN is sent; what still arrives is thrown away. */
const LINGER = 3;
const DEAD = 4;

const HEAD_METHOD = ascii("HEAD");
const IDEMPOTENT = [ascii("GET"), ascii("PUT"), ascii("DELETE"), ascii("OPTIONS")];

const NO_BYTES = new Uint8Array(0);

/** Shared by all connections of the worker: it does not outlive the callback that fills it. */
const HEAD = new Head();

export type DownstreamSocket = Bun.Socket<DownstreamConnection>;

export class DownstreamConnection implements Downstream, Timed {
  deadline: number;
  slot = -1;
  prev: Timed | null = null;
  next: Timed | null = null;
  forwarded: Uint8Array = NO_BYTES;
  forwardedHost = false;
  readonly #site: Site;
  /** Of a trusted proxy, which speaks for other clients with every request; null for others. */
  #arrival: Arrival | null = null;
  readonly #exchange: Exchange;
  readonly #body = new Body();
  readonly #reply: Reply;
  #socket: DownstreamSocket | null;
  #state = HEAD_STATE;
  #tunnel = false;
  #reading = false;
  #held = false;
  /** Somebody may still hold the bytes of the read at hand. */
  #kept = false;
  #full = false;
  #fin = false;
  #closing = false;
  #discarded = 0;
  #backlog: Backlog | null = null;
  #partial: Partial | null = null;

  constructor(socket: DownstreamSocket, site: Site) {
    this.#socket = socket;
    this.#site = site;
    this.#reply = new Reply(socket);
    this.#exchange = new Exchange(this, site.router);
    this.deadline = site.timers.after(REQUEST_HEAD_MS);
    site.timers.add(this);
    site.connections.add(this);
  }

  // === hot: from the client ===

  received(bytes: Buffer): void {
    this.#kept = false;
    this.#read(bytes);
    if (!this.#kept && this.#exchange.replay !== bytes) release(bytes);
  }

  #read(bytes: Buffer): void {
    if (this.#state === HEAD_STATE) {
      if (this.#partial !== null) this.#readMore(this.#partial, bytes);
      else if (this.#mustWait()) this.#keepForLater(bytes, 0, bytes.length);
      else this.#readHeads(bytes, bytes.length);
    } else if (this.#state === BODY_STATE) {
      const at = this.#readBody(bytes, 0, bytes.length);
      if (at < bytes.length) this.#readRest(bytes, at, bytes.length);
    } else if (this.#state === BUSY) this.#keepForLater(bytes, 0, bytes.length);
  }

  /** No request is begun behind others, nor while the answer before it waits for the client. */
  #mustWait(): boolean {
    return this.#backlog !== null || this.#reply.out.waiting > 0;
  }

  /** Reads requests out of `bytes` for as long as they are answered on the spot. */
  #readHeads(bytes: Buffer, end: number): void {
    let at = 0;
    this.#reading = true;
    for (let turn = 0; at < end && this.#state === HEAD_STATE && turn < TURN_MAX; turn++) {
      const head = HEAD;
      head.reset(bytes, at);
      const result = parseRequest(head, end);
      if (result === MORE) {
        this.#waitForMore(bytes, at, end);
        at = end;
      } else if (result !== OK) {
        this.#refuse(result);
        at = end;
      } else at = this.#begin(head, bytes, end);
      if (this.#reply.out.waiting > 0) break;
    }
    this.#reading = false;
    if (at < end) this.#readRest(bytes, at, end);
  }

  /** One request, with the part of its body that is here; returns where the next one starts. */
  #begin(head: Head, bytes: Buffer, end: number): number {
    const exchange = this.#exchange;
    exchange.reset();
    exchange.replay = bytes;
    exchange.replayStart = head.start;
    exchange.switches = (head.flags & WEBSOCKET) !== 0;
    exchange.bound = (head.flags & BOUND) !== 0;
    exchange.trailers = (head.flags & TRAILERS) !== 0 && head.minor === 1;
    this.#facts(head);
    const behind = head.end;
    if ((head.flags & PATH_ODD) !== 0 && !canonicalPath(head)) {
      exchange.fail(BAD_PATH);
    } else if ((head.flags & ASTERISK) !== 0)
      exchange.answer(204, NO_BYTES, faultLines(METHOD_REFUSED));
    else exchange.begin(head);
    if (this.#body.empty) exchange.requestEnd();
    if (this.#state === BODY_STATE) return this.#readBody(bytes, behind, end);
    exchange.requestFlush();
    return behind;
  }

  #facts(head: Head): void {
    const exchange = this.#exchange;
    const flags = head.flags;
    if (this.forwarded === NO_BYTES) this.#introduce();
    if (this.#arrival !== null) {
      this.forwarded = relayedLines(head, this.#arrival, this.#site.trusted);
    }
    const keep = head.minor === 1 ? (flags & CLOSE) === 0 : (flags & KEEP_ALIVE) !== 0;
    // A handshake that is refused leaves bytes behind that are no request (RFC 6455 §4.2.2).
    this.#reply.keep = keep && !this.#site.draining && !exchange.switches;
    this.#reply.minor = head.minor;
    this.#discarded = 0;
    this.#tunnel = false;
    exchange.headMethod = isMethod(head, HEAD_METHOD);
    exchange.idempotent = exchange.headMethod || isIdempotent(head);
    this.#reply.bodiless = exchange.headMethod;
    const kind = head.chunked ? BY_CHUNKS : head.length > 0 ? BY_LENGTH : NO_BODY;
    this.#body.start(kind, head.length, false);
    this.#state = kind === NO_BODY ? BUSY : BODY_STATE;
    this.#grant(kind === NO_BODY ? 0 : REQUEST_BODY_MS);
    exchange.expects = (flags & EXPECT) !== 0 && head.minor === 1 && kind !== NO_BODY;
  }

  /** Passes body bytes on, or drops them when nobody wants them; returns where it stopped. */
  #readBody(bytes: Buffer, from: number, end: number): number {
    const body = this.#body;
    const exchange = this.#exchange;
    let at = from;
    while (this.#state === BODY_STATE) {
      const found = body.next(bytes, at, end);
      at = body.at;
      if (found === DATA) {
        if (exchange.finished) this.#drop(body.to - body.from);
        else exchange.requestBody(bytes, body.from, body.to);
      } else if (found === ENDED) {
        this.#state = BUSY;
        this.#grant(0);
        if (exchange.finished) this.#ready();
        else exchange.requestEnd();
      } else if (found === BROKEN) {
        this.#breakBody();
        return end;
      } else break;
    }
    if (this.#state === BODY_STATE) this.#awaitBody();
    exchange.requestFlush();
    return at;
  }

  /** The client may take this long until its next body bytes; nobody times out while held. */
  #awaitBody(): void {
    this.#grant(this.#held || this.#tunnel ? 0 : REQUEST_BODY_MS);
  }

  /** Gives the client `ms`, 0 for ever; but while an answer waits for it, that time counts. */
  #grant(ms: number): void {
    if (this.#reply.out.waiting > 0) return;
    this.deadline = ms === 0 ? 0 : this.#site.timers.after(ms);
  }

  // === hot: to the client ===

  sendHead(head: Head, kind: number): void {
    if (!this.#mayStay()) this.#reply.keep = false;
    this.#reply.head(head, kind);
  }

  sendBody(bytes: Buffer, from: number, to: number): boolean {
    return this.#reply.out.body(bytes, from, to) || this.#stall();
  }

  sendEnd(trailers: Uint8Array | null): void {
    this.#reply.out.end(trailers);
  }

  flush(): void {
    if (!this.#reply.out.flush()) this.#stall();
  }

  #stall(): boolean {
    this.deadline = this.#site.timers.after(CLIENT_STALL_MS);
    return false;
  }

  /** The exchange is over: the next request, or the end of the connection. */
  over(): void {
    if (this.#state === DEAD || this.#state === LINGER) return;
    this.resume();
    if (this.#state !== BODY_STATE || !this.#reply.keep || this.#tunnel) this.#ready();
  }

  #ready(): void {
    if (!this.#reply.keep || this.#tunnel || (this.#fin && this.#backlog === null)) {
      if (!this.#reading) return this.#shut();
      // Requests that came with the FIN are still being read.
      if (!this.#reply.keep || this.#tunnel) return this.#shut();
    }
    this.#state = HEAD_STATE;
    this.#grant(KEEP_ALIVE_MS);
    if (this.#backlog !== null && !this.#reading) this.#readOn();
  }

  // === cold ===

  /** Whether the connection may carry another request after the current one. */
  #mayStay(): boolean {
    return !this.#site.draining && !this.#exchange.last && this.#discardable();
  }

  /** Whether the rest of the request may be read and dropped, so that the connection stays. */
  #discardable(): boolean {
    if (this.#state !== BODY_STATE || this.#tunnel) return true;
    // While the exchange runs its body is wanted; a client that waits for 100 sends none.
    if (this.#exchange.expects) return false;
    return this.#body.kind === BY_LENGTH && this.#body.left <= DISCARD_MAX;
  }

  #drop(size: number): void {
    this.#discarded += size;
    if (this.#discarded > DISCARD_MAX) this.#shut();
  }

  sendInterim(head: Head): void {
    this.#reply.interim(head);
  }

  sendContinue(): void {
    this.#reply.proceed();
  }

  sendSwitch(head: Head): void {
    this.#reply.switch(head);
    this.#tunnel = true;
    this.#body.start(BY_CLOSE, 0, false);
    this.#state = BODY_STATE;
    this.#exchange.requestDone = false;
    this.#grant(0);
    this.#readBacklog();
    // The FIN that came before the tunnel did closes it now.
    if (this.#fin) this.#exchange.requestEnd();
  }

  answer(status: number, body: Uint8Array, extra: string): void {
    if (!this.#mayStay()) this.#reply.keep = false;
    this.#reply.answer(status, body, extra);
    if (this.#reply.out.waiting > 0) this.#stall();
  }

  abort(): void {
    this.#kill();
  }

  hold(): void {
    this.#kept = true;
    if (this.#held || this.#socket === null) return;
    this.#held = true;
    this.#grant(0);
    this.#socket.pause();
  }

  resume(): void {
    if (!this.#held) return;
    this.#held = false;
    if (this.#state === BODY_STATE) this.#awaitBody();
    if (!this.#full && this.#socket !== null) this.#socket.resume();
  }

  #introduce(): void {
    const socket = this.#socket!;
    // A client that reset the connection already has no address any more.
    const address = (socket.remoteAddress as string | undefined) ?? "unknown";
    const arrival = { address, port: socket.localPort, scheme: "http" } as const;
    this.forwarded = forwardedLines(arrival);
    if (!this.#site.trusted.hasAddress(address)) return;
    this.#arrival = arrival;
    this.forwardedHost = true;
  }

  /** A head that cannot be understood: one answer, then no more is read. */
  #refuse(fault: number): void {
    this.#reply.keep = false;
    this.#reply.bodiless = false;
    this.#state = BUSY;
    this.answer(FAULTS[fault]!.status, faultBody(fault), faultLines(fault));
    this.#shut();
  }

  #breakBody(): void {
    this.#reply.keep = false;
    if (this.#exchange.finished) this.#shut();
    else this.#exchange.fail(this.#body.fault);
  }

  #waitForMore(bytes: Buffer, from: number, end: number): void {
    this.#grant(REQUEST_HEAD_MS);
    this.#partial = new Partial(bytes, from, end);
  }

  /** More of a head that began in an earlier read; its deadline stays. */
  #readMore(partial: Partial, bytes: Buffer): void {
    const head = partial.head;
    if (!partial.more(bytes, requestLineMax(head))) return;
    const end = partial.end;
    const result = parseRequest(head, end);
    if (result === MORE) return;
    this.#partial = null;
    if (result !== OK) {
      this.#refuse(result);
      return;
    }
    const whole = head.bytes;
    this.#reading = true;
    const at = this.#begin(head, whole, end);
    this.#reading = false;
    if (at < end) this.#readRest(whole, at, end);
  }

  /** Bytes behind the current request: to be parsed now, later, or never. */
  #readRest(bytes: Buffer, from: number, to: number): void {
    if (this.#state === LINGER || this.#state === DEAD) return;
    this.#keepForLater(bytes, from, to);
    if (this.#state === HEAD_STATE) setImmediate(() => this.#readOn());
  }

  #keepForLater(bytes: Buffer, from: number, to: number): void {
    this.#backlog ??= new Backlog();
    this.#backlog.append(bytes, from, to);
    if (this.#backlog.end > BACKLOG_MAX && !this.#full) {
      this.#full = true;
      this.#socket?.pause();
    }
  }

  /** `#readBacklog` from somebody else's callback, whose socket must not pay for our bugs. */
  #readOn(): void {
    contain(this, () => this.#readBacklog());
  }

  #readBacklog(): void {
    const backlog = this.#backlog;
    if (backlog === null || this.#partial !== null) return;
    if (this.#state !== HEAD_STATE && this.#state !== BODY_STATE) return;
    if (this.#state === HEAD_STATE && this.#reply.out.waiting > 0) return;
    this.#backlog = null;
    const end = backlog.end;
    const bytes = backlog.take();
    if (this.#full) {
      this.#full = false;
      if (!this.#held) this.#socket?.resume();
    }
    if (this.#state === HEAD_STATE) this.#readHeads(bytes, end);
    else this.#readBody(bytes, 0, end);
    if (this.#fin && this.#state === HEAD_STATE && this.#backlog === null) this.#shut();
  }

  drained(): void {
    if (!this.#reply.out.drain()) {
      this.#stall();
      return;
    }
    if (this.#closing) return this.#finishShut();
    if (this.#state === BODY_STATE) this.#awaitBody();
    else if (this.#state === BUSY) this.#grant(0);
    else this.#grant(this.#partial === null ? KEEP_ALIVE_MS : REQUEST_HEAD_MS);
    this.#exchange.downDrained();
    if (this.#state === HEAD_STATE) this.#readBacklog();
  }

  /** The client sends no more. A complete request still gets its answer (RFC 9112 §9.6). */
  ended(): void {
    this.#fin = true;
    // Complete requests that wait still get their answers.
    if (this.#state === BUSY || (this.#state === HEAD_STATE && this.#backlog !== null)) return;
    if (this.#tunnel && !this.#exchange.finished) this.#exchange.requestEnd();
    else if (this.#state === BODY_STATE && !this.#exchange.finished) this.#exchange.requestCut();
    else if (this.#reply.out.waiting > 0) this.#shut();
    else this.#kill(false);
  }

  closed(): void {
    this.#socket = null;
    this.#kill();
  }

  broken(): void {
    if (!this.#exchange.finished) this.#exchange.fail(BUG);
    this.#kill();
  }

  expire(): void {
    const begun = this.#partial !== null || this.#state === BODY_STATE;
    if (this.#reply.out.waiting > 0) this.#expireStalled();
    else if (this.#state === LINGER || !begun) this.#kill(false);
    else if (!this.#exchange.finished) {
      this.#reply.keep = false;
      this.#exchange.fail(REQUEST_TIMEOUT);
    } else if (this.#state === BODY_STATE) this.#shut();
    else this.#refuse(REQUEST_TIMEOUT);
  }

  /**
   * `drain` is told only when a third of the send buffer is free, which for a slow reader is long
   * after it took something; a write knows. Only a client that took nothing is given up.
   */
  #expireStalled(): void {
    const { waiting } = this.#reply.out;
    this.drained();
    if (this.#reply.out.waiting === waiting) this.#kill();
  }

  /** The worker is draining: an idle connection closes soon, a busy one after its answer. */
  drain(): void {
    this.#reply.keep = false;
    if (this.#state !== HEAD_STATE || this.#partial !== null) return;
    if (this.#reply.out.waiting > 0) return this.#shut();
    this.deadline = this.#site.timers.after(DRAIN_IDLE_MS);
  }

  /** Sends what waits, then FIN, then reads on for a while so that no RST eats the answer. */
  #shut(): void {
    if (this.#state === LINGER || this.#state === DEAD) return;
    this.#state = LINGER;
    this.#closing = true;
    this.#backlog = null;
    this.#partial = null;
    this.deadline = this.#site.timers.after(
      this.#reply.out.waiting > 0 ? CLIENT_STALL_MS : LINGER_MS,
    );
    if (this.#reply.out.waiting === 0) this.#finishShut();
  }

  #finishShut(): void {
    if (this.#fin) return this.#kill(false);
    if (this.#held || this.#full) this.#socket?.resume();
    this.deadline = this.#site.timers.after(LINGER_MS);
    this.#socket?.shutdown();
  }

  #kill(reset = true): void {
    if (this.#state === DEAD) return;
    const socket = this.#socket;
    this.#state = DEAD;
    this.#socket = null;
    this.#reply.out.close();
    this.#site.timers.remove(this);
    this.#site.connections.delete(this);
    if (!this.#exchange.finished) this.#exchange.requestCut();
    if (socket === null) return;
    if (reset) socket.terminate();
    else socket.end();
  }
}

/** Methods that may be sent twice (RFC 9110 §9.2.2), besides HEAD. */
function isIdempotent(head: Head): boolean {
  for (let i = 0; i < IDEMPOTENT.length; i++) if (isMethod(head, IDEMPOTENT[i]!)) return true;
  return false;
}

function isMethod(head: Head, name: Uint8Array): boolean {
  if (head.methodEnd - head.methodStart !== name.length) return false;
  for (let i = 0; i < name.length; i++) {
    if (head.bytes[head.methodStart + i] !== name[i]) return false;
  }
  return true;
}
