/**
 * A finding: something wrong in an object, reported on that object. Never an exception: a broken
 * object does not hide another one, and nothing is dropped without one of these.
 */
export type Finding = Readonly<{
  level: "error" | "warning";
  kind: string;
  namespace: string;
  name: string;
  /** Field path in the object, such as `spec.rules[0].http.paths[1].backend.service.name`. */
  field: string;
  /** What is wrong, naming the value, in one sentence without a full stop. */
  reason: string;
  /** The likely fix, or "". */
  hint: string;
  /** What it means for traffic, such as `this path answers 503`, or "". */
  effect: string;
}>;

/** The findings of `next` that are not in `last`, by what they say. */
export function newIn(next: readonly Finding[], last: readonly Finding[]): readonly Finding[] {
  if (next === last || next.length === 0) return [];
  const known = new Set(last.map(textOf));
  return next.filter((finding) => !known.has(textOf(finding)));
}

/** The findings of `last` that are in `next` too, by what they say. */
export function stillIn(next: readonly Finding[], last: readonly Finding[]): readonly Finding[] {
  if (last.length === 0) return last;
  const known = new Set(next.map(textOf));
  return last.filter((finding) => known.has(textOf(finding)));
}

function textOf(finding: Finding): string {
  const { level, kind, namespace, name, field, reason, hint, effect } = finding;
  return JSON.stringify([level, kind, namespace, name, field, reason, hint, effect]);
}
