/** What is waited for, and how much is held, before a connection is given up. */

// --- downstream ---
/** Until the whole of a request head is here. */
export const REQUEST_HEAD_MS = 10_000;
/** Between two requests of a kept connection. */
export const KEEP_ALIVE_MS = 75_000;
/** Between two pieces of a request body. */
export const REQUEST_BODY_MS = 30_000;
/** Without the client taking a byte of what waits for it. */
export const CLIENT_STALL_MS = 30_000;
/** From our FIN to the client's: reading on keeps a reset from eating the answer. */
export const LINGER_MS = 2_000;
/** A client that raced its request against our drain still gets its answer. */
export const DRAIN_IDLE_MS = 1_000;
/** Bytes of pipelined requests that wait behind the current one; more stay in the kernel. */
export const BACKLOG_MAX = 65_536;
/** An unread request body up to this size is read and dropped to keep the connection. */
export const DISCARD_MAX = 65_536;
/** Requests rind answers by itself in one go, before others get their turn. */
export const TURN_MAX = 8;

// --- upstream ---
/** An idle connection waits for its next request. Shorter than most backends wait. */
export const UPSTREAM_IDLE_MS = 55_000;
/** Without a byte through a tunnel in either direction. */
export const TUNNEL_IDLE_MS = 3_600_000;
/** Interim responses before the final one. */
export const INTERIM_MAX = 32;
/** Connections tried for one request: the first, and others that may be unreachable too. */
export const ATTEMPTS_MAX = 3;
