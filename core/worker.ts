/** A worker process: one data plane, driven by messages of its supervisor, dying with it. */
import { heapSize } from "bun:jsc";
import { unreachable } from "./assert.ts";
import { mapCursors } from "./cursors.ts";
import { SOCKETS_FD, SUPERVISOR_VARIABLE, WORKER_VARIABLE } from "./launch.ts";
import { dieWith, openLibc } from "./libc.ts";
import { log } from "./log.ts";
import type { Delta } from "./model.ts";
import type { Plane, PlaneConfig } from "./plane.ts";
import { type Sealed, unseal } from "./parcel.ts";
import type { FromWorker, ToWorker } from "./protocol.ts";
import { tallies } from "./tally.ts";

/** Exit codes, for whoever reads the supervisor's log. */
const DRAINED = 0;
const CRASHED = 1;
const CANNOT_LISTEN = 3;
const ORPHANED = 4;

/** Those that would end a worker, and are not meant to. */
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2"];

type Start = Extract<ToWorker, { kind: "start" }>;

/** What a worker needs of a data plane; tests give it a double. */
export type WorkerPlane = Pick<
  Plane,
  "listen" | "apply" | "drain" | "stop" | "addresses" | "version"
>;

/** How a worker reaches the world; tests give it a double. `open` makes a plane, not bound yet. */
export type WorkerLink = Readonly<{
  send: (message: FromWorker) => void;
  exit: (code: number) => void;
  open: (start: Start) => WorkerPlane;
}>;

/**
 * Obeys the protocol. Invariants: one plane a lifetime; nothing is bound before the first delta is
 * applied, and nothing after `drain`; what is told later is applied for the exchanges that run.
 */
export class Worker {
  readonly #link: WorkerLink;
  #plane: WorkerPlane | null = null;
  #listening = false;
  #draining = false;

  constructor(link: WorkerLink) {
    this.#link = link;
  }

  receive(message: ToWorker): void {
    switch (message.kind) {
      case "start":
        if (!this.#draining) this.#plane ??= this.#link.open(message);
        return;
      case "delta":
        return this.#apply(message.delta);
      case "ping":
        return this.#link.send({ kind: "pong", faults: tallies(), heapBytes: heapSize() });
      case "drain":
        return this.#drain(message.deadlineMs);
      default:
        return unreachable(message);
    }
  }

  #apply(delta: Delta): void {
    const plane = this.#plane;
    if (plane === null) return;
    try {
      plane.apply(delta);
    } catch (error) {
      // A model that does not compile is a bug; the table that serves stays.
      const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
      this.#link.send({ kind: "refused", version: delta.version, reason });
      return;
    }
    if (!this.#listening && !this.#draining && !this.#listen(plane)) return;
    this.#link.send({ kind: "applied", version: plane.version });
  }

  #listen(plane: WorkerPlane): boolean {
    const refused = plane.listen();
    if (refused !== null) {
      this.#link.send({ kind: "failed", refused });
      this.#link.exit(CANNOT_LISTEN);
      return false;
    }
    this.#listening = true;
    this.#link.send({ kind: "listening" });
    return true;
  }

  #drain(deadlineMs: number): void {
    if (this.#draining) return;
    this.#draining = true;
    if (this.#plane === null || !this.#listening) {
      this.#link.exit(DRAINED);
      return;
    }
    void this.#plane.drain(deadlineMs).then(() => this.#link.exit(DRAINED));
  }
}

/**
 * Turns this process into a worker with a plane made by `open`. It ends when told to, or when its
 * supervisor does.
 */
export function startWorker(open: (config: PlaneConfig) => WorkerPlane): void {
  const index = Number(process.env[WORKER_VARIABLE]);
  const opened = openLibc();
  // Stuck, it would not see the channel close. Where the kernel cannot help, that has to do.
  if (opened.ok && !dieWith(opened.libc, Number(process.env[SUPERVISOR_VARIABLE]))) {
    process.exit(ORPHANED);
  }
  const worker = new Worker({
    send: (message) => void process.send?.(message),
    exit: (code) => process.exit(code),
    open: (start) => open(planeConfig(start, index)),
  });
  process.on("message", (message) => worker.receive(unseal(message as Sealed)));
  process.on("disconnect", () => process.exit(ORPHANED));
  // Ctrl-C and some process managers signal the whole group: the supervisor decides, by message.
  for (const signal of SIGNALS) process.on(signal, () => {});
  const die = (error: unknown): void => {
    const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
    log("error", "worker failed", { worker: index, stack });
    process.exit(CRASHED);
  };
  process.on("uncaughtException", die);
  process.on("unhandledRejection", die);
  process.send?.({ kind: "ready" } satisfies FromWorker);
}

function planeConfig(start: Start, index: number): PlaneConfig {
  let cursors: Int32Array | null = null;
  if (start.cursors) {
    const mapped = mapCursors();
    if (mapped.ok) cursors = mapped.cursors;
    else log("warn", "worker counts alone", { worker: index, reason: mapped.reason });
  }
  const { kind: _kind, inherited, cursors: _cursors, ...edge } = start;
  const doors = [...edge.http, ...edge.https];
  const sockets = inherited ? doors.map((_address, i) => SOCKETS_FD + i) : [];
  return { ...edge, sockets, reusePort: true, worker: index, cursors };
}
