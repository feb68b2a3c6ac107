/** Response heads from backends, which are no more trusted than clients (RFC 9112 §4, §6.3). */
import { BAD_RESPONSE, MORE, OK } from "../fault.ts";
import { BOUND, CLOSE, HAS_CODING, HAS_DATE, HAS_LENGTH, KEEP_ALIVE } from "../head.ts";
import { BAD_CODING_LINE, BAD_LENGTH_LINE, MANY_OPTIONS, UNKNOWN_CODING_LINE } from "../head.ts";
import type { Head } from "../head.ts";
import { BY_CHUNKS, BY_CLOSE, BY_LENGTH, NO_BODY } from "./body.ts";
import { CLASS, DIGIT, VALUE } from "./classes.ts";
import { RESPONSE_LIMITS, judge, parseFields } from "./fields.ts";
import { readLines } from "./lines.ts";

const CR = 13;
const LF = 10;
const SP = 32;

/** Flags of a response that cannot be framed wrongly. */
const ORDINARY = HAS_LENGTH | HAS_DATE | CLOSE | KEEP_ALIVE;

// === hot ===

/** As `parseRequest`, for a response: OK, MORE or BAD_RESPONSE. */
export function parseResponse(head: Head, available: number): number {
  if (head.phase === 0) {
    const line = statusLine(head, available);
    if (line !== OK) return line;
    head.phase = 1;
  }
  const fields = parseFields(head, available, RESPONSE_LIMITS);
  if (fields !== OK) return fields === MORE ? MORE : BAD_RESPONSE;
  readLines(head);
  return (head.flags & ~ORDINARY) === 0 ? OK : judgeResponse(head);
}

/** `HTTP/1.x SP 3DIGIT [SP reason] CRLF`; the reason is validated and then forgotten. */
function statusLine(head: Head, available: number): number {
  const bytes = head.bytes;
  const start = head.next;
  if (available - start < 14 && !hasLine(head, available)) return wrongLine(head, available);
  const minor = bytes[start + 7]! - 0x30;
  const fits =
    bytes[start] === 0x48 &&
    bytes[start + 1] === 0x54 &&
    bytes[start + 2] === 0x54 &&
    bytes[start + 3] === 0x50 &&
    bytes[start + 4] === 0x2f &&
    bytes[start + 5] === 0x31 &&
    bytes[start + 6] === 0x2e &&
    (minor === 0 || minor === 1) &&
    bytes[start + 8] === SP;
  if (!fits) return wrongLine(head, available);
  let at = start + 9;
  let status = 0;
  while (at < start + 12 && (CLASS[bytes[at]!]! & DIGIT) !== 0) {
    status = status * 10 + (bytes[at]! - 0x30);
    at++;
  }
  if (at !== start + 12 || status < 100) return wrongLine(head, available);
  if (bytes[at] === SP) while (at < available && (CLASS[bytes[at]!]! & VALUE) !== 0) at++;
  if (at + 1 >= available || bytes[at] !== CR || bytes[at + 1] !== LF) {
    return wrongLine(head, available);
  }
  head.status = status;
  head.minor = minor;
  head.next = at + 2;
  return OK;
}

// === cold ===

function hasLine(head: Head, available: number): boolean {
  const lf = head.bytes.indexOf(LF, head.next);
  return lf >= 0 && lf < available;
}

function wrongLine(head: Head, available: number): number {
  const verdict = judge(head, available, RESPONSE_LIMITS, BAD_RESPONSE);
  // A first byte of something else, HTTP/2 say, need not wait for the end of its line.
  const other = head.next < available && head.bytes[head.next] !== 0x48;
  return verdict === MORE && !other ? MORE : BAD_RESPONSE;
}

/**
 * Framing a backend must get right. Transfer-Encoding beside Content-Length is read as chunked, but
 * closes both connections (RFC 9112 §6.3); in an HTTP/1.0 response it is refused.
 */
function judgeResponse(head: Head): number {
  const flags = head.flags;
  if ((flags & (BAD_LENGTH_LINE | MANY_OPTIONS)) !== 0) return BAD_RESPONSE;
  if ((flags & HAS_CODING) !== 0) {
    const wrong = BAD_CODING_LINE | UNKNOWN_CODING_LINE;
    if (head.minor === 0 || (flags & wrong) !== 0) return BAD_RESPONSE;
    if ((flags & HAS_LENGTH) !== 0) head.flags |= CLOSE;
    head.length = -1;
  }
  return OK;
}

/** The framing of a response (RFC 9112 §6.3); `toHead`: it answers a HEAD. */
export function responseKind(head: Head, toHead: boolean): number {
  if (toHead || head.status === 204 || head.status === 304) return NO_BODY;
  if (head.chunked) return BY_CHUNKS;
  return head.length >= 0 ? BY_LENGTH : BY_CLOSE;
}

/**
 * Whether the backend keeps its connection. One that authenticates the connection itself (NTLM,
 * Negotiate) must not carry anybody else's requests, so it is not kept.
 */
export function isKept(head: Head): boolean {
  if ((head.flags & BOUND) !== 0) return false;
  return head.minor === 1 ? (head.flags & CLOSE) === 0 : (head.flags & KEEP_ALIVE) !== 0;
}
