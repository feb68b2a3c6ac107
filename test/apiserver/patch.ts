/** Patches: RFC 7396 and the part of RFC 6902 that controllers use. */

type Fields = Record<string, unknown>;

/** `target` after a merge patch. Neither of them is changed. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isFields(patch)) return patch;
  const merged = new Map(Object.entries(isFields(target) ? target : {}));
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) merged.delete(name);
    else merged.set(name, mergePatch(merged.get(name), value));
  }
  return Object.fromEntries(merged);
}

/** `target` after a JSON patch; a text says which operation failed. */
export function jsonPatch(
  target: unknown,
  operations: unknown,
): Readonly<{ to: unknown }> | string {
  if (!Array.isArray(operations)) return "the patch is not a list";
  const root: { it: unknown } = { it: structuredClone(target) };
  for (const operation of operations as readonly Fields[]) {
    const { op, path, value } = operation;
    if (typeof path !== "string" || typeof op !== "string")
      return "an operation without op or path";
    const parts = ["it", ...path.split("/").slice(1).map(unescape)];
    const name = parts.pop()!;
    const parent = parts.reduce((here: unknown, part) => (here as Fields | null)?.[part], root);
    if (typeof parent !== "object" || parent === null) return `${op} ${path}: no such place`;
    if (!apply(parent as Fields, { op, name, value })) return `${op} ${path}: does not apply`;
  }
  return { to: root.it };
}

function apply(
  parent: Fields | unknown[],
  { op, name, value }: Readonly<{ op: string; name: string; value: unknown }>,
): boolean {
  const list = Array.isArray(parent);
  const index = name === "-" && list ? parent.length : Number(name);
  const there = list ? index < parent.length : Object.hasOwn(parent, name);
  if (op === "test") return Bun.deepEquals(list ? parent[index] : parent[name], value);
  if (op !== "add" && !there) return false;
  if (op === "remove") {
    if (list) parent.splice(index, 1);
    else delete parent[name];
    return true;
  }
  if (op !== "add" && op !== "replace") return false;
  if (list) parent.splice(index, op === "add" ? 0 : 1, value);
  else parent[name] = value;
  return true;
}

function unescape(part: string): string {
  return part.replaceAll("~1", "/").replaceAll("~0", "~");
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
