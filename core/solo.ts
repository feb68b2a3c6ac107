/** `--workers 0`: one data plane in this very process, behind the face of many workers. */
import { heapSize } from "bun:jsc";
import { EMPTY_MODEL } from "./model.ts";
import { log } from "./log.ts";
import { UNBOUND } from "./protocol.ts";
import { tallies } from "./tally.ts";
import type { Delta, Model } from "./model.ts";
import type { Started, Workers } from "./supervisor.ts";
import type { WorkerPlane } from "./worker.ts";

/**
 * Drives `plane` directly: no process, no IPC, nothing that survives a crash. For tests, debuggers
 * and profilers. Binds with the first model, as a worker process does.
 */
export function solo(plane: WorkerPlane, diff: (old: Model, next: Model) => Delta): Workers {
  const { promise: started, resolve: settle } = Promise.withResolvers<Started>();
  let served = EMPTY_MODEL;
  let serving = false;
  let draining = false;

  const listen = (): void => {
    const refused = plane.listen();
    serving = refused === null;
    settle(refused ?? { ok: true });
  };

  const publish = (model: Model): void => {
    try {
      plane.apply(diff(served, model));
      served = model;
    } catch (error) {
      // A model that does not compile is a bug; the table that serves stays.
      const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
      log("error", "worker keeps its table", { version: model.version, reason });
      return;
    }
    if (!serving && !draining) listen();
  };

  const end = <T>(how: () => T): T => {
    serving = false;
    draining = true;
    return how();
  };

  return {
    started,
    publish: (model) => Promise.resolve(publish(model)),
    addresses: () => (serving ? plane.addresses() : UNBOUND),
    states: () => [{ pid: process.pid, serving, version: served.version, heapBytes: heapSize() }],
    faults: tallies,
    stormy: () => false,
    // One process cannot stand beside itself.
    replace: () => Promise.resolve(false),
    drain: (deadlineMs) => end(() => plane.drain(deadlineMs)),
    stop: () => end(() => plane.stop()),
  };
}
