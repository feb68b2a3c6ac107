/**
 * What a route asks of the way a request came: over TLS, and under which of its policies. A host
 * whose clients must show certificates is never reached by a connection that did not ask for them.
 */
import { ascii } from "../bytes.ts";
import { HTTPS, type Head } from "../head.ts";
import type { Route } from "../model.ts";

/** `policy` of its host; null: any will do. `hsts` is a whole header line, or "". */
export type Guard = Readonly<{ policy: string | null; redirect: boolean; hsts: string }>;

/** How a request came, as an exchange's downstream knows it. */
type Way = Readonly<{ secure: boolean; policy: string }>;

// --- verdicts ---
export const ADMITTED = 0;
/** To be sent to HTTPS. */
export const ELSEWHERE = 1;
/** It came under another policy, or scheme, than its target's (RFC 9110 §15.5.20). */
export const STRAY = 2;

const HTTPS_PORT = 443;
/** A longer value of Strict-Transport-Security is left out, as one that is no header value is. */
const HSTS_MAX = 1_024;
const HSTS_VALUE = /^[\t\x20-\x7e]+$/;
/** Where the servers of certificate authorities look. They ask by plain HTTP (RFC 8555 §8.3). */
const CHALLENGES = "/.well-known/acme-challenge/";
const CHALLENGE_BYTES = ascii(CHALLENGES);

/** Of most hosts that speak TLS. */
const REDIRECT: Guard = { policy: "", redirect: true, hsts: "" };

/** Of a route that leads to challenges alone, at a host with a policy: no client has that yet. */
const OPEN: Guard = { policy: null, redirect: false, hsts: "" };

/**
 * Of a route of a host with this policy. Null when nothing is asked; `like` if that asks for the
 * same, so that routes share theirs.
 */
export function compileGuard(policy: string, route: Route, like: Guard | null): Guard | null {
  const { redirect, hsts } = route.policy;
  if (policy !== "" && `${route.match.path.value}/`.startsWith(CHALLENGES)) return OPEN;
  const said = HSTS_VALUE.test(hsts) && hsts.length <= HSTS_MAX;
  if (policy === "" && !said) return redirect ? REDIRECT : null;
  const line = said ? `Strict-Transport-Security: ${hsts}\r\n` : "";
  const guard = { policy, redirect: redirect || policy !== "", hsts: line };
  return Bun.deepEquals(guard, like) ? like : guard;
}

/**
 * What becomes of a request of a route with this guard. `own`: this rind listens for HTTPS; where
 * it does not, a redirect leads to whoever ends TLS in front of it, but nobody there has a policy.
 * The path must be canonical, so that nothing else hides behind that of a challenge.
 */
export function judge(guard: Guard | null, way: Way, head: Head, own: boolean): number {
  const policy = guard === null ? "" : guard.policy;
  if (!way.secure && (head.flags & HTTPS) !== 0) return STRAY;
  if (guard !== null && guard.redirect && !way.secure) {
    // A host with a policy of its own is never served in clear.
    if (policy === "" ? !isChallenge(head) : own) return ELSEWHERE;
  }
  // Whatever a proxy says about its client: the client did not show us its certificate.
  return policy === null || policy === way.policy ? ADMITTED : STRAY;
}

function isChallenge({ path, pathStart, pathEnd }: Head): boolean {
  const { length } = CHALLENGE_BYTES;
  const end = pathStart + length;
  return pathEnd > end && path.compare(CHALLENGE_BYTES, 0, length, pathStart, end) === 0;
}

/**
 * The same target at the same host over HTTPS; "" for a request of HTTP/1.0 that names no host. All
 * bytes are from a head that was accepted: none can end a header line, or the host.
 */
export function secureUrl(head: Head, port: number): string {
  const { bytes } = head;
  if (head.hostStart === head.hostEnd) return "";
  const host = bytes.toString("latin1", head.hostStart, head.hostEnd);
  const at = port === HTTPS_PORT ? "" : `:${port}`;
  const path = head.path.toString("latin1", head.pathStart, head.pathEnd);
  const query =
    head.queryStart < 0 ? "" : `?${bytes.toString("latin1", head.queryStart, head.queryEnd)}`;
  return `https://${host}${at}${path}${query}`;
}
