/**
 * Snapshot to model: pure, so that the same snapshot always gives the same model, findings
 * included. A new kind of object is a new row of TRANSLATORS.
 */
import type { Snapshot } from "../snapshot.ts";
import { Draft, type TranslateOptions, type Translation } from "./draft.ts";
import { translateIngresses } from "./ingress.ts";

/** Each claims what its kind of object asks for; the draft settles who gets it. */
const TRANSLATORS: readonly ((snapshot: Snapshot, draft: Draft) => void)[] = [translateIngresses];

/**
 * What should be served, and what is wrong with the objects. Never throws, whatever the objects
 * hold; what is broken answers 503 and has a finding, and its siblings are served. Findings of the
 * source are not among them: those are in the snapshot.
 */
export function translate(snapshot: Snapshot, options: TranslateOptions): Translation {
  const draft = new Draft(options);
  for (const translator of TRANSLATORS) translator(snapshot, draft);
  return draft.freeze();
}
