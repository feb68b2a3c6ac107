/**
 * Reading objects that users wrote. Below `metadata` nothing of an object is validated, so every
 * value is read through a field that knows where it is: a value of the wrong type becomes a
 * finding with its field path, never an exception.
 *
 *     whole(object) ── at("spec") ── at("rules") ── items ──► spec.rules[0] ── at("host") ── text
 */
import type { Finding } from "../finding.ts";
import { type KubeObject, isFields } from "../objects.ts";

/** Longest quotation of a user's text in a finding, characters. */
const QUOTE_MAX = 64;
/** Names that need no quotes: of objects, ports and annotations. */
const PLAIN_NAME = /^[\w./-]{1,253}$/;

/** A finding about the object that is being read. Level `error` and empty texts when left out. */
export type Remark = Readonly<{
  field: string;
  reason: string;
  level?: Finding["level"];
  hint?: string;
  effect?: string;
}>;

/** One value of an object, with its path and what a broken value here means for traffic. */
export type Field = Readonly<{
  value: unknown;
  path: string;
  effect: string;
  remark: (remark: Remark) => void;
}>;

/** The result of a parser of user text: a value, or the reason it is not one. */
export type Parsed<T> = Readonly<{ ok: true; value: T }> | Readonly<{ ok: false; reason: string }>;

/** The object as a field; what is remarked below it goes into `find`, under the object's name. */
export function whole(object: KubeObject, find: (finding: Finding) => void): Field {
  const { namespace, name } = object.metadata;
  const remark = (remark: Remark): void =>
    find({
      level: remark.level ?? "error",
      kind: object.kind,
      namespace,
      name,
      field: remark.field,
      reason: remark.reason,
      hint: remark.hint ?? "",
      effect: remark.effect ?? "",
    });
  return { value: object, path: "", effect: "", remark };
}

/** The value under `key`: absent (`undefined`) when the field is no map or has no such key. */
export function at(field: Field, key: string): Field {
  const path = field.path === "" ? key : `${field.path}.${key}`;
  // Own keys only: YAML and JSON can carry a key `__proto__`, which must not lend its fields.
  const there = isFields(field.value) && Object.hasOwn(field.value, key);
  return inside(field, there ? field.value[key] : undefined, path);
}

/** The same field, where a broken value now means `effect` for traffic. */
export function meaning(field: Field, effect: string): Field {
  return { ...field, effect };
}

/** Nothing is there. An explicit `null` is nothing, as it is for the API server. */
export function absent(field: Field): boolean {
  return field.value === undefined || field.value === null;
}

/** The items of a list. Absent is empty; anything but a list is remarked, and empty. */
export function items(field: Field): readonly Field[] {
  if (absent(field)) return [];
  if (!Array.isArray(field.value)) {
    wrong(field, "a list");
    return [];
  }
  return field.value.map((value: unknown, i) => inside(field, value, `${field.path}[${i}]`));
}

/** True for a map. Anything else that is there is remarked. */
export function mapped(field: Field): boolean {
  if (isFields(field.value)) return true;
  if (!absent(field)) wrong(field, "a map");
  return false;
}

/** A string; `undefined` when absent; `null` when it is something else, which is remarked. */
export function text(field: Field): string | null | undefined {
  if (absent(field)) return undefined;
  if (typeof field.value === "string") return field.value;
  wrong(field, "a string");
  return null;
}

/** A whole number; `undefined` when absent; `null` when it is something else, remarked. */
export function integer(field: Field): number | null | undefined {
  if (absent(field)) return undefined;
  if (typeof field.value === "number" && Number.isSafeInteger(field.value)) return field.value;
  wrong(field, "a whole number");
  return null;
}

/** A boolean; `undefined` when absent; `null` when it is something else, which is remarked. */
export function flag(field: Field): boolean | null | undefined {
  if (absent(field)) return undefined;
  if (typeof field.value === "boolean") return field.value;
  wrong(field, "true or false");
  return null;
}

/** `text` for a finding: in quotes, control characters escaped, at most QUOTE_MAX characters. */
export function quote(text: string): string {
  return JSON.stringify(text.length > QUOTE_MAX ? `${text.slice(0, QUOTE_MAX)}…` : text);
}

/** A name for a finding: as it is when it could be the name of anything, else cut and escaped. */
export function clip(name: string): string {
  return PLAIN_NAME.test(name) ? name : quote(name);
}

/** Written out: a spread costs several times as much, and a cluster has a million fields. */
function inside({ effect, remark }: Field, value: unknown, path: string): Field {
  return { value, path, effect, remark };
}

function wrong(field: Field, wanted: string): void {
  const reason = `expected ${wanted}, found ${describeValue(field.value)}`;
  field.remark({ field: field.path, reason, effect: field.effect });
}

function describeValue(value: unknown): string {
  if (typeof value === "string") return quote(value);
  if (typeof value === "number") return `the number ${value}`;
  if (typeof value === "boolean") return String(value);
  return Array.isArray(value) ? "a list" : "a map";
}
