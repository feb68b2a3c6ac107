/** Following a folder or a cluster: from the source to what the workers are told. */
import { existsSync } from "node:fs";
import { systemClock } from "../core/clock.ts";
import { log } from "../core/log.ts";
import { EMPTY_MODEL } from "../core/model.ts";
import { Loop } from "../watch/loop.ts";
import { FolderSource } from "../watch/source/folder.ts";
import { Translator } from "../watch/translate/translator.ts";
import type { Parsed } from "./address.ts";
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
  // Served as an empty one, a misspelled folder would be ready and answer 404.
  const missing = config.manifests.find((folder) => !existsSync(folder));
  if (missing !== undefined) return { ok: false, reason: `--manifests ${missing} does not exist` };
  const source = new FolderSource(config.manifests, systemClock);
  let loop: Loop | null = null;
  const value: Following = {
    follow: (board, to) => {
      loop = loopOf(config, source, board, to);
      loop.start();
    },
    cluster: () => null,
    leave: () => Promise.resolve(),
    stop: () => loop?.stop(),
  };
  return { ok: true, value };
}

function loopOf(config: Config, source: Source, board: Board, to: Followers): Loop {
  return new Loop({
    clock: systemClock,
    source,
    translator: () => {
      const translator = new Translator({ ...config.adoption, version: EMPTY_MODEL.version });
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
