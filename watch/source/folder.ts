/**
 * A folder of manifests is a cluster: files are followed as the API server would be. The kernel
 * says at once which file changed; once a second everything is looked at again, for what it did
 * not say (links into other folders, network disks, a watch that could not be had).
 */
import { type FSWatcher, watch } from "node:fs";
import { basename, join, normalize, relative } from "node:path";
import type { Cancel, Clock } from "../../core/clock.ts";
import type { Finding } from "../finding.ts";
import type { KubeObject } from "../objects.ts";
import { isManifest, type Folder, list, type Listing, read } from "./files.ts";
import { DOUBT_MS, fileFinding, type Kept, merge, newKept, reread } from "./kept.ts";
import type { SourceEvent } from "./source.ts";

const POLL_MS = 1_000;
/** Looking at everything may take this part of the time at most. */
const POLL_SHARE = 20;
/** An editor makes several events of one edit; what comes within this time is looked at once. */
const SETTLE_MS = 4;
/** By replacing this link a kubelet replaces all files of a mounted ConfigMap at once. */
const CONFIG_MAP_LINK = "..data";
/** New folders are watched, then looked into again; somebody may create them in a loop. */
const ROUNDS_MAX = 4;

type Watched = Readonly<{ id: string; watcher: FSWatcher }>;

/** Follows folders and single files; see `Source` for what it promises. */
export class FolderSource {
  readonly #roots: readonly string[];
  readonly #clock: Clock;
  readonly #kept = new Map<string, Kept>();
  readonly #signatures = new Map<string, string>();
  readonly #watched = new Map<string, Watched>();
  /** Paths to read at the next look. */
  readonly #pending = new Set<string>();
  #pendingAll = false;
  /** Whether there may be something to tell. */
  #changed = false;
  #told: ReadonlyMap<string, KubeObject> = new Map();
  #toldFindings: readonly Finding[] = [];
  /** About folders: from the last look at everything. */
  #folderFindings: readonly Finding[] = [];
  #sink: ((event: SourceEvent) => void) | null = null;
  #cancelPoll: Cancel | null = null;
  #cancelSettle: Cancel | null = null;
  #cancelDoubt: Cancel | null = null;

  constructor(roots: readonly string[], clock: Clock) {
    this.#roots = roots.map((root) => withoutSlash(normalize(root)));
    this.#clock = clock;
  }

  /** Tells everything that is there before it returns, then every change. */
  watch(sink: (event: SourceEvent) => void): void {
    this.#sink = sink;
    this.#poll();
    sink({ type: "synced" });
  }

  stop(): void {
    this.#sink = null;
    this.#cancelPoll?.();
    this.#cancelSettle?.();
    this.#cancelDoubt?.();
    for (const { watcher } of this.#watched.values()) watcher.close();
    this.#watched.clear();
  }

  #poll(): void {
    const startedAt = this.#clock.now();
    this.#pendingAll = true;
    this.#look();
    const cost = this.#clock.now() - startedAt;
    this.#cancelPoll = this.#clock.after(Math.max(POLL_MS, cost * POLL_SHARE), () => this.#poll());
  }

