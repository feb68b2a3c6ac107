/**
 * One HTTP/1.1 connection of a client. Requests are answered in order, one at a time; what is
 * pipelined behind the current one waits in a bounded backlog, then in the kernel.
 *
 * tidy: file because this is one state machine over one set of private fields; a half of it in
 * another file would have to see them all.
 */
import { Backlog } from "../backlog.ts";
import { release } from "../bytes.ts";
import { contain } from "../contain.ts";
import { Exchange } from "../exchange.ts";
import {
  BAD_PATH,
  BODY_TIMEOUT,
  BODY_TOO_SLOW,
  BUG,
  CLIENT_STALLED,
  FAULTS,
  METHOD_REFUSED,
  MORE,
  OK,
  REQUEST_TIMEOUT,
  WAITING_FULL,
} from "../fault.ts";
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
import { hangUp } from "../hangup.ts";
import { BY_CHUNKS, BY_CLOSE, BY_LENGTH, Body, NO_BODY } from "../http1/body.ts";
import { BROKEN, DATA, ENDED } from "../http1/found.ts";
import { forwardedLines } from "../http1/forwarded.ts";
import { Partial } from "../http1/partial.ts";
import { Relay } from "../http1/relay.ts";
import { parseRequest, requestLineMax } from "../http1/request.ts";
import { faultBody, faultLines } from "../refusal.ts";
import { canonicalPath } from "../route/path.ts";
import { CHUNKS_MAX, DRAIN_IDLE_MS, DRAIN_SPREAD_MS, LONG_READ, TURN_MAX } from "../limits.ts";
import type { Random } from "../random.ts";
import type { Downstream } from "../streams.ts";
import { tally } from "../tally.ts";
import type { Idle } from "./admission.ts";
import { addressOf } from "./entrance.ts";
import { isHead, isIdempotent } from "./method.ts";
import {
  BODY,
  LAST_FIN,
  NEXT_HEAD,
  NOTHING,
  PROCEED,
  Patience,
  REST_OF_HEAD,
  UNWANTED,
} from "./patience.ts";
import type { Patient } from "./patience.ts";
import { Reply } from "./reply.ts";
import type { Site } from "./site.ts";
import { PLAIN } from "./socket.ts";
import type { Attached, Came, DownstreamSocket } from "./socket.ts";

const HEAD_STATE = 0;
/** The request's body is arriving. */
const BODY_STATE = 1;
/** The request is complete, the response is not. */
const BUSY = 2;
/** FIN is sent; what still arrives is thrown away. */
const LINGER = 3;
const DEAD = 4;

const NO_BYTES = new Uint8Array(0);
/** More requests than a connection can carry. */
const ENDLESS = 0x7fff_ffff;

/** Shared by all connections of the worker: it does not outlive the callback that fills it. */
const HEAD = new Head();

export class DownstreamConnection implements Downstream, Patient, Idle, Attached {
  idleSince = 0;
  older: Idle | null = null;
  newer: Idle | null = null;
  forwarded: Uint8Array = NO_BYTES;
  forwardedHost = false;
  secure: boolean;
  readonly policy: string;
  readonly #came: Came;
  /** Who counts as one client. */
  readonly #client: string | null;
  readonly #site: Site;
  /** Of a trusted proxy, which speaks for other clients with every request; null for others. */
  #relay: Relay | null = null;
  readonly #exchange: Exchange;
  readonly #body = new Body();
  readonly #reply: Reply;
  readonly #patience: Patience;
  #socket: DownstreamSocket | null;
  #state = HEAD_STATE;
  #tunnel = false;
  #reading = false;
  #held = false;
  /** Somebody may still hold the bytes of the read at hand. */
  #kept = false;
  #full = false;
  #fin = false;
  /** The backend's side of a tunnel ended: FIN follows what waits, and the client may go on. */
  #halved = false;
  #closing = false;
  #discarded = 0;
  /** Requests that may still come, and the tick from which none may. */
  #requestsLeft: number;
  readonly #oldAt: number;
  #backlog: Backlog | null = null;
  /** The backlog has a turn of the event loop coming. */
  #later = false;
  #partial: Partial | null = null;

