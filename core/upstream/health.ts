/**
 * Whether an endpoint can be trusted with requests, learned from the requests themselves.
 *
 *   well ── ejectAfter failures in a row ──▶ ejected ── its wait is over ──▶ probed ── success ─┐
 *    ▲                                         ▲─────────────── failure ────────┘             │
 *    └────────────────────────────────────────────────────────────────────────────────────────┘
 *
 * The probe is a request, one at a time; each one that fails doubles the wait. No request is spent
 * on finding out whether anybody listens: rind knocks at an ejected endpoint by itself. While the
 * knocks fail there is no probe, and when one succeeds again there is one at once, so that a pod
 * that was down is used within a second.
 */
import { CONNECT_FAILED, CONNECT_TIMEOUT, FAULTS } from "../fault.ts";
import { type Fields, log } from "../log.ts";
import { type Timed, ticksOf } from "../timers.ts";
import type { UpstreamSite } from "./site.ts";

/** By how much a request in flight weighs more, at the beginning of a slow start. */
const RAMP = 10;
/** Knocks become rarer: so many in all the time that it is down, and at most so much rarer. */
const KNOCKS = 40;
const RARER_MAX = 20;
/** No tick is later. */
const NEVER = Number.POSITIVE_INFINITY;

export class Health implements Timed {
  // First, and so in one line of the cache: what each pick looks at.
  /** The tick from which on it gets requests, or another probe; 0 while it is well. */
  #until = 0;
  /** The tick at which its slow start ends. */
  #mature = 0;
  readonly address: string;
  readonly port: number;
  /** When to knock. */
  deadline = 0;
  slot = -1;
  prev: Timed | null = null;
  next: Timed | null = null;
  readonly #site: UpstreamSite;
  /** The tick of the probe that is on its way; 0 for none. */
  #probed = 0;
  /** Failures in a row, and the tick of the first. */
  #failures = 0;
  #since = 0;
  /** How often the wait has doubled. */
  #level = 0;
  /** The tick since when it is well. */
  #well = 0;
  /** The tick of its ejection, whether a knock is on its way, whether nobody listens. */
  #ejected = 0;
  #knocking = false;
  #down = false;
  #stopped = false;
  /** The tick at which an ejection was last logged, and whether this one was. */
  #told = 0;
  #telling = false;

  constructor(at: Readonly<{ address: string; port: number }>, site: UpstreamSite) {
    this.address = at.address;
    this.port = at.port;
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
   * A request failed there with `fault`, by the endpoint's doing, at tick `now`. While it is
   * ejected this is late news of requests before, unless it is the probe.
   */
  failed(now: number, fault: number): void {
    if (this.#until !== 0) {
      if (this.#probed !== 0) this.#eject(now, fault);
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
    this.#eject(now, fault);
  }

  /** Nobody asks any more. */
  stop(): void {
    this.#stopped = true;
    this.#site.timers.remove(this);
  }

  #probe(now: number): void {
    // The one before had no outcome in all this time: its client left, or still waits. So the next
    // one gets at least as much, and more each time.
    const waited = this.#probed === 0 ? 0 : this.#wait();
    this.#probed = now;
    this.#until = now + ticksOf(Math.max(waited, this.#site.limits.ejectWindowMs));
  }

  #eject(now: number, fault: number): void {
    const ms = this.#wait();
    if (this.#until === 0) this.#tell(now, fault);
    this.#failures = 0;
    this.#probed = 0;
    this.#ejected = now;
    this.#down = fault === CONNECT_FAILED || fault === CONNECT_TIMEOUT;
    // Give or take a tenth, so that workers do not all probe at once.
    this.#until = now + ticksOf(ms * 0.9 + this.#site.random.below(Math.ceil(ms / 5)));
    this.#plan(now);
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
    if (!ejected) return;
    if (this.#telling) log("info", "endpoint is back", this.#named());
    this.#site.timers.remove(this);
    this.#begin();
  }

  /** One line an ejection, but not for each time that it comes and goes. */
  #tell(now: number, fault: number): void {
    this.#telling = this.#told === 0 || now - this.#told > ticksOf(this.#site.limits.ejectWindowMs);
    if (!this.#telling) return;
    this.#told = now;
    log("warn", "endpoint is ejected", { ...this.#named(), fault: FAULTS[fault]!.name });
  }

  #named(): Fields {
    return { address: this.address, port: this.port };
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

  // === knocking ===

  #plan(now: number): void {
    if (this.#stopped) return;
    const soon = ticksOf(this.#site.limits.knockMs);
    const later = Math.ceil((now - this.#ejected) / KNOCKS);
    this.deadline = now + Math.min(Math.max(soon, later), soon * RARER_MAX);
    this.#site.timers.remove(this);
    this.#site.timers.add(this);
  }

  expire(): void {
    this.#site.timers.remove(this);
    // One that was planned for an earlier ejection has its outcome to come, and serves as well.
    if (this.#knocking) return;
    this.#knocking = true;
    this.#site.knock(this);
  }

  /** The outcome of a knock: `open` when the endpoint took a connection, and kept it. */
  knocked(open: boolean): void {
    this.#knocking = false;
    if (this.#until === 0 || this.#probed !== 0) return;
    const { now } = this.#site.timers;
    if (!open) {
      this.#down = true;
      this.#until = NEVER;
      this.#plan(now);
    } else if (this.#down) this.#until = now;
    // It was reachable all the time: what is wrong with it is something else, and takes its time.
  }

  broken(): void {
    this.stop();
  }
}
