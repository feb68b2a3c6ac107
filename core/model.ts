/**
 * The model: what should be served, as plain data. It is the only noun both planes share: deep
 * readonly, as JSON can carry it, and without a word of Kubernetes, so that posting it *is* the
 * protocol between the supervisor and its workers. Every field is always present; `null` is off.
 */

/** The object that asked for a route: what a finding, a log line or a 404 can name. */
export type Origin = Readonly<{
  kind: string;
  namespace: string;
  name: string;
  /** Where in the object, such as `spec.rules[0].http.paths[1]`; "" is all of it. */
  field: string;
}>;

/**
 * `exact`: byte-equal. `prefix`: by path element, so `/foo` takes `/foo` and `/foo/bar`, never
 * `/foobar`; one trailing slash in `value` is ignored. `value` starts with `/` and is canonical.
 */
export type PathMatch = Readonly<{ kind: "exact" | "prefix"; value: string }>;

/** One condition on a header, a cookie or a query parameter. `value: null` asks for presence. */
export type ValueMatch = Readonly<{ name: string; value: string | null }>;

/** All conditions must hold. An empty `methods` takes any method. */
export type Match = Readonly<{
  path: PathMatch;
  methods: readonly string[];
  headers: readonly ValueMatch[];
  cookies: readonly ValueMatch[];
  queries: readonly ValueMatch[];
}>;

/** One share of a split. Weights are whole numbers ≥ 0 of any scale; 0 gets nothing. */
export type Weighted = Readonly<{ backend: string; weight: number }>;

/**
 * What a route does. `cursor` is the slot of the counter that every worker shares for this split,
 * or NONE for a counter of each worker's own. A share whose backend has no endpoint still has its
 * turn, and is answered 503: weights are never shifted to a sibling in silence.
 */
export type Action =
  | Readonly<{ kind: "forward"; split: readonly Weighted[]; cursor: number }>
  | Readonly<{ kind: "redirect"; status: number; location: string }>
  | Readonly<{ kind: "respond"; status: number; body: string }>;

/** Milliseconds. `connectMs` to open a connection, `headMs` until the response head is here. */
export type Timeouts = Readonly<{ connectMs: number; headMs: number; idleMs: number }>;

/**
 * When a request may be sent again (RFC 9110 §9.2.2). `max` is how often, 0 never; what never
 * reached a backend does not count. `nonIdempotent`: also POST and the like, which may then be done
 * twice. `fresh`: also after a connection that carried nothing before failed.
 */
export type Retry = Readonly<{ max: number; nonIdempotent: boolean; fresh: boolean }>;

/** What a route does besides choosing a backend. All policies share one shape. */
export type RoutePolicy = Readonly<{
  timeouts: Timeouts;
  /** Largest request body, bytes; `null` is no limit. Beyond it: 413. */
  bodyBytesMax: number | null;
  retry: Retry;
}>;

export type Route = Readonly<{
  /** Stable over translations of the same object, unique in the model. */
  id: string;
  origin: Origin;
  match: Match;
  action: Action;
  policy: RoutePolicy;
}>;

/** `name`: `a.example` exact, `*.example` exactly one label more, `*` any host. Lower case. */
export type VirtualHost = Readonly<{ name: string; routes: readonly Route[] }>;

/** `address` is an IP literal without brackets. `uid` tells reuses of an address apart. */
export type Endpoint = Readonly<{ address: string; port: number; uid: string }>;

/** How an endpoint is chosen: the less busy of two random ones, or each in its turn. */
export type Balance = "leastRequest" | "roundRobin";

/** `reason` says why `endpoints` is empty ("" otherwise); it is shown to operators. */
export type Backend = Readonly<{
  id: string;
  endpoints: readonly Endpoint[];
  reason: string;
  balance: Balance;
}>;

/** Hosts and backends are in the order of their names, by code unit; each name is there once. */
export type Model = Readonly<{
  /** Monotonic; travels into logs, acknowledgements and `/readyz`. */
  version: number;
  hosts: readonly VirtualHost[];
  backends: readonly Backend[];
}>;

/**
 * The smallest true change from one model to the next. It applies to `base` only; `base: 0` is the
 * empty model. Hosts and backends are whole; a name in `…Gone` is no longer there.
 */
export type Delta = Readonly<{
  base: number;
  version: number;
  hosts: readonly VirtualHost[];
  hostsGone: readonly string[];
  backends: readonly Backend[];
  backendsGone: readonly string[];
}>;

/** Absence, where a number is expected. */
export const NONE = -1;

export const EMPTY_MODEL: Model = { version: 0, hosts: [], backends: [] };

/** Defaults: connect 5 s, response head 60 s, idle 60 s. */
export const DEFAULT_POLICY: RoutePolicy = {
  timeouts: { connectMs: 5_000, headMs: 60_000, idleMs: 60_000 },
  bodyBytesMax: null,
  retry: { max: 1, nonIdempotent: false, fresh: false },
};
