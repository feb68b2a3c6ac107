/** The time of day as a header line, made once a second. */
import { ascii } from "../bytes.ts";

let second = 0;
let line = ascii("");

/**
 * `Date: Sun, 06 Nov 1994 08:49:37 GMT CRLF` of now. Every answer of our own has it, and so does a
 * backend's that came without: whoever forwards one must say when it was (RFC 9110 §6.6.1).
 */
export function dateLine(): Uint8Array {
  const now = Math.floor(Date.now() / 1_000);
  if (now !== second) {
    second = now;
    line = ascii(`Date: ${new Date(now * 1_000).toUTCString()}\r\n`);
  }
  return line;
}
