/**
 * One timer wheel for every deadline of a worker. A connection keeps one deadline and moves it by a
 * field store; the wheel looks at it only when the slot it was filed under comes by, and files it
 * again if the deadline moved on. Resolution: one tick; a deadline never fires early, and
 * at most a second late.
 */
import { contain } from "./contain.ts";

/** The resolution of all deadlines. */
export const TICK_MS = 250;

/** Slots of the wheel; one more than the farthest tick an item is filed under. */
const SLOTS = 8;

/** Every item is looked at once in so many ticks, since its deadline may have come nearer. */
const LOOK_TICKS = 4;

/** What has a deadline. `expire` runs when it has passed; the item stays filed until removed. */
export type Timed = {
  /** In ticks; 0 is no deadline. */
  deadline: number;
  /** Slot it is filed under, NONE when it is not. Owned by the wheel. */
  slot: number;
  prev: Timed | null;
  next: Timed | null;
  expire(): void;
  /** It failed; it must close and be removed. */
  broken(): void;
};

export class Timers {
  /** The current tick. */
  now = 1;
  readonly #slots: (Timed | null)[] = Array.from({ length: SLOTS }, () => null);
  #interval: Timer | null = null;

  /** Lets real time drive the wheel. Without it a test calls `tick`. */
  start(): void {
    const began = performance.now();
    this.#interval = setInterval(() => {
      const due = 1 + Math.floor((performance.now() - began) / TICK_MS);
      while (this.now < due) this.tick();
    }, TICK_MS);
  }

  stop(): void {
    if (this.#interval !== null) clearInterval(this.#interval);
    this.#interval = null;
  }

  /** The tick at which `ms` from now have passed for certain. */
  after(ms: number): number {
    return this.now + ticksOf(ms);
  }

  /** Files an item; it is looked at within LOOK_TICKS from now on. */
  add(item: Timed): void {
    const near = item.deadline > this.now && item.deadline < this.now + LOOK_TICKS;
    this.#file(item, near ? item.deadline : this.now + LOOK_TICKS);
  }

  remove(item: Timed): void {
    if (item.slot < 0) return;
    if (item.prev !== null) item.prev.next = item.next;
    else this.#slots[item.slot] = item.next;
    if (item.next !== null) item.next.prev = item.prev;
    item.prev = null;
    item.next = null;
    item.slot = -1;
  }

  /** Advances by one tick and expires what is due. */
  tick(): void {
    this.now++;
    const slot = this.now % SLOTS;
    // One at a time from the front: an expiring item may remove any other one.
    let item = this.#slots[slot] ?? null;
    while (item !== null) {
      this.remove(item);
      this.add(item);
      if (item.deadline !== 0 && item.deadline <= this.now) expire(item);
      item = this.#slots[slot] ?? null;
    }
  }

  #file(item: Timed, tick: number): void {
    const slot = tick % SLOTS;
    const first = this.#slots[slot] ?? null;
    item.slot = slot;
    item.prev = null;
    item.next = first;
    if (first !== null) first.prev = item;
    this.#slots[slot] = item;
  }
}

/** The ticks in which `ms` have passed for certain, whenever in a tick they begin. */
export function ticksOf(ms: number): number {
  return 1 + Math.ceil(ms / TICK_MS);
}

function expire(item: Timed): void {
  contain(item, () => item.expire());
}
