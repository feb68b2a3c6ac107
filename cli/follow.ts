/** Following a folder or a cluster: from the source to what the workers are told. */
import { accessSync, constants, existsSync, statSync } from "node:fs";
import { systemClock } from "../core/clock.ts";
import { type Fields, log } from "../core/log.ts";
import { EMPTY_MODEL } from "../core/model.ts";
import { version } from "../package.json";
import { Loop, type Published } from "../watch/loop.ts";
import { Saved } from "../watch/saved.ts";
import { FolderSource } from "../watch/source/folder.ts";
import { systemLookup, withNames } from "../watch/source/names.ts";
import { Translator } from "../watch/translate/translator.ts";
import { attach, chance, openReport } from "./attach.ts";
import type { Parsed } from "./address.ts";
import type { Adoption } from "./adoption.ts";
import type { Attached, Known } from "./attach.ts";
import { type Board, isCurrent, standing } from "./board.ts";
import type { Config } from "./config.ts";
import type { Voice } from "./serve.ts";
import type { ClusterConfig } from "./cluster.ts";
import type { ReportState as ClusterReport, ClusterState } from "../admin/json.ts";
import type { Workers } from "../core/supervisor.ts";
import { type Finding, newIn } from "../watch/finding.ts";
import type { Kind } from "../watch/objects.ts";
import type { Report, ReportState } from "../watch/report/report.ts";
import type { Source } from "../watch/source/source.ts";

/** To take the own address out of every status and to give up the lease. */
const LEAVE_MS = 5_000;

/** Who is kept up to date. */
export type Followers = Readonly<{ workers: Workers; voice: Voice }>;

/** What is followed. */
export type Following = Readonly<{
  /** Starts, and keeps the board, the workers and the voice up to date. */
  follow: (board: Board, to: Followers) => void;
  /** null where it is a folder. */
  cluster: () => ClusterState | null;
  /** This rind is about to end: others should hear of it. Resolves within seconds. */
  leave: () => Promise<void>;
  /** Nothing is followed any more. */
  stop: () => void;
}>;

/** Finds what the configuration names. What is not there is the reason why not. */
export async function openFollowing(config: Config): Promise<Parsed<Following>> {
  const { cluster } = config;
  if (cluster === null) return openFolder(config);
  const attached = await attach(config, cluster);
  if (!attached.ok) return attached;
  return { ok: true, value: followCluster(config, cluster, attached.value) };
}

function openFolder(config: Config): Parsed<Following> {
  const { manifests } = config;
  const reason = manifests.map(faultOf).find((fault) => fault !== "");
  if (reason !== undefined) return { ok: false, reason };
  const source = new FolderSource(manifests, systemClock);
  let loop: Loop | null = null;
  const value: Following = {
    follow: (board, to) => {
      const { adoption } = config;
      loop = loopOf({ source, adoption, saved: null, told: () => {} }, board, to);
      loop.start();
    },
    cluster: () => null,
    leave: () => Promise.resolve(),
    stop: () => loop?.stop(),
  };
  return { ok: true, value };
}

/** Served as an empty one, a misspelled or locked folder would be ready and answer 404. */
function faultOf(folder: string): string {
  if (!existsSync(folder)) return `--manifests ${folder} does not exist`;
  try {
    const way = statSync(folder).isDirectory() ? constants.X_OK : 0;
    accessSync(folder, constants.R_OK | way);
    return "";
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    return `--manifests ${folder} cannot be read by user ${process.getuid?.() ?? "?"} (${code})`;
  }
}

