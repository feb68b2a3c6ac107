/**
 * API objects as the control plane keeps them: the kinds that matter, metadata made regular, the
 * rest as it came. Reading is the only gate: what passes is a bounded tree of plain data,
 * whoever wrote it. What is below `spec` is not validated here; translate reads it defensively.
 */
import type { Finding } from "./finding.ts";
import { type Kind, RESOURCES, type Resource } from "./resources.ts";

export type { Kind } from "./resources.ts";

/** Values in one object: an object of the API server's largest size stays well below. */
const NODES_MAX = 500_000;
const DEPTH_MAX = 64;
/** DNS-1123 subdomains of at most 253 characters. */
const NAME = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/;
const TEXT_SHOWN_MAX = 60;
/** Most objects have no annotations: they share this. */
const NO_TEXTS: ReadonlyMap<string, string> = new Map();
/** The object once more, as text, for kubectl alone. */
const LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration";

/** The label by which an EndpointSlice belongs to a Service (discovery.k8s.io/v1). */
export const SERVICE_LABEL = "kubernetes.io/service-name";

/** Keys of `annotations` and `labels` come from users (`__proto__` is legal), hence maps. */
export type Metadata = Readonly<{
  name: string;
  /** "" for kinds that have none; "default" when the object of another kind names none. */
  namespace: string;
  /** The API server's, or one derived from kind and name: never "". */
  uid: string;
  /** RFC 3339 as written, or "" when the object has none. */
  creationTimestamp: string;
  annotations: ReadonlyMap<string, string>;
  labels: ReadonlyMap<string, string>;
}>;

/**
 * One API object, without its status. Only `metadata` can be relied on. Nobody edits one; frozen
 * they would take three times the memory (the engine gives each frozen thing a shape of its own).
 */
export type KubeObject = Readonly<{
  apiVersion: string;
  kind: Kind;
  metadata: Metadata;
  [field: string]: unknown;
}>;

/** `object` is null when it is of no interest, or beyond use: then `findings` says why. */
export type Read = Readonly<{ object: KubeObject | null; findings: readonly Finding[] }>;

type Fields = Readonly<Record<string, unknown>>;
type Subject = Readonly<{ kind: string; namespace: string; name: string; place: string }>;
type Named = Subject & Readonly<{ kind: Kind }>;
type Budget = { nodes: number };

/**
 * Reads one raw object, as JSON or YAML gives it. Kinds that rind does not serve give null without
 * a finding. `place` says in findings where the object stands, such as `a.yaml document 2`.
 */
export function readObject(raw: unknown, place: string): Read {
  const nobody = { kind: "File", namespace: "", name: place, place: "" };
  if (!isFields(raw)) return refused(nobody, "", `expected an object, found ${shown(raw)}`);
  const kind = raw["kind"];
  const version = raw["apiVersion"];
  if (typeof kind !== "string" || typeof version !== "string") {
    const field = typeof kind === "string" ? "apiVersion" : "kind";
    return refused(nobody, field, `expected a name, found ${shown(raw[field])}`);
  }
  const resource = RESOURCES.find((row) => row.kind === kind);
  if (resource === undefined) return { object: null, findings: [] };
  const subject = subjectOf(raw, resource, place);
  if (!resource.apiVersions.includes(version)) return wrongVersion(subject, resource, version);
  return readKnown(raw, resource, subject);
}

/**
 * An object of `resource` as the API server has it, with `body` for what is below its metadata. The
 * body was made for this object alone and stays as it is. Lists leave out kind and apiVersion.
 */
export function ownObject(raw: Fields, resource: Resource, body: Fields): Read {
  const subject = subjectOf(raw, resource, "");
  const nameless = misnamed(raw, resource, subject);
  if (nameless !== null) return nameless;
  const findings: Finding[] = [];
  const versioned = { apiVersion: resource.apiVersions[0], metadata: raw["metadata"] };
  return { object: assemble(versioned, body, subject, findings), findings };
}

/** The key of an object within its kind: `namespace/name`, or `name` for kinds without one. */
export function keyOf(object: KubeObject): string {
  const { namespace, name } = object.metadata;
  return namespace === "" ? name : `${namespace}/${name}`;
}

/** True for what an object or a namespace can be called. */
export function isName(text: string): boolean {
  return NAME.test(text);
}

/** True for a JSON object: neither null nor a list. */
export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function subjectOf(raw: Fields, resource: Resource, place: string): Named {
  const metadata = isFields(raw["metadata"]) ? raw["metadata"] : {};
  const name = metadata["name"];
  const namespace = metadata["namespace"];
  return {
    kind: resource.kind,
    namespace: !resource.namespaced
      ? ""
      : namespace === undefined || namespace === null || namespace === ""
        ? "default"
        : typeof namespace === "string"
          ? namespace
          : shown(namespace),
    name: typeof name === "string" ? name : "",
    place,
  };
}

function readKnown(raw: Fields, resource: Resource, subject: Named): Read {
  const nameless = misnamed(raw, resource, subject);
  if (nameless !== null) return nameless;
  const findings: Finding[] = [];
  const body = copyFields(raw, subject, findings);
  if (body === null) return { object: null, findings };
  return { object: assemble(raw, body, subject, findings), findings };
}

function misnamed(raw: Fields, resource: Resource, subject: Subject): Read | null {
  const metadata = isFields(raw["metadata"]) ? raw["metadata"] : {};
  if (!isName(subject.name)) {
    const found = shown(metadata["name"]);
    return refused(subject, "metadata.name", `expected a lower-case DNS name, found ${found}`);
  }
  if (resource.namespaced && !isName(subject.namespace)) {
    const found = shown(metadata["namespace"]);
    return refused(subject, "metadata.namespace", `expected a lower-case DNS name, found ${found}`);
  }
  return null;
}

