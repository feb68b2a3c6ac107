/** Manifests read once, for the commands that look and do not serve. */
import { EMPTY_MODEL } from "../core/model.ts";
import { findExpiring } from "../watch/expiry.ts";
import { type Snapshot, snapshotOf } from "../watch/snapshot.ts";
import { readFolder } from "../watch/source/folder.ts";
import { readManifest } from "../watch/source/yaml.ts";
import { classOf } from "../watch/translate/classes.ts";
import { translate } from "../watch/translate/translate.ts";
import type { Translation } from "../watch/translate/draft.ts";
import type { Adoption } from "./adoption.ts";

/** What a shell calls stdin where a file is expected. */
const STDIN = "-";
/** Classes that one line names. */
const CLASSES_MAX = 8;

/** `passed`: how many Ingresses were not looked at because of their class, in words, or "". */
type Read = Translation & Readonly<{ passed: string }>;

/**
 * What would be served from a folder, a file or stdin (`-`). The findings are all there are: of
 * the files first, then of the objects in them, then of certificates that end.
 */
export async function readOnce(path: string, adoption: Adoption): Promise<Read> {
  const { objects, findings } =
    path === STDIN ? readManifest(await Bun.stdin.text(), "stdin") : readFolder([path]);
  const snapshot = snapshotOf(objects, findings);
  const read = translate(snapshot, { ...adoption, version: EMPTY_MODEL.version + 1 });
  const passed = describePassed(snapshot.ingresses, read.ours);
  const ending = findExpiring(read.certificates, Date.now());
  return { ...read, findings: [...snapshot.findings, ...read.findings, ...ending], passed };
}

/** Said nothing, a folder of somebody else's class would seem to be fine. */
function describePassed(ingresses: Snapshot["ingresses"], ours: ReadonlySet<string>): string {
  const others = [...ingresses].filter(([key]) => !ours.has(key)).map(([, object]) => object);
  if (others.length === 0) return "";
  const classes = [...Map.groupBy(others, classOf)].sort(([, a], [, b]) => b.length - a.length);
  const named = classes.slice(0, CLASSES_MAX).map(([name, { length }]) => {
    return `${length} of ${name === "" ? "no class" : `class ${name}`}`;
  });
  const more = classes.length > CLASSES_MAX ? ", …" : "";
  return `Ingresses not looked at: ${named.join(", ")}${more}; --class NAME takes those of a class`;
}

/** Says what is wrong with a call; the exit code of that. */
export function misused(command: string, reason: string): number {
  console.error(`rind ${command}: ${reason}`);
  return 2;
}