function followCluster(config: Config, cluster: ClusterConfig, attached: Attached): Following {
  const { access, source, addresses, account } = attached;
  const adoption = { ...config.adoption, addresses, account };
  const saved = openSaved(config, attached);
  let stoodIn = false;
  let loop: Loop | null = null;
  let report: Report | null = null;
  const known: Known = (kind, namespace, name) =>
    loop?.object(kind as Kind, namespace === "" ? name : `${namespace}/${name}`);
  return {
    follow: (board, to) => {
      log("info", "rind follows a cluster", { server: access.server, from: access.from });
      const tell = (own: readonly Finding[]): void => {
        const fresh = newIn(own, board.own);
        board.own = own;
        to.voice.found(fresh, () => standing(board));
      };
      report = openReport(attached, cluster, { known, tell });
      const told = (published: Published): void => {
        stoodIn = published.keptMs !== null;
        // What the saved state knows of is not ours to take back or to speak about.
        if (!stoodIn) report?.published(published);
      };
      loop = loopOf({ source, adoption, saved, told }, board, to);
      loop.start();
      report?.start();
    },
    cluster: () => {
      const feeds = source.feeds();
      const ageMs = Math.max(0, ...feeds.map((feed) => feed.ageMs));
      const state = report === null ? null : showReport(report.state());
      return { server: access.server, ageMs, saved: stoodIn, feeds, report: state };
    },
    leave: () => report?.drain(LEAVE_MS) ?? Promise.resolve(),
    stop: () => {
      report?.stop();
      loop?.stop();
    },
  };
}

function showReport({ leaderName, ...state }: ReportState): ClusterReport {
  return { ...state, holder: leaderName };
}

function openSaved(config: Config, { access, source }: Attached): Saved | null {
  const { state, adoption, ranges, cluster } = config;
  if (state === null) return null;
  return new Saved({
    folder: state,
    release: version,
    cluster: access.server,
    // Not the addresses of this machine, which come and go.
    settings: JSON.stringify([adoption, ranges, cluster?.namespaces]),
    clock: systemClock,
    wall: Date.now,
    current: () => isCurrent(source.feeds()),
    report: (what, reason) => log("warn", what, { reason }),
  });
}

/** What a loop is made for; `told` hears of each publish. */
type Subject = Readonly<{
  source: Source;
  adoption: Adoption;
  saved: Saved | null;
  told: (published: Published) => void;
}>;

function loopOf(subject: Subject, board: Board, to: Followers): Loop {
  const { source, adoption, saved, told } = subject;
  let stoodIn = false;
  return new Loop({
    clock: systemClock,
    wall: Date.now,
    source: withNames(source, { clock: systemClock, random: chance(), lookup: systemLookup() }),
    ...(saved === null ? {} : { saved }),
    translator: () => {
      const options = { ...adoption, version: EMPTY_MODEL.version };
      // Collected meanwhile, a first translation of 5 000 Ingresses takes 30 MiB less at its peak.
      const translator = new Translator(options, () => Bun.gc(false));
      return (snapshot, changes) => translator.translate(snapshot, changes);
    },
    // Not waited for: the workers skip versions that they are too slow for, each on its own.
    publish: (published) => {
      const { model, findings, fresh, keptMs } = published;
      // Endpoints come and go all the time, which is nothing to write down.
      const moved = model.hosts !== board.model.hosts || (keptMs === null) === stoodIn;
      stoodIn = keptMs !== null;
      board.model = model;
      board.findings = findings;
      board.certificates = published.certificates;
      told(published);
      to.voice.found(fresh, () => standing(board));
      void to.workers.publish(model).then(() => {
        board.synced = true;
        if (moved && !board.draining) log("info", "served", countsOf(published));
      });
    },
    report: (what, error) => {
      const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
      log("error", what, { stack });
    },
  });
}

function countsOf({
  model: { version, hosts },
  ours,
  others,
  findings,
  keptMs,
}: Published): Fields {
  const counts = { version, hosts: hosts.length };
  if (keptMs !== null) return { ...counts, from: "saved state" };
  // Of other classes: many of them and none of ours is what a forgotten --class looks like.
  const rest = others > 0 ? { others } : {};
  return { ...counts, ingresses: ours.size, ...rest, findings: findings.length };
}
