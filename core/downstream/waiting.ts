/**
 * The bytes of answers that wait for clients, of all connections of a worker. One may hold what a
 * single read of its backend brought, half a MiB, so a thousand that do not read are more than the
 * worker has memory for: when there is no room for all, who has been waited for longest goes.
 */
import { contain } from "../contain.ts";
import { WAITING_FULL } from "../fault.ts";
import { LIMITS } from "../limits.ts";
import type { Limits } from "../limits.ts";
import { Notices } from "../notice.ts";
import type { Timers } from "../timers.ts";

/** A client for which something may wait. */
export type Slow = {
  /** Closes it, and calls `set` with 0 bytes. */
  expired(fault: number): void;
  broken(): void;
};

export class Waiting {
  /** Bytes that wait, of all. */
  total = 0;
  readonly #limit: number;
  readonly #notices: Notices;
  /** In the order in which something began to wait for them. */
  readonly #bytes = new Map<Slow, number>();
  #relieving = false;

  constructor(limits: Limits, timers: Timers) {
    this.#limit = limits.waitingBytes;
    this.#notices = new Notices(timers);
  }

  /** So many bytes wait for `client` by now; of one that is gone, 0. */
  set(client: Slow, bytes: number): void {
    this.total += bytes - (this.#bytes.get(client) ?? 0);
    if (bytes === 0) this.#bytes.delete(client);
    else this.#bytes.set(client, bytes);
    if (this.total <= this.#limit || this.#relieving) return;
    this.#relieving = true;
    // Not in the middle of what somebody writes, which may be the one that goes.
    setImmediate(() => this.#relieve());
  }

  #relieve(): void {
    this.#relieving = false;
    for (const client of this.#bytes.keys()) {
      if (this.total <= this.#limit) return;
      contain(client, () => client.expired(WAITING_FULL));
      this.#notices.tell(WAITING_FULL, { limit: LIMITS.waitingBytes.name, value: this.#limit });
    }
  }
}
