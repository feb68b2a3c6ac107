/**
 * The place of one worker: its sockets stay when the process in it ends or is replaced, and with
 * them the connections that wait to be accepted.
 *
 *     next ──serves──► current ──replaced──► leaving ──drained──► gone
 *                         └──crashed──► (back-off) ──► current
 */
import type { Clock } from "./clock.ts";
import type { Child, ChildEvents, Launch } from "./launch.ts";
import { log } from "./log.ts";
import type { Delta, Model } from "./model.ts";
import { WorkerProcess } from "./process.ts";
import type { Start } from "./process.ts";
import { showAddress } from "./protocol.ts";
import type { Refused } from "./protocol.ts";
import type { Sockets } from "./sockets.ts";

/** The first restart comes soon; a worker that keeps dying waits longer each time. */
const RESTART_MS = [100, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000];
/** A worker that lived this long starts over with a short wait. */
const HEALTHY_MS = 60_000;
/** A start that is further away than this is not waited for by connections: others get them. */
const WAIT_MS_MAX = 1_000;
/** Neither is a start that takes longer than this. */
const START_MS_MAX = 3_000;

const NOTHING = (): void => {};

export type SlotConfig = Readonly<{
  /** What workers inherit to listen on; null: each binds its own. */
  sockets: Pick<Sockets, "of" | "open" | "shut" | "close"> | null;
  launch: Launch;
  clock: Clock;
  /** What the running exchanges of a worker get when it is replaced for its bugs. */
  drainMs: number;
}>;

/** What a slot asks of its supervisor, and tells it. */
export type SlotOwner = Readonly<{
  start: Start;
  delta: (from: Model, to: Model) => Delta;
  newest: () => Model;
  /** Something changed: a worker serves, settled a version, or is gone. */
  moved: () => void;
  /** So often each fault, by its id, has happened since the last time. */
  counted: (faults: readonly number[]) => void;
  /** A worker cannot listen. */
  failed: (refused: Refused) => void;
  /** A worker ended that should not have. */
  crashed: () => void;
}>;

export class Slot {
  readonly index: number;
  /** The process that serves, or is about to; null until its next start. */
  current: WorkerProcess | null = null;
  readonly #config: SlotConfig;
  readonly #owner: SlotOwner;
  /** Its successor, until that serves. */
  #next: WorkerProcess | null = null;
  /** Predecessors that drain. */
  readonly #leaving = new Set<WorkerProcess>();
  /** The replacement that is under way, and how it ends. */
  #replaced: Promise<boolean> | null = null;
  #settleNext: (served: boolean) => void = NOTHING;
  #draining = false;
  /** The process the sockets are open for; null when others get their connections. */
  #server: WorkerProcess | null = null;
  #crashes = 0;
  /** Takes back the next start, or the end of the wait for it. */
  #cancel = NOTHING;

  /** Starts the first process. */
  constructor(index: number, config: SlotConfig, owner: SlotOwner) {
    this.index = index;
    this.#config = config;
    this.#owner = owner;
    this.current = this.#launch();
  }

  /** Nothing runs here any more. */
  get vacant(): boolean {
    return this.#processes().length === 0;
  }

