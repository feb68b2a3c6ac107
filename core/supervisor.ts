/**
 * The supervisor: keeps N workers alive and equally informed. It holds whole models and sends each
 * worker what changed since the model that worker acknowledged last, one delta in flight: a slow
 * worker skips the versions in between, and never makes the others wait.
 */
import { EMPTY_MODEL } from "./model.ts";
import type { Limits } from "./limits.ts";
import { log } from "./log.ts";
import { unreachable } from "./assert.ts";
import type { Clock } from "./clock.ts";
import type { Delta, Model } from "./model.ts";
import type { Address, FromWorker } from "./protocol.ts";
import type { Child, Launch } from "./launch.ts";

/** The first restart comes soon; a worker that keeps dying waits longer each time. */
const RESTART_MS = [100, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000];
/** A worker that lived this long starts over with a short wait. */
const HEALTHY_MS = 60_000;
/** Longest silence after a start or a delta; then the worker is taken for stuck and killed. */
const ANSWER_MS_MAX = 30_000;
/** So many crashes within CRASH_WINDOW_MS are a storm, and rind says it is not ready. */
const STORM_CRASHES = 5;
const CRASH_WINDOW_MS = 60_000;
/** What a drain may take beyond its deadline before the rest is killed. */
const DRAIN_GRACE_MS = 1_000;

export type SupervisorConfig = Readonly<{
  count: number;
  http: readonly Address[];
  /** Workers inherit the file of shared cursors (core/cursors.ts). */
  cursors: boolean;
  limits: Limits;
  /** Addresses whose forwarded headers are believed, as CIDRs. */
  trusted: readonly string[];
  launch: Launch;
  diff: (old: Model, next: Model) => Delta;
  clock: Clock;
}>;

/** How starting ended: all workers serve, or one of them cannot listen, for this reason. */
export type Started = Readonly<{ ok: true } | { ok: false; reason: string }>;

/** One worker, as `/readyz` shows it. `version` is the last one it acknowledged. */
export type WorkerState = Readonly<{ pid: number; serving: boolean; version: number }>;

/** What the control plane sees of the data plane, whether it is one process or many. */
export type Workers = Readonly<{
  /** Resolves when every live worker serves this version or a newer one. Never rejects. */
  publish: (model: Model) => Promise<void>;
  /** Settles once, after the first `publish`. */
  started: Promise<Started>;
  addresses: () => readonly Address[];
  states: () => readonly WorkerState[];
  /** Too many crashes lately to be trusted with traffic. */
  stormy: () => boolean;
  /** Accepts nothing new and lets running exchanges finish, for `deadlineMs` at most. */
  drain: (deadlineMs: number) => Promise<void>;
  /** Ends everything now. */
  stop: () => void;
}>;

type Slot = {
  readonly index: number;
  child: Child | null;
  ready: boolean;
  serving: boolean;
  /** What the worker is known to have; EMPTY_MODEL for a new one. */
  acked: Model;
  /** What it was sent and did not answer yet. */
  sent: Model | null;
  /** The last version it settled, compiled or not: what `publish` waits for. */
  settled: number;
  startedAt: number;
  crashes: number;
  /** The one timer of a slot: until its next start, or until it must have answered. */
  cancel: () => void;
};

type Waiter = Readonly<{ version: number; resolve: () => void }>;

const NOTHING = (): void => {};

export class Supervisor implements Workers {
  readonly started: Promise<Started>;
  readonly #config: SupervisorConfig;
  readonly #slots: Slot[] = [];
  #current: Model = EMPTY_MODEL;
  #waiters: Waiter[] = [];
  #crashedAt: number[] = [];
  #addresses: readonly Address[] = [];
  #draining = false;
  #settleStart: (started: Started) => void;
  #settleDrain: () => void = NOTHING;
  /** One delta serves every worker that stands at the same model. */
  #last: Readonly<{ from: Model; to: Model; delta: Delta }> | null = null;

  /** Starts the worker processes; they bind their addresses with the first `publish`. */
  constructor(config: SupervisorConfig) {
    this.#config = config;
    const { promise, resolve } = Promise.withResolvers<Started>();
    this.started = promise;
    this.#settleStart = resolve;
    for (let index = 0; index < config.count; index++) {
      this.#slots.push(newSlot(index));
      this.#start(this.#slots[index]!);
    }
  }

