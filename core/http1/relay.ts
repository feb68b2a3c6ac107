/**
 * A trusted proxy speaks for its clients: its chain of addresses goes on with its own behind it,
 * and its scheme, host and port count where they are said once and are valid.
 *
 * `Forwarded` (RFC 7239) is removed from everybody and never written: two notations of one fact
 * would only be a chance to disagree, and backends read the older names.
 */
import { ascii, equalsFolded } from "../bytes.ts";
import { isAddress } from "../cidr.ts";
import type { Cidrs } from "../cidr.ts";
import { FIELD, KNOWN, VALUE_END, VALUE_START } from "../head.ts";
import type { Head } from "../head.ts";
import { NONE } from "../model.ts";
import { Slab } from "../slab.ts";
import { CLASS, DIGIT } from "./classes.ts";
import { unmapped } from "./forwarded.ts";
import type { Arrival } from "./forwarded.ts";
import { hostEnd } from "./host.ts";
import { isOws } from "./lists.ts";
import { H_FORWARDED_FOR, H_FORWARDED_HOST, H_FORWARDED_PORT, H_FORWARDED_PROTO } from "./names.ts";

const FOR = ascii("X-Forwarded-For: ");
const REAL = ascii("X-Real-IP: ");
const PROTO = ascii("X-Forwarded-Proto: ");
const PORT = ascii("X-Forwarded-Port: ");
const HOST = ascii("X-Forwarded-Host: ");
const HTTP = ascii("http");
const HTTPS = ascii("https");
const WS = ascii("ws");
const WSS = ascii("wss");
const PORT_80 = ascii("80");
const PORT_443 = ascii("443");
const MAPPED = ascii("::ffff:");
const COMMA_SPACE = ascii(", ");
const CRLF = ascii("\r\n");

const COMMA = 44;
const DOT = 46;
const COLON = 58;
const OPEN = 91;
const CLOSE = 93;
const PORT_MAX = 65_535;
/** Trusted proxies in a row that are believed; nobody has more, and looking costs time. */
const PROXIES_MAX = 64;

/** Shared by all connections of the worker: it is empty whenever `lines` returns. */
const SLAB = new Slab();

/** The address found last, in the bytes of the head; `realEnd` is NONE when there is none. */
let realStart = 0;
let realEnd = NONE;

/** What never changes on a trusted peer's connection, ready to be written. */
export class Relay {
  readonly #trusted: Cidrs;
  readonly #address: Buffer;
  readonly #scheme: Buffer;
  readonly #port: Buffer;
  readonly #more: Buffer;
  /** The request of the last `lines` came over TLS, to the proxy or, if it says nothing, to us. */
  secure = false;

  /** `more` are whole lines that every request gets. */
  constructor(arrival: Arrival, trusted: Cidrs, more = "") {
    this.#trusted = trusted;
    this.#address = ascii(unmapped(arrival.address));
    this.#scheme = arrival.scheme === "https" ? HTTPS : HTTP;
    this.#port = ascii(`${arrival.port}`);
    this.#more = ascii(more);
  }

  // === hot ===

