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
  /** Requests over plain HTTP are sent to HTTPS (308), but for ACME challenges (RFC 8555 §8.3). */
  redirect: boolean;
  /** Value of Strict-Transport-Security in answers over HTTPS (RFC 6797), or "". */
  hsts: string;
}>;

export type Route = Readonly<{
  /** Stable over translations of the same object, unique in the model. */
  id: string;
  origin: Origin;
  match: Match;
  action: Action;
  policy: RoutePolicy;
}>;

/**
 * `name`: `a.example` exact, `*.example` exactly one label more, `*` any host. Lower case. `policy`
 * is the id of the TLS policy under which its requests must have come, "" for that of everybody: a
 * request that came under another one is misdirected (RFC 9110 §15.5.20).
 */
export type VirtualHost = Readonly<{ name: string; policy: string; routes: readonly Route[] }>;

/** A certificate chain, the leaf first, and its key; both PEM. */
export type KeyPair = Readonly<{ chain: string; key: string }>;

/** Pairs that were found to belong together; `id` names where one is from. */
export type Certificate = KeyPair & Readonly<{ id: string }>;

/**
 * Who clients must be. `authorities` are PEM. `required`: without a good certificate there is no
 * handshake. `optional`: one that is shown must be good. `unchecked`: any one is let in, and the
 * backend is told what it is worth. `depth`: certificates between the client's and an authority's.
 */
export type ClientAuth = Readonly<{
  authorities: string;
  verify: "required" | "optional" | "unchecked";
  depth: number;
  /** The backend gets the certificate itself, not only its names. */
  forward: boolean;
}>;

/** A version of TLS (RFC 5246, RFC 8446) that is the oldest one spoken. */
export type TlsVersion = "1.2" | "1.3";

/**
 * What a host asks of handshakes beyond a certificate. `id` is made from all the rest: two hosts
 * with one id can share connections. `minVersion` null and `ciphers` "" are those of the listener;
 * `ciphers` are OpenSSL's names with colons between, for TLS 1.2 only.
 */
export type TlsPolicy = Readonly<{
  id: string;
  minVersion: TlsVersion | null;
  ciphers: string;
  client: ClientAuth | null;
}>;

/**
 * What a client that asks for this name (SNI, RFC 6066 §3) gets. `name` as of a virtual host; `*`
 * is for clients that ask for no name, or for one that nobody has. `certificates` are ids, one for
 * each kind of key; none: those of the wildcard above it, or else of everybody. `passthrough` is
 * the id of the backend that gets the connection unopened, or "".
 */
export type SecureHost = Readonly<{
  name: string;
  certificates: readonly string[];
  policy: TlsPolicy | null;
  passthrough: string;
}>;

/**
 * TLS to the endpoints of a backend. `name` is what their certificates must be for, and what is
 * asked for (SNI) if `sni`; "": they must be for the endpoint's address, and nothing is asked for.
 * `authorities` are PEM; "" are the public ones, as the runtime has them. `verify` false takes any
 * certificate. `identity` is what we show, or null.
 */
export type UpstreamTls = Readonly<{
  name: string;
  sni: boolean;
  verify: boolean;
  authorities: string;
  identity: KeyPair | null;
}>;

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
  /** null: plain TCP. */
  tls: UpstreamTls | null;
}>;

/** All lists are in the order of their names or ids, by code unit; each is there once. */
export type Model = Readonly<{
  /** Monotonic; travels into logs, acknowledgements and `/readyz`. */
  version: number;
  hosts: readonly VirtualHost[];
  backends: readonly Backend[];
  certificates: readonly Certificate[];
  secure: readonly SecureHost[];
}>;

/**
 * The smallest true change from one model to the next. It applies to `base` only; `base: 0` is the
 * empty model. What changed is there as a whole; a name in `…Gone` is no longer there.
 */
export type Delta = Readonly<{
  base: number;
  version: number;
  hosts: readonly VirtualHost[];
  hostsGone: readonly string[];
  backends: readonly Backend[];
  backendsGone: readonly string[];
  certificates: readonly Certificate[];
  certificatesGone: readonly string[];
  secure: readonly SecureHost[];
  secureGone: readonly string[];
}>;

/** Absence, where a number is expected. */
export const NONE = -1;

export const EMPTY_MODEL: Model = {
  version: 0,
  hosts: [],
  backends: [],
  certificates: [],
  secure: [],
};

/** Defaults: connect 5 s, response head 60 s, idle 60 s. */
export const DEFAULT_POLICY: RoutePolicy = {
  timeouts: { connectMs: 5_000, headMs: 60_000, idleMs: 60_000 },
  bodyBytesMax: null,
  retry: { max: 1, nonIdempotent: false, fresh: false },
  redirect: false,
  hsts: "",
};
