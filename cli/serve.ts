/** Serving, from the first reservation of a port to the last drained connection. */
import { systemClock } from "../core/clock.ts";
import { openCursors } from "../core/cursors.ts";
import { launcher } from "../core/launch.ts";
import { neverWait, openLibc } from "../core/libc.ts";
import { useLowPorts } from "../core/capability.ts";
import { log } from "../core/log.ts";
import { PLAIN_EDGE, showAddress } from "../core/protocol.ts";
import { reserve } from "../core/reserve.ts";
import { selfSigned } from "../core/selfsigned.ts";
import { openSockets } from "../core/sockets.ts";
import { solo } from "../core/solo.ts";
import { Supervisor } from "../core/supervisor.ts";
import { openAdmin } from "../admin/server.ts";
import { diff } from "../watch/diff.ts";
import { BLANK, readiness, standing } from "./board.ts";
import { containBugs } from "./bugs.ts";
import { openFollowing } from "./follow.ts";
import { refusal } from "./refusal.ts";
import { untilAsked } from "./signals.ts";
import type { PlaneConfig } from "../core/plane.ts";
import type { Address, Bound, EdgeSettings, Refused } from "../core/protocol.ts";
import type { Sockets } from "../core/sockets.ts";
import type { Workers } from "../core/supervisor.ts";
import type { WorkerPlane } from "../core/worker.ts";
import type { Finding } from "../watch/finding.ts";
import type { Board } from "./board.ts";
import type { Config } from "./config.ts";
import type { Ending } from "./signals.ts";

/** Where the log goes, which workers inherit. */
const STDERR = 2;

/** Where a rind that serves can be reached. */
export type Doors = Bound & Readonly<{ admin: Address }>;

/** All findings there are at the moment. */
export type Standing = () => readonly Finding[];

/** How a command tells people what happens. */
export type Voice = Readonly<{
  /** Traffic is served from now on. Called once. */
  opened: (doors: Doors) => void;
  /** Findings that were not there before. */
  found: (fresh: readonly Finding[], standing: Standing) => void;
}>;

/** Makes a data plane in this process. */
export type OpenPlane = (config: PlaneConfig) => Promise<WorkerPlane>;

/** Serves until a signal asks for the end. Resolves to the exit code. */
export async function serve(config: Config, voice: Voice, openPlane: OpenPlane): Promise<number> {
  const following = await openFollowing(config);
  if (!following.ok) return refuse(`rind: ${following.reason}`);
  const system = openLibc();
  if (system.ok) {
    neverWait(system.libc, STDERR);
    useLowPorts(system.libc);
  }
  let renew = (): void => {};
  const asked = untilAsked(() => renew());
  const opened = await openWorkers(config, openPlane);
  if (!opened.ok) return refuse(refusal(flagOf(config, opened), opened.address, opened.code));
  const { workers } = opened;
  const { cluster, follow, leave, stop } = following.value;
  const board: Board = { ...BLANK, cluster, bugs: containBugs() };
  const view = {
    model: () => board.model,
    findings: () => standing(board),
    certificates: () => board.certificates,
    readiness: () => readiness(board, workers),
    faults: () => workers.faults(),
  };
  const admin = openAdmin(config.admin, view);
  if (!admin.ok) {
    opened.release();
    workers.stop();
    return refuse(refusal("admin", admin.address, admin.code));
  }
  follow(board, { workers, voice });
  const began = await Promise.race([workers.started, asked.then(() => null)]);
  opened.release();
  if (began?.ok === true) {
    announce({ ...workers.addresses(), admin: admin.address }, config.workers, voice);
    renew = () => void replaceWorkers(config, board, workers);
  }
  if (began?.ok !== false) await beLame(config, board, { signal: await asked, leave });
  board.draining = true;
  if (began?.ok === false) workers.stop();
  else await workers.drain(config.drainMs);
  // Followed to the very end: running exchanges must not go to endpoints that are gone.
  stop();
  admin.stop();
  if (began?.ok === false) return refuse(refusal(flagOf(config, began), began.address, began.code));
  log("info", "rind has ended");
  return 0;
}