  /**
   * The forwarded lines of one request: `forwardedLines` and X-Forwarded-Host. `X-Real-IP` is the
   * last address of the chain that is not a trusted proxy's. A scheme that is not the listener's
   * brings its own port along, unless one is said. The bytes are the caller's.
   */
  lines(head: Head): Buffer {
    SLAB.end = 0;
    SLAB.add(FOR);
    addChain(head);
    SLAB.add(this.#address);
    SLAB.add(CRLF);
    SLAB.add(REAL);
    findReal(head, this.#trusted);
    if (realEnd === NONE) SLAB.add(this.#address);
    else addRange(head.bytes, realStart, realEnd);
    SLAB.add(CRLF);
    const scheme = schemeOf(head) ?? this.#scheme;
    this.secure = scheme === HTTPS;
    SLAB.add(PROTO);
    SLAB.add(scheme);
    SLAB.add(CRLF);
    SLAB.add(PORT);
    this.#addPort(head, scheme);
    SLAB.add(CRLF);
    SLAB.add(this.#more);
    addHost(head);
    return Buffer.copyBytesFrom(SLAB.bytes, 0, SLAB.end);
  }

  #addPort(head: Head, scheme: Buffer): void {
    const line = only(head, H_FORWARDED_PORT);
    if (line !== NONE && isPort(head, line)) addValue(head, line);
    else if (scheme === this.#scheme) SLAB.add(this.#port);
    else SLAB.add(scheme === HTTPS ? PORT_443 : PORT_80);
  }
}

/** The offset in `fields` of the only line with that id; NONE when there is none, or two. */
function only(head: Head, known: number): number {
  let found = NONE;
  for (let line = 0; line < head.count * FIELD; line += FIELD) {
    if (head.fields[line + KNOWN] !== known) continue;
    if (found !== NONE) return NONE;
    found = line;
  }
  return found;
}

function addRange(bytes: Buffer, from: number, to: number): void {
  SLAB.end += bytes.copy(SLAB.bytes, SLAB.end, from, to);
}

function addValue(head: Head, line: number): void {
  addRange(head.bytes, head.fields[line + VALUE_START]!, head.fields[line + VALUE_END]!);
}

/** All of `X-Forwarded-For`, byte for byte, with a comma behind each line that says something. */
function addChain(head: Head): void {
  for (let line = 0; line < head.count * FIELD; line += FIELD) {
    if (head.fields[line + KNOWN] !== H_FORWARDED_FOR) continue;
    if (head.fields[line + VALUE_START] === head.fields[line + VALUE_END]) continue;
    addValue(head, line);
    SLAB.add(COMMA_SPACE);
  }
}

/** Some proxies name the schemes of WebSocket (RFC 6455 §3), which are the same two underneath. */
function schemeOf(head: Head): Buffer | null {
  const line = only(head, H_FORWARDED_PROTO);
  if (line === NONE) return null;
  const from = head.fields[line + VALUE_START]!;
  const to = head.fields[line + VALUE_END]!;
  const { bytes } = head;
  if (equalsFolded(bytes, from, to, HTTPS) || equalsFolded(bytes, from, to, WSS)) return HTTPS;
  return equalsFolded(bytes, from, to, HTTP) || equalsFolded(bytes, from, to, WS) ? HTTP : null;
}

function isPort(head: Head, line: number): boolean {
  const from = head.fields[line + VALUE_START]!;
  const to = head.fields[line + VALUE_END]!;
  let port = to - from <= 5 ? 0 : NONE;
  for (let i = from; i < to && port !== NONE; i++) {
    const digit = (CLASS[head.bytes[i]!]! & DIGIT) !== 0;
    port = digit ? port * 10 + (head.bytes[i]! - 0x30) : NONE;
  }
  return port > 0 && port <= PORT_MAX;
}

/** The host that was asked for; a client of HTTP/1.0 may have named none. */
function addHost(head: Head): void {
  const line = only(head, H_FORWARDED_HOST);
  let from = line === NONE ? 0 : head.fields[line + VALUE_START]!;
  let to = line === NONE ? 0 : head.fields[line + VALUE_END]!;
  if (hostEnd(head.bytes, from, to) < 0) {
    from = head.authorityStart;
    to = head.authorityEnd;
  }
  if (from === to) return;
  SLAB.add(HOST);
  addRange(head.bytes, from, to);
  SLAB.add(CRLF);
}

/**
 * Walks the chain from its end to the first address that is not a trusted proxy's, since all before
 * it may be invented; what is no address ends the walk at the one behind it.
 */
function findReal(head: Head, trusted: Cidrs): void {
  realEnd = NONE;
  let left = PROXIES_MAX;
  for (let line = (head.count - 1) * FIELD; line >= 0; line -= FIELD) {
    if (head.fields[line + KNOWN] !== H_FORWARDED_FOR) continue;
    const start = head.fields[line + VALUE_START]!;
    let end = head.fields[line + VALUE_END]!;
    while (end > start) {
      let from = end;
      while (from > start && head.bytes[from - 1] !== COMMA) from--;
      if (left-- === 0 || !findAddress(head.bytes, from, end)) return;
      if (!trusted.has(head.bytes, realStart, realEnd)) return;
      end = from - 1;
    }
  }
}

/** Takes the address out of one element of a chain, without port and brackets. */
function findAddress(bytes: Buffer, start: number, end: number): boolean {
  let from = start;
  let to = end;
  while (from < to && isOws(bytes[from]!)) from++;
  while (to > from && isOws(bytes[to - 1]!)) to--;
  if (bytes[from] === OPEN) {
    const close = find(bytes, CLOSE, from, to);
    if (close === to) return false;
    from++;
    to = close;
  } else {
    // A colon behind a dot is a port; in an IPv6 address the dots come last.
    const colon = find(bytes, COLON, from, to);
    if (find(bytes, DOT, from, colon) < colon) to = colon;
  }
  if (!isAddress(bytes, from, to)) return false;
  const mapped = find(bytes, DOT, from, to) < to && isMapped(bytes, from);
  realStart = mapped ? from + MAPPED.length : from;
  realEnd = to;
  return true;
}

/** Where `byte` is in `bytes[from, to)`; `to` when it is not there. */
function find(bytes: Buffer, byte: number, from: number, to: number): number {
  let at = from;
  while (at < to && bytes[at] !== byte) at++;
  return at;
}

function isMapped(bytes: Buffer, from: number): boolean {
  return equalsFolded(bytes, from, from + MAPPED.length, MAPPED);
}
