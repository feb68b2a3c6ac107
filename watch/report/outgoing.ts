/**
 * The way out: everything that is written to the cluster goes through here, one request at a time,
 * evenly spaced, and only while we lead. Writers are asked for the next request when it may go, so
 * that what changed again meanwhile is written once.
 */
import type { Cancel, Clock } from "../../core/clock.ts";
import type { Random } from "../../core/random.ts";
import { isFields } from "../objects.ts";
import type { ApiAnswer, ApiClient, ApiFailure, ApiRequest } from "../source/api/api.ts";
import { isPassing, isServerError, UNAVAILABLE } from "../source/api/codes.ts";

/** From one request to the next: 20 a second. */
const GAP_MS = 50;
/**
 * Twice the gap after each object in a row that the server fails at, up to this: a broken webhook
 * of one object holds nobody up for longer, and one of all objects is not asked more often.
 */
const GAP_MS_MAX = 1_600;
/**
 * One request. Whoever loses the lease has one on its way at most, and that one is over before
 * another can have the lease (leader.ts).
 */
const WRITE_MS_MAX = 5_000;
/** As in client-go's reflector. */
const BACKOFF_MS = 800;
const BACKOFF_MS_MAX = 30_000;

/** A request and who hears how it ended. `done` is called exactly once. */
export type Errand = Readonly<{ request: ApiRequest; done: (answer: ApiAnswer) => void }>;

/** Has things to write. `next` gives the one that is worth it now, or null. */
export type Writer = Readonly<{ next(): Errand | null }>;

export type OutgoingConfig = Readonly<{
  clock: Clock;
  random: Random;
  api: ApiClient;
  /** Asked before each request. */
  may: () => boolean;
  /** The first one that has something goes first. */
  writers: readonly Writer[];
  /** An answer came, or there is nothing to write: whoever waits for either may look. */
  turned: () => void;
}>;

/** Sleeps until it is woken. */
export class Outgoing {
  readonly #config: OutgoingConfig;
  #busy = false;
  #stopped = false;
  #nextAt = -Infinity;
  #backoffMs = BACKOFF_MS;
  /** Writes in a row that the server failed at, each for its object alone. */
  #failures = 0;
  #problem = "";
  #cancel: Cancel | null = null;

  constructor(config: OutgoingConfig) {
    this.#config = config;
  }

  /** There may be something to write. */
  wake(): void {
    if (this.#busy || this.#stopped || this.#cancel !== null) return;
    const waitMs = Math.max(0, this.#nextAt - this.#config.clock.now());
    this.#cancel = this.#config.clock.after(waitMs, () => {
      this.#cancel = null;
      void this.#turn();
    });
  }

  /** Sends nothing any more. One request may be on its way still. */
  stop(): void {
    this.#stopped = true;
    this.#cancel?.();
  }

  /** Why the API server takes no writes at all now, or "". */
  problem(): string {
    return this.#problem;
  }

  async #turn(): Promise<void> {
    const { clock, api, may, writers, turned } = this.#config;
    // A writer that is asked may wake us: the answer to what it gave is waited for first.
    if (this.#busy || this.#stopped || !may()) return;
    const errand = firstOf(writers);
    if (errand === null) return turned();
    this.#busy = true;
    this.#nextAt = clock.now() + GAP_MS;
    const answer = await api.ask(errand.request, WRITE_MS_MAX);
    this.#busy = false;
    this.#heed(answer);
    errand.done(answer);
    turned();
    this.wake();
  }

  #heed(answer: ApiAnswer): void {
    const failed = !answer.ok && isOfOne(answer);
    if (!answer.ok && !failed && isPassing(answer.status)) return this.#pause(answer);
    this.#problem = "";
    this.#backoffMs = BACKOFF_MS;
    this.#failures = failed ? this.#failures + 1 : 0;
    if (!failed) return;
    const gapMs = Math.min(GAP_MS_MAX, GAP_MS * 2 ** this.#failures);
    this.#nextAt = this.#config.clock.now() + gapMs;
  }

  /** Nobody's fault but the server's: everything waits, and nothing is lost. */
  #pause({ reason, retryAfterMs }: ApiFailure): void {
    const { clock, random } = this.#config;
    this.#problem = reason;
    const waitMs = Math.max(this.#backoffMs + random.below(this.#backoffMs), retryAfterMs ?? 0);
    this.#nextAt = clock.now() + waitMs;
    this.#backoffMs = Math.min(BACKOFF_MS_MAX, this.#backoffMs * 2);
  }
}

/**
 * Whether the server is there, and failed at this one write: so it answers for objects of which a
 * broken webhook is asked. What says when to come again, or has no Status of an API server because
 * a proxy answered in its place, is about all writes.
 */
export function isOfOne({ status, body, retryAfterMs }: ApiFailure): boolean {
  const own = isServerError(status) && status !== UNAVAILABLE && retryAfterMs === null;
  return own && isFields(body) && body["kind"] === "Status";
}

function firstOf(writers: readonly Writer[]): Errand | null {
  for (const writer of writers) {
    const errand = writer.next();
    if (errand !== null) return errand;
  }
  return null;
}
