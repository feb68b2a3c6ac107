/**
 * What rind reads of each kind, as a table: a field that is not in it does not reach the store, and
 * an object in which one has another type is not told at all. A real API server never sends such an
 * object; whatever does must not replace what serves.
 */
import { isFields, shown } from "../../objects.ts";
import type { Kind } from "../../resources.ts";

/** The value as it is kept, or where and why it is none. */
type Shaped = Readonly<{ ok: true; value: unknown }> | Misshapen;
type Misshapen = Readonly<{ ok: false; field: string; reason: string }>;
type Shape = (value: unknown) => Shaped;
type Row = ReadonlyMap<string, Shape>;

const PORT_MAX = 65_535;
const NO_TEXT = "expected text, found something else";

/** What an object consists of besides its metadata, or what is wrong in it. */
export type Body = Readonly<{ ok: true; value: Readonly<Record<string, unknown>> }> | Misshapen;

/** Copies what rind reads of an object of this kind. Absent fields and null are fine anywhere. */
export function shapeOf(kind: Kind, raw: Readonly<Record<string, unknown>>): Body {
  const metadata = orNull(raw["metadata"] ?? null, METADATA);
  if (!metadata.ok) return below("metadata", metadata);
  return pick(ROWS[kind], raw);
}

// === shapes ===

const text: Shape = (value) => typed(value, typeof value === "string", "text");
const flag: Shape = (value) => typed(value, typeof value === "boolean", "true or false");
const port: Shape = (value) => {
  const fits = Number.isInteger(value) && Number(value) >= 1 && Number(value) <= PORT_MAX;
  return typed(value, fits, `a port, 1 to ${PORT_MAX}`);
};
const portOrName: Shape = (value) => (typeof value === "string" ? text(value) : port(value));

/** A list of such items. */
function list(item: Shape): Shape {
  return (value) => {
    if (!Array.isArray(value)) return wrong(value, "a list");
    const made: unknown[] = [];
    for (let i = 0; i < value.length; i++) {
      const shaped = orNull(value[i] ?? null, item);
      if (!shaped.ok) return below(`[${i}]`, shaped);
      made.push(shaped.value);
    }
    return { ok: true, value: made };
  };
}

/** A map of which the named fields are kept. */
function map(fields: Readonly<Record<string, Shape>>): Shape {
  const row: Row = new Map(Object.entries(fields));
  return (value) => (isFields(value) ? pick(row, value) : wrong(value, "a map"));
}

/** Texts under names that users choose. */
const texts: Shape = (value) => {
  if (!isFields(value)) return wrong(value, "a map");
  for (const key of Object.keys(value)) {
    // Go writes bytes that are none as null. The value is not shown: it may be a secret.
    if (typeof (value[key] ?? "") !== "string")
      return below(key, { ok: false, field: "", reason: NO_TEXT });
  }
  return { ok: true, value };
};

function pick(row: Row, raw: Readonly<Record<string, unknown>>): Body {
  const made: Record<string, unknown> = {};
  for (const [field, shape] of row) {
    const value = raw[field];
    if (value === undefined || !Object.hasOwn(raw, field)) continue;
    const shaped = orNull(value, shape);
    if (!shaped.ok) return below(field, shaped);
    made[field] = shaped.value;
  }
  return { ok: true, value: made };
}

/** Null is nothing, wherever it stands. */
function orNull(value: unknown, shape: Shape): Shaped {
  return value === null ? { ok: true, value } : shape(value);
}

function typed(value: unknown, fits: boolean, wanted: string): Shaped {
  return fits ? { ok: true, value } : wrong(value, wanted);
}

function wrong(value: unknown, wanted: string): Misshapen {
  return { ok: false, field: "", reason: `expected ${wanted}, found ${shown(value)}` };
}

function below(place: string, { field, reason }: Misshapen): Misshapen {
  const joined = field === "" || field.startsWith("[") ? `${place}${field}` : `${place}.${field}`;
  return { ok: false, field: joined, reason };
}

// === kinds ===

const METADATA = map({
  name: text,
  namespace: text,
  uid: text,
  creationTimestamp: text,
  annotations: texts,
  labels: texts,
});

const backend = map({
  service: map({ name: text, port: map({ number: port, name: text }) }),
  resource: map({ apiGroup: text, kind: text, name: text }),
});

const ingress = map({
  ingressClassName: text,
  defaultBackend: backend,
  rules: list(
    map({ host: text, http: map({ paths: list(map({ path: text, pathType: text, backend })) }) }),
  ),
  tls: list(map({ hosts: list(text), secretName: text })),
});

const service = map({
  type: text,
  externalName: text,
  ports: list(map({ name: text, protocol: text, port, targetPort: portOrName, appProtocol: text })),
});

const endpoint = map({
  addresses: list(text),
  conditions: map({ ready: flag, serving: flag, terminating: flag }),
  // The rest of the reference is as long as everything else together, and nobody reads it.
  targetRef: map({ uid: text }),
});

const slicePorts = list(map({ name: text, protocol: text, port }));

const ROWS: Readonly<Record<Kind, Row>> = {
  Ingress: new Map([["spec", ingress]]),
  IngressClass: new Map([["spec", map({ controller: text })]]),
  Service: new Map([["spec", service]]),
  EndpointSlice: new Map([
    ["addressType", text],
    ["endpoints", list(endpoint)],
    ["ports", slicePorts],
  ]),
  Secret: new Map([
    ["type", text],
    ["data", texts],
  ]),
  Namespace: new Map(),
  Endpoints: new Map(),
};
