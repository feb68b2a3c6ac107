/** Manifests read once, for the commands that look and do not serve. */
import { EMPTY_MODEL } from "../core/model.ts";
import { snapshotOf } from "../watch/snapshot.ts";
import { readFolder } from "../watch/source/folder.ts";
import { readManifest } from "../watch/source/yaml.ts";
import { translate } from "../watch/translate/translate.ts";
import type { Translation } from "../watch/translate/draft.ts";
import type { Adoption } from "./adoption.ts";

/** What a shell calls stdin where a file is expected. */
const STDIN = "-";

/**
 * What would be served from a folder, a file or stdin (`-`). The findings are all there are: of
 * the files first, then of the objects in them.
 */
export async function readOnce(path: string, adoption: Adoption): Promise<Translation> {
  const { objects, findings } =
    path === STDIN ? readManifest(await Bun.stdin.text(), "stdin") : readFolder([path]);
  const snapshot = snapshotOf(objects, findings);
  const read = translate(snapshot, { ...adoption, version: EMPTY_MODEL.version + 1 });
  return { ...read, findings: [...snapshot.findings, ...read.findings] };
}

/** Says what is wrong with a call; the exit code of that. */
export function misused(command: string, reason: string): number {
  console.error(`rind ${command}: ${reason}`);
  return 2;
}
