/** Request heads: request line, header section, and the rules that need both (RFC 9112 §3, §6). */
import {
  BAD_REQUEST_LINE,
  BAD_TARGET,
  BAD_VERSION,
  HEAD_TOO_LARGE,
  METHOD_REFUSED,
  METHOD_UNKNOWN,
  MORE,
  OK,
  TARGET_TOO_LONG,
} from "../fault.ts";
import {
  ABSOLUTE,
  ASTERISK,
  CLOSE,
  HAS_DATE,
  HAS_HOST,
  HAS_LENGTH,
  HTTPS,
  KEEP_ALIVE,
  PATH_ODD,
  TRAILERS,
} from "../head.ts";
import type { Head } from "../head.ts";
import { DEFAULT_LIMITS } from "../limits.ts";
import { CLASS, PATH, TARGET, TCHAR } from "./classes.ts";
import { WIDEST_LIMITS, headLimitsOf, judge, parseFields } from "./fields.ts";
import type { HeadLimits } from "./fields.ts";
import { hostEnd } from "./host.ts";
import { judgeRequest } from "./judge.ts";
import { readLines } from "./lines.ts";

const CR = 13;
const LF = 10;
const SP = 32;
const SLASH = 47;
const DOT = 46;
const QUESTION = 63;
const STAR = 42;
const METHOD_MAX = 32;
const TARGET_MAX = 8_192;
const EMPTY_LINES_MAX = 2;
/** The request line has limits of its own, which nobody has a reason to change. */
const LINE_LIMITS: HeadLimits = {
  ...WIDEST_LIMITS,
  line: METHOD_MAX + TARGET_MAX + "  HTTP/1.1\r\n".length,
};

const DEFAULT = headLimitsOf(DEFAULT_LIMITS);

/** Flags that need no more than a Host line to be a plain, valid request. */
const ORDINARY = HAS_HOST | CLOSE | KEEP_ALIVE | PATH_ODD | HAS_LENGTH | HAS_DATE | TRAILERS;

// === hot ===

/**
 * Parses a request head from `head.next`; `head.bytes` holds it up to `available`. OK with all of
 * `head` set and `head.end` behind it; MORE when bytes are missing (call again with more of them:
 * lines already parsed are not parsed again); else the id of the fault to answer.
 */
export function parseRequest(head: Head, available: number, limits = DEFAULT): number {
  if (head.phase === 0) {
    const line = requestLine(head, available);
    if (line !== OK) return line;
    head.phase = 1;
  }
  const fields = parseFields(head, available, limits);
  if (fields !== OK) return fields;
  readLines(head);
  const plain = (head.flags & ~ORDINARY) === 0 && (head.flags & HAS_HOST) !== 0;
  return plain && head.hops === 0 ? OK : judgeRequest(head);
}

function requestLine(head: Head, available: number): number {
  const bytes = head.bytes;
  if (bytes[head.next] === CR || bytes[head.next] === LF) {
    const skipped = skipEmptyLines(head, available);
    if (skipped !== OK) return skipped;
  }
  let at = head.next;
  while (at < available && (CLASS[bytes[at]!]! & TCHAR) !== 0) at++;
  head.methodStart = head.next;
  head.methodEnd = at;
  if (at >= available || bytes[at] !== SP || at === head.next) return wrongLine(head, available);
  at++;
  head.pathStart = at;
  if (bytes[at] !== SLASH) return otherForm(head, at, available);
  at = scanPath(head, at, available);
  if (at < available && bytes[at] === QUESTION) at = scanQuery(head, at + 1, available);
  return lineEnd(head, at, available);
}

/** Moves over path bytes; sets `pathEnd` and whether the path needs a second look. */
function scanPath(head: Head, start: number, available: number): number {
  const bytes = head.bytes;
  let at = start;
  while (at < available) {
    const byte = bytes[at]!;
    const kind = CLASS[byte]!;
    if ((kind & PATH) === 0) {
      if ((kind & TARGET) === 0 || byte === QUESTION) break;
      if (byte !== DOT || bytes[at - 1] === SLASH) head.flags |= PATH_ODD;
    }
    at++;
  }
  head.pathEnd = at;
  return at;
}

function scanQuery(head: Head, start: number, available: number): number {
  let at = start;
  while (at < available && (CLASS[head.bytes[at]!]! & TARGET) !== 0) at++;
  head.queryStart = start;
  head.queryEnd = at;
  return at;
}

/** ` HTTP/1.x CRLF` at `at`. */
function lineEnd(head: Head, at: number, available: number): number {
  const bytes = head.bytes;
  if (available - at < 11) return wrongLine(head, available);
  const minor = bytes[at + 8]! - 0x30;
  const fits =
    bytes[at] === SP &&
    bytes[at + 1] === 0x48 &&
    bytes[at + 2] === 0x54 &&
    bytes[at + 3] === 0x54 &&
    bytes[at + 4] === 0x50 &&
    bytes[at + 5] === 0x2f &&
    bytes[at + 6] === 0x31 &&
    bytes[at + 7] === DOT &&
    (minor === 1 || minor === 0) &&
    bytes[at + 9] === CR &&
    bytes[at + 10] === LF;
  if (!fits || head.methodEnd - head.methodStart > METHOD_MAX) return wrongLine(head, available);
  if (at - head.methodEnd - 1 > TARGET_MAX) return TARGET_TOO_LONG;
  head.minor = minor;
  head.next = at + 11;
  return isRefused(head) ? METHOD_REFUSED : OK;
}

