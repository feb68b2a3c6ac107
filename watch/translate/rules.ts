/**
 * Reads the spec of an Ingress, in the spelling of its API version, into rules. Whatever is broken
 * stays in as a broken target, so that its path can answer 503 instead of vanishing.
 */
import type { PathMatch } from "../../core/model.ts";
import { parseHost } from "./hosts.ts";
import { judgePath } from "./paths.ts";
import { nearest } from "./nearest.ts";
import { type Field, absent, at, items, mapped, meaning, quote, text } from "./read.ts";
import { type Target, readTarget } from "./targets.ts";

const PATH_503 = "this path answers 503";
const PATH_TYPES = ["Exact", "Prefix", "ImplementationSpecific"];

/** One path of a rule. `id` is its place in the spec, `rules[0].paths[1]`. */
type PathRule = Readonly<{
  id: string;
  field: string;
  match: PathMatch;
  /** The path is not the one that is written, but the valid one nearest to it. */
  repaired: boolean;
  target: Target;
}>;

/** The paths of one host. `bare`: the rule has none, and gives its host to the fallback. */
type Rule = Readonly<{
  host: string;
  field: string;
  bare: boolean;
  paths: readonly PathRule[];
}>;

/** `fallback` takes what no rule takes; null when there is none. `empty`: no rules are written. */
export type Spec = Readonly<{
  empty: boolean;
  fallback: Target | null;
  fallbackField: string;
  rules: readonly Rule[];
}>;

/** Reads what is under `spec`. Every broken part is remarked, and none hides another. */
export function readSpec(ingress: Field, apiVersion: string): Spec {
  const legacy = apiVersion !== "networking.k8s.io/v1";
  const spec = at(ingress, "spec");
  const readable = mapped(meaning(spec, "nothing of this Ingress is served")) || absent(spec);
  const key = legacy ? "backend" : "defaultBackend";
  const backend = meaning(at(spec, key), "requests that no rule takes answer 503");
  const other = at(spec, legacy ? "defaultBackend" : "backend");
  if (!absent(other)) {
    const hint = `in ${apiVersion} it is called ${key}`;
    ingress.remark({
      field: other.path,
      reason: "is not a field of spec",
      hint,
      effect: "ignored",
    });
  }
  const rules = meaning(at(spec, "rules"), "no rule of this Ingress is served");
  return {
    empty: readable && (absent(rules) || (Array.isArray(rules.value) && rules.value.length === 0)),
    fallback: absent(backend) ? null : readTarget(backend, legacy),
    fallbackField: backend.path,
    rules: items(rules).flatMap((rule, i) => readRule(rule, `rules[${i}]`, legacy) ?? []),
  };
}

function readRule(rule: Field, id: string, legacy: boolean): Rule | null {
  const whole = meaning(rule, "this rule is ignored");
  if (!mapped(whole)) {
    if (absent(rule)) rule.remark({ field: rule.path, reason: "is empty", effect: whole.effect });
    return null;
  }
  const raw = text(at(whole, "host"));
  if (raw === null) return null;
  const host = parseHost(raw ?? "");
  if (!host.ok) {
    const field = at(rule, "host").path;
    rule.remark({ field, reason: host.reason, effect: whole.effect });
    return null;
  }
  const http = at(meaning(rule, "no path of this rule is served"), "http");
  mapped(http);
  const list = at(http, "paths");
  const paths = items(list);
  return {
    host: host.value,
    field: rule.path,
    bare: absent(list) ? absent(http) || mapped(http) : Array.isArray(list.value) && !paths.length,
    paths: paths.flatMap((path, i) => readPath(path, `${id}.paths[${i}]`, legacy) ?? []),
  };
}

function readPath(path: Field, id: string, legacy: boolean): PathRule | null {
  const field = path.path;
  const gone = "this path is not served";
  if (!mapped(meaning(path, gone))) {
    if (absent(path)) path.remark({ field, reason: "is empty", effect: gone });
    return null;
  }
  const type = readPathType(at(path, "pathType"), legacy);
  const raw = text(meaning(at(path, "path"), gone));
  if (raw === null) return null;
  const strict = type === "Exact" || type === "Prefix";
  const judged = judgePath(raw, strict);
  const at503 = judged.value === null ? gone : PATH_503;
  const { hint } = judged;
  if (judged.fault !== "") {
    path.remark({ field: `${field}.path`, reason: judged.fault, hint, effect: at503 });
  } else if (judged.notice !== "") {
    path.remark({ level: "warning", field: `${field}.path`, reason: judged.notice, hint });
  }
  if (judged.value === null) return null;
  const match: PathMatch = { kind: type === "Exact" ? "exact" : "prefix", value: judged.value };
  const target = readTarget(meaning(at(path, "backend"), PATH_503), legacy);
  const refused = judged.fault === "" ? "" : `its path ${judged.fault}`;
  const reason = type === "" ? "its pathType is unknown" : refused;
  return {
    id,
    field,
    match,
    repaired: judged.fault !== "" && judged.value !== raw,
    target: reason === "" ? target : { kind: "broken", reason },
  };
}

/** One of PATH_TYPES; "" for a type that is unknown, which is remarked. */
function readPathType(field: Field, legacy: boolean): string {
  const type = text(meaning(field, PATH_503));
  if (type === null) return "";
  if (type === undefined || type === "") {
    // Optional until v1 (its conversion fills this one in), where the API server asks for it.
    if (!legacy) {
      const reason = "is missing, and the API server refuses an Ingress without it";
      const hint = `one of ${PATH_TYPES.join(", ")}`;
      const effect = "served as Prefix";
      field.remark({ level: "warning", field: field.path, reason, hint, effect });
    }
    return "ImplementationSpecific";
  }
  if (PATH_TYPES.includes(type)) return type;
  const near = PATH_TYPES.find((known) => known.toLowerCase() === type.toLowerCase());
  const meant = near ?? nearest(type, PATH_TYPES);
  const hint = meant === null ? `one of ${PATH_TYPES.join(", ")}` : `did you mean ${meant}?`;
  field.remark({
    field: field.path,
    reason: `unknown type ${quote(type)}`,
    hint,
    effect: PATH_503,
  });
  return "";
}
