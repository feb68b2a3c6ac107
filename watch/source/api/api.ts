/** What it takes to talk to an API server, and how: the nouns of everything that does. */

/** For one connection, as PEM and headers. Tokens rotate: ask for these before each request. */
export type Credentials = Readonly<{
  headers: Readonly<Record<string, string>>;
  /** null: the system's authorities. */
  ca: string | null;
  cert: string | null;
  key: string | null;
  /** The name that the server's certificate must have, where it is not that of the address. */
  serverName: string | null;
  verify: boolean;
}>;

/** Where the API server is and who we are to it. */
export type Access = Readonly<{
  /** Such as `https://10.0.0.1:6443`, without a slash at its end. */
  server: string;
  /** Where it was read, for people: `in the cluster`, or a file and its context. */
  from: string;
  /** The namespace that requests without one mean; in a pod, its own. */
  namespace: string;
  /** Rejects when a file cannot be read or a plugin fails; the message says which. */
  credentials: () => Promise<Credentials>;
  /**
   * These were refused (401): the next ones are read anew, not from a cache, unless that has been
   * done since. A hundred watches that are refused together run a plugin once.
   */
  renew: (refused: Credentials) => void;
}>;

/** `reason` names the file or the variable, and what to do about it. */
export type ReadAccess =
  Readonly<{ ok: true; access: Access }> | Readonly<{ ok: false; reason: string }>;

/** One request. `body` is sent as JSON, of `contentType` or `application/json`. */
export type ApiRequest = Readonly<{
  method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Such as `/apis/networking.k8s.io/v1/ingresses`. */
  path: string;
  query?: Readonly<Record<string, string>>;
  body?: unknown;
  contentType?: string;
}>;

/**
 * How a request ended. `status` 0: the server could not be reached, or its answer not be read.
 * `reason` is one sentence for people; `body` a `Status` object where the server sent one.
 */
export type ApiFailure = Readonly<{
  ok: false;
  status: number;
  reason: string;
  /** What `Retry-After` asks for, five minutes at most, or null. */
  retryAfterMs: number | null;
  body: unknown;
}>;

export type ApiAnswer = Readonly<{ ok: true; status: number; body: unknown }> | ApiFailure;

/** What a stream tells. `closed` comes exactly once, last; `failure` null is a clean end. */
export type ApiEvents = Readonly<{
  /** The server took the request. */
  opened: () => void;
  /** One line, without its newline, as it came. An unfinished last one is dropped. */
  line: (line: string) => void;
  closed: (failure: ApiFailure | null) => void;
}>;

/** How to reach an API server; tests give a double. Nothing here throws or rejects. */
export type ApiClient = Readonly<{
  /** Waits `timeoutMs` at most, 30 s if not given. */
  ask: (request: ApiRequest, timeoutMs?: number) => Promise<ApiAnswer>;
  /** A GET whose answer is lines, for as long as it lasts. The answer of this call ends it. */
  stream: (request: ApiRequest, events: ApiEvents) => () => void;
}>;
