/**
 * Heads on their way out. Lines that travel on are copied in runs; framing, hop-by-hop fields and
 * everything this proxy manages are written here and nowhere else, so that what leaves has one
 * meaning whatever came in (RFC 9110 §7.6, RFC 9112 §6).
 */
import { ascii, writeDecimal, writeHex } from "../bytes.ts";
import { FIELD, HAS_DATE, KNOWN, NAME_START, WEBSOCKET } from "../head.ts";
import type { Head } from "../head.ts";
import type { Slab } from "../slab.ts";
import { dateLine } from "./date.ts";
import { BY_CHUNKS } from "./body.ts";
import {
  H_AUTH,
  H_DATE,
  H_EXPECT,
  H_FORWARDED_FOR,
  H_FORWARDED_HOST,
  H_FORWARDED_PORT,
  H_FORWARDED_PROTO,
  H_HOST,
  H_HSTS,
  H_MANAGED,
  H_MAX_FORWARDS,
  H_ODD,
  H_OTHER,
  H_VIA,
  H_WS_ACCEPT,
  H_WS_KEY,
  H_WS_VERSION,
} from "./names.ts";
import { statusLine } from "./status.ts";

const NONE = -1;
const CR = 13;
const LF = 10;
const SP = 32;
const QUESTION = 63;
const VERSION = ascii(" HTTP/1.1\r\n");
const LENGTH = ascii("Content-Length: ");
const MAX_FORWARDS = ascii("Max-Forwards: ");
const CHUNKED = ascii("Transfer-Encoding: chunked\r\n");
const CLOSE = ascii("Connection: close\r\n");
const KEEP_ALIVE = ascii("Connection: keep-alive\r\n");
const UPGRADE = ascii("Connection: Upgrade\r\nUpgrade: websocket\r\n");
const VIA_11 = ascii("Via: 1.1 rind\r\n");
const VIA_10 = ascii("Via: 1.0 rind\r\n");
/** The same with the name of the line that follows in most requests: one copy less. */
const VIA_11_HOST = ascii("Via: 1.1 rind\r\nX-Forwarded-Host: ");
const VIA_10_HOST = ascii("Via: 1.0 rind\r\nX-Forwarded-Host: ");
const NO_HOST = ascii("Host:\r\n");

/** 1 for the ids of lines that a request takes along. */
const REQUEST_KEEPS = keeps([
  H_DATE,
  H_OTHER,
  H_HOST,
  H_HSTS,
  H_VIA,
  H_AUTH,
  H_MAX_FORWARDS,
  H_WS_KEY,
  H_WS_VERSION,
]);

/** The same for a response, where managed names are the backend's to set. */
const RESPONSE_KEEPS = keeps([
  H_DATE,
  H_OTHER,
  H_HOST,
  H_HSTS,
  H_EXPECT,
  H_MANAGED,
  H_FORWARDED_FOR,
  H_FORWARDED_HOST,
  H_FORWARDED_PROTO,
  H_FORWARDED_PORT,
  H_VIA,
  H_WS_KEY,
  H_WS_VERSION,
  H_WS_ACCEPT,
  H_ODD,
  H_AUTH,
  H_MAX_FORWARDS,
]);

// --- how a response tells the client what becomes of the connection ---
export const SAY_NOTHING = 0;
export const SAY_CLOSE = 1;
export const SAY_KEEP_ALIVE = 2;
export const SAY_UPGRADE = 3;

// === hot ===

/**
 * Writes a request head for a backend. `forwarded` is the client's part (forwarded.ts); `hosted`:
 * it names the forwarded host already.
 */
export function writeRequest(slab: Slab, head: Head, forwarded: Uint8Array, hosted: boolean): void {
  // A request line that nothing was changed of travels with the lines behind it, in one piece.
  const asItCame = head.path === head.bytes && head.pathStart === head.methodEnd + 1;
  if (asItCame && head.minor === 1) copyLines(slab, head, REQUEST_KEEPS, head.methodStart);
  else {
    writeRequestLine(slab, head);
    copyLines(slab, head, REQUEST_KEEPS, NONE);
  }
  if (head.length >= 0) writeNumber(slab, LENGTH, head.length);
  else if (head.chunked) slab.add(CHUNKED);
  if ((head.flags & WEBSOCKET) !== 0) slab.add(UPGRADE);
  if (head.maxForwards >= 0) writeNumber(slab, MAX_FORWARDS, head.maxForwards);
  slab.add(forwarded);
  const named = head.authorityEnd > head.authorityStart;
  if (named && !hosted) writeViaAndHost(slab, head);
  else slab.add(head.minor === 1 ? VIA_11 : VIA_10);
  if (!named) slab.add(NO_HOST);
  endHead(slab);
}

