/**
 * The supervisor: keeps N workers alive and equally informed. It holds whole models; a slow worker
 * skips the versions in between, and never makes the others wait. Each worker has a slot: its
 * sockets stay when the process in it ends or is replaced.
 */
import { FAULTS } from "./fault.ts";
import { EMPTY_MODEL } from "./model.ts";
import type { Delta, Model } from "./model.ts";
import { UNBOUND } from "./protocol.ts";
import type { Bound, EdgeSettings, Refused } from "./protocol.ts";
import { Slot } from "./slot.ts";
import type { SlotConfig } from "./slot.ts";

/** So many crashes within CRASH_WINDOW_MS are a storm, and rind says it is not ready. */
const STORM_CRASHES = 5;
const CRASH_WINDOW_MS = 60_000;

export type SupervisorConfig = SlotConfig &
  EdgeSettings &
  Readonly<{
    count: number;
    /** Workers inherit the file of shared cursors (core/cursors.ts). */
    cursors: boolean;
    diff: (old: Model, next: Model) => Delta;
  }>;

/** How starting ended: all workers serve, or one of them cannot listen. */
export type Started = Readonly<{ ok: true }> | Refused;

/** One worker, as `/readyz` shows it. `version` is the last one it acknowledged. */
export type WorkerState = Readonly<{
  pid: number;
  serving: boolean;
  version: number;
  /** What the last collection left on its heap. */
  heapBytes: number;
}>;

/** What the control plane sees of the data plane, whether it is one process or many. */
export type Workers = Readonly<{
  /** Resolves when every live worker serves this version or a newer one. Never rejects. */
  publish: (model: Model) => Promise<void>;
  /** Settles once, after the first `publish`. */
  started: Promise<Started>;
  /** Nowhere before they serve. */
  addresses: () => Bound;
  states: () => readonly WorkerState[];
  /** How often each fault, by its id, has happened in all workers there ever were. */
  faults: () => readonly number[];
  /** Too many crashes lately to be trusted with traffic. */
  stormy: () => boolean;
  /**
   * Replaces the worker processes one after another, without a refused or broken connection: the
   * new one serves before the old one drains, for `deadlineMs` at most. Resolves when all serve. A
   * new one that does not come up ends it, with false; those that were not replaced yet stay. Never
   * rejects.
   */
  replace: (deadlineMs: number) => Promise<boolean>;
  /** Accepts nothing new and lets running exchanges finish, for `deadlineMs` at most. */
  drain: (deadlineMs: number) => Promise<void>;
  /** Ends everything now. */
  stop: () => void;
}>;

type Waiter = Readonly<{ version: number; resolve: () => void }>;

const NOTHING = (): void => {};

export class Supervisor implements Workers {
  readonly started: Promise<Started>;
  readonly #config: SupervisorConfig;
  readonly #slots: Slot[] = [];
  readonly #faults = FAULTS.map(() => 0);
  #newest: Model = EMPTY_MODEL;
  #waiters: Waiter[] = [];
  #crashedAt: number[] = [];
  #draining = false;
  #settleStart: (started: Started) => void;
  #settleDrain: () => void = NOTHING;
  /** Rounds of replacement follow each other; one waits at most. */
  #round: Promise<boolean> = Promise.resolve(true);
  #nextRound: Promise<boolean> | null = null;
  /** One delta serves every worker that stands at the same model. */
  #last: Readonly<{ from: Model; to: Model; delta: Delta }> | null = null;

  /** Starts the worker processes; they accept from the first `publish` on. */
  constructor(config: SupervisorConfig) {
    this.#config = config;
    const { promise, resolve } = Promise.withResolvers<Started>();
    this.started = promise;
    this.#settleStart = resolve;
    const { http, https, tls, proxies, limits, trusted } = config;
    const edge: EdgeSettings = { http, https, tls, proxies, limits, trusted };
    const { cursors, count: workers } = config;
    const inherited = config.sockets !== null;
    const owner = {
      start: { ...edge, kind: "start", inherited, cursors, workers } as const,
      delta: (from: Model, to: Model) => this.#delta(from, to),
      newest: () => this.#newest,
      moved: () => this.#moved(),
      counted: (faults: readonly number[]) => {
        for (const [id, count] of faults.entries()) this.#faults[id]! += count;
      },
      failed: (refused: Refused) => this.#settleStart(refused),
      crashed: () => {
        this.#crashedAt = [...this.#crashedAt.slice(1 - STORM_CRASHES), config.clock.now()];
      },
    };
    for (let index = 0; index < config.count; index++) {
      this.#slots.push(new Slot(index, config, owner));
    }
  }

  publish(model: Model): Promise<void> {
    this.#newest = model;
    for (const slot of this.#slots) slot.update();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiters.push({ version: model.version, resolve });
    this.#settle();
    return promise;
  }

  addresses(): Bound {
    const { http, https } = this.#config;
    return this.#slots.some(({ current }) => current?.listening) ? { http, https } : UNBOUND;
  }

  faults(): readonly number[] {
    return this.#faults;
  }

  states(): readonly WorkerState[] {
    return this.#slots.map(({ current }) => ({
      pid: current?.pid ?? 0,
      serving: current?.serving === true && !this.#draining,
      version: current?.acked.version ?? EMPTY_MODEL.version,
      heapBytes: current?.heapBytes ?? 0,
    }));
  }

  stormy(): boolean {
    const since = this.#config.clock.now() - CRASH_WINDOW_MS;
    return this.#crashedAt.filter((at) => at > since).length >= STORM_CRASHES;
  }

  replace(deadlineMs: number): Promise<boolean> {
    this.#nextRound ??= this.#round.then(() => {
      this.#nextRound = null;
      return this.#replaceAll(deadlineMs);
    });
    this.#round = this.#nextRound;
    return this.#round;
  }

  async drain(deadlineMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#draining = true;
    this.#settleDrain = resolve;
    // From here on each socket ends with the worker that accepts on it, when its queue is empty.
    this.#config.sockets?.close();
    for (const slot of this.#slots) slot.drain(deadlineMs);
    this.#settle();
    await promise;
  }

  stop(): void {
    this.#draining = true;
    this.#config.sockets?.close();
    for (const slot of this.#slots) slot.stop();
  }

  async #replaceAll(deadlineMs: number): Promise<boolean> {
    for (const slot of this.#slots) {
      if (this.#draining || !(await slot.replace(deadlineMs))) return false;
    }
    return true;
  }

  #moved(): void {
    this.#settle();
    if (this.#slots.every(({ current }) => current?.serving)) this.#settleStart({ ok: true });
  }

  #delta(from: Model, to: Model): Delta {
    if (this.#last?.from !== from || this.#last.to !== to) {
      this.#last = { from, to, delta: this.#config.diff(from, to) };
    }
    return this.#last.delta;
  }

  /** Answers those who wait for a version, or for the end, if it has come. */
  #settle(): void {
    const live = this.#slots.flatMap(({ current }) => (current === null ? [] : [current]));
    if (this.#draining && this.#slots.every((slot) => slot.vacant)) this.#settleDrain();
    const served = this.#draining ? Infinity : Math.min(...live.map(({ settled }) => settled));
    if (live.length === 0 && !this.#draining) return;
    const done = this.#waiters.filter((waiter) => waiter.version <= served);
    this.#waiters = this.#waiters.filter((waiter) => waiter.version > served);
    for (const waiter of done) waiter.resolve();
  }
}
