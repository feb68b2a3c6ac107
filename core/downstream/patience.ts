/**
 * How long one client is waited for, and for what. Two things may be awaited at once: its next
 * bytes, and that it takes its answer; while an answer waits only that counts. Progress is not
 * enough of either: a client that drips a byte now and then makes it for ever (OWASP: R.U.D.Y. and
 * slow read attacks). A body needs a rate, and every byte of it buys a little time (as Apache's
 * mod_reqtimeout has it). Of an answer the client takes a little in each span of time, and taken is
 * what its system has acknowledged: our kernel takes bytes from us in steps for which an honest
 * client with a bad link may need minutes.
 */
import {
  BODY_TIMEOUT,
  BODY_TOO_SLOW,
  CLIENT_STALLED,
  FIRST_BYTE_TIMEOUT,
  OK,
  REQUEST_TIMEOUT,
} from "../fault.ts";
import type { Limits } from "../limits.ts";
import { TICK_MS, ticksOf } from "../timers.ts";
import type { Timed, Timers } from "../timers.ts";

// --- what is awaited ---
/** Anything, of a client that just came. */
const FIRST_BYTE = 0;
/** The next request of a kept connection. */
export const NEXT_HEAD = 1;
/** The rest of a head; from its first byte, however it drips. */
export const REST_OF_HEAD = 2;
/** The next piece of a request body. */
export const BODY = 3;
/** The rest of a body that nobody wants any more. */
export const UNWANTED = 4;
/** The client's FIN, after ours. */
export const LAST_FIN = 5;
/** Nothing: it is our turn. */
export const NOTHING = 6;
/** Nothing until it is told to go on; but it may send its body without. */
export const PROCEED = 7;

/** What bytes buy is at most so many times the grace: who was fast may not be slow for hours. */
const CREDIT_GRACES = 10;
/** How often within its time a client that stands still is looked at: nothing tells of progress. */
const LOOKS = 8;
/** More ticks than a process lives. */
const NEVER = Number.MAX_SAFE_INTEGER;

/** The limits in ticks: what is looked at for every piece that comes is worked out once. */
export type Spans = Readonly<{
  firstByte: number;
  head: number;
  bodyIdle: number;
  /** The time that a byte of a body buys, and how much of it there is at first. */
  byte: number;
  grace: number;
  credit: number;
  /** The time in which `some` bytes of an answer that waits are taken. */
  stall: number;
  some: number;
  look: number;
  keepAlive: number;
  linger: number;
}>;

/** `limits` in ticks. */
export function spansOf(limits: Limits): Spans {
  const { bodyRateMin, answerRateMin, clientStallMs } = limits;
  const stall = ticksOf(clientStallMs);
  const grace = ticksOf(limits.bodyGraceMs);
  return {
    firstByte: ticksOf(limits.firstByteMs),
    head: ticksOf(limits.headMs),
    bodyIdle: ticksOf(limits.bodyIdleMs),
    byte: bodyRateMin === 0 ? 0 : 1_000 / TICK_MS / bodyRateMin,
    grace: bodyRateMin === 0 ? NEVER : grace,
    credit: bodyRateMin === 0 ? NEVER : CREDIT_GRACES * grace,
    stall,
    some: Math.max(1, (answerRateMin * clientStallMs) / 1_000),
    look: Math.ceil(stall / LOOKS),
    keepAlive: ticksOf(limits.keepAliveMs),
    linger: ticksOf(limits.lingerMs),
  };
}

/** Whose client it is. */
export type Patient = {
  /** Bytes of answers that the client's system has acknowledged, ever. */
  acknowledged(): number;
  /** Tries to write what waits, and calls `stall` or `flowed`. */
  drained(): void;
  /** The time is up. OK when nobody is to blame: a kept connection that was not used. */
  expired(fault: number): void;
  broken(): void;
};

export class Patience implements Timed {
  deadline = 0;
  slot = -1;
  prev: Timed | null = null;
  next: Timed | null = null;
  readonly #owner: Patient;
  readonly #timers: Timers;
  readonly #spans: Spans;
  #what = FIRST_BYTE;
  /** How long the next request is awaited, in ticks. */
  #keepAlive: number;
  /** We do not read from the client. */
  #held = false;
  #heldAt = 0;
  /** When the body began; later by the time we held it, earlier by credit that is too much. */
  #bodyFrom = 0;
  /** The rate of the body is what it would fail next. */
  #slow = false;
  /** An answer waits for the client. */
  #stalled = false;
  /** What our kernel had taken for it by then; bytes, ever. */
  #taken = 0;
  /** Since when `some` bytes are awaited, moved on by the time nothing waited; 0 at first. */
  #stallFrom = 0;
  #flowedAt = 0;
  /** What had been acknowledged at that time; bytes, ever. */
  #acked = 0;

  /** Waits for the first byte from now on, until `end`. */
  constructor(owner: Patient, timers: Timers, spans: Spans) {
    this.#owner = owner;
    this.#timers = timers;
    this.#spans = spans;
    this.#keepAlive = spans.keepAlive;
    this.expect(FIRST_BYTE);
    timers.add(this);
  }

