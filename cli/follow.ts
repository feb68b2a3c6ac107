/** Following a folder or a cluster: from the source to what the workers are told. */
import { accessSync, constants, existsSync } from "node:fs";
import { systemClock } from "../core/clock.ts";
import { log } from "../core/log.ts";
import { EMPTY_MODEL } from "../core/model.ts";
import { Loop } from "../watch/loop.ts";
import { FolderSource } from "../watch/source/folder.ts";
import { systemLookup, withNames } from "../watch/source/names.ts";
import { Translator } from "../watch/translate/translator.ts";
import { attach, chance } from "./attach.ts";
import type { Parsed } from "./address.ts";
import type { Adoption } from "./adoption.ts";
import type { Attached } from "./attach.ts";
import type { Board } from "./board.ts";
import type { Config } from "./config.ts";
import type { Voice } from "./serve.ts";
import type { ClusterState } from "../admin/json.ts";
import type { Workers } from "../core/supervisor.ts";
import type { Source } from "../watch/source/source.ts";

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
  return { ok: true, value: followCluster(config, attached.value) };
}

function openFolder(config: Config): Parsed<Following> {
  const { manifests } = config;
  const reason = manifests.map(faultOf).find((fault) => fault !== "");
  if (reason !== undefined) return { ok: false, reason };
  const source = new FolderSource(manifests, systemClock);
  let loop: Loop | null = null;
  const value: Following = {
    follow: (board, to) => {
      loop = loopOf({ source, adoption: config.adoption }, board, to);
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
    accessSync(folder, constants.R_OK);
    return "";
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    return `--manifests ${folder} cannot be read by user ${process.getuid?.() ?? "?"} (${code})`;
  }
}

function followCluster(config: Config, attached: Attached): Following {
  const { access, source, addresses } = attached;
  const adoption = { ...config.adoption, addresses };
  let loop: Loop | null = null;
  return {
    follow: (board, to) => {
      log("info", "rind follows a cluster", { server: access.server, from: access.from });
      loop = loopOf({ source, adoption }, board, to);
      loop.start();
    },
    cluster: () => {
      const feeds = source.feeds();
      const ageMs = Math.max(0, ...feeds.map((feed) => feed.ageMs));
      return { server: access.server, ageMs, saved: false, feeds, report: null };
    },
    leave: () => Promise.resolve(),
    stop: () => loop?.stop(),
  };
}

function loopOf(
  what: Readonly<{ source: Source; adoption: Adoption }>,
  board: Board,
  to: Followers,
): Loop {
  return new Loop({
    clock: systemClock,
    source: withNames(what.source, {
      clock: systemClock,
      random: chance(),
      lookup: systemLookup(),
    }),
    translator: () => {
      const translator = new Translator({ ...what.adoption, version: EMPTY_MODEL.version });
      return (snapshot, changes) => translator.translate(snapshot, changes);
    },
    // Not waited for: the workers skip versions that they are too slow for, each on its own.
    publish: ({ model, findings, fresh }) => {
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
}
