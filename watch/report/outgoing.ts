/**
 * The way out: everything that is written to the cluster goes through here, one request at a time,
 * evenly spaced, and only while we lead. Writers are asked for the next request when it may go, so
 * that what changed again meanwhile is written once.
 */
import type { Cancel, Clock } from "../../core/clock.ts";
import type { Random } from "../../core/random.ts";
import type { ApiAnswer, ApiClient, ApiFailure, ApiRequest } from "../source/api/api.ts";
import { isPassing } from "../source/api/codes.ts";

/** From one request to the next: 20 a second. */
const GAP_MS = 50;
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
    if (!answer.ok && isPassing(answer.status)) this.#pause(answer);
    else {
      this.#problem = "";
      this.#backoffMs = BACKOFF_MS;
    }
    errand.done(answer);
    turned();
    this.wake();
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

function firstOf(writers: readonly Writer[]): Errand | null {
  for (const writer of writers) {
    const errand = writer.next();
    if (errand !== null) return errand;
  }
  return null;
}
