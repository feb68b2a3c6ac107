/** Label and field selectors, as far as controllers use them. */
import type { ApiObject } from "./objects.ts";

/** Whether an object is selected. */
export type Selects = (object: ApiObject) => boolean;

/**
 * Reads the selectors of a request; a text says what is wrong with them. Labels: `a`, `!a`, `a=b`,
 * `a==b`, `a!=b`, `a in (b,c)`, `a notin (b,c)`, all joined by commas. Fields: paths with `=`.
 */
export function selectorOf(labels: string, fields: string): Selects | string {
  const tests: Selects[] = [];
  for (const term of labels.split(/,(?![^(]*\))/).filter((each) => each.trim() !== "")) {
    const test = labelTest(term.trim());
    if (test === null) return `unable to parse requirement: ${term}`;
    tests.push(test);
  }
  for (const term of fields.split(",").filter((each) => each !== "")) {
    const match = /^([\w.]+)(==|=|!=)(.*)$/.exec(term);
    if (match === null) return `invalid field selector: ${term}`;
    const path = match[1]!.split(".");
    tests.push((object) => (at(object, path) === match[3]) === (match[2] !== "!="));
  }
  return (object) => tests.every((test) => test(object));
}

/** The name that a field selector pins, which authorization then knows; or "". */
export function pinnedName(fields: string): string {
  return /(?:^|,)metadata\.name==?([^,]+)/.exec(fields)?.[1] ?? "";
}

function labelTest(term: string): Selects | null {
  const set = /^([\w./-]+)\s+(in|notin)\s*\(([^)]*)\)$/.exec(term);
  if (set !== null) {
    const values = set[3]!.split(",").map((value) => value.trim());
    return (object) => values.includes(labelOf(object, set[1]!) ?? "\0") === (set[2] === "in");
  }
  const match = /^(!?)([\w./-]+)\s*(?:(==|=|!=)\s*([\w.-]*))?$/.exec(term);
  if (match === null) return null;
  const [, not, name = "", operator, value] = match;
  if (operator === undefined) return (object) => (labelOf(object, name) === undefined) === !!not;
  return (object) => (labelOf(object, name) === value) === (operator !== "!=");
}

function labelOf(object: ApiObject, name: string): string | undefined {
  const labels = object.metadata.labels ?? {};
  return Object.hasOwn(labels, name) ? labels[name] : undefined;
}

function at(value: unknown, path: readonly string[]): string {
  let here = value;
  for (const part of path) here = (here as Record<string, unknown> | undefined)?.[part];
  return here === undefined ? "" : String(here);
}
