/** Serving, from the first reservation of a port to the last drained connection. */
import { systemClock } from "../core/clock.ts";
import { openCursors } from "../core/cursors.ts";
import { DEFAULT_LIMITS } from "../core/limits.ts";
import { launcher } from "../core/launch.ts";
import { log } from "../core/log.ts";
import { EMPTY_MODEL } from "../core/model.ts";
import { showAddress } from "../core/protocol.ts";
import { reserve } from "../core/reserve.ts";
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
import type { Address } from "../core/protocol.ts";
import type { Workers } from "../core/supervisor.ts";
import type { WorkerPlane } from "../core/worker.ts";
import type { Finding } from "../watch/finding.ts";
import type { Config } from "./config.ts";

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
  const asked = untilAsked();
  const reserved = await reserve(config.http);
  if (!reserved.ok) return refuse(refusal("http", reserved.address, reserved.code));
  const workers = await openWorkers(config.workers, reserved.addresses, openPlane);
  const board: Board = { model: EMPTY_MODEL, findings: [], synced: false, draining: false };
  const view = {
    model: () => board.model,
    findings: () => board.findings,
    readiness: () => readiness(board, workers),
  };
  const admin = openAdmin(config.admin, view);
  if (!admin.ok) {
    reserved.release();
    workers.stop();
    return refuse(refusal("admin", admin.address, admin.code));
  }
  const loop = follow(config, board, { workers, voice });
  const began = await Promise.race([workers.started, asked.then(() => null)]);
  reserved.release();
  if (began?.ok === true) {
    const doors = { http: workers.addresses(), admin: admin.address };
    log("info", "rind serves", {
      http: doors.http.map(showAddress).join(","),
      admin: showAddress(doors.admin),
      workers: config.workers,
    });
    voice.opened(doors);
    log("info", "rind drains", { signal: await asked, drainMs: config.drainMs });
  }
  board.draining = true;
  loop.stop();
  if (began?.ok === false) workers.stop();
  else await workers.drain(config.drainMs);
  admin.stop();
  return began?.ok === false ? refuse(`rind: cannot serve: ${began.reason}`) : 0;
}

async function openWorkers(
  count: number,
  http: readonly Address[],
  openPlane: OpenPlane,
): Promise<Workers> {
  const shared = { http, limits: DEFAULT_LIMITS, trusted: [] };
  if (count === 0) {
    return solo(await openPlane({ ...shared, reusePort: true, cursors: null }), diff);
  }
  const cursors = openCursors();
  if (!cursors.ok) log("warn", "each worker counts alone", { reason: cursors.reason });
  const fd = cursors.ok ? cursors.fd : null;
  const launch = launcher(fd);
  return new Supervisor({
    ...shared,
    count,
    cursors: fd !== null,
    launch,
    diff,
    clock: systemClock,
  });
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
    workers: states,
  };
}

function refuse(text: string): number {
  console.error(text);
  return 1;
}
