/** The manifests that people apply first say what they are meant to say. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { test } from "uvu";
import * as assert from "uvu/assert";

import { translate } from "../translate.ts";
import { OPTIONS, snapshotFrom } from "./fixture/manifests.ts";

const FOLDER = join(import.meta.dir, "../../../k8s/examples");
const RIGHT = ["services.yaml", "deployments.yaml", "cheeses.yaml", "cheeseplate.yaml"];
const OLD = ["services.yaml", "../v1beta1/cheeses.yaml", "../v1beta1/cheeseplate.yaml"];

function translateExamples(...files: readonly string[]): ReturnType<typeof translate> {
  const texts = files.map((file) => readFileSync(join(FOLDER, file), "utf8"));
  return translate(snapshotFrom(texts.join("---\n")), OPTIONS);
}

test("the examples that are right have no error, and a route for each of their hosts", () => {
  const { model, findings } = translateExamples(...RIGHT);
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

test("all of them are of our class, so that a cluster with another default serves them too", () => {
  const { ours } = translateExamples(...RIGHT, "misspelled.yaml");
  const texts = [...RIGHT, "misspelled.yaml"].map((file) =>
    readFileSync(join(FOLDER, file), "utf8"),
  );
  const strict = { ...OPTIONS, withoutClass: false };
  assert.equal(translate(snapshotFrom(texts.join("---\n")), strict).ours, ours);
  assert.is(ours.size, 5);
});

test("the spelling of old API servers means the same", () => {
  const old = translateExamples(...OLD).model;
  const { model } = translateExamples(...RIGHT);
  const routes = (of: typeof model) =>
    of.hosts.map(({ name, routes }) => [name, routes.map(({ match, action }) => [match, action])]);
  assert.equal(routes(old), routes(model));
});

test("the one that is wrong names the cheese that was meant", () => {
  const { findings } = translateExamples("services.yaml", "misspelled.yaml");
  assert.equal(
    findings.filter((finding) => finding.level === "error").map(({ name, hint }) => [name, hint]),
    [["cheeseplate-misspelled", "did you mean wensleydale?"]],
  );
});

test.run();
