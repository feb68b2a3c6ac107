/**
 * Whether an endpoint can be trusted with requests, learned from the requests themselves.
 *
 *   well ── ejectAfter failures in a row ──▶ ejected ── its wait is over ──▶ probed ── success ─┐
 *    ▲                                         ▲─────────────── failure ────────┘             │
 *    └────────────────────────────────────────────────────────────────────────────────────────┘
 *
 * One request at a time is the probe. A probe that is refused at once costs nobody anything, since
 * its request goes to another endpoint: the wait stays short, and a pod that listens again is used
 * within a second. Any other failure was somebody's: each doubles the wait.
 */
import { ticksOf } from "../timers.ts";
import type { UpstreamSite } from "./site.ts";

/** By how much a request in flight weighs more, at the beginning of a slow start. */
const RAMP = 10;

export class Health {
  readonly #site: UpstreamSite;
  /** The tick from which on it gets requests, or another probe; 0 while it is well. */
  #until = 0;
  /** The tick of the probe that is on its way; 0 for none. */
  #probed = 0;
  /** Failures in a row, and the tick of the first. */
  #failures = 0;
  #since = 0;
  /** How often the wait has doubled. */
  #level = 0;
  /** The tick since when it is well, and that at which its slow start ends. */
  #well = 0;
  #mature = 0;

  constructor(site: UpstreamSite) {
    this.#site = site;
    this.#begin();
  }

  // === hot ===

  /** Whether a request may go there at tick `now`. */
  available(now: number): boolean {
    return this.#until <= now;
  }

  /** A request goes there. When the wait is over, this one is the probe. */
  chosen(now: number): void {
    if (this.#until !== 0 && this.#until <= now) this.#probe(now);
  }

  /** A response head came, whatever its status: who speaks HTTP is well, ejected or not. */
  succeeded(): void {
    if (this.#failures !== 0 || this.#until !== 0) this.#recover();
  }

  /**
   * How busy it is with `active` exchanges. One that is new, or just came back, is counted busier
   * than it is, so that the least busy does not get all at once; one without any is just free.
   */
  load(active: number, now: number): number {
    return now >= this.#mature ? active : this.#ramped(active, now);
  }

  // === cold ===

  /**
   * A request failed there, by the endpoint's doing, at tick `now`. `unsent`: no byte of it was
   * sent, so that another endpoint gets it. While the endpoint is ejected this is late news.
   */
  failed(now: number, unsent = false): void {
    if (this.#until !== 0) {
      if (this.#probed !== 0) this.#eject(now, unsent && now - this.#probed <= 1);
      return;
    }
    const { ejectAfter, ejectWindowMs } = this.#site.limits;
    const window = ticksOf(ejectWindowMs);
    if (this.#failures === 0 || now - this.#since > window) {
      this.#failures = 0;
      this.#since = now;
    }
    this.#failures++;
    if (ejectAfter === 0 || this.#failures < ejectAfter) return;
    // Each window that it was well makes up for one doubling.
    const healed = Math.floor((this.#since - this.#well) / window);
    this.#level = Math.max(0, this.#level - healed);
    this.#eject(now, false);
  }

  #probe(now: number): void {
    // The one before had no outcome in all this time: its client left, or still waits. So the next
    // one gets at least as much, and more each time.
    const waited = this.#probed === 0 ? 0 : this.#wait();
    this.#probed = now;
    this.#until = now + ticksOf(Math.max(waited, this.#site.limits.ejectWindowMs));
  }

  #eject(now: number, free: boolean): void {
    const ms = free ? this.#site.limits.ejectMs : this.#wait();
    this.#failures = 0;
    this.#probed = 0;
    // Give or take a tenth, so that workers do not all probe at once.
    this.#until = now + ticksOf(ms * 0.9 + this.#site.random.below(Math.ceil(ms / 5)));
  }

  /** How long to leave it alone, milliseconds; twice as long the next time. */
  #wait(): number {
    const { ejectMs, ejectMaxMs } = this.#site.limits;
    const ms = ejectMs * 2 ** this.#level;
    if (ms < ejectMaxMs) this.#level++;
    return Math.min(ms, ejectMaxMs);
  }

  #recover(): void {
    const ejected = this.#until !== 0;
    this.#failures = 0;
    this.#until = 0;
    this.#probed = 0;
    if (ejected) this.#begin();
  }

  #begin(): void {
    const { timers, limits } = this.#site;
    this.#well = timers.now;
    this.#mature = limits.slowStartMs === 0 ? 0 : timers.after(limits.slowStartMs);
  }

  #ramped(active: number, now: number): number {
    const rest = (this.#mature - now) / (this.#mature - this.#well);
    return active * (1 + RAMP * rest);
  }
}
