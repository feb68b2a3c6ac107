/** The Host value and the authority of a target (RFC 9110 §7.2, RFC 3986 §3.2). */
import { isAddress } from "../cidr.ts";
import { CLASS, DIGIT, LABEL } from "./classes.ts";

const DOT = 46;
const COLON = 58;
const OPEN = 91;
const CLOSE = 93;
const HOST_MAX = 253;

/**
 * The end of the host name inside `bytes[from, to)`, without port and trailing dot; -1 when it is
 * not `reg-name / IPv4 / [IPv6]` with an optional port of 0–65535. Escapes are refused.
 */
export function hostEnd(bytes: Uint8Array, from: number, to: number): number {
  if (from === to) return -1;
  if (bytes[from] === OPEN) return literalEnd(bytes, from, to);
  let at = from;
  let label = from;
  while (at < to && bytes[at] !== COLON) {
    if (bytes[at] === DOT) {
      if (at === label) return -1;
      label = at + 1;
    } else if ((CLASS[bytes[at]!]! & LABEL) === 0) return -1;
    at++;
  }
  const end = at > from && bytes[at - 1] === DOT ? at - 1 : at;
  if (end === from || end - from > HOST_MAX) return -1;
  return portIsValid(bytes, at, to) ? end : -1;
}

/** `[IPv6]`; zones and addresses of the future (RFC 3986 §3.2.2) are refused. */
function literalEnd(bytes: Uint8Array, from: number, to: number): number {
  let at = from + 1;
  let colons = 0;
  while (at < to && bytes[at] !== CLOSE) if (bytes[at++] === COLON) colons++;
  if (at === to || colons === 0 || !isAddress(bytes, from + 1, at)) return -1;
  return portIsValid(bytes, at + 1, to) ? at + 1 : -1;
}

/** Whether `bytes[at, to)` is empty or `:` and one to five digits that make at most 65535. */
function portIsValid(bytes: Uint8Array, at: number, to: number): boolean {
  if (at === to) return true;
  if (bytes[at] !== COLON || to - at < 2 || to - at > 6) return false;
  let port = 0;
  for (let i = at + 1; i < to; i++) {
    if ((CLASS[bytes[i]!]! & DIGIT) === 0) return false;
    port = port * 10 + (bytes[i]! - 0x30);
  }
  return port <= 65_535;
}
