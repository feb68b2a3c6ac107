/**
 * What the lines a proxy cares about mean. Each is read when its line is known to be well formed;
 * what is wrong with it is noted as a flag and judged when all lines are there, so that the order
 * of lines never changes the verdict.
 */
import { ascii, equalsFolded } from "../bytes.ts";
import {
  BAD_CODING_LINE,
  BAD_CONNECTION_LINE,
  BAD_EXPECT_LINE,
  BAD_HOST_LINE,
  BAD_LENGTH_LINE,
  BAD_WS_LINE,
  BOUND,
  CLOSE,
  EXPECT,
  FIELD,
  H2C,
  HAS_CODING,
  HAS_DATE,
  HAS_HOST,
  HAS_LENGTH,
  KEEP_ALIVE,
  KNOWN,
  MAX_FORWARDS,
  NOMINATED,
  TRAILERS,
  UNKNOWN_CODING_LINE,
  UPGRADE,
  VALUE_END,
  VALUE_START,
  WEBSOCKET,
  WS_KEY,
  WS_VERSION,
} from "../head.ts";
import type { Head } from "../head.ts";
import { CLASS, DIGIT, PLAIN, TCHAR } from "./classes.ts";
import { hostEnd } from "./host.ts";
import { isOws, readTokens } from "./lists.ts";
import {
  H_AUTH,
  H_CODING,
  H_CONNECTION,
  H_DATE,
  H_DROPPED,
  H_EXPECT,
  H_HOST,
  H_KEEP_ALIVE,
  H_LENGTH,
  H_MAX_FORWARDS,
  H_OTHER,
  H_TE,
  H_UPGRADE,
  H_VIA,
  H_WS_KEY,
  H_WS_VERSION,
  knownName,
} from "./names.ts";
import { dropNominated } from "./nominate.ts";

const COMMA = 44;
const CHUNKED = ascii("chunked");
const CLOSE_TOKEN = ascii("close");
const KEEP_ALIVE_TOKEN = ascii("keep-alive");
const UPGRADE_TOKEN = ascii("upgrade");
const WEBSOCKET_TOKEN = ascii("websocket");
const H2C_TOKEN = ascii("h2c");
const H2_TOKEN = ascii("h2");
const CONTINUE = ascii("100-continue");
const TRAILERS_TOKEN = ascii("trailers");
const TIMEOUT = ascii("timeout=");
const NTLM = ascii("ntlm");
const NEGOTIATE = ascii("negotiate");
const PSEUDONYM = ascii("rind");

/** Reads the meaning of every known line of a head whose lines are all parsed. */
export function readLines(head: Head): void {
  const fields = head.fields;
  for (let line = 0; line < head.count * FIELD; line += FIELD) {
    const known = fields[line + KNOWN]!;
    if (known === H_OTHER || known === H_DROPPED) continue;
    readLine(head, known, fields[line + VALUE_START]!, fields[line + VALUE_END]!);
  }
  if ((head.flags & NOMINATED) !== 0) dropNominated(head);
}

function readLine(head: Head, known: number, from: number, to: number): void {
  switch (known) {
    case H_HOST:
      return readHost(head, from, to);
    case H_LENGTH:
      return readLength(head, from, to);
    case H_CODING:
      return readCoding(head, from, to);
    case H_CONNECTION:
      return readTokens(head, from, to, connectionOption);
    case H_UPGRADE:
      return readTokens(head, from, to, upgradeToken);
    case H_EXPECT:
      return readExpect(head, from, to);
    case H_VIA:
      return countHops(head, from, to);
    case H_AUTH:
      return readAuth(head, from, to);
    case H_MAX_FORWARDS:
      return readMaxForwards(head, from, to);
    case H_DATE:
      head.flags |= HAS_DATE;
      return;
    case H_TE:
      return readTokens(head, from, to, codingOffered);
    case H_KEEP_ALIVE:
      return readKeepAlive(head, from, to);
    case H_WS_KEY:
      head.flags |= keyFlag(head, from, to);
      return;
    case H_WS_VERSION:
      head.flags |= versionFlag(head, from, to);
      return;
  }
}

