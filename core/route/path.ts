/**
 * The canonical path: computed once, and the only form that is matched, logged and forwarded. Two
 * spellings a backend could take for one path must not take two routes here, and a spelling that
 * hides a dot segment takes none.
 */
import type { Head } from "../head.ts";
import { NONE } from "../model.ts";

const SLASH = 0x2f;
const DOT = 0x2e;
const PERCENT = 0x25;
const BACKSLASH = 0x5c;
const SEMICOLON = 0x3b;

/** Longest path that can be rewritten, bytes; request heads are bounded well below it. */
const PATH_BYTES_MAX = 65_536;

/** Where canonical paths are written; one is never longer than its source. */
const scratch = Buffer.alloc(PATH_BYTES_MAX);

/** Bytes a triplet may stand for without changing the meaning (RFC 3986 §2.3). */
const UNRESERVED = new Uint8Array(256);
for (const char of "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~") {
  UNRESERVED[char.charCodeAt(0)] = 1;
}

/** Bytes that are decoded or refused. */
const ODD = new Uint8Array(256).fill(1);
for (let byte = 0x21; byte <= 0x7e; byte++) ODD[byte] = 0;
ODD[PERCENT] = 1;
ODD[BACKSLASH] = 1;

/** Value of a hexadecimal digit; 255 for any other byte. */
const HEX = new Uint8Array(256).fill(255);
for (let value = 0; value < 16; value++) {
  HEX[value.toString(16).charCodeAt(0)] = value;
  HEX[value.toString(16).toUpperCase().charCodeAt(0)] = value;
}

/**
 * The canonical form of a rule's path, by the same code that judges requests. `null` when no
 * request could ever have this path: it does not start with a slash, holds `?`, `#`, a space or
 * anything outside ASCII, or is refused like a request's.
 */
export function canonicalise(text: string): string | null {
  const bytes = Buffer.from(text, "utf8");
  if (bytes[0] !== SLASH || bytes.includes("?") || bytes.includes("#")) return null;
  const length = rewrite(bytes, 0, bytes.length);
  return length === NONE ? null : scratch.toString("latin1", 0, length);
}

// === hot ===

/**
 * Makes the path of a request canonical, or returns false: answer 400. A path that needs no work
 * is left where it is; any other one moves to a buffer of this module and is valid until the next
 * call, so whoever keeps a head for longer copies the path.
 */
export function canonicalPath(head: Head): boolean {
  if (!odd(head.path, head.pathStart, head.pathEnd)) return true;
  const length = rewrite(head.path, head.pathStart, head.pathEnd);
  if (length === NONE) return false;
  head.path = scratch;
  head.pathStart = 0;
  head.pathEnd = length;
  return true;
}

/** Whether any byte asks for a second look. A dot segment always starts with slash and dot. */
function odd(path: Uint8Array, start: number, end: number): boolean {
  let last = 0;
  for (let i = start; i < end; i++) {
    const byte = path[i]!;
    if (ODD[byte] === 1 || (byte === DOT && last === SLASH)) return true;
    last = byte;
  }
  return false;
}

/** Writes the canonical form to `scratch` and returns its length, or NONE. */
function rewrite(path: Uint8Array, start: number, end: number): number {
  if (end - start > PATH_BYTES_MAX) return NONE;
  const length = decode(path, start, end);
  return length === NONE ? NONE : climb(length);
}

/** Decodes the triplets of unreserved bytes and writes all others in upper case. */
function decode(path: Uint8Array, start: number, end: number): number {
  let to = 0;
  for (let i = start; i < end; i++) {
    const byte = path[i]!;
    if (byte < 0x21 || byte > 0x7e || byte === BACKSLASH) return NONE;
    if (byte !== PERCENT) {
      scratch[to++] = byte;
      continue;
    }
    if (i + 2 >= end) return NONE;
    const high = HEX[path[i + 1]!]!;
    const low = HEX[path[i + 2]!]!;
    if (high === 255 || low === 255 || high + low === 0) return NONE;
    i += 2;
    const value = (high << 4) | low;
    if (UNRESERVED[value] === 1) {
      scratch[to++] = value;
      continue;
    }
    scratch[to++] = PERCENT;
    scratch[to++] = upperHex(high);
    scratch[to++] = upperHex(low);
  }
  return to;
}

function upperHex(value: number): number {
  return value < 10 ? 0x30 + value : 0x37 + value;
}

/**
 * Removes plain dot segments in place (RFC 3986 §5.2.4) and returns the new length; NONE when a
 * segment hides dots, or when `..` stands next to an empty segment: servers that merge slashes and
 * servers that do not would end up in different places.
 */
function climb(length: number): number {
  let to = 0;
  let climbed = false;
  let at = 0;
  while (at < length) {
    let next = at + 1;
    while (next < length && scratch[next] !== SLASH) next++;
    const dots = plainDots(at + 1, next);
    if (dots === 0) {
      if (hidesDots(at + 1, next)) return NONE;
      if (climbed && next === at + 1 && next < length) return NONE;
      climbed = false;
      scratch.copyWithin(to, at, next);
      to += next - at;
    } else {
      if (dots === 2) {
        if (to > 0 && scratch[to - 1] === SLASH) return NONE;
        to = parent(to);
        climbed = true;
      }
      if (next === length) scratch[to++] = SLASH;
    }
    at = next;
  }
  return to;
}

/** Where the last segment before `to` begins, its slash included; 0 at the root. */
function parent(to: number): number {
  let at = to;
  while (at > 0) {
    at--;
    if (scratch[at] === SLASH) break;
  }
  return at;
}

/** 1 for the segment `.`, 2 for `..`, else 0. */
function plainDots(start: number, end: number): number {
  const size = end - start;
  if (size < 1 || size > 2 || scratch[start] !== DOT) return 0;
  return size === 1 || scratch[start + 1] === DOT ? size : 0;
}

/**
 * Whether a backend that decodes `%2F` and `%5C`, or cuts parameters at `;` (or at `%3B`), could
 * read a dot segment in the bytes [start, end), which are not plainly one.
 */
function hidesDots(start: number, end: number): boolean {
  /** Dots since the last separator, NONE once anything else was seen. */
  let dots = 0;
  for (let i = start; i < end; i++) {
    const byte = scratch[i]!;
    if (byte === DOT) {
      if (dots !== NONE) dots++;
      continue;
    }
    const mark = byte === PERCENT ? (HEX[scratch[i + 1]!]! << 4) | HEX[scratch[i + 2]!]! : byte;
    if (byte === PERCENT) i += 2;
    const separates = mark === SLASH || mark === BACKSLASH;
    if ((separates || mark === SEMICOLON) && (dots === 1 || dots === 2)) return true;
    dots = separates ? 0 : NONE;
  }
  return end > start && (dots === 1 || dots === 2);
}
