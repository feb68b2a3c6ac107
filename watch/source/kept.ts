/**
 * What is kept of each manifest: the objects last read well. An error is never an empty list, and
 * neither is a file that an editor empties, removes or cuts short on the way to its next version.
 */
import type { Finding } from "../finding.ts";
import { keyOf, type KubeObject } from "../objects.ts";
import type { Reading } from "./files.ts";
import { readManifest } from "./yaml.ts";

/** For how long a loss of objects must last until it is believed, milliseconds. */
export const DOUBT_MS = 20;
/** Timers may be early by a fraction. */
const EARLY_MS = 1;

/** One manifest as it counts. */
export type Kept = Readonly<{
  path: string;
  /** The text that was judged last, or null when the last reading failed. */
  text: string | null;
  objects: readonly KubeObject[];
  /** Of each object, what `idOf` says: made once, as all files are merged at each change of one. */
  ids: readonly string[];
  findings: readonly Finding[];
  /** A version that would lose objects and is not believed yet; null text: the file is missing. */
  doubt: Readonly<{ text: string | null; since: number }> | null;
}>;

/** What all manifests together say; objects by kind and key. */
export type Merged = Readonly<{
  objects: ReadonlyMap<string, KubeObject>;
  findings: readonly Finding[];
}>;

/** A manifest that was never read. */
export function newKept(path: string): Kept {
  return { path, text: null, objects: [], ids: [], findings: [], doubt: null };
}

/**
 * What to keep after a reading at `now`, in milliseconds; null when the file is gone for good. The
 * same Kept comes back when nothing changed. While `doubt` is not null the file has to be read
 * again after DOUBT_MS.
 */
export function reread(kept: Kept, reading: Reading, now: number): Kept | null {
  if (!reading.ok) {
    if (reading.missing) return believed(kept, null, now) ? null : doubted(kept, null, now);
    const findings = [fileFinding(kept, { level: "error", reason: reading.reason, hint: "" })];
    return { ...kept, text: null, findings, doubt: null };
  }
  const { text } = reading;
  if (text === kept.text) return kept.doubt === null ? kept : { ...kept, doubt: null };
  // `kubectl … > file` empties it a second before it writes. Deleting is how to say "nothing".
  if (text.trim() === "" && kept.objects.length > 0) {
    const hint = "delete the file to remove its objects";
    const findings = [fileFinding(kept, { level: "warning", reason: "is empty", hint })];
    return { ...kept, text, findings, doubt: null };
  }
  const manifest = readManifest(text, kept.path);
  const ids = manifest.objects.map(idOf);
  const read = new Set(ids);
  const missed = kept.objects.filter((_, i) => !read.has(kept.ids[i]!));
  if (manifest.broken) {
    // Which objects the broken part holds cannot be known, so none is lost.
    const findings = manifest.findings.map((finding) => staying(finding, missed.length > 0));
    const objects = [...manifest.objects, ...missed];
    return { ...kept, text, objects, ids: objects.map(idOf), findings, doubt: null };
  }
  if (missed.length > 0 && !believed(kept, text, now)) return doubted(kept, text, now);
  const { objects, findings } = manifest;
  return { ...kept, text, objects, ids, findings, doubt: null };
}

/** All manifests as one: of an object that several of them define, the first by path counts. */
export function merge(files: Iterable<Kept>): Merged {
  const objects = new Map<string, KubeObject>();
  const from = new Map<string, Kept>();
  const findings: Finding[] = [];
  for (const file of [...files].sort(byPath)) {
    findings.push(...file.findings);
    for (const [i, object] of file.objects.entries()) {
      const id = file.ids[i]!;
      const first = from.get(id);
      if (first === undefined) {
        objects.set(id, object);
        from.set(id, file);
        // An object that moves to another file is in both of them for a moment.
      } else if (!leaving(first) && !leaving(file)) findings.push(again(object, file, first));
    }
  }
  return { objects, findings };
}

/** A name for an object that no other object of any kind has. */
function idOf(object: KubeObject): string {
  return `${object.kind} ${keyOf(object)}`;
}

/** A finding about a file or a folder, of which what was last read stays in use. */
export function fileFinding(
  place: Readonly<{ path: string; objects: readonly KubeObject[] }>,
  what: Pick<Finding, "level" | "reason" | "hint">,
): Finding {
  const effect = place.objects.length > 0 ? "the objects last read from it stay" : "";
  return { ...what, kind: "File", namespace: "", name: place.path, field: "", effect };
}

function believed(kept: Kept, text: string | null, now: number): boolean {
  if (kept.objects.length === 0) return true;
  const { doubt } = kept;
  return doubt !== null && doubt.text === text && now - doubt.since >= DOUBT_MS - EARLY_MS;
}

function doubted(kept: Kept, text: string | null, now: number): Kept {
  if (kept.doubt !== null && kept.doubt.text === text) return kept;
  return { ...kept, doubt: { text, since: now } };
}

function leaving(file: Kept): boolean {
  return file.doubt !== null;
}

function staying(finding: Finding, stays: boolean): Finding {
  const effect = "the objects last read from this file stay";
  return stays && finding.level === "error" ? { ...finding, effect } : finding;
}

function again(object: KubeObject, file: Kept, first: Kept): Finding {
  const { namespace, name } = object.metadata;
  const reason =
    file === first
      ? `${file.path} defines this object twice`
      : `${file.path} defines this object, and so does ${first.path}`;
  const hint = "remove or rename one of them";
  const effect = "the first one is used, the other one is ignored";
  return { level: "error", kind: object.kind, namespace, name, field: "", reason, hint, effect };
}

function byPath(one: Kept, other: Kept): number {
  return one.path < other.path ? -1 : one.path > other.path ? 1 : 0;
}
