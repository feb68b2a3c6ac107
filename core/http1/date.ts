/** The time of day as a header line, made once a second. */
import { ascii } from "../bytes.ts";

const SECOND_MS = 1_000;

let line = ascii("");
/** `line` is that of this second. To look at the clock costs as much as reading a short head. */
let fresh = false;

/**
 * `Date: Sun, 06 Nov 1994 08:49:37 GMT CRLF` of now. Every answer of our own has it, and so does a
 * backend's that came without: whoever forwards one must say when it was (RFC 9110 §6.6.1).
 */
export function dateLine(): Uint8Array {
  if (!fresh) renew();
  return line;
}

function renew(): void {
  const now = Date.now();
  line = ascii(`Date: ${new Date(now).toUTCString()}\r\n`);
  fresh = true;
  setTimeout(() => (fresh = false), SECOND_MS - (now % SECOND_MS)).unref();
}
