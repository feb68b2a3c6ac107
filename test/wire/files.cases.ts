/**
 * A worker in a process of its own, whose limit of open files somebody else set: run by itself it
 * serves a backend on the port that it is given, and tells how it is when it is asked.
 */
import { readdirSync } from "node:fs";
import { limitsOf } from "../../core/limits.ts";
import { DEFAULT_POLICY } from "../../core/model.ts";
import { Plane } from "../../core/plane.ts";
import { PLAIN_EDGE } from "../../core/protocol.ts";
import { deltaOf } from "../rig.ts";

export const CHILD = import.meta.path;

/** `capacity` in connections, `files` open ones, `cpuMs` used and `wallMs` passed so far. */
export type Told = Readonly<{
  port: number;
  capacity: number;
  connections: number;
  files: number;
  cpuMs: number;
  wallMs: number;
}>;

if (import.meta.main) {
  const plane = new Plane({
    ...PLAIN_EDGE,
    http: [{ host: "127.0.0.1", port: 0 }],
    sockets: [],
    reusePort: false,
    worker: 0,
    workers: 1,
    cursors: null,
    limits: limitsOf({ connectionsPerClient: 100_000 }),
    trusted: [],
  });
  const endpoint = { address: "127.0.0.1", port: Number(process.argv[2]), uid: "" };
  plane.apply(deltaOf([endpoint], DEFAULT_POLICY));
  plane.listen();
  const tell = (): void => {
    const { user, system } = process.cpuUsage();
    const told: Told = {
      port: plane.addresses().http[0]!.port,
      capacity: plane.counts().capacity,
      connections: plane.counts().connections,
      files: readdirSync("/proc/self/fd").length,
      cpuMs: (user + system) / 1_000,
      wallMs: performance.now(),
    };
    process.send!(told);
  };
  process.on("message", tell);
  process.on("disconnect", () => process.exit(0));
  tell();
}
