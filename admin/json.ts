/** JSON of the admin API: every answer has a schema, and this file alone writes it. */
import fastJson from "fast-json-stringify";
import type { ObjectSchema, Schema } from "fast-json-stringify";
import type { WorkerState } from "../core/supervisor.ts";
import type { Model } from "../core/model.ts";
import type { Finding } from "../watch/finding.ts";
import type { FeedState } from "../watch/source/source.ts";

/** Who writes status and Events, seen from here. */
export type ReportState = Readonly<{
  /** This rind does. */
  leader: boolean;
  /** The pod that does, or "". */
  holder: string;
  /** Writes that wait. */
  pending: number;
  /** Findings that got no Event, since the start: too many waited, or too many of one object. */
  dropped: number;
  /** Why something is not written, or "". */
  problem: string;
}>;

/** The cluster behind what is served. */
export type ClusterState = Readonly<{
  server: string;
  /** Milliseconds since the feed that was heard of least lately was heard of. */
  ageMs: number;
  /** What is served comes from the saved state: the API server has not answered yet. */
  saved: boolean;
  feeds: readonly FeedState[];
  /** null: nothing is reported. */
  report: ReportState | null;
}>;

/** What `/readyz` says. `reason` is "" when ready; `version` is served by every worker. */
export type Readiness = Readonly<{
  ready: boolean;
  reason: string;
  /** What is wrong and does not speak against traffic, in sentences. */
  notes: readonly string[];
  version: number;
  http: readonly string[];
  https: readonly string[];
  /** What the last collection left on the supervisor's heap. */
  heapBytes: number;
  /** Bugs of ours in the control plane, since the start. */
  bugs: number;
  workers: readonly WorkerState[];
  /** null where a folder is served. */
  cluster: ClusterState | null;
}>;

const TEXT = { type: "string" } as const;
const WHOLE = { type: "integer" } as const;
const FLAG = { type: "boolean" } as const;
const listOf = (items: Schema): Schema => ({ type: "array", items });
const shape = (properties: Record<string, Schema>): ObjectSchema => ({
  type: "object",
  properties,
});

const CONDITION = shape({ name: TEXT, value: { type: "string", nullable: true } });

const ROUTE = shape({
  id: TEXT,
  origin: shape({ kind: TEXT, namespace: TEXT, name: TEXT, field: TEXT }),
  match: shape({
    path: shape({ kind: TEXT, value: TEXT }),
    methods: listOf(TEXT),
    headers: listOf(CONDITION),
    cookies: listOf(CONDITION),
    queries: listOf(CONDITION),
  }),
  // The union in one shape: a field that the kind of action does not have is left out.
  action: shape({
    kind: TEXT,
    split: listOf(shape({ backend: TEXT, weight: { type: "number" } })),
    status: WHOLE,
    location: TEXT,
    body: TEXT,
  }),
  policy: shape({
    timeouts: shape({ connectMs: WHOLE, headMs: WHOLE, idleMs: WHOLE }),
    bodyBytesMax: { type: "integer", nullable: true },
    retry: shape({ max: WHOLE, nonIdempotent: FLAG, fresh: FLAG }),
    redirect: FLAG,
    hsts: TEXT,
  }),
});

const BACKEND = shape({
  id: TEXT,
  endpoints: listOf(shape({ address: TEXT, port: WHOLE, uid: TEXT })),
  reason: TEXT,
  balance: TEXT,
  tls: { ...shape({ name: TEXT, sni: FLAG, verify: FLAG }), nullable: true },
});

/** Keys are in no schema, and so in no answer. */
const SECURE = shape({
  name: TEXT,
  certificates: listOf(TEXT),
  policy: {
    ...shape({
      id: TEXT,
      minVersion: { type: "string", nullable: true },
      ciphers: TEXT,
      client: { ...shape({ verify: TEXT, depth: WHOLE, forward: FLAG }), nullable: true },
    }),
    nullable: true,
  },
  passthrough: TEXT,
});

const FINDING = shape({
  level: TEXT,
  kind: TEXT,
  namespace: TEXT,
  name: TEXT,
  field: TEXT,
  reason: TEXT,
  hint: TEXT,
  effect: TEXT,
});

/** `/api/routes` as JSON: the whole model, without anything secret. */
export const modelJson: (model: Model) => string = fastJson(
  shape({
    version: WHOLE,
    hosts: listOf(shape({ name: TEXT, policy: TEXT, routes: listOf(ROUTE) })),
    backends: listOf(BACKEND),
    certificates: listOf(shape({ id: TEXT })),
    secure: listOf(SECURE),
  }),
);

/** A certificate, the hosts that show it, and its time as of RFC 3339. */
export type CertificateState = Readonly<{
  id: string;
  keyType: string;
  names: readonly string[];
  hosts: readonly string[];
  notBefore: string;
  notAfter: string;
}>;

/** `/api/certificates`. */
export const certificatesJson: (
  answer: Readonly<{ certificates: readonly CertificateState[] }>,
) => string = fastJson(
  shape({
    certificates: listOf(
      shape({
        id: TEXT,
        keyType: TEXT,
        names: listOf(TEXT),
        hosts: listOf(TEXT),
        notBefore: TEXT,
        notAfter: TEXT,
      }),
    ),
  }),
);

/** `/api/findings`. */
export const findingsJson: (answer: Readonly<{ findings: readonly Finding[] }>) => string =
  fastJson(shape({ findings: listOf(FINDING) }));

const CLUSTER: ObjectSchema = {
  ...shape({
    server: TEXT,
    ageMs: WHOLE,
    saved: FLAG,
    feeds: listOf(shape({ name: TEXT, synced: FLAG, ageMs: WHOLE, problem: TEXT })),
    report: {
      ...shape({ leader: FLAG, holder: TEXT, pending: WHOLE, dropped: WHOLE, problem: TEXT }),
      nullable: true,
    },
  }),
  nullable: true,
};

/** `/api/cluster`. */
export const clusterJson: (answer: Readonly<{ cluster: ClusterState | null }>) => string = fastJson(
  shape({ cluster: CLUSTER }),
);

/** `/readyz`. */
export const readinessJson: (readiness: Readiness) => string = fastJson(
  shape({
    ready: FLAG,
    reason: TEXT,
    notes: listOf(TEXT),
    version: WHOLE,
    http: listOf(TEXT),
    https: listOf(TEXT),
    heapBytes: WHOLE,
    bugs: WHOLE,
    workers: listOf(shape({ pid: WHOLE, serving: FLAG, version: WHOLE, heapBytes: WHOLE })),
    cluster: CLUSTER,
  }),
);