function readAuth(head: Head, from: number, to: number): void {
  let end = from;
  while (end < to && (CLASS[head.bytes[end]!]! & TCHAR) !== 0) end++;
  const bound =
    equalsFolded(head.bytes, from, end, NTLM) || equalsFolded(head.bytes, from, end, NEGOTIATE);
  if (bound) head.flags |= BOUND;
}

/** Digits only; anything else is left as it is, since it limits nothing. */
function readMaxForwards(head: Head, from: number, to: number): void {
  const value = smallNumber(head.bytes, from, to);
  if (value < 0) return;
  head.flags |= MAX_FORWARDS;
  head.maxForwards = value;
}

/** The number in `bytes[from, to)`: one to nine digits and nothing else, or -1. */
function smallNumber(bytes: Uint8Array, from: number, to: number): number {
  let value = to > from && to - from <= 9 ? 0 : -1;
  for (let i = from; i < to && value >= 0; i++) {
    const digit = (CLASS[bytes[i]!]! & DIGIT) !== 0;
    value = digit ? value * 10 + (bytes[i]! - 0x30) : -1;
  }
  return value;
}

/** `timeout=N` among parameters, the shortest one when it is said twice; others mean nothing. */
function readKeepAlive(head: Head, from: number, to: number): void {
  const { bytes } = head;
  let at = from;
  while (at < to) {
    while (at < to && (isOws(bytes[at]!) || bytes[at] === COMMA)) at++;
    const start = at;
    while (at < to && bytes[at] !== COMMA) at++;
    let end = at;
    while (end > start && isOws(bytes[end - 1]!)) end--;
    const digits = start + TIMEOUT.length;
    if (digits >= end || !equalsFolded(bytes, start, digits, TIMEOUT)) continue;
    const seconds = smallNumber(bytes, digits, end);
    const shorter = head.keepAliveSeconds < 0 || seconds < head.keepAliveSeconds;
    if (seconds >= 0 && shorter) head.keepAliveSeconds = seconds;
  }
}

/** 22 base64 digits and `==` (RFC 6455 §4.1), once. */
function keyFlag(head: Head, from: number, to: number): number {
  let valid = to - from === 24 && (head.flags & WS_KEY) === 0;
  for (let i = from; i < to && valid; i++) valid = isKeyByte(head.bytes[i]!, i - from);
  return valid ? WS_KEY : BAD_WS_LINE;
}

function isKeyByte(byte: number, index: number): boolean {
  if (index >= 22) return byte === 0x3d;
  return byte === 0x2b || byte === 0x2f || (byte !== 0x2d && (CLASS[byte]! & PLAIN) !== 0);
}

/** 13, the only version there is, said once; without it the handshake is answered 426. */
function versionFlag(head: Head, from: number, to: number): number {
  const { bytes } = head;
  const valid = to - from === 2 && bytes[from] === 0x31 && bytes[from + 1] === 0x33;
  return valid && (head.flags & WS_VERSION) === 0 ? WS_VERSION : BAD_WS_LINE;
}

function readHost(head: Head, from: number, to: number): void {
  const end = hostEnd(head.bytes, from, to);
  if (end < 0 || (head.flags & HAS_HOST) !== 0) head.flags |= BAD_HOST_LINE;
  head.flags |= HAS_HOST;
  head.hostStart = from;
  head.hostEnd = end < 0 ? from : end;
  head.authorityStart = from;
  head.authorityEnd = to;
}

