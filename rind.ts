#!/usr/bin/env bun
/**
 * rind: an edge proxy and Kubernetes ingress controller. The composition root: what this process
 * is, a worker or a command, decides what it loads, so that a worker never pays for the rest.
 */
import { WORKER_VARIABLE } from "./core/launch.ts";
import type { PlaneConfig } from "./core/plane.ts";
import type { WorkerPlane } from "./core/worker.ts";

/** For what is on its way to stdout and stderr when the command has ended. */
const LINGER_MS = 500;

if (process.env[WORKER_VARIABLE] !== undefined && process.send !== undefined) {
  const { startWorker } = await import("./core/worker.ts");
  const { Plane } = await import("./core/plane.ts");
  startWorker((config) => new Plane(config));
} else {
  const { main } = await import("./cli/main.ts");
  const openPlane = async (config: PlaneConfig): Promise<WorkerPlane> => {
    const { Plane } = await import("./core/plane.ts");
    return new Plane(config);
  };
  const code = await main(process.argv.slice(2), process.env, openPlane);
  process.exitCode = code;
  // A request that waits for an API server, or a plugin that hangs, keeps nobody for minutes.
  setTimeout(() => process.exit(code), LINGER_MS).unref();
}
