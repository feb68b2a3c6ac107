/** Manifests on disk: which files and folders there are, and what is in one of them. */
import { type Dirent, readdirSync, readFileSync, type Stats, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";

const MANIFEST = /\.(yaml|yml|json)$/;
const DEPTH_MAX = 16;
const FILES_MAX = 20_000;
const FILE_BYTES_MAX = 32 * 1024 * 1024;

/** One look at the disk. */
export type Listing = Readonly<{
  /** Manifests by path, with what changes when their content does: inode, size and times. */
  files: ReadonlyMap<string, string>;
  /** Folders by path; those around a single file that was asked for matter for that file only. */
  folders: ReadonlyMap<string, Folder>;
  /** What should have been there and could not be looked at. */
  unreadable: ReadonlyMap<string, Trouble>;
}>;

/** `id` tells a folder from another one that took its path. `only` null: everything in it. */
export type Folder = Readonly<{ id: string; only: ReadonlySet<string> | null }>;

/** `missing`: it is known not to exist, which is something else than not being able to tell. */
export type Trouble = Readonly<{ missing: boolean; reason: string }>;

export type Reading =
  Readonly<{ ok: true; text: string }> | Readonly<{ ok: false; missing: boolean; reason: string }>;

type Drawn<T> = Readonly<{ ok: true; value: T }> | (Readonly<{ ok: false }> & Trouble);
type Walk = {
  readonly files: Map<string, string>;
  readonly folders: Map<string, Folder>;
  readonly unreadable: Map<string, Trouble>;
  /** Folders by identity: links may go round in circles, and roots may overlap. */
  readonly seen: Set<string>;
};

/** True for the name of a file that is read: `….yaml`, `….yml`, `….json`, and not hidden. */
export function isManifest(name: string): boolean {
  return MANIFEST.test(name) && !name.startsWith(".");
}

/**
 * Looks at all roots: folders with everything below them, or single files of any name. Hidden
 * names are left out (editors' files; the versions behind the links of a mounted ConfigMap).
 */
export function list(roots: readonly string[]): Listing {
  const walk: Walk = {
    files: new Map(),
    folders: new Map(),
    unreadable: new Map(),
    seen: new Set(),
  };
  for (const root of roots) {
    const stats = look(root);
    if (!stats.ok) walk.unreadable.set(root, stats);
    else if (stats.value.isDirectory()) enter(walk, root, stats.value, 0);
    else walk.files.set(root, signature(stats.value));
    if (!stats.ok || !stats.value.isDirectory()) watchAround(walk, root);
  }
  return walk;
}

/** The text of one file, at most 32 MiB. */
export function read(path: string): Reading {
  const stats = look(path);
  if (!stats.ok) return stats;
  if (stats.value.isDirectory()) return { ok: false, missing: true, reason: "is a folder" };
  // A pipe or a device would block the reader for ever.
  if (!stats.value.isFile()) return { ok: false, missing: false, reason: "is not a file" };
  if (stats.value.size > FILE_BYTES_MAX) {
    return { ok: false, missing: false, reason: `is larger than ${FILE_BYTES_MAX} bytes` };
  }
  try {
    return { ok: true, text: readFileSync(path, "utf8") };
  } catch (error) {
    return { ok: false, ...troubleOf(error) };
  }
}

/** A single file is replaced by renaming, which only its folder tells. */
function watchAround(walk: Walk, file: string): void {
  const path = dirname(file);
  const stats = look(path);
  const known = walk.folders.get(path);
  if (!stats.ok || known?.only === null) return;
  const only = new Set([...(known?.only ?? []), basename(file)]);
  walk.folders.set(path, { id: identity(stats.value), only });
}

function enter(walk: Walk, path: string, stats: Stats, depth: number): void {
  const id = identity(stats);
  if (walk.seen.has(id)) return;
  walk.seen.add(id);
  walk.folders.set(path, { id, only: null });
  if (depth > DEPTH_MAX) {
    const reason = `is more than ${DEPTH_MAX} folders deep`;
    walk.unreadable.set(path, { missing: false, reason });
    return;
  }
  const entries = open(path);
  if (!entries.ok) {
    // Deleted since its parent was read: then its files are gone, and nothing is wrong.
    if (!entries.missing || depth === 0) walk.unreadable.set(path, entries);
    return;
  }
  for (const entry of entries.value.toSorted(byName)) {
    if (!entry.name.startsWith(".")) visit(walk, join(path, entry.name), entry, depth);
  }
}

function visit(walk: Walk, path: string, entry: Dirent, depth: number): void {
  const link = entry.isSymbolicLink();
  if (!link && !entry.isDirectory() && !isManifest(entry.name)) return;
  const stats = look(path);
  if (!stats.ok) {
    const matters = link ? isManifest(entry.name) : !stats.missing;
    if (matters) walk.unreadable.set(path, stats);
  } else if (stats.value.isDirectory()) {
    enter(walk, path, stats.value, depth + 1);
  } else if (isManifest(entry.name)) {
    if (walk.files.size < FILES_MAX) walk.files.set(path, signature(stats.value));
    else walk.unreadable.set(dirname(path), beyond());
  }
}

function beyond(): Trouble {
  return { missing: false, reason: `holds files beyond the ${FILES_MAX} that are read` };
}

function look(path: string): Drawn<Stats> {
  try {
    return { ok: true, value: statSync(path) };
  } catch (error) {
    return { ok: false, ...troubleOf(error) };
  }
}

function open(path: string): Drawn<readonly Dirent[]> {
  try {
    return { ok: true, value: readdirSync(path, { withFileTypes: true }) };
  } catch (error) {
    return { ok: false, ...troubleOf(error) };
  }
}

function troubleOf(error: unknown): Trouble {
  const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
  // ENOTDIR: a part of the path is a file now, so the rest of it cannot exist.
  const missing = code === "ENOENT" || code === "ENOTDIR";
  return { missing, reason: missing ? "does not exist" : `cannot be read (${code})` };
}

function identity(stats: Stats): string {
  return `${stats.dev}:${stats.ino}`;
}

function signature(stats: Stats): string {
  return `${identity(stats)}:${stats.size}:${stats.mtimeMs}:${stats.ctimeMs}`;
}

function byName(one: Dirent, other: Dirent): number {
  return one.name < other.name ? -1 : 1;
}
