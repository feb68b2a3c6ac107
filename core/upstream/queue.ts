/**
 * Who waits for a connection to one endpoint, first come, first served. The links are in the
 * waiters themselves, so that one that gives up leaves from the middle at once.
 */
import type { UpstreamConnection } from "./connection.ts";

/** What can wait: it has the fields for its queue, which nobody else touches. */
export interface Waiter {
  queue: Queue | null;
  ahead: Waiter | null;
  behind: Waiter | null;
  /** Its turn has come: an idle connection is its own now, or with null it may open one. */
  serve(connection: UpstreamConnection | null): void;
  /** Its turn came and it failed; it must close. */
  broken(): void;
}

export class Queue {
  length = 0;
  #first: Waiter | null = null;
  #last: Waiter | null = null;

  push(waiter: Waiter): void {
    waiter.queue = this;
    waiter.ahead = this.#last;
    waiter.behind = null;
    if (this.#last === null) this.#first = waiter;
    else this.#last.behind = waiter;
    this.#last = waiter;
    this.length++;
  }

  /** The one that waited longest, which waits no more; null when nobody does. */
  shift(): Waiter | null {
    const first = this.#first;
    if (first !== null) this.remove(first);
    return first;
  }

  /** Lets one go from any place; nothing when it does not wait here. */
  remove(waiter: Waiter): void {
    if (waiter.queue !== this) return;
    const { ahead, behind } = waiter;
    if (ahead === null) this.#first = behind;
    else ahead.behind = behind;
    if (behind === null) this.#last = ahead;
    else behind.ahead = ahead;
    waiter.queue = null;
    waiter.ahead = null;
    waiter.behind = null;
    this.length--;
  }
}
