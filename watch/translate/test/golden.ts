/**
 * Goldens: manifests, a line `=====`, then the table and the findings they translate to. Comments
 * at the top say what is shown; `# options: {…}` changes the options. UPDATE=1 rewrites the
 * second halves, and the review of that diff is the test.
 */
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { test } from "uvu";
import * as assert from "uvu/assert";

import { describe } from "../describe.ts";
import type { TranslateOptions } from "../draft.ts";
import { translate } from "../translate.ts";
import { OPTIONS, snapshotFrom } from "./fixture/manifests.ts";

const FOLDER = join(import.meta.dir, "golden");
const RULER = "\n=====\n";

function optionsOf(manifests: string): TranslateOptions {
  const line = /^# options: (.*)$/m.exec(manifests)?.[1];
  return line === undefined ? OPTIONS : { ...OPTIONS, ...JSON.parse(line) };
}

for (const file of readdirSync(FOLDER).sort()) {
  test(file, () => {
    const path = join(FOLDER, file);
    const [manifests = "", expected = ""] = readFileSync(path, "utf8").split(RULER);
    const snapshot = snapshotFrom(manifests);
    const { model, findings } = translate(snapshot, optionsOf(manifests));
    const found = describe(model, [...snapshot.findings, ...findings]);
    if (process.env["UPDATE"] === "1") writeFileSync(path, manifests + RULER + found);
    else assert.fixture(found, expected);
  });
}

test.run();
