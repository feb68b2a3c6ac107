/** `--limit NAME=VALUE`, and `rind limits`: the rows of core/limits.ts as people see them. */
import { LIMITS, limitsOf } from "../core/limits.ts";
import { nearest } from "../watch/translate/nearest.ts";
import { describeUnit, readUnit, showUnit } from "./units.ts";
import type { Limits } from "../core/limits.ts";
import type { Parsed } from "./address.ts";

const FIELDS = Object.keys(LIMITS) as (keyof Limits)[];
const BY_NAME = new Map<string, keyof Limits>(FIELDS.map((field) => [LIMITS[field].name, field]));

/** All limits: the defaults, but for what is given. Of two for the same limit, the last wins. */
export function readLimits(given: readonly string[]): Parsed<Limits> {
  const changed: Partial<Record<keyof Limits, number>> = {};
  for (const text of given) {
    const cut = text.indexOf("=");
    if (cut < 1) return { ok: false, reason: `"${text}" is not NAME=VALUE, such as head=5s` };
    const name = text.slice(0, cut);
    const field = BY_NAME.get(name);
    if (field === undefined) return { ok: false, reason: unknownLimit(name) };
    const value = readValue(field, text.slice(cut + 1));
    if (!value.ok) return value;
    changed[field] = value.value;
  }
  return { ok: true, value: limitsOf(changed) };
}

function readValue(field: keyof Limits, text: string): Parsed<number> {
  const { name, unit, min, max } = LIMITS[field];
  const value = readUnit(unit, text);
  if (value === null) {
    return { ok: false, reason: `${name}: "${text}" is not ${describeUnit(unit)}` };
  }
  if (value >= min && value <= max) return { ok: true, value };
  const range = `${showUnit(unit, min)} to ${showUnit(unit, max)}`;
  return { ok: false, reason: `${name}: ${text} is not in ${range}` };
}

function unknownLimit(name: string): string {
  const near = nearest(name, BY_NAME.keys());
  const hint = near === null ? "rind limits lists them" : `did you mean ${near}?`;
  return `there is no limit "${name}"; ${hint}`;
}

/** Prints every limit with its default and its meaning. */
export function listLimits(): Promise<number> {
  const width = Math.max(...[...BY_NAME.keys()].map((name) => name.length));
  for (const field of FIELDS) {
    const { name, unit, value, doc } = LIMITS[field];
    console.log(`${name.padEnd(width)}  ${showUnit(unit, value).padStart(6)}  ${doc}`);
  }
  return Promise.resolve(0);
}
