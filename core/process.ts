/**
 * One worker process as its supervisor sees it: what it was sent, what it has, whether it lives. It
 * is sent what changed since the model it acknowledged last, one delta in flight.
 */
import { unreachable } from "./assert.ts";
import { BUG } from "./fault.ts";
import type { Clock } from "./clock.ts";
import type { Child, ChildEvents } from "./launch.ts";
import { log } from "./log.ts";
import { EMPTY_MODEL } from "./model.ts";
import type { Delta, Model } from "./model.ts";
import type { FromWorker, Refused, ToWorker } from "./protocol.ts";

/** Longest silence after a start or a delta; then the worker is taken for stuck and killed. */
const ANSWER_MS_MAX = 30_000;
/** How often a worker is asked whether it is well, and how often it may owe the answer. */
const BEAT_MS = 1_000;
const BEATS_MAX = 10;
/** More connections than that ended by our bugs within a minute, and the worker is replaced. */
const BUGS_MAX = 10;
const BUGS_WINDOW_MS = 60_000;
/** What a drain may take beyond its deadline before the worker is killed. */
const DRAIN_GRACE_MS = 3_000;

const NOTHING = (): void => {};

/** What each worker is told first. */
export type Start = Extract<ToWorker, { kind: "start" }>;

export type ProcessConfig = Readonly<{
  index: number;
  start: Start;
  launch: (events: ChildEvents) => Child;
  clock: Clock;
  delta: (from: Model, to: Model) => Delta;
  /** The newest model there is. */
  newest: () => Model;
}>;

/** What happens to it. `gone` comes once, last; none comes before the constructor returned. */
export type ProcessEvents = Readonly<{
  /** It serves, or settled another version. */
  moved: () => void;
  /** It cannot listen, and ends. */
  failed: (refused: Refused) => void;
  /** So often each fault, by its id, has happened since the last time. */
  counted: (faults: readonly number[]) => void;
  /** It runs into bugs of ours too often. */
  ailing: () => void;
  gone: (why: string) => void;
}>;

export class WorkerProcess {
  readonly startedAt: number;
  /** It accepts connections. */
  listening = false;
  /** What it is known to have. */
  acked: Model = EMPTY_MODEL;
  /** The last version it settled, compiled or not. */
  settled = EMPTY_MODEL.version;
  /** What its last collection left, as of its last answer. */
  heapBytes = 0;
  /** Resolves when the process has ended. */
  readonly over: Promise<void>;
  readonly #config: ProcessConfig;
  readonly #events: ProcessEvents;
  readonly #child: Child;
  #ready = false;
  #draining = false;
  /** What it was sent and did not answer yet. */
  #sent: Model | null = null;
  /** Pings in a row without a word from it. */
  #owed = 0;
  /** How often each fault had happened as of its last answer. */
  #faults: readonly number[] = [];
  #bugs = 0;
  #bugsAt = 0;
  #cancelAnswer = NOTHING;
  #cancelBeat = NOTHING;
  #cancelDrain = NOTHING;

  /** Starts the process; it is on its own until it is ready. */
  constructor(config: ProcessConfig, events: ProcessEvents) {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#config = config;
    this.#events = events;
    this.startedAt = config.clock.now();
    this.over = promise;
    this.#child = config.launch({
      message: (message) => this.#receive(message),
      gone: (why) => {
        this.listening = false;
        this.#cancelAnswer();
        this.#cancelBeat();
        this.#cancelDrain();
        resolve();
        events.gone(why);
      },
    });
    this.#expectAnswer();
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** It accepts connections and has a table for them. */
  get serving(): boolean {
    return this.listening && this.settled > EMPTY_MODEL.version && !this.#draining;
  }

  /** It could not compile the first model it was given, and has no table. */
  get refused(): boolean {
    return this.settled > EMPTY_MODEL.version && this.acked === EMPTY_MODEL;
  }

  /**
   * Sends the newest model, or leaves it for when the worker has answered for the one before. While
   * it drains as well: what runs there must not go to endpoints that are gone.
   */
  update(): void {
    if (!this.#ready || this.#sent !== null) return;
    const model = this.#config.newest();
    if (this.settled >= model.version) return;
    this.#sent = model;
    this.#child.send({ kind: "delta", delta: this.#config.delta(this.acked, model) });
    this.#expectAnswer();
  }

  /** Has it accept nothing new, finish what runs and end, within `deadlineMs` and a grace. */
  drain(deadlineMs: number): void {
    this.#draining = true;
    this.#cancelBeat();
    this.#cancelAnswer();
    this.#cancelDrain();
    this.#child.send({ kind: "drain", deadlineMs });
    this.#cancelDrain = this.#config.clock.after(deadlineMs + DRAIN_GRACE_MS, () => this.kill());
  }

  /** Ends it now. */
  kill(): void {
    this.#child.kill();
  }

  #receive(message: FromWorker): void {
    this.#owed = 0;
    switch (message.kind) {
      case "ready":
        return this.#greet();
      case "listening":
        this.listening = true;
        log("info", "worker serves", { worker: this.#config.index, pid: this.pid });
        return;
      case "failed":
        return this.#events.failed(message.refused);
      case "applied":
        return this.#answered(true);
      case "refused":
        log("error", "worker keeps its table", {
          worker: this.#config.index,
          reason: message.reason,
        });
        return this.#answered(false);
      case "pong":
        this.heapBytes = message.heapBytes;
        this.#events.counted(message.faults.map((count, id) => count - (this.#faults[id] ?? 0)));
        this.#faults = message.faults;
        return this.#count(message.faults[BUG] ?? 0);
      default:
        return unreachable(message);
    }
  }

  #greet(): void {
    // What was sent before may have been lost, a drain included.
    if (this.#draining) return this.#child.send({ kind: "drain", deadlineMs: 0 });
    this.#cancelAnswer();
    this.#ready = true;
    this.#child.send(this.#config.start);
    this.#cancelBeat = this.#config.clock.after(BEAT_MS, () => this.#beat());
    this.update();
  }

  #answered(applied: boolean): void {
    const sent = this.#sent;
    if (sent === null) return;
    this.#cancelAnswer();
    this.#sent = null;
    this.settled = sent.version;
    if (applied) this.acked = sent;
    this.update();
    this.#events.moved();
  }

  #expectAnswer(): void {
    this.#cancelAnswer();
    // The end of the drain comes by itself.
    if (this.#draining) return;
    this.#cancelAnswer = this.#config.clock.after(ANSWER_MS_MAX, () => this.#giveUp());
  }

  /** Counts rounds and not time: a machine that slept is not a worker that is stuck. */
  #beat(): void {
    if (this.#owed >= BEATS_MAX) return this.#giveUp();
    this.#cancelBeat = this.#config.clock.after(BEAT_MS, () => this.#beat());
    // It may compile for longer than a beat; that has a time of its own.
    if (this.#sent !== null) return;
    this.#owed++;
    if (this.#owed === 1) this.#child.send({ kind: "ping" });
  }

  #giveUp(): void {
    log("error", "worker does not answer", { worker: this.#config.index, pid: this.pid });
    this.listening = false;
    this.#cancelBeat();
    this.kill();
  }

  #count(bugs: number): void {
    const now = this.#config.clock.now();
    if (bugs - this.#bugs > BUGS_MAX) this.#events.ailing();
    else if (now - this.#bugsAt < BUGS_WINDOW_MS) return;
    this.#bugs = bugs;
    this.#bugsAt = now;
  }
}