  // === hot ===

  /** A request begins: what was slow about the one before is forgotten. */
  begin(): void {
    this.#stallFrom = 0;
  }

  /** The client owes `what`, and its time for it starts now. */
  expect(what: number): void {
    this.#what = what;
    if (what === BODY) this.#bodyFrom = this.#timers.now;
    if (!this.#stalled) this.deadline = this.#due(0);
  }

  /** A piece of the body came; `total` bytes of it are here by now. */
  moved(total: number): void {
    if (this.#what === PROCEED && total > 0) this.expect(BODY);
    if (this.#what === BODY && !this.#stalled) this.deadline = this.#bodyDue(total);
  }

  #due(total: number): number {
    const what = this.#what;
    if (what >= NOTHING) return 0;
    if (what === NEXT_HEAD) return this.#timers.now + this.#keepAlive;
    return what === BODY ? this.#bodyDue(total) : this.#onceDue(what);
  }

  #bodyDue(total: number): number {
    if (this.#held) return 0;
    const { now } = this.#timers;
    const { bodyIdle, grace, byte, credit } = this.#spans;
    const idle = now + bodyIdle;
    const rate = this.#bodyFrom + grace + Math.floor(total * byte);
    if (rate > now + credit) this.#bodyFrom -= rate - now - credit;
    this.#slow = rate < idle;
    return this.#slow ? rate : idle;
  }

  // === cold ===

  #onceDue(what: number): number {
    const { now } = this.#timers;
    if (what === FIRST_BYTE) return now + this.#spans.firstByte;
    return now + (what === REST_OF_HEAD ? this.#spans.head : this.#spans.linger);
  }

  /** We stop reading the body: until `resume` its time stands still. */
  hold(): void {
    if (this.#held) return;
    this.#held = true;
    this.#heldAt = this.#timers.now;
    if (this.#what === BODY && !this.#stalled) this.deadline = 0;
  }

  /** We read again; `total` as in `moved`. */
  resume(total: number): void {
    if (!this.#held) return;
    this.#held = false;
    // What was awaited before the hold may be another body.
    this.#bodyFrom += this.#timers.now - Math.max(this.#heldAt, this.#bodyFrom);
    this.moved(total);
  }

  /** Its answer waits for the client, for which our kernel has taken `taken` bytes, ever. */
  stall(taken: number): void {
    if (this.#stalled && taken === this.#taken) return;
    const { now } = this.#timers;
    const acked = this.#owner.acknowledged();
    if (this.#stallFrom === 0) {
      this.#stallFrom = now;
      this.#acked = acked;
    } else if (!this.#stalled) this.#stallFrom += now - this.#flowedAt;
    this.#stalled = true;
    this.#taken = taken;
    this.#look(acked);
  }

  /** `acked` bytes are acknowledged by now: when enough are, the time for more begins. */
  #look(acked: number): void {
    const { now } = this.#timers;
    const { stall, some, look } = this.#spans;
    if (acked - this.#acked >= some) {
      this.#stallFrom = now;
      this.#acked = acked;
    }
    this.deadline = Math.min(this.#stallFrom + stall, now + look);
  }

  /** Nothing waits for the client any more; `total` as in `moved`. */
  flowed(total: number): void {
    if (!this.#stalled) return;
    this.#stalled = false;
    this.#flowedAt = this.#timers.now;
    this.deadline = this.#due(total);
  }

  /** From now on the next request is awaited for `ms`, and the first one no longer than that. */
  hurry(ms: number): void {
    this.#keepAlive = ticksOf(ms);
    if (this.#stalled || this.#what > NEXT_HEAD) return;
    this.deadline = Math.min(this.deadline, this.#timers.now + this.#keepAlive);
    // Filed anew, since the wheel would look at it up to a second late.
    this.#timers.remove(this);
    this.#timers.add(this);
  }

  /** How long nothing has come, of a client whose next or first request is awaited; ms. */
  idleMs(): number {
    const span = this.#what === FIRST_BYTE ? this.#spans.firstByte : this.#keepAlive;
    return (this.#timers.now + span - this.deadline) * TICK_MS;
  }

  /** Nothing is awaited any more, for good. */
  end(): void {
    this.#timers.remove(this);
  }

  expire(): void {
    if (!this.#stalled) return this.#owner.expired(this.#fault());
    // `drain` is told only when a third of the send buffer is free, which for a slow reader is long
    // after it took something; a write knows sooner, and what was acknowledged tells it all.
    this.#owner.drained();
    if (!this.#stalled || this.deadline > this.#timers.now) return;
    this.#look(this.#owner.acknowledged());
    if (this.deadline <= this.#timers.now) this.#owner.expired(CLIENT_STALLED);
  }

  broken(): void {
    this.#owner.broken();
  }

  #fault(): number {
    switch (this.#what) {
      case FIRST_BYTE:
        return FIRST_BYTE_TIMEOUT;
      case REST_OF_HEAD:
        return REQUEST_TIMEOUT;
      case BODY:
        return this.#slow ? BODY_TOO_SLOW : BODY_TIMEOUT;
      default:
        return OK;
    }
  }
}
