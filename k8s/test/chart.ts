/** The Helm chart: what can be read in it without Helm, and what Helm makes of it if it is here. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { version } from "../../package.json";
import { installedHelm } from "../../test/cluster/helm.ts";
import { CHART_CASES, openHelm } from "./chart.cases.ts";
import { at } from "./fixture/objects.ts";

const CHART = join(import.meta.dir, "../chart/rind");

type Fields = Record<string, unknown>;

function textOf(path: string): string {
  return readFileSync(join(CHART, path), "utf8");
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Paths of everything in the values that is not a group of values. */
function leavesOf(value: unknown, path: string): string[] {
  if (!isFields(value) || Object.keys(value).length === 0) return [path];
  return Object.entries(value).flatMap(([key, inner]) => leavesOf(inner, `${path}.${key}`));
}

const TEMPLATES = [...new Bun.Glob("templates/*").scanSync({ cwd: CHART })].sort();
const VALUES = Bun.YAML.parse(textOf("values.yaml")) as Fields;
const SCHEMA = JSON.parse(textOf("values.schema.json")) as Fields;
/** Without comments: the actions of all templates. */
const ACTIONS = TEMPLATES.map((path) => [
  path,
  [...textOf(path).matchAll(/\{\{-?\s*(?!\/\*)([\s\S]*?)\s*-?\}\}/g)].map((found) => found[1]!),
]) as [string, string[]][];

test("the chart is of this version", () => {
  const chart = Bun.YAML.parse(textOf("Chart.yaml")) as Fields;
  assert.is(chart["version"], version);
  assert.is(chart["appVersion"], version);
});

test("every value that a template uses is there, and every value that is there is used", () => {
  const used = new Set(
    ACTIONS.flatMap(([, actions]) =>
      actions.flatMap((action) =>
        [...action.matchAll(/\.Values((?:\.\w+)+)/g)].map((found) => found[1]!),
      ),
    ),
  );
  for (const path of used) {
    const keys = path.slice(1).split(".");
    assert.ok(at(VALUES, ...keys) !== undefined, `.Values${path} is not in values.yaml`);
  }
  const covers = (leaf: string): boolean =>
    [...used].some((path) => leaf === path || leaf.startsWith(`${path}.`));
  assert.equal(
    leavesOf(VALUES, "").filter((leaf) => !covers(leaf)),
    [],
  );
});

test("blocks of templates are closed, and what they include is defined", () => {
  const all = ACTIONS.flatMap(([, actions]) => actions);
  const defined = new Set(all.flatMap((action) => /^define "(.*)"/.exec(action)?.[1] ?? []));
  for (const action of all) {
    const name = /\binclude "(.*?)"/.exec(action)?.[1];
    assert.ok(name === undefined || defined.has(name), `${name} is not defined`);
  }
  for (const [path, actions] of ACTIONS) {
    const opened = actions.filter((action) => /^(?:if|with|range|define)\b/.test(action));
    const closed = actions.filter((action) => action === "end");
    assert.is(closed.length, opened.length, path);
  }
});

test("the schema knows exactly the values there are, and refuses all others", () => {
  const compare = (values: Fields, schema: Fields, path: string): void => {
    const properties = schema["properties"] as Fields;
    assert.is(schema["additionalProperties"], false, path);
    const known = Object.keys(properties).filter((key) => key !== "global");
    assert.equal(known.sort(), Object.keys(values).sort(), path);
    for (const [key, inner] of Object.entries(values)) {
      const rule = properties[key] as Fields;
      if (isFields(inner) && rule["properties"] !== undefined && key !== "resources") {
        compare(inner, rule, `${path}.${key}`);
      }
    }
  };
  compare(VALUES, SCHEMA, "");
});

const program = installedHelm(process.env);
if (program === null) test.skip("there is no helm in PATH, and RIND_HELM names none");
else {
  const helm = openHelm(program);
  for (const { name, run } of CHART_CASES) test(name, () => run(helm));
}

test.run();
