/** Snapshot to model, once: pure, so that the same snapshot always gives the same translation. */
import type { Snapshot } from "../snapshot.ts";
import type { TranslateOptions, Translation } from "./draft.ts";
import { Translator } from "./translator.ts";

/** What should be served, and what is wrong with the objects: see Translator. */
export function translate(snapshot: Snapshot, options: TranslateOptions): Translation {
  return new Translator(options).translate(snapshot, null);
}