/** `1*19DIGIT`, at most 2^53 − 1; a second line is wrong even when it says the same. */
function readLength(head: Head, from: number, to: number): void {
  let value = 0;
  let valid = to > from && to - from <= 19 && (head.flags & HAS_LENGTH) === 0;
  for (let i = from; i < to && valid; i++) {
    if ((CLASS[head.bytes[i]!]! & DIGIT) === 0) valid = false;
    else value = value * 10 + (head.bytes[i]! - 0x30);
  }
  if (!valid || value > Number.MAX_SAFE_INTEGER) head.flags |= BAD_LENGTH_LINE;
  head.flags |= HAS_LENGTH;
  head.length = value;
}

/** Exactly `chunked`; a coding we do not know is told apart from bytes that are no coding. */
function readCoding(head: Head, from: number, to: number): void {
  if ((head.flags & HAS_CODING) !== 0) head.flags |= BAD_CODING_LINE;
  head.flags |= HAS_CODING;
  if (equalsFolded(head.bytes, from, to, CHUNKED)) {
    head.chunked = true;
    return;
  }
  let end = from;
  while (end < to && (CLASS[head.bytes[end]!]! & TCHAR) !== 0) end++;
  let rest = end;
  while (rest < to && isOws(head.bytes[rest]!)) rest++;
  const listed = rest < to && head.bytes[rest] === COMMA;
  if (listed) for (rest++; rest < to && isOws(head.bytes[rest]!);) rest++;
  const wellFormed = end > from && !equalsFolded(head.bytes, from, end, CHUNKED);
  const known = rest === to ? !listed : listed && equalsFolded(head.bytes, rest, to, CHUNKED);
  head.flags |= wellFormed && known ? UNKNOWN_CODING_LINE : BAD_CODING_LINE;
}

function readExpect(head: Head, from: number, to: number): void {
  const valid = (head.flags & EXPECT) === 0 && equalsFolded(head.bytes, from, to, CONTINUE);
  head.flags |= valid ? EXPECT : EXPECT | BAD_EXPECT_LINE;
}

function connectionOption(head: Head, from: number, to: number): void {
  if (equalsFolded(head.bytes, from, to, CLOSE_TOKEN)) head.flags |= CLOSE;
  else if (equalsFolded(head.bytes, from, to, KEEP_ALIVE_TOKEN)) head.flags |= KEEP_ALIVE;
  else if (equalsFolded(head.bytes, from, to, UPGRADE_TOKEN)) head.flags |= UPGRADE;
  else nominate(head, from, to);
}

function nominate(head: Head, from: number, to: number): void {
  head.flags |= NOMINATED;
  const known = knownName(head.bytes, from, to);
  if (known === H_HOST || known === H_LENGTH || known === H_CODING) {
    head.flags |= BAD_CONNECTION_LINE;
  }
  for (let i = from; i < to; i++) {
    if ((CLASS[head.bytes[i]!]! & TCHAR) === 0) head.flags |= BAD_CONNECTION_LINE;
  }
}

/** `TE: trailers`; codings are of no interest, since none but chunked is spoken here. */
function codingOffered(head: Head, from: number, to: number): void {
  if (equalsFolded(head.bytes, from, to, TRAILERS_TOKEN)) head.flags |= TRAILERS;
}

function upgradeToken(head: Head, from: number, to: number): void {
  if (equalsFolded(head.bytes, from, to, WEBSOCKET_TOKEN)) head.flags |= WEBSOCKET;
  else if (equalsFolded(head.bytes, from, to, H2C_TOKEN)) head.flags |= H2C;
  else if (equalsFolded(head.bytes, from, to, H2_TOKEN)) head.flags |= H2C;
}

/** Counts our own pseudonym in `Via`: more than a few means that we talk to ourselves. */
function countHops(head: Head, from: number, to: number): void {
  readTokens(head, from, to, (seen, start, end) => {
    const name = end - PSEUDONYM.length;
    const apart = name - 1 > start && isOws(seen.bytes[name - 1]!);
    if (apart && equalsFolded(seen.bytes, name, end, PSEUDONYM)) seen.hops++;
  });
}
