import { test } from "uvu";
import * as assert from "uvu/assert";
import { DEFAULT_LIMITS } from "../limits.ts";
import { Worker } from "../worker.ts";
import type { WorkerPlane } from "../worker.ts";
import type { Delta } from "../model.ts";
import { PLAIN_EDGE } from "../protocol.ts";
import type { FromWorker } from "../protocol.ts";
import { NOTHING } from "../../test/delta.ts";

const HTTP = [{ host: "127.0.0.1", port: 8000 }];
const START = {
  ...PLAIN_EDGE,
  kind: "start",
  http: HTTP,
  inherited: false,
  cursors: false,
  workers: 1,
  limits: DEFAULT_LIMITS,
  trusted: [],
} as const;

function delta(base: number, version: number): Delta {
  return { ...NOTHING, base, version };
}

type Double = {
  told: string[];
  worker: Worker;
  /** Ends the drain that runs. */
  drained: () => void;
  plane: { applyFails: boolean; listenFails: boolean };
};

/** A worker on a plane that writes down what happens to it. */
function double(): Double {
  const told: string[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const flags = { applyFails: false, listenFails: false };
  let version = 0;
  const plane: WorkerPlane = {
    get version() {
      return version;
    },
    apply: (change) => {
      if (flags.applyFails) throw new Error("does not compile");
      version = change.version;
      told.push(`apply ${change.base}-${change.version}`);
    },
    listen: () => {
      if (flags.listenFails) return { ok: false, address: HTTP[0]!, code: "EADDRINUSE" };
      told.push("listen");
      return null;
    },
    drain: (deadlineMs) => {
      told.push(`drain ${deadlineMs}`);
      return promise;
    },
    stop: () => told.push("stop"),
    addresses: () => ({ http: HTTP, https: [] }),
  };
  const worker = new Worker({
    send: (message: FromWorker) => {
      const version = "version" in message ? ` ${message.version}` : "";
      told.push(`send ${message.kind}${version}`);
    },
    exit: (code) => told.push(`exit ${code}`),
    open: () => plane,
  });
  return { told, worker, drained: resolve, plane: flags };
}

test("a worker binds after its first delta and only once", () => {
  const { told, worker } = double();
  worker.receive(START);
  assert.equal(told, []);
  worker.receive({ kind: "delta", delta: delta(0, 4) });
  worker.receive({ kind: "delta", delta: delta(4, 5) });
  assert.equal(told, [
    "apply 0-4",
    "listen",
    "send listening",
    "send applied 4",
    "apply 4-5",
    "send applied 5",
  ]);
});

test("a delta that does not compile is refused and the worker goes on", () => {
  const { told, worker, plane } = double();
  worker.receive(START);
  worker.receive({ kind: "delta", delta: delta(0, 1) });
  plane.applyFails = true;
  worker.receive({ kind: "delta", delta: delta(1, 2) });
  plane.applyFails = false;
  worker.receive({ kind: "delta", delta: delta(1, 3) });
  assert.equal(told.slice(4), ["send refused 2", "apply 1-3", "send applied 3"]);
});

test("a worker that cannot bind says why and exits", () => {
  const { told, worker, plane } = double();
  plane.listenFails = true;
  worker.receive(START);
  worker.receive({ kind: "delta", delta: delta(0, 1) });
  assert.equal(told, ["apply 0-1", "send failed", "exit 3"]);
});

test("draining waits for the plane, then exits; what is told meanwhile is applied", async () => {
  const { told, worker, drained } = double();
  worker.receive(START);
  worker.receive({ kind: "delta", delta: delta(0, 1) });
  worker.receive({ kind: "drain", deadlineMs: 500 });
  worker.receive({ kind: "delta", delta: delta(1, 2) });
  worker.receive({ kind: "drain", deadlineMs: 9 });
  assert.equal(told.slice(4), ["drain 500", "apply 1-2", "send applied 2"]);
  drained();
  await Promise.resolve();
  assert.equal(told.slice(7), ["exit 0"]);
});

test("a worker that drains before its first table binds nothing", () => {
  const { told, worker } = double();
  worker.receive(START);
  worker.receive({ kind: "drain", deadlineMs: 500 });
  worker.receive({ kind: "delta", delta: delta(0, 1) });
  assert.not.ok(told.includes("listen"));
});

test("a worker answers pings, draining or not", () => {
  const { told, worker } = double();
  worker.receive({ kind: "ping" });
  worker.receive(START);
  worker.receive({ kind: "delta", delta: delta(0, 1) });
  worker.receive({ kind: "drain", deadlineMs: 500 });
  worker.receive({ kind: "ping" });
  assert.is(told[0], "send pong");
  assert.is(told.at(-1), "send pong");
});

test("a worker that never bound has nothing to drain", () => {
  const { told, worker } = double();
  worker.receive(START);
  worker.receive({ kind: "drain", deadlineMs: 500 });
  assert.equal(told, ["exit 0"]);
});

test.run();