function announce(doors: Doors, workers: number, voice: Voice): void {
  log("info", "rind serves", {
    http: doors.http.map(showAddress).join(","),
    https: doors.https.map(showAddress).join(",") || "none",
    admin: showAddress(doors.admin),
    workers,
  });
  voice.opened(doors);
}

/**
 * After SIGTERM rind says that it is not ready and serves on: load balancers learn of its end a few
 * seconds late. Manifests are followed meanwhile. A person at a terminal does not wait for that,
 * and a rind that never served has no reason to.
 */
async function beLame(
  config: Config,
  board: Board,
  { signal, leave }: Readonly<{ signal: Ending; leave: () => Promise<void> }>,
): Promise<void> {
  board.draining = true;
  const lameDuckMs = signal === "SIGTERM" && board.synced ? config.lameDuckMs : 0;
  log("info", "rind drains", { signal, lameDuckMs, drainMs: config.drainMs });
  // Whoever looks up where to go should not be told this address any more.
  await Promise.all([leave(), Bun.sleep(lameDuckMs)]);
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
  const { http, https, workers: count } = config;
  if (count === 0) return openSolo(config, openPlane);
  const opened = openSockets([...http, ...https], count);
  if (!opened.ok) return opened;
  const { sockets } = opened;
  if (sockets !== null) {
    const workers = supervise(config, { bound: sockets.addresses, sockets });
    return { ok: true, workers, release: () => {} };
  }
  log("warn", "workers open their own sockets: one that dies resets what waits to be accepted", {
    reason: opened.reason,
  });
  const reserved = await reserve([...http, ...https]);
  if (!reserved.ok) return reserved;
  const workers = supervise(config, { bound: reserved.addresses, sockets: null });
  return { ok: true, workers, release: reserved.release };
}

function supervise(
  config: Config,
  { bound, sockets }: Readonly<{ bound: readonly Address[]; sockets: Sockets | null }>,
): Workers {
  const { workers: count, drainMs } = config;
  const cursors = openCursors();
  if (!cursors.ok) log("warn", "each worker counts alone", { reason: cursors.reason });
  const launch = launcher(cursors.ok ? cursors.fd : null);
  const shared = { ...edgeOf(config, bound), sockets, drainMs, cursors: cursors.ok };
  return new Supervisor({ ...shared, count, launch, diff, clock: systemClock });
}

async function openSolo(config: Config, openPlane: OpenPlane): Promise<OpenedWorkers> {
  const reserved = await reserve([...config.http, ...config.https]);
  if (!reserved.ok) return reserved;
  const own = { sockets: [], reusePort: true, worker: 0, workers: 1, cursors: null };
  const plane = await openPlane({ ...edgeOf(config, reserved.addresses), ...own });
  return { ok: true, workers: solo(plane, diff), release: reserved.release };
}

/** What workers are told, with the addresses that the configured ones became. */
function edgeOf(config: Config, bound: readonly Address[]): EdgeSettings {
  const { limits, trusted, proxies, tls } = config;
  const doors = doorsOf(config, bound);
  const port = tls.port === 0 ? (doors.https[0]?.port ?? 0) : tls.port;
  const fallback = config.https.length === 0 ? PLAIN_EDGE.tls.fallback : selfSigned(Date.now());
  return { ...doors, limits, trusted, proxies, tls: { ...tls, port, fallback } };
}

/** Which flag named the address that cannot be had. */
function flagOf({ https }: Config, { address: { host, port } }: Refused): "http" | "https" {
  return https.some((each) => each.host === host && each.port === port) ? "https" : "http";
}

/** Bound addresses are those for HTTP, then those for HTTPS. */
function doorsOf({ http }: Config, bound: readonly Address[]): Bound {
  return { http: bound.slice(0, http.length), https: bound.slice(http.length) };
}

function refuse(text: string): number {
  console.error(text);
  return 1;
}