  /** There is a new model. */
  update(): void {
    for (const process of this.#processes()) process.update();
  }

  /**
   * Puts a new process in the place of the current one, which drains as soon as the new one serves.
   * False when that did not come to serve; the old one serves on.
   */
  replace(deadlineMs: number): Promise<boolean> {
    // One on its way is as new as can be.
    this.#replaced ??= this.#replace(deadlineMs).finally(() => (this.#replaced = null));
    return this.#replaced;
  }

  async #replace(deadlineMs: number): Promise<boolean> {
    // At most two generations at a time, however often this is asked for.
    await Promise.all([...this.#leaving].map((process) => process.over));
    if (this.#draining) return false;
    // Its successor is on its way, as after any crash.
    if (this.current === null) return true;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const next = this.#launch();
    this.#next = next;
    this.#settleNext = resolve;
    if (!(await promise) || this.#next !== next) return false;
    // Null when it crashed meanwhile.
    const old = this.current as WorkerProcess | null;
    this.#next = null;
    this.current = next;
    this.#open(next);
    this.#owner.moved();
    if (old === null) return true;
    log("info", "worker is replaced", { worker: this.index, pid: old.pid, by: next.pid });
    this.#leaving.add(old);
    old.drain(deadlineMs);
    return true;
  }

  /** Starts nothing any more, and has what runs accept nothing and finish. */
  drain(deadlineMs: number): void {
    this.#end();
    this.current?.drain(deadlineMs);
    this.#next?.drain(deadlineMs);
  }

  /** Ends everything now. */
  stop(): void {
    this.#end();
    for (const process of this.#processes()) process.kill();
  }

  #end(): void {
    this.#draining = true;
    this.#cancel();
    this.#settleNext(false);
  }

  #processes(): WorkerProcess[] {
    const all = [this.current, this.#next, ...this.#leaving];
    return all.filter((process) => process !== null);
  }

  #launch(): WorkerProcess {
    const { sockets, clock, launch, drainMs } = this.#config;
    const { start, delta, newest, counted, failed } = this.#owner;
    const { index } = this;
    const inherited = sockets?.of(index) ?? [];
    const begin = (events: ChildEvents): Child => launch(index, inherited, events);
    const config = { index, start, launch: begin, clock, delta, newest };
    const process: WorkerProcess = new WorkerProcess(config, {
      moved: () => this.#moved(process),
      counted,
      failed: (refused) => {
        const { address, code } = refused;
        log("error", "worker cannot listen", { worker: index, on: showAddress(address), code });
        failed(refused);
      },
      ailing: () => {
        log("error", "worker runs into too many bugs", { worker: index, pid: process.pid });
        void this.replace(drainMs);
      },
      gone: (why) => this.#gone(process, why),
    });
    return process;
  }

  #moved(process: WorkerProcess): void {
    if (process.serving && process === this.#next) this.#settleNext(true);
    // The old one's table is better than none.
    if (process.refused && process === this.#next) process.kill();
    if (process.serving && process === this.current && process !== this.#server) {
      this.#open(process);
    }
    this.#owner.moved();
  }

  #gone(process: WorkerProcess, why: string): void {
    if (!this.#leaving.delete(process)) {
      if (process === this.#next) this.#next = null;
      else this.current = null;
      if (!this.#draining) this.#crashed(process, why);
      if (this.#next === null) this.#settleNext(false);
    }
    this.#owner.moved();
  }

  #crashed(process: WorkerProcess, why: string): void {
    const { clock } = this.#config;
    const young = clock.now() - process.startedAt < HEALTHY_MS;
    const crashes = young ? this.#crashes : 0;
    this.#crashes = crashes + 1;
    this.#owner.crashed();
    const restartMs = RESTART_MS[Math.min(crashes, RESTART_MS.length - 1)]!;
    log("error", "worker is gone", { worker: this.index, pid: process.pid, why, restartMs });
    if (this.current !== null) return;
    // Its successor may be on the way.
    if (this.#next !== null) return this.#await();
    if (restartMs > WAIT_MS_MAX) this.#shut();
    this.#cancel();
    this.#cancel = clock.after(restartMs, () => {
      this.current = this.#launch();
      this.#await();
    });
  }

  /** Connections wait for the process that is starting; but not for long. */
  #await(): void {
    this.#cancel();
    this.#cancel = this.#config.clock.after(START_MS_MAX, () => this.#shut());
  }

  #open(process: WorkerProcess): void {
    this.#cancel();
    this.#server = process;
    this.#config.sockets?.open(this.index);
  }

  #shut(): void {
    if (this.#server !== null) log("warn", "others get its connections", { worker: this.index });
    this.#server = null;
    this.#config.sockets?.shut(this.index);
  }
}
