/**
 * What is waited for, and how much is held, before something is given up. Every row can be set by
 * `--limit NAME=VALUE`; what a route can set for itself is a field of its policy instead.
 */

/** `time` is milliseconds, `bytes` bytes, `rate` bytes a second; `count` and `percent` numbers. */
type Unit = "time" | "bytes" | "rate" | "count" | "percent";

type Row = Readonly<{
  name: string;
  unit: Unit;
  value: number;
  min: number;
  max: number;
  doc: string;
}>;

const HOUR_MS = 3_600_000;
const WEEK_MS = 7 * 24 * HOUR_MS;

/** What backends may send, and what clients may send at most: everything is made to hold it. */
export const HEAD_BYTES_MAX = 131_072;
export const HEAD_LINES_MAX = 256;

/** The rows, by the field of `Limits`. `value` is the default. */
export const LIMITS = {
  // --- downstream: deadlines ---
  firstByteMs: time("first-byte", 10_000, "from accepting a client to its first byte"),
  handshakeMs: time(
    "handshake",
    10_000,
    "from accepting a client to the end of its PROXY header and TLS",
  ),
  handshakes: {
    ...count(
      "handshakes",
      4_096,
      "TLS handshakes on their way, of one worker; for one more the oldest ends",
    ),
    min: 1,
  },
  headMs: time("head", 10_000, "from the first byte of a request head to its last"),
  bodyIdleMs: time("body-idle", 30_000, "between two pieces of a request body"),
  bodyRateMin: {
    ...count("body-rate", 500, "bytes a second a request body needs, on average; 0 is any"),
    unit: "rate",
  },
  bodyGraceMs: time("body-grace", 30_000, "to be slower than body-rate; early bytes buy ten times"),
  clientStallMs: time("client-stall", 30_000, "for the client to take some of what waits for it"),
  answerRateMin: {
    ...count("answer-rate", 100, "bytes for each second of client-stall are some; 0: one byte is"),
    unit: "rate",
  },
  keepAliveMs: time("keep-alive", 75_000, "between two requests of a kept connection"),
  keepAliveRequests: count("keep-alive-requests", 10_000, "requests of one connection; 0 is any"),
  halfClose: {
    ...count("half-close", 1, "1: who ended its side still gets its answer; 0: it has left"),
    max: 1,
  },
  connectionAgeMs: time("connection-age", HOUR_MS, "age of a kept connection, 10 % more or less"),
  lingerMs: time("linger", 2_000, "from our FIN to the client's, so that no reset eats an answer"),
  // --- downstream: how much ---
  connections: {
    ...count("connections", 20_000, "clients' connections of one worker; or what open files allow"),
    min: 1,
  },
  connectionsPerClient: count(
    "connections-per-client",
    0,
    "of one address, or IPv6 /64, of one worker; 0 is half of all; trusted proxies have none",
  ),
  headBytes: {
    ...bytes("head-bytes", 65_536, "of a request head; more is answered 431"),
    min: 16_384,
    max: HEAD_BYTES_MAX,
  },
  headLineBytes: {
    ...bytes("head-line", 16_384, "of one line of a request head; more is answered 431"),
    min: 1_024,
    max: HEAD_BYTES_MAX,
  },
  headLines: {
    ...count("head-lines", 128, "header lines of a request; more are answered 431"),
    min: 16,
    max: HEAD_LINES_MAX,
  },
  waitingBytes: {
    ...bytes("waiting", 1_073_741_824, "of answers that clients have not taken, of one worker"),
    max: 1_099_511_627_776,
  },
  backlogBytes: bytes("backlog", 65_536, "pipelined requests that wait behind the current one"),
  discardBytes: bytes(
    "discard",
    65_536,
    "of an unwanted body, read to keep a connection or save its answer",
  ),
  // --- upstream ---
  upstreamIdleMs: time("upstream-idle", 55_000, "an idle connection to a backend is kept"),
  upstreamIdle: count("upstream-idle-connections", 256, "idle connections to one endpoint"),
  upstreamConnections: {
    ...count("upstream-connections", 1_024, "connections to one endpoint"),
    min: 1,
  },
  upstreamTotal: {
    ...count("upstream-connections-total", 20_000, "connections to all endpoints, of one worker"),
    min: 1,
  },
  pending: count("pending", 1_024, "requests that wait for a connection to one endpoint"),
  pendingMs: time("pending-time", 5_000, "a request waits for a connection"),
  tunnelIdleMs: time("tunnel-idle", HOUR_MS, "without a byte through a tunnel"),
  retryBudget: {
    ...count("retry-budget", 20, "retries in percent of the requests in flight"),
    unit: "percent",
  },
  retriesMin: count("retries-min", 100, "retries in flight that are always allowed"),
  replayBytes: bytes("replay", 65_536, "of a request body, kept to send it again"),
  ejectAfter: count("eject-after", 3, "failures in a row until an endpoint is ejected; 0 is never"),
  ejectWindowMs: time("eject-window", 10_000, "in which these failures must be; also for a probe"),
  ejectMs: time("eject", 10_000, "an endpoint is first ejected for; doubles each time"),
  ejectMaxMs: time("eject-max", 300_000, "an endpoint is ejected for at most"),
  knockMs: time("knock", 500, "between two looks whether an ejected endpoint takes connections"),
  slowStartMs: {
    ...time("slow-start", 10_000, "a new endpoint is given less than its share; 0 is off"),
    min: 0,
  },
} as const satisfies Readonly<Record<string, Row>>;

