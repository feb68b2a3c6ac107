#!/usr/bin/env bun
/**
 * rind: an edge proxy and Kubernetes ingress controller. The composition root: what this process
 * is, a worker or a command, decides what it loads, so that a worker never pays for the rest.
 */
import { WORKER_VARIABLE } from "./core/launch.ts";
import type { PlaneConfig } from "./core/plane.ts";
import type { WorkerPlane } from "./core/worker.ts";

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
  process.exitCode = await main(process.argv.slice(2), process.env, openPlane);
}