// === cold ===

/** Bytes after which an unfinished line is judged although its end is missing. */
export function requestLineMax(head: Head, limits = DEFAULT): number {
  return head.phase === 0 ? LINE_LIMITS.line : limits.line;
}

/** TRACE and CONNECT are never forwarded (RFC 9110 §9.3.6, §9.3.8). */
function isRefused(head: Head): boolean {
  const length = head.methodEnd - head.methodStart;
  if (length !== 5 && length !== 7) return false;
  const first = head.bytes[head.methodStart];
  if (first !== 0x54 && first !== 0x43) return false;
  const method = head.bytes.toString("latin1", head.methodStart, head.methodEnd);
  return method === "TRACE" || method === "CONNECT";
}

/** At most two empty lines before a request (RFC 9112 §2.2), counted over all reads. */
function skipEmptyLines(head: Head, available: number): number {
  const bytes = head.bytes;
  while (head.next < available) {
    if (bytes[head.next] !== CR && bytes[head.next] !== LF) {
      head.start = head.next;
      return OK;
    }
    const lines = (head.next - head.start) / 2;
    if (lines === EMPTY_LINES_MAX || bytes[head.next] === LF) return BAD_REQUEST_LINE;
    if (head.next + 1 >= available) return MORE;
    if (bytes[head.next + 1] !== LF) return judge(head, available, LINE_LIMITS, BAD_REQUEST_LINE);
    head.next += 2;
  }
  return MORE;
}

/** What is wrong with a request line, once all of it is here. */
function wrongLine(head: Head, available: number): number {
  const verdict = judge(head, available, LINE_LIMITS, BAD_REQUEST_LINE);
  if (verdict === HEAD_TOO_LARGE) return wrongStart(head);
  // What cannot begin a method (TLS on the plain port, say) need not be waited for.
  if (verdict === MORE && head.methodEnd === head.next && head.next < available) {
    return BAD_REQUEST_LINE;
  }
  if (verdict === MORE) return MORE;
  const lf = head.bytes.indexOf(LF, head.next);
  const line = head.bytes.toString("latin1", head.next, lf + 1);
  const shape = /^([^ ]+) ([^ ]+) (HTTP\/\d\.\d)\r\n$/.exec(line);
  // HTTP/0.9 has no version to speak of (RFC 9112 §2.3 begins at 1.0).
  if (shape === null || !isToken(shape[1]!) || shape[3] === "HTTP/0.9") return BAD_REQUEST_LINE;
  if (shape[1]!.length > METHOD_MAX) return METHOD_UNKNOWN;
  if (shape[3] !== "HTTP/1.1" && shape[3] !== "HTTP/1.0") return BAD_VERSION;
  return shape[2]!.length > TARGET_MAX ? TARGET_TOO_LONG : BAD_TARGET;
}

/** A line without an end in sight: its target is too long, if it begins like a request at all. */
function wrongStart(head: Head): number {
  const limit = head.next + LINE_LIMITS.line;
  let at = head.next;
  while (at < limit && (CLASS[head.bytes[at]!]! & TCHAR) !== 0) at++;
  if (at === head.next || at === limit || head.bytes[at] !== SP) return BAD_REQUEST_LINE;
  return at - head.next > METHOD_MAX ? METHOD_UNKNOWN : TARGET_TOO_LONG;
}

function isToken(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    if ((CLASS[text.charCodeAt(i) & 0xff]! & TCHAR) === 0) return false;
  }
  return true;
}

/** `*` and absolute-form (RFC 9112 §3.2.2, §3.2.4); every other target is refused. */
function otherForm(head: Head, at: number, available: number): number {
  const bytes = head.bytes;
  const lf = bytes.indexOf(LF, at);
  if (lf < 0 || lf >= available) return wrongLine(head, available);
  if (isRefused(head)) return METHOD_REFUSED;
  if (bytes[at] === STAR && bytes[at + 1] === SP) return asteriskForm(head, at, available);
  const text = bytes.toString("latin1", at, Math.min(lf, at + TARGET_MAX));
  const shape = /^(https?):\/\/([^/?# ]*)([/?]| )/i.exec(text);
  if (shape === null) return wrongLine(head, available);
  const authority = at + shape[1]!.length + 3;
  const path = authority + shape[2]!.length;
  if (hostEnd(bytes, authority, path) < 0) return wrongLine(head, available);
  head.flags |= shape[1]!.length === 5 ? ABSOLUTE | HTTPS : ABSOLUTE;
  head.targetHostStart = authority;
  head.targetHostEnd = path;
  let end = path;
  if (bytes[path] === SLASH) {
    head.pathStart = path;
    end = scanPath(head, path, available);
  } else {
    // An empty path is `/` (RFC 9110 §4.2.3): the scheme's second slash lends its byte.
    head.pathStart = authority - 1;
    head.pathEnd = authority;
  }
  if (bytes[end] === QUESTION) end = scanQuery(head, end + 1, available);
  return lineEnd(head, end, available);
}

function asteriskForm(head: Head, at: number, available: number): number {
  const method = head.bytes.toString("latin1", head.methodStart, head.methodEnd);
  head.flags |= ASTERISK;
  head.pathEnd = at + 1;
  const line = lineEnd(head, at + 1, available);
  return line === OK && method !== "OPTIONS" ? BAD_TARGET : line;
}