/** All limits of a worker, in the unit of their rows. */
export type Limits = Readonly<Record<keyof typeof LIMITS, number>>;

export const DEFAULT_LIMITS: Limits = limitsOf({});

/** The defaults, but for what is given. */
export function limitsOf(given: Partial<Limits>): Limits {
  const limits: Partial<Record<keyof Limits, number>> = {};
  for (const field of Object.keys(LIMITS) as (keyof Limits)[]) {
    limits[field] = given[field] ?? LIMITS[field].value;
  }
  return limits as Limits;
}

function time(name: string, value: number, doc: string): Row {
  return { name, unit: "time", value, min: 1, max: WEEK_MS, doc };
}

function bytes(name: string, value: number, doc: string): Row {
  return { name, unit: "bytes", value, min: 0, max: 1_048_576, doc };
}

function count(name: string, value: number, doc: string): Row {
  return { name, unit: "count", value, min: 0, max: 1_000_000, doc };
}

// --- what nobody has a reason to change ---
/** A client that raced its request against our drain, or lack of room, still gets its answer. */
export const DRAIN_IDLE_MS = 1_000;
/** Idle connections of a draining worker close within this time, not all at once. */
export const DRAIN_SPREAD_MS = 2_000;
/** Requests rind answers by itself in one go, before others get their turn. */
export const TURN_MAX = 8;
/**
 * Bun reads up to 512 KiB at once, and the same socket again at once while all but 24 KiB of that
 * fill, ten times over. A read of this size …
 */
export const LONG_READ = 488 * 1024;
/** … with more chunks than that is work, and its connection waits for a turn of the others. */
export const CHUNKS_MAX = 2_048;
/** Interim responses before the final one. */
export const INTERIM_MAX = 32;
/** So many races of a reused connection with its backend's idle close, in this time … */
export const RACES_MAX = 3;
export const RACE_WINDOW_MS = 60_000;
/** … halve how long idle connections are kept, to this at least; time without one lengthens it. */
export const IDLE_FLOOR_MS = 1_000;
export const IDLE_RECOVER_MS = 1_800_000;
/** How long a knock at an endpoint waits to get in, and then whether it is thrown out. */
export const KNOCK_MS = 2_000;
export const KNOCK_STAY_MS = 200;
/** Knocks at a time; further ones wait for their turn. */
export const KNOCKS_MAX = 256;
/** Connections tried for one request: the first, and others that may be unreachable too. */
export const ATTEMPTS_MAX = 3;