  #look(): void {
    if (this.#sink === null) return;
    if (this.#pendingAll) this.#lookAtAll();
    for (const path of this.#pending) this.#read(path);
    this.#pending.clear();
    if (this.#changed) this.#tell();
    this.#changed = false;
    this.#doubtAgain();
  }

  /** Finds out what to read: what changed by its signature, and what is not there any more. */
  #lookAtAll(): void {
    this.#pendingAll = false;
    let listing = list(this.#roots);
    let findings = this.#watchFolders(listing);
    for (let round = 1; findings.fresh && round < ROUNDS_MAX; round++) {
      listing = list(this.#roots);
      findings = this.#watchFolders(listing);
    }
    for (const [path, signature] of listing.files) {
      if (this.#signatures.get(path) !== signature) this.#pending.add(path);
      this.#signatures.set(path, signature);
    }
    for (const path of this.#kept.keys()) {
      if (!listing.files.has(path) && !hidden(path, listing)) this.#pending.add(path);
    }
    const folderFindings = [...findings.list, ...this.#unreadable(listing)];
    this.#changed ||= !Bun.deepEquals(folderFindings, this.#folderFindings, true);
    this.#folderFindings = folderFindings;
  }

  #read(path: string): void {
    const kept = this.#kept.get(path) ?? newKept(path);
    const next = reread(kept, read(path), this.#clock.now());
    this.#changed ||= next !== kept;
    if (next !== null) this.#kept.set(path, next);
    else this.#kept.delete(path);
    if (next === null) this.#signatures.delete(path);
  }

  #tell(): void {
    const { objects, findings } = merge(this.#kept.values());
    for (const [id, object] of this.#told) {
      if (!objects.has(id)) this.#sink?.({ type: "gone", object });
    }
    for (const [id, object] of objects) {
      if (this.#told.get(id) !== object) this.#sink?.({ type: "put", object });
    }
    this.#told = objects;
    const all = [...this.#folderFindings, ...findings];
    if (Bun.deepEquals(all, this.#toldFindings, true)) return;
    this.#toldFindings = all;
    this.#sink?.({ type: "findings", findings: all });
  }

  /** Reads files in doubt again, as soon as the first of them may be believed. */
  #doubtAgain(): void {
    this.#cancelDoubt?.();
    this.#cancelDoubt = null;
    const now = this.#clock.now();
    let waitMs = Infinity;
    for (const { doubt } of this.#kept.values()) {
      if (doubt !== null) waitMs = Math.min(waitMs, doubt.since + DOUBT_MS - now);
    }
    if (waitMs === Infinity) return;
    this.#cancelDoubt = this.#clock.after(Math.max(1, waitMs), () => {
      for (const { path, doubt } of this.#kept.values())
        if (doubt !== null) this.#pending.add(path);
      this.#look();
    });
  }

  #unreadable(listing: Listing): readonly Finding[] {
    return [...listing.unreadable].map(([path, { reason }]) => {
      const below = [...this.#kept.values()].filter((kept) => isBelow(kept.path, path));
      const objects = below.flatMap((kept) => kept.objects);
      return fileFinding({ path, objects }, { level: "error", reason, hint: "" });
    });
  }

  // === watches ===

  /** Watches what is listed and nothing else. `fresh`: a folder is watched from now on only. */
  #watchFolders(listing: Listing): Readonly<{ fresh: boolean; list: readonly Finding[] }> {
    const findings: Finding[] = [];
    let fresh = false;
    for (const [path, { id }] of this.#watched) {
      if (listing.folders.get(path)?.id !== id) this.#unwatch(path);
    }
    for (const [path, folder] of listing.folders) {
      if (this.#watched.has(path)) continue;
      const finding = this.#watchFolder(path, folder);
      if (finding === null) fresh = true;
      else findings.push(finding);
    }
    return { fresh, list: findings };
  }

  #watchFolder(path: string, folder: Folder): Finding | null {
    try {
      const watcher = watch(path, (_, name) => this.#heard(path, folder, name));
      watcher.on("error", () => this.#unwatch(path));
      this.#watched.set(path, { id: folder.id, watcher });
      return null;
    } catch (error) {
      const reason = `cannot be watched (${error instanceof Error ? error.message : error})`;
      const effect = `edits are seen after up to ${POLL_MS} ms`;
      const what = { level: "warning", reason, hint: "" } as const;
      return { ...fileFinding({ path, objects: [] }, what), effect };
    }
  }

  #unwatch(path: string): void {
    this.#watched.get(path)?.watcher.close();
    this.#watched.delete(path);
  }

  #heard(folderPath: string, folder: Folder, name: string | null): void {
    if (name === null || name === CONFIG_MAP_LINK) this.#pendingAll = true;
    else if (folder.only !== null && !folder.only.has(name)) return;
    else if (folder.only !== null || isManifest(name)) this.#pending.add(join(folderPath, name));
    else if (name.startsWith(".")) return;
    else this.#pendingAll = true;
    // The last thing a folder tells before it goes is its own name. Another one may take its place.
    if (name === basename(folderPath)) this.#unwatch(folderPath);
    if (this.#sink === null || this.#cancelSettle !== null) return;
    this.#cancelSettle = this.#clock.after(SETTLE_MS, () => {
      this.#cancelSettle = null;
      this.#look();
    });
  }
}

/** Reads folders and files once, for commands that do not follow them. */
export function readFolder(
  roots: readonly string[],
): Readonly<{ objects: readonly KubeObject[]; findings: readonly Finding[] }> {
  const listing = list(roots.map((root) => withoutSlash(normalize(root))));
  const files: Kept[] = [];
  for (const path of listing.files.keys()) {
    const kept = reread(newKept(path), read(path), 0);
    if (kept !== null) files.push(kept);
  }
  const { objects, findings } = merge(files);
  const unreadable = [...listing.unreadable].map(([path, { reason }]) =>
    fileFinding({ path, objects: [] }, { level: "error", reason, hint: "" }),
  );
  return { objects: [...objects.values()], findings: [...unreadable, ...findings] };
}

/** True when a file is out of sight only because something on its way cannot be read. */
function hidden(path: string, listing: Listing): boolean {
  for (const [place, { missing }] of listing.unreadable) {
    // A root that vanished takes the files below it out of sight: it may be about to come back.
    if (isBelow(path, place) || (path === place && !missing)) return true;
  }
  return false;
}

function isBelow(path: string, folder: string): boolean {
  const way = relative(folder, path);
  return way !== "" && way !== ".." && !way.startsWith("../");
}

function withoutSlash(path: string): string {
  return path.length > 1 && path.endsWith("/") ? path.slice(0, -1) : path;
}
