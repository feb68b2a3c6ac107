/**
 * Whether a request that failed may go again, and how (RFC 9110 §9.2.2). A request must never be
 * done twice when it was asked for once, unless its method or its route says that this is harmless.
 *
 *   what failed                                      idempotent                  other methods
 *   nothing of it was sent: refused, timeout, dead   to another connection       the same
 *   reused connection, no byte of an answer          again, when all is kept     502; an option
 *   fresh connection, no byte of an answer           502; an option              502
 *   a byte of an answer, or no answer in time        never                       never
 */
import type { Exchange } from "./exchange.ts";
import { FAULTS } from "./fault.ts";
import type { Limits } from "./limits.ts";
import type { Retry } from "./model.ts";

/** The fault is answered. */
export const NEVER = 0;
/** What waits in the connection that failed moves to another one; it was never sent. */
export const MOVE = 1;
/** The request is sent once more, on a connection that is not used yet. */
export const AGAIN = 2;

/** What became of the connection: did it carry an exchange before, did it send any of this one. */
export type Failed = Readonly<{ reused: boolean; unsent: boolean }>;

/** What the decision needs to know of a request. `whole`: every byte of it that left is kept. */
export type Sent = Readonly<{ idempotent: boolean; whole: boolean; resent: number }>;

/** The table above: NEVER, MOVE or AGAIN. `fault` is the fault's id. */
export function verdict(fault: number, failed: Failed, sent: Sent, policy: Retry): number {
  const rule = FAULTS[fault]!.retry;
  if (rule === "never") return NEVER;
  if (rule === "unsent" || failed.unsent) return MOVE;
  if (!sent.whole || sent.resent >= policy.max) return NEVER;
  return repeats(failed.reused, sent.idempotent, policy) ? AGAIN : NEVER;
}

/** Whether a request may be sent twice over a connection of that kind. */
function repeats(reused: boolean, idempotent: boolean, policy: Retry): boolean {
  if (reused) return idempotent || policy.nonIdempotent;
  return idempotent && policy.fresh;
}

/**
 * How much of the body is worth keeping, bytes: nothing when the request would not be sent again
 * anyhow, so that only those pay that may gain.
 */
export function replayMax(exchange: Exchange, reused: boolean, limits: Limits): number {
  const { retry } = exchange.route!.policy;
  if (exchange.resent >= retry.max) return 0;
  return repeats(reused, exchange.idempotent, retry) ? limits.replayBytes : 0;
}

/**
 * What keeps retries from making trouble worse: requests sent again, in flight, are a share of all
 * requests in flight. What moves on without having been sent costs no backend anything and does
 * not count.
 */
export class Budget {
  /** Requests in flight. */
  active = 0;
  /** Those of them that were sent again and wait for an answer. */
  retries = 0;
  readonly #limits: Limits;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** Whether one more may be sent again. */
  get allows(): boolean {
    const { retryBudget, retriesMin } = this.#limits;
    return this.retries < Math.max(retriesMin, (this.active * retryBudget) / 100);
  }
}
