/** Serving, from the first reservation of a port to the last drained connection. */
import { heapSize } from "bun:jsc";
import { existsSync } from "node:fs";
import { systemClock } from "../core/clock.ts";
import { openCursors } from "../core/cursors.ts";
import { launcher } from "../core/launch.ts";
import { neverWait, openLibc } from "../core/libc.ts";
import { log } from "../core/log.ts";
import { EMPTY_MODEL } from "../core/model.ts";
import { showAddress } from "../core/protocol.ts";
import { reserve } from "../core/reserve.ts";
import { openSockets } from "../core/sockets.ts";
import { solo } from "../core/solo.ts";
import { Supervisor } from "../core/supervisor.ts";
import { openAdmin } from "../admin/server.ts";
import { diff } from "../watch/diff.ts";
import { Loop } from "../watch/loop.ts";
import { FolderSource } from "../watch/source/folder.ts";
import { describeFinding } from "../watch/translate/describe.ts";
import { translate } from "../watch/translate/translate.ts";
import { refusal } from "./refusal.ts";
import { untilAsked } from "./signals.ts";
import type { Readiness } from "../admin/json.ts";
import type { Model } from "../core/model.ts";
import type { PlaneConfig } from "../core/plane.ts";
import type { Address, Refused } from "../core/protocol.ts";
import type { Sockets } from "../core/sockets.ts";
import type { Workers } from "../core/supervisor.ts";
import type { WorkerPlane } from "../core/worker.ts";
import type { Finding } from "../watch/finding.ts";
import type { Config } from "./config.ts";
import type { Ending } from "./signals.ts";

/** Where the log goes, which workers inherit. */
const STDERR = 2;

/** Where a rind that serves can be reached. */
export type Doors = Readonly<{ http: readonly Address[]; admin: Address }>;

/** How a command tells people what happens. */
export type Voice = Readonly<{
  /** Traffic is served from now on. Called once. */
  opened: (doors: Doors) => void;
  /** A finding that was not there before. */
  found: (finding: Finding) => void;
}>;

/** Makes a data plane in this process. */
export type OpenPlane = (config: PlaneConfig) => Promise<WorkerPlane>;

/** What is known at the moment; the admin API reads it. */
type Board = { model: Model; findings: readonly Finding[]; synced: boolean; draining: boolean };

/** Serves until a signal asks for the end. Resolves to the exit code. */
export async function serve(config: Config, voice: Voice, openPlane: OpenPlane): Promise<number> {
  // Served as an empty one, a misspelled folder would be ready and answer 404.
  const missing = config.manifests.find((folder) => !existsSync(folder));
  if (missing !== undefined) return refuse(`rind: --manifests ${missing} does not exist`);
  const system = openLibc();
  if (system.ok) neverWait(system.libc, STDERR);
  let renew = (): void => {};
  const asked = untilAsked(() => renew());
  const opened = await openWorkers(config, openPlane);
  if (!opened.ok) return refuse(refusal("http", opened.address, opened.code));
  const { workers } = opened;
  const board: Board = { model: EMPTY_MODEL, findings: [], synced: false, draining: false };
  const view = {
    model: () => board.model,
    findings: () => board.findings,
    readiness: () => readiness(board, workers),
  };
  const admin = openAdmin(config.admin, view);
  if (!admin.ok) {
    opened.release();
    workers.stop();
    return refuse(refusal("admin", admin.address, admin.code));
  }
  const loop = follow(config, board, { workers, voice });
  const began = await Promise.race([workers.started, asked.then(() => null)]);
  opened.release();
  if (began?.ok === true) {
    const doors = { http: workers.addresses(), admin: admin.address };
    log("info", "rind serves", {
      http: doors.http.map(showAddress).join(","),
      admin: showAddress(doors.admin),
      workers: config.workers,
    });
    voice.opened(doors);
    renew = () => void replaceWorkers(config, board, workers);
  }
  if (began?.ok !== false) await beLame(config, board, await asked);
  board.draining = true;
  if (began?.ok === false) workers.stop();
  else await workers.drain(config.drainMs);
  // Followed to the very end: running exchanges must not go to endpoints that are gone.
  loop.stop();
  admin.stop();
  if (began?.ok === false) return refuse(refusal("http", began.address, began.code));
  log("info", "rind has ended");
  return 0;
}

/**
 * After SIGTERM rind says that it is not ready and serves on: load balancers learn of its end a few
 * seconds late. Manifests are followed meanwhile. A person at a terminal does not wait for that,
 * and a rind that never served has no reason to.
 */