/** Writes a response head with the framing `kind` and one of the `SAY_…` words. */
export function writeResponse(slab: Slab, head: Head, kind: number, say: number): void {
  slab.add(statusLine(head.status));
  copyLines(slab, head, RESPONSE_KEEPS, NONE);
  const bodiless = head.status < 200 || head.status === 204;
  if ((head.flags & HAS_DATE) === 0 && head.status >= 200) slab.add(dateLine());
  if (kind === BY_CHUNKS) slab.add(CHUNKED);
  else if (head.length >= 0 && !bodiless) writeNumber(slab, LENGTH, head.length);
  if (say === SAY_CLOSE) slab.add(CLOSE);
  else if (say === SAY_KEEP_ALIVE) slab.add(KEEP_ALIVE);
  else if (say === SAY_UPGRADE) slab.add(UPGRADE);
  endHead(slab);
}

/** One more line, CRLF and all, for the head that was written last. */
export function addLine(slab: Slab, line: string): void {
  slab.end -= 2;
  slab.end += slab.bytes.write(line, slab.end, "latin1");
  endHead(slab);
}

/** Via, and X-Forwarded-Host with the Host as it came. */
function writeViaAndHost(slab: Slab, head: Head): void {
  slab.add(head.minor === 1 ? VIA_11_HOST : VIA_10_HOST);
  const { bytes, authorityStart, authorityEnd } = head;
  const out = slab.bytes;
  let at = slab.end;
  // Names are short, and to call for a copy costs more than the copy.
  for (let i = authorityStart; i < authorityEnd; i++) out[at++] = bytes[i]!;
  out[at] = CR;
  out[at + 1] = LF;
  slab.end = at + 2;
}

function writeRequestLine(slab: Slab, head: Head): void {
  const out = slab.bytes;
  let at = slab.end;
  at += head.bytes.copy(out, at, head.methodStart, head.methodEnd);
  out[at++] = SP;
  at += head.path.copy(out, at, head.pathStart, head.pathEnd);
  if (head.queryStart >= 0) {
    out[at++] = QUESTION;
    at += head.bytes.copy(out, at, head.queryStart, head.queryEnd);
  }
  slab.end = at;
  slab.add(VERSION);
}

/** Copies the lines that are `kept`, and before them what begins at `from` if that is not NONE. */
function copyLines(slab: Slab, head: Head, kept: Uint8Array, from: number): void {
  const fields = head.fields;
  const last = head.count * FIELD;
  let run = from;
  for (let line = 0; line < last; line += FIELD) {
    if (kept[fields[line + KNOWN]!] === 1) {
      if (run < 0) run = fields[line + NAME_START]!;
    } else if (run >= 0) {
      slab.end += head.bytes.copy(slab.bytes, slab.end, run, fields[line + NAME_START]!);
      run = NONE;
    }
  }
  // The lines end where the empty line begins.
  if (run >= 0) slab.end += head.bytes.copy(slab.bytes, slab.end, run, head.end - 2);
}

function writeNumber(slab: Slab, name: Uint8Array, value: number): void {
  slab.add(name);
  const at = writeDecimal(slab.bytes, slab.end, value);
  slab.bytes[at] = CR;
  slab.bytes[at + 1] = LF;
  slab.end = at + 2;
}

function endHead(slab: Slab): void {
  slab.bytes[slab.end] = CR;
  slab.bytes[slab.end + 1] = LF;
  slab.end += 2;
}

/** Bytes that a chunk's framing takes at most: 16 digits and twice CRLF. */
export const CHUNK_FRAMING = 20;

/** Writes `bytes[from, to)` as one chunk; the caller made sure that it fits. */
export function writeChunk(slab: Slab, bytes: Buffer, from: number, to: number): void {
  const out = slab.bytes;
  let at = writeHex(out, slab.end, to - from);
  out[at] = CR;
  out[at + 1] = LF;
  at += 2;
  at += bytes.copy(out, at, from, to);
  out[at] = CR;
  out[at + 1] = LF;
  slab.end = at + 2;
}

// === cold ===

/** Ends a chunked body, without trailers. */
export const LAST_CHUNK = ascii("0\r\n\r\n");

const LAST_SIZE = ascii("0\r\n");

/** Ends a chunked body with whole trailer lines; the caller made sure that they fit. */
export function writeLastChunk(slab: Slab, trailers: Uint8Array): void {
  slab.add(LAST_SIZE);
  slab.add(trailers);
  endHead(slab);
}

function keeps(ids: readonly number[]): Uint8Array {
  const kept = new Uint8Array(32);
  for (const id of ids) kept[id] = 1;
  return kept;
}
