/** Whose Ingress it is: the class named in it, the default class, or none at all. */
import { type KubeObject, isFields } from "../objects.ts";
import { type Field, at, clip, quote, text } from "./read.ts";
import type { TranslateOptions } from "./draft.ts";

/** Older than `ingressClassName`, and still to be honoured (networking/v1 IngressSpec). */
const CLASS_ANNOTATION = "kubernetes.io/ingress.class";
const DEFAULT_ANNOTATION = "ingressclass.kubernetes.io/is-default-class";

type Classes = ReadonlyMap<string, KubeObject>;

/**
 * True when rind serves this Ingress. The field is asked first, then the annotation, then the
 * cluster's default class, and `withoutClass` at last. A class is ours when it is named in
 * `classes`, or when its IngressClass names our controller. What is not ours is not remarked on.
 */
export function adopted(
  object: KubeObject,
  ingress: Field,
  classes: Classes,
  options: TranslateOptions,
): boolean {
  const named = at(at(ingress, "spec"), "ingressClassName");
  const annotated = object.metadata.annotations.get(CLASS_ANNOTATION) ?? "";
  const effect = "nothing of this Ingress is served";
  const name = text({ ...named, effect });
  if (name === null) return false;
  if (name === undefined || name === "") {
    if (annotated !== "") return options.classes.includes(annotated);
    const fallback = defaultClass(classes);
    return fallback === null ? options.withoutClass : ours(fallback, classes, options);
  }
  if (!ours(name, classes, options)) return false;
  if (annotated !== "" && annotated !== name) {
    const field = `metadata.annotations[${CLASS_ANNOTATION}]`;
    const reason = `${quote(annotated)} differs from ${named.path} ${quote(name)}, which wins`;
    ingress.remark({ level: "warning", field, reason, effect: "ignored" });
  }
  return true;
}

/** The class that an Ingress names, or "". */
export function classOf(object: KubeObject): string {
  const spec = object["spec"];
  const named = isFields(spec) ? spec["ingressClassName"] : "";
  if (typeof named === "string" && named !== "") return clip(named);
  return clip(object.metadata.annotations.get(CLASS_ANNOTATION) ?? "");
}

function ours(name: string, classes: Classes, options: TranslateOptions): boolean {
  if (options.classes.includes(name)) return true;
  const spec = classes.get(name)?.["spec"];
  return isFields(spec) && spec["controller"] === options.controller;
}

/** The newest default class, then the first by name, as the admission plugin chooses. */
function defaultClass(classes: Classes): string | null {
  let best: KubeObject | null = null;
  for (const object of classes.values()) {
    const { annotations, creationTimestamp, name } = object.metadata;
    if (annotations.get(DEFAULT_ANNOTATION) !== "true") continue;
    const order = best === null ? 1 : compare(creationTimestamp, best.metadata.creationTimestamp);
    if (order > 0 || (order === 0 && best !== null && name < best.metadata.name)) best = object;
  }
  return best === null ? null : best.metadata.name;
}

/** Both are RFC 3339 in UTC as the API server writes it, or "" (then the oldest). */
function compare(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1;
}