async function beLame(config: Config, board: Board, signal: Ending): Promise<void> {
  board.draining = true;
  const lameDuckMs = signal === "SIGTERM" && board.synced ? config.lameDuckMs : 0;
  log("info", "rind drains", { signal, lameDuckMs, drainMs: config.drainMs });
  if (lameDuckMs > 0) await Bun.sleep(lameDuckMs);
}

async function replaceWorkers({ drainMs }: Config, board: Board, workers: Workers): Promise<void> {
  // Those that are there end soon.
  if (board.draining) return;
  log("info", "workers are being replaced", { drainMs });
  const replaced = await workers.replace(drainMs);
  const pids = workers
    .states()
    .map(({ pid }) => pid)
    .join(",");
  if (replaced) log("info", "workers are replaced", { pids });
  else if (!board.draining)
    log("error", "workers are not all replaced: those that were not serve on", { pids });
}

/** `release` gives up what held the addresses; call it when workers listen. */
type OpenedWorkers = Readonly<{ ok: true; workers: Workers; release: () => void }> | Refused;

async function openWorkers(config: Config, openPlane: OpenPlane): Promise<OpenedWorkers> {
  const { http, workers: count } = config;
  if (count === 0) return openSolo(config, openPlane);
  const opened = openSockets(http, count);
  if (!opened.ok) return opened;
  const { sockets } = opened;
  if (sockets !== null) {
    const workers = supervise(config, { http: sockets.addresses, sockets });
    return { ok: true, workers, release: () => {} };
  }
  log("warn", "workers open their own sockets: one that dies resets what waits to be accepted", {
    reason: opened.reason,
  });
  const reserved = await reserve(http);
  if (!reserved.ok) return reserved;
  const workers = supervise(config, { http: reserved.addresses, sockets: null });
  return { ok: true, workers, release: reserved.release };
}

function supervise(
  { workers: count, limits, trusted, drainMs }: Config,
  on: Readonly<{ http: readonly Address[]; sockets: Sockets | null }>,
): Workers {
  const cursors = openCursors();
  if (!cursors.ok) log("warn", "each worker counts alone", { reason: cursors.reason });
  const launch = launcher(cursors.ok ? cursors.fd : null);
  const shared = { ...on, limits, trusted, drainMs, cursors: cursors.ok };
  return new Supervisor({ ...shared, count, launch, diff, clock: systemClock });
}

async function openSolo(
  { http, limits, trusted }: Config,
  openPlane: OpenPlane,
): Promise<OpenedWorkers> {
  const reserved = await reserve(http);
  if (!reserved.ok) return reserved;
  const own = { sockets: [], reusePort: true, worker: 0, workers: 1, cursors: null };
  const plane = await openPlane({ ...own, http: reserved.addresses, limits, trusted });
  return { ok: true, workers: solo(plane, diff), release: reserved.release };
}

/** Follows the manifests and keeps board, workers and voice up to date. */
function follow(
  config: Config,
  board: Board,
  to: Readonly<{ workers: Workers; voice: Voice }>,
): Loop {
  const loop = new Loop({
    clock: systemClock,
    source: new FolderSource(config.manifests, systemClock),
    translate: (snapshot) => translate(snapshot, { ...config.adoption, version: 0 }),
    // Not waited for: the workers skip versions that they are too slow for, each on its own.
    publish: (model, findings) => {
      const known = new Set(board.findings.map(describeFinding));
      const fresh = findings.filter((finding) => !known.has(describeFinding(finding)));
      const moved = model.version !== board.model.version;
      board.model = model;
      board.findings = findings;
      for (const finding of fresh) to.voice.found(finding);
      void to.workers.publish(model).then(() => {
        board.synced = true;
        if (!moved || board.draining) return;
        const { version } = model;
        log("info", "served", { version, hosts: model.hosts.length, findings: findings.length });
      });
    },
    report: (what, error) => {
      const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
      log("error", what, { stack });
    },
  });
  loop.start();
  return loop;
}

/** Ready: the first sync is served by every worker, and nothing speaks against more traffic. */
function readiness(board: Board, workers: Workers): Readiness {
  const states = workers.states();
  const serving = states.filter((state) => state.serving);
  const reason = board.draining
    ? "draining"
    : !board.synced || serving.length === 0
      ? "no worker serves the manifests yet"
      : workers.stormy()
        ? "workers keep crashing"
        : "";
  return {
    ready: reason === "",
    reason,
    version: serving.length === 0 ? 0 : Math.min(...serving.map((state) => state.version)),
    http: workers.addresses().map(showAddress),
    heapBytes: heapSize(),
    workers: states,
  };
}

function refuse(text: string): number {
  console.error(text);
  return 1;
}