  /** A connection that was admitted as one of `client`; null is nobody in particular. */
  constructor(
    socket: DownstreamSocket,
    site: Site,
    client: string | null = null,
    came: Came = PLAIN,
  ) {
    const { timers, limits, admission } = site;
    this.#socket = socket;
    this.#site = site;
    this.#client = client;
    this.#came = came;
    this.secure = came.scheme === "https";
    this.policy = came.policy;
    this.#reply = new Reply(socket);
    this.#exchange = new Exchange(this, site.router);
    this.#patience = new Patience(this, timers, site.spans);
    this.#requestsLeft = limits.keepAliveRequests === 0 ? ENDLESS : limits.keepAliveRequests;
    this.#oldAt = timers.after(jittered(limits.connectionAgeMs, site.random));
    admission.enter(client);
    admission.rest(this);
    site.connections.add(this);
  }

  // === hot: from the client ===

  received(bytes: Buffer): void {
    this.#kept = false;
    const { chunks } = this.#body;
    this.#read(bytes);
    if (bytes.length >= LONG_READ && this.#body.chunks - chunks > CHUNKS_MAX) this.#giveWay();
    if (!this.#kept && this.#exchange.replay !== bytes) release(bytes);
  }

  #read(bytes: Buffer): void {
    const end = bytes.length;
    if (this.#state === HEAD_STATE) {
      if (this.#partial !== null) this.#readMore(this.#partial, bytes);
      else if (this.#mustWait()) this.#keepForLater(bytes, 0, end);
      else this.#readRest(bytes, this.#readHeads(bytes, 0, end), end);
    } else if (this.#state === BODY_STATE) {
      this.#readRest(bytes, this.#readBody(bytes, 0, end), end);
    } else if (this.#state === BUSY) this.#keepForLater(bytes, 0, end);
    else this.#linger(end);
  }

  /** No request is begun behind others, nor while the answer before it waits for the client. */
  #mustWait(): boolean {
    return this.#backlog !== null || this.#reply.out.waiting > 0;
  }

  /** Reads requests for as long as they are answered on the spot; returns where it stopped. */
  #readHeads(bytes: Buffer, from: number, end: number): number {
    let at = from;
    this.#reading = true;
    for (let turn = 0; at < end && this.#state === HEAD_STATE && turn < TURN_MAX; turn++) {
      const head = HEAD;
      head.reset(bytes, at);
      const result = parseRequest(head, end, this.#site.headLimits);
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
    return at;
  }

  /** One request, with the part of its body that is here; returns where the next one starts. */
  #begin(head: Head, bytes: Buffer, end: number): number {
    const exchange = this.#exchange;
    this.#site.admission.wake(this);
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
    if (this.#relay !== null) this.#repeat(this.#relay, head);
    const keep = head.minor === 1 ? (flags & CLOSE) === 0 : (flags & KEEP_ALIVE) !== 0;
    // A handshake that is refused leaves bytes behind that are no request (RFC 6455 §4.2.2).
    this.#reply.keep = keep && this.#mayKeep() && !exchange.switches;
    this.#reply.minor = head.minor;
    this.#reply.untilClose = false;
    this.#discarded = 0;
    this.#tunnel = false;
    exchange.headMethod = isHead(head);
    exchange.idempotent = isIdempotent(head);
    this.#reply.bodiless = exchange.headMethod;
    const kind = head.chunked ? BY_CHUNKS : head.length > 0 ? BY_LENGTH : NO_BODY;
    this.#body.start(kind, head.length, false);
    this.#state = kind === NO_BODY ? BUSY : BODY_STATE;
    exchange.expects = (flags & EXPECT) !== 0 && head.minor === 1 && kind !== NO_BODY;
    this.#patience.begin();
    this.#patience.expect(kind === NO_BODY ? NOTHING : exchange.expects ? PROCEED : BODY);
  }

  /** Neither the worker nor the connection is at its end. */
  #mayKeep(): boolean {
    this.#requestsLeft--;
    const { draining, timers } = this.#site;
    return !draining && this.#requestsLeft > 0 && timers.now < this.#oldAt;
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
        this.#patience.expect(NOTHING);
        if (exchange.finished) this.#ready();
        else exchange.requestEnd();
      } else if (found === BROKEN) {
        this.#breakBody();
        return end;
      } else break;
    }
    if (this.#state === BODY_STATE) this.#patience.moved(body.total);
    exchange.requestFlush();
    return at;
  }

  // === hot: to the client ===

  sendHead(head: Head, kind: number): void {
    if (!this.#mayStay()) this.#reply.keep = false;
    this.#reply.head(head, kind, this.#exchange.hsts);
  }

  sendBody(bytes: Buffer, from: number, to: number): boolean {
    return this.#reply.out.body(bytes, from, to) || this.#stall();
  }

  sendEnd(trailers: Uint8Array | null): void {
    if (this.#tunnel) this.#halve();
    else this.#reply.out.end(trailers);
  }

  flush(): void {
    if (!this.#reply.out.flush()) this.#stall();
  }

  #stall(): boolean {
    const { out } = this.#reply;
    if (this.#state === DEAD) return false;
    // Of a dead socket the close event frees it in a moment.
    this.#site.waiting.set(this, out.dead ? 0 : out.waiting);
    this.#patience.stall(out.taken);
    return false;
  }

  /** The exchange is over: the next request, or the end of the connection. */
  over(): void {
    if (this.#state === DEAD || this.#state === LINGER) return;
    this.resume();
    if (this.#state !== BODY_STATE || !this.#reply.keep || this.#tunnel) this.#ready();
    else this.#patience.expect(UNWANTED);
  }

  #ready(): void {
    if (!this.#reply.keep || this.#tunnel) return this.#shut();
    // Requests that came with the FIN may still be being read.
    if (this.#fin && this.#backlog === null && !this.#reading) return this.#shut();
    this.#state = HEAD_STATE;
    this.#patience.expect(NEXT_HEAD);
    if (this.#backlog === null) this.#rest();
    else if (!this.#reading) this.#readOn();
  }

  /** Nothing is on its way, either way: it may make room for others. */
  #rest(): void {
    if (this.#reply.out.waiting === 0) this.#site.admission.rest(this);
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
    return this.#body.kind === BY_LENGTH && this.#body.left <= this.#site.limits.discardBytes;
  }

  #drop(size: number): void {
    this.#discarded += size;
    if (this.#discarded > this.#site.limits.discardBytes) this.#shut();
  }

  /**
   * Bytes of a client that we have told to go. When they are too many we read no more of them: it
   * is stopped by its full buffers, not by a reset that could eat its answer, until its time is up.
   */
  #linger(size: number): void {
    this.#discarded += size;
    if (this.#discarded > this.#site.limits.discardBytes) this.#pause();
  }

  #pause(): void {
    if (this.#full) return;
    this.#full = true;
    this.#socket?.pause();
  }

  sendInterim(head: Head): void {
    this.#reply.interim(head);
    this.#watch();
  }

  sendContinue(): void {
    this.#reply.proceed();
    if (this.#state === BODY_STATE) this.#patience.expect(BODY);
    this.#watch();
  }

  sendSwitch(head: Head): void {
    this.#reply.switch(head);
    this.#tunnel = true;
    this.#body.start(BY_CLOSE, 0, false);
    this.#state = BODY_STATE;
    this.#exchange.requestDone = false;
    this.#patience.expect(NOTHING);
    this.#watch();
    this.#readBacklog();
    // The FIN that came before the tunnel did closes it now.
    if (this.#fin && !this.#exchange.requestDone) this.#exchange.requestEnd();
  }

  answer(status: number, body: Uint8Array, extra: string): void {
    if (!this.#mayStay()) this.#reply.keep = false;
    this.#reply.answer(status, body, extra);
    this.#watch();
  }

  /** The client must take what was written outside of an upstream's event. */
  #watch(): void {
    if (this.#reply.out.waiting > 0) this.#stall();
  }

  /**
   * FIN tells the client that a body of a known length or in chunks is cut (RFC 9112 §8), and does
   * not take from it the answers it has not read yet, as a reset would. Where FIN is the end of the
   * body only a reset tells.
   */
  abort(): void {
    if (this.#tunnel || this.#reply.untilClose) return this.#kill();
    this.#reply.out.flush();
    this.#shut();
  }

  hold(): void {
    this.#kept = true;
    if (this.#held || this.#socket === null) return;
    this.#held = true;
    this.#patience.hold();
    this.#socket.pause();
  }

  resume(): void {
    if (!this.#held) return;
    this.#held = false;
    this.#patience.resume(this.#body.total);
    if (!this.#full && this.#socket !== null) this.#socket.resume();
  }

  /** The lines that all requests of the connection have in common. */
  #introduce(): void {
    const socket = this.#socket!;
    const { address, port, scheme, lines } = this.#came;
    const arrival = {
      address: address || addressOf(socket),
      port: port || socket.localPort,
      scheme,
    };
    this.forwarded = forwardedLines(arrival, lines);
    if (!this.#site.trusted.hasAddress(arrival.address)) return;
    this.#relay = new Relay(arrival, this.#site.trusted, lines);
    this.forwardedHost = true;
  }

  /** Of the request at hand a proxy that we trust says how it came to it. */
  #repeat(relay: Relay, head: Head): void {
    this.forwarded = relay.lines(head);
    this.secure = relay.secure;
  }

  /** A head that cannot be understood: one answer, then no more is read. */
  #refuse(fault: number): void {
    this.#reply.keep = false;
    this.#reply.bodiless = false;
    this.#reply.untilClose = false;
    tally(fault);
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
    this.#site.admission.wake(this);
    this.#patience.expect(REST_OF_HEAD);
    this.#partial = new Partial(bytes, from, end);
  }

  /** More of a head that began in an earlier read; its deadline stays. */
  #readMore(partial: Partial, bytes: Buffer): void {
    const head = partial.head;
    if (!partial.more(bytes, requestLineMax(head, this.#site.headLimits))) return;
    const end = partial.end;
    const result = parseRequest(head, end, this.#site.headLimits);
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
    this.#readRest(whole, at, end);
  }

  /** Bytes behind the current request: to be parsed later, or never. */
  #readRest(bytes: Buffer, from: number, to: number): void {
    if (from === to || this.#state === LINGER || this.#state === DEAD) return;
    this.#keepForLater(bytes, from, to);
    this.#exchange.keepHead(bytes, from);
    if (this.#state === HEAD_STATE) this.#readOnLater();
  }

  #keepForLater(bytes: Buffer, from: number, to: number): void {
    this.#site.admission.wake(this);
    this.#backlog ??= new Backlog();
    this.#backlog.append(bytes, from, to);
    if (this.#backlog.size > this.#site.limits.backlogBytes) this.#pause();
  }

  /** What it sent was work: others have a turn before its next read. */
  #giveWay(): void {
    if (this.#held || this.#full || this.#socket === null) return;
    this.#socket.pause();
    setImmediate(() => {
      if (!this.#held && !this.#full) this.#socket?.resume();
    });
  }

  /** Others have their turn first: one of ours for each of theirs, whoever asks for it. */
  #readOnLater(): void {
    if (this.#later) return;
    this.#later = true;
    setImmediate(() => {
      this.#later = false;
      this.#readOn();
    });
  }

  /** `#readBacklog` from somebody else's callback, whose socket must not pay for our bugs. */
  #readOn(): void {
    contain(this, () => this.#readBacklog());
  }

  #readBacklog(): void {
    const backlog = this.#backlog;
    if (backlog === null || this.#partial !== null) return;
    if (this.#state === HEAD_STATE ? this.#reply.out.waiting > 0 : this.#state !== BODY_STATE) {
      return;
    }
    const { bytes, start, end } = backlog;
    if (this.#state === HEAD_STATE) backlog.skip(this.#readHeads(bytes, start, end));
    else backlog.skip(this.#readBody(bytes, start, end));
    // Closed meanwhile, which throws it away.
    if (this.#backlog !== backlog) return;
    if (backlog.size === 0) this.#backlog = null;
    this.#unpause(backlog.size);
    // What is unfinished now stays so.
    if (this.#fin && backlog.size === 0) return this.ended();
    if (this.#state !== HEAD_STATE) return;
    if (backlog.size > 0) this.#readOnLater();
    else if (this.#partial === null) this.#rest();
  }

  /** Reads from the client again when not much waits any more. */
  #unpause(waiting: number): void {
    if (!this.#full || waiting > this.#site.limits.backlogBytes / 4) return;
    this.#full = false;
    if (!this.#held) this.#socket?.resume();
  }

  acknowledged(): number {
    const { taken } = this.#reply.out;
    return this.#socket === null ? taken : taken - this.#site.unacked(this.#socket.fd);
  }

  drained(): void {
    if (!this.#reply.out.drain()) return void this.#stall();
    this.#site.waiting.set(this, 0);
    this.#patience.flowed(this.#body.total);
    if (this.#closing) return this.#finishShut();
    if (this.#halved) this.#socket?.shutdown();
    this.#exchange.downDrained();
    if (this.#state !== HEAD_STATE || this.#partial !== null) return;
    if (this.#backlog === null) this.#rest();
    else this.#readBacklog();
  }

  /**
   * The client sends no more. A complete request still gets its answer (RFC 9112 §9.6), unless
   * `half-close` says that whoever sends no more has left.
   */
  ended(): void {
    this.#fin = true;
    if (this.#site.limits.halfClose === 0 && !this.#tunnel) return this.#kill(false);
    // Complete requests that wait still get their answers.
    if (this.#state === BUSY || (this.#state === HEAD_STATE && this.#backlog !== null)) return;
    if (this.#tunnel && !this.#exchange.finished) this.#exchange.requestEnd();
    else if (this.#state === BODY_STATE && !this.#exchange.finished) this.#exchange.requestCut();
    else if (this.#reply.out.waiting > 0) this.#shut();
    else this.#kill(false);
  }

  /** `clean`: not by a reset. Behind our own FIN, the client's is told by this alone. */
  closed(clean = false): void {
    this.#socket = null;
    if (this.#halved && clean && !this.#fin) this.ended();
    // When both sides of a tunnel ended in order, what waits for the backend still goes there.
    this.#kill(true, this.#halved && this.#fin);
  }

  broken(): void {
    if (!this.#exchange.finished) this.#exchange.fail(BUG);
    this.#kill();
  }

  /** The client's time is up. */
  expired(fault: number): void {
    if (this.#state === DEAD) return;
    if (fault === REQUEST_TIMEOUT) return this.#refuse(fault);
    if (fault === BODY_TIMEOUT || fault === BODY_TOO_SLOW) {
      this.#reply.keep = false;
      return this.#exchange.finished ? this.#shut() : this.#exchange.fail(fault);
    }
    const slow = fault === CLIENT_STALLED || fault === WAITING_FULL;
    if (slow && !this.#exchange.finished) this.#exchange.requestCut(fault);
    else if (fault !== OK) tally(fault);
    // Of the rest of an unwanted body: the answer to it may still be on its way.
    if (this.#state === BODY_STATE && fault === OK) this.#shut();
    else this.#kill(slow);
  }

  /** There is no room, and this one idles longest. */
  shed(): void {
    this.#kill(false);
  }

  /**
   * The worker is draining: an answer that begins from now on is the last one and says so. A client
   * whose last answer did not may have its next request on the way: it has a second at least. What
   * is idle for longer closes soon, but not all at the same time.
   */
  drain(): void {
    const resting = this.idleSince > 0 && this.#patience.idleMs() >= DRAIN_IDLE_MS;
    const spread = this.#site.random.below(DRAIN_SPREAD_MS);
    this.#patience.hurry(resting ? spread : Math.max(spread, DRAIN_IDLE_MS));
  }

  /**
   * The time of the drain is up: a tunnel ends, behind what the client sent. Its backend learns of
   * that by FIN, and so does the client when the backend agrees.
   */
  farewell(): void {
    const over = this.#exchange.finished || this.#exchange.requestDone;
    if (!this.#tunnel || this.#state !== BODY_STATE || over) return;
    // Nothing goes behind a FIN.
    this.hold();
    this.#exchange.requestEnd();
  }

  /** Sends what waits, then FIN, then reads on for a while so that no RST eats the answer. */
  #shut(): void {
    if (this.#state === LINGER || this.#state === DEAD) return;
    this.#state = LINGER;
    this.#closing = true;
    this.#backlog = null;
    this.#partial = null;
    this.#discarded = 0;
    this.#site.admission.wake(this);
    if (this.#reply.out.waiting === 0) this.#finishShut();
    else this.#stall();
  }

  #halve(): void {
    if (this.#halved) return;
    this.#halved = true;
    if (this.#reply.out.flush()) this.#socket?.shutdown();
  }

  #finishShut(): void {
    if (this.#fin) return this.#kill(false);
    if (this.#held || this.#full) this.#socket?.resume();
    this.#full = false;
    this.#patience.expect(LAST_FIN);
    this.#socket?.shutdown();
  }

  #kill(reset = true, orderly = false): void {
    if (this.#state === DEAD) return;
    const socket = this.#socket;
    this.#state = DEAD;
    this.#socket = null;
    this.#reply.out.close();
    this.#site.waiting.set(this, 0);
    this.#patience.end();
    this.#site.admission.wake(this);
    this.#site.admission.leave(this.#client);
    this.#site.connections.delete(this);
    if (!orderly && !this.#exchange.finished) this.#exchange.requestCut();
    if (socket === null) return;
    if (reset) socket.terminate();
    else hangUp(socket);
  }
}

/** `ms`, 10 % more or less, so that what came together does not go together. */
function jittered(ms: number, random: Random): number {
  return Math.ceil(ms * (0.9 + random.below(2_001) / 10_000));
}
