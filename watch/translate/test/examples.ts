/** The manifests that people apply first say what they are meant to say. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { test } from "uvu";
import * as assert from "uvu/assert";

import { translate } from "../translate.ts";
import { OPTIONS, snapshotFrom } from "./fixture/manifests.ts";

const FOLDER = join(import.meta.dir, "../../../k8s/examples");

function translateExamples(...files: readonly string[]): ReturnType<typeof translate> {
  const texts = files.map((file) => readFileSync(join(FOLDER, file), "utf8"));
  return translate(snapshotFrom(texts.join("---\n")), OPTIONS);
}

test("the examples that are right have no error, and a route for each of their hosts", () => {
  const { model, findings } = translateExamples(
    "services.yaml",
    "cheeses.yaml",
    "cheeseplate.yaml",
  );
  assert.equal(
    model.hosts.map((host) => host.name),
    ["cheddar", "cheeseplate", "stilton", "wensleydale"].map((name) => `${name}.127.0.0.1.nip.io`),
  );
  // Pods are not part of the examples, so their Services have no endpoint here.
  assert.equal(
    findings.filter((finding) => finding.kind !== "Service"),
    [],
  );
});

test("the one that is wrong names the cheese that was meant", () => {
  const { findings } = translateExamples("services.yaml", "misspelled.yaml");
  assert.equal(
    findings.filter((finding) => finding.level === "error").map(({ name, hint }) => [name, hint]),
    [["cheeseplate-misspelled", "did you mean wensleydale?"]],
  );
});

test.run();
