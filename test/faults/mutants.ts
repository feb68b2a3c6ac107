/** Objects with one value replaced by one that does not belong there: every place, many values. */
import type { Given } from "../apiserver/objects.ts";

/** What takes the place of a value. */
const STRANGERS: readonly unknown[] = [
  null,
  7,
  -1,
  true,
  "",
  "\0\n\u{1f9c0}",
  "x".repeat(100_000),
  [],
  [null],
  {},
  { constructor: 1 },
];

/** All mutants of an object, in order; kind, name and namespace stay, or it would be another. */
export function* mutantsOf(object: Given): Generator<Given> {
  for (const path of pathsOf(object, [])) {
    const fixed = ["kind", "apiVersion", "metadata", "metadata.name", "metadata.namespace"];
    if (fixed.includes(path.join("."))) continue;
    for (const stranger of STRANGERS) yield replaced(object, path, stranger) as Given;
  }
}

function* pathsOf(value: unknown, at: readonly string[]): Generator<readonly string[]> {
  if (at.length > 0) yield at;
  if (typeof value !== "object" || value === null) return;
  for (const [name, inner] of Object.entries(value)) yield* pathsOf(inner, [...at, name]);
}

function replaced(value: unknown, [name, ...rest]: readonly string[], by: unknown): unknown {
  if (name === undefined) return by;
  const copy = Array.isArray(value) ? [...value] : { ...(value as object) };
  const fields = copy as Record<string, unknown>;
  fields[name] = replaced(fields[name], rest, by);
  return copy;
}