  publish(model: Model): Promise<void> {
    this.#current = model;
    for (const slot of this.#slots) this.#send(slot);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiters.push({ version: model.version, resolve });
    this.#settle();
    return promise;
  }

  addresses(): readonly Address[] {
    return this.#addresses;
  }

  states(): readonly WorkerState[] {
    return this.#slots.map((slot) => ({
      pid: slot.child?.pid ?? 0,
      serving: slot.serving && !this.#draining,
      version: slot.acked.version,
    }));
  }

  stormy(): boolean {
    const since = this.#config.clock.now() - CRASH_WINDOW_MS;
    return this.#crashedAt.filter((at) => at > since).length >= STORM_CRASHES;
  }

  async drain(deadlineMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#draining = true;
    this.#settleDrain = resolve;
    for (const slot of this.#slots) {
      slot.cancel();
      slot.child?.send({ kind: "drain", deadlineMs });
    }
    const cancel = this.#config.clock.after(deadlineMs + DRAIN_GRACE_MS, () => this.stop());
    this.#settle();
    await promise;
    cancel();
  }

  stop(): void {
    this.#draining = true;
    for (const slot of this.#slots) {
      slot.cancel();
      slot.child?.kill();
    }
  }

  // === one worker ===

  #start(slot: Slot): void {
    slot.startedAt = this.#config.clock.now();
    slot.child = this.#config.launch(slot.index, {
      message: (message) => this.#receive(slot, message),
      gone: (why) => this.#gone(slot, why),
    });
    this.#expectAnswer(slot);
  }

  #receive(slot: Slot, message: FromWorker): void {
    switch (message.kind) {
      case "ready":
        return this.#greet(slot);
      case "listening":
        slot.serving = true;
        this.#addresses = message.addresses;
        log("info", "worker serves", { worker: slot.index, pid: slot.child?.pid ?? 0 });
        return;
      case "failed":
        log("error", "worker cannot listen", { worker: slot.index, reason: message.reason });
        return this.#settleStart({ ok: false, reason: message.reason });
      case "applied":
        return this.#answered(slot, true);
      case "refused":
        log("error", "worker keeps its table", { worker: slot.index, reason: message.reason });
        return this.#answered(slot, false);
      default:
        return unreachable(message);
    }
  }

  #greet(slot: Slot): void {
    const { http, cursors, limits, trusted } = this.#config;
    slot.cancel();
    // What was sent before may have been lost, a drain included.
    if (this.#draining) return slot.child?.send({ kind: "drain", deadlineMs: 0 });
    slot.ready = true;
    slot.child?.send({ kind: "start", http, cursors, limits, trusted });
    this.#send(slot);
  }

  #send(slot: Slot): void {
    if (slot.child === null || !slot.ready || slot.sent !== null || this.#draining) return;
    if (slot.settled >= this.#current.version) return;
    slot.sent = this.#current;
    slot.child.send({ kind: "delta", delta: this.#delta(slot.acked, this.#current) });
    this.#expectAnswer(slot);
  }

  #answered(slot: Slot, applied: boolean): void {
    const sent = slot.sent;
    if (sent === null) return;
    slot.cancel();
    slot.sent = null;
    slot.settled = sent.version;
    if (applied) slot.acked = sent;
    this.#send(slot);
    this.#settle();
    const all = this.#slots.every((each) => each.serving && each.settled > 0);
    if (all) this.#settleStart({ ok: true });
  }

  #gone(slot: Slot, why: string): void {
    slot.cancel();
    const { index } = slot;
    const now = this.#config.clock.now();
    const crashes = now - slot.startedAt >= HEALTHY_MS ? 0 : slot.crashes;
    Object.assign(slot, newSlot(index), { crashes: crashes + 1 });
    if (!this.#draining) {
      this.#crashedAt = [...this.#crashedAt.slice(1 - STORM_CRASHES), now];
      const restartMs = RESTART_MS[Math.min(crashes, RESTART_MS.length - 1)]!;
      log("error", "worker is gone", { worker: index, why, restartMs });
      slot.cancel = this.#config.clock.after(restartMs, () => this.#start(slot));
    }
    this.#settle();
  }

  #expectAnswer(slot: Slot): void {
    slot.cancel();
    slot.cancel = this.#config.clock.after(ANSWER_MS_MAX, () => {
      log("error", "worker does not answer", { worker: slot.index });
      slot.child?.kill();
    });
  }

  // === all of them ===

  #delta(from: Model, to: Model): Delta {
    if (this.#last?.from !== from || this.#last.to !== to) {
      this.#last = { from, to, delta: this.#config.diff(from, to) };
    }
    return this.#last.delta;
  }

  /** Answers those who wait for a version, or for the end, if it has come. */
  #settle(): void {
    const live = this.#slots.filter((slot) => slot.child !== null);
    if (this.#draining && live.length === 0) this.#settleDrain();
    const served = this.#draining ? Infinity : Math.min(...live.map((slot) => slot.settled));
    if (live.length === 0 && !this.#draining) return;
    const done = this.#waiters.filter((waiter) => waiter.version <= served);
    this.#waiters = this.#waiters.filter((waiter) => waiter.version > served);
    for (const waiter of done) waiter.resolve();
  }
}

function newSlot(index: number): Slot {
  return {
    index,
    child: null,
    ready: false,
    serving: false,
    acked: EMPTY_MODEL,
    sent: null,
    settled: EMPTY_MODEL.version,
    startedAt: 0,
    crashes: 0,
    cancel: NOTHING,
  };
}