function assemble(raw: Fields, body: Fields, subject: Named, findings: Finding[]): KubeObject {
  const { kind, namespace, name } = subject;
  const metadata = isFields(raw["metadata"]) ? raw["metadata"] : {};
  const uid = metadata["uid"];
  const created = metadata["creationTimestamp"];
  const object: KubeObject = {
    ...body,
    apiVersion: String(raw["apiVersion"]),
    kind,
    metadata: {
      name,
      namespace,
      uid: typeof uid === "string" && uid !== "" ? uid : `${kind}/${namespace}/${name}`,
      creationTimestamp: typeof created === "string" ? created : "",
      annotations: readTexts(metadata, "annotations", subject, findings),
      labels: readTexts(metadata, "labels", subject, findings),
    },
  };
  return object;
}

/** All but metadata and status: a bounded tree, so that aliases in YAML cannot make it explode. */
function copyFields(raw: Fields, subject: Subject, findings: Finding[]): Fields | null {
  const budget = { nodes: NODES_MAX };
  const body: Record<string, unknown> = {};
  for (const field of Object.keys(raw)) {
    if (field === "metadata" || field === "status" || field === "__proto__") continue;
    const value = copy(raw[field], 1, budget);
    if (value === undefined) {
      const reason = `is deeper than ${DEPTH_MAX} levels or holds more than ${NODES_MAX} values`;
      findings.push(...refused(subject, field, reason).findings);
      return null;
    }
    body[field] = value;
  }
  return body;
}

/** A copy, or undefined when the value is too deep, too large, or goes round in a circle. */
function copy(value: unknown, depth: number, budget: Budget): unknown {
  budget.nodes -= 1;
  if (budget.nodes < 0 || depth > DEPTH_MAX) return undefined;
  if (typeof value !== "object" || value === null) return value ?? null;
  const list = Array.isArray(value);
  const made: Record<string, unknown> | unknown[] = list ? [] : {};
  for (const [key, child] of Object.entries(value)) {
    const copied = copy(child, depth + 1, budget);
    if (copied === undefined) return undefined;
    if (Array.isArray(made)) made.push(copied);
    // Assigning to this one name would set the prototype instead of a field.
    else if (key === "__proto__") Object.defineProperty(made, key, ownField(copied));
    else made[key] = copied;
  }
  return made;
}

function ownField(value: unknown): PropertyDescriptor {
  return { value, enumerable: true, configurable: true, writable: true };
}

/**
 * The API server takes text only. A value that is none is read as the text it most likely stands
 * for: to drop an annotation could switch off a protection that somebody asked for.
 */
function readTexts(
  metadata: Fields,
  field: "annotations" | "labels",
  subject: Subject,
  findings: Finding[],
): ReadonlyMap<string, string> {
  const raw = metadata[field];
  if (raw === undefined || raw === null) return NO_TEXTS;
  const texts = new Map<string, string>();
  if (!isFields(raw)) {
    const reason = `expected names with text values, found ${shown(raw)}`;
    findings.push(finding("error", subject, { field: `metadata.${field}`, reason }));
    return texts;
  }
  for (const [key, value] of Object.entries(raw)) {
    if (key === LAST_APPLIED) continue;
    const text = typeof value === "string" ? value : value === null ? "" : shown(value);
    texts.set(key, text);
    if (typeof value === "string" || value === null) continue;
    const reason = `expected text, found ${text}; read as "${text}"`;
    const hint = `write it in quotes: "${text}"`;
    findings.push(finding("warning", subject, { field: `metadata.${field}.${key}`, reason, hint }));
  }
  return texts;
}

function wrongVersion(subject: Subject, resource: Resource, version: string): Read {
  // `Service` of serving.knative.dev is not a Service with a wrong version: it is another kind.
  const group = version.split("/")[0] ?? "";
  const foreign =
    group.includes(".") && !resource.apiVersions.some((own) => own.startsWith(`${group}/`));
  if (foreign) return { object: null, findings: [] };
  const reason = `apiVersion ${shown(version)} has no ${resource.kind} that rind can read`;
  const hint = `use ${resource.apiVersions[0]}`;
  return { object: null, findings: [ignored(subject, { field: "apiVersion", reason, hint })] };
}

function refused(subject: Subject, field: string, reason: string): Read {
  return { object: null, findings: [ignored(subject, { field, reason, hint: "" })] };
}

function ignored(
  subject: Subject,
  what: Readonly<{ field: string; reason: string; hint: string }>,
): Finding {
  const file = subject.kind === "File";
  const effect = file ? "this document is ignored" : `this ${subject.kind} is ignored`;
  return { ...finding(file ? "warning" : "error", subject, what), effect };
}

function finding(
  level: Finding["level"],
  subject: Subject,
  what: Readonly<{ field: string; reason: string; hint?: string }>,
): Finding {
  const { kind, namespace, name, place } = subject;
  const where = place === "" ? "" : ` (${place})`;
  const reason = `${what.reason}${where}`;
  return {
    level,
    kind,
    namespace,
    name,
    field: what.field,
    reason,
    hint: what.hint ?? "",
    effect: "",
  };
}

/** A value in a finding: quoted and cut when it is text, a word for it when it is a tree. */
export function shown(value: unknown): string {
  if (value === undefined) return "nothing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object" && value !== null) return "a map";
  const text = typeof value === "string" ? JSON.stringify(value) : String(value);
  return text.length > TEXT_SHOWN_MAX ? `${text.slice(0, TEXT_SHOWN_MAX)}…` : text;
}
