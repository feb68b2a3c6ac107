/** Comma-separated lists in field values (RFC 9110 §5.6.1), read without making strings. */
import type { Head } from "../head.ts";

const COMMA = 44;
const SP = 32;
const HTAB = 9;

/** Calls `read` for each element of a comma list; empty elements are skipped (RFC 9110 §5.6.1). */
export function readTokens(
  head: Head,
  from: number,
  to: number,
  read: (head: Head, from: number, to: number) => void,
): void {
  let at = from;
  while (at < to) {
    let end = at;
    while (end < to && head.bytes[end] !== COMMA) end++;
    let start = at;
    let stop = end;
    while (start < stop && isOws(head.bytes[start]!)) start++;
    while (stop > start && isOws(head.bytes[stop - 1]!)) stop--;
    if (stop > start) read(head, start, stop);
    at = end + 1;
  }
}

/** Whether a byte is optional white space: SP or HTAB (RFC 9110 §5.6.3). */
export function isOws(byte: number): boolean {
  return byte === SP || byte === HTAB;
}
