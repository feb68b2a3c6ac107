/**
 * The lines that tell a backend who asked and how. What clients send under these names is removed
 * (write.ts), unless the peer is a proxy we trust: then its word counts, and ours is added to it.
 *
 * `Forwarded` (RFC 7239) is removed from everybody and never written: two notations of one fact
 * would only be a chance to disagree, and backends read the older names.
 */
import { ascii, equalsFolded } from "../bytes.ts";
import { isAddress } from "../cidr.ts";
import type { Cidrs } from "../cidr.ts";
import { FIELD, KNOWN, NAME_END, NAME_START, VALUE_END, VALUE_START } from "../head.ts";
import type { Head } from "../head.ts";
import { hostEnd } from "./host.ts";
import { isOws } from "./lists.ts";
import { H_MANAGED } from "./names.ts";

/** Where a request came in. Addresses without brackets; `scheme` of the listener. */
export type Arrival = Readonly<{ address: string; port: number; scheme: "http" | "https" }>;

const FOR = ascii("x-forwarded-for");
const PROTO = ascii("x-forwarded-proto");
const HOST = ascii("x-forwarded-host");
const PORT = ascii("x-forwarded-port");

const COMMA = 44;
const DOT = 46;
const COLON = 58;
const OPEN = 91;
const CLOSE = 93;
const PORT_MAX = 65_535;
/** Trusted proxies in a row that are believed; nobody has more, and looking costs time. */
const PROXIES_MAX = 64;

/**
 * Header lines for a peer that is not trusted, the same for every request of its connection:
 * X-Forwarded-For, X-Real-IP, X-Forwarded-Proto and X-Forwarded-Port.
 */
export function forwardedLines(arrival: Arrival): Buffer {
  const address = unmapped(arrival.address);
  return ascii(
    `X-Forwarded-For: ${address}\r\n` +
      `X-Real-IP: ${address}\r\n` +
      `X-Forwarded-Proto: ${arrival.scheme}\r\n` +
      `X-Forwarded-Port: ${arrival.port}\r\n`,
  );
}

/**
 * The same for one request of a trusted peer. Its `X-Forwarded-For` goes on with its own address
 * behind it; `X-Real-IP` is the last address of that chain that is not a trusted proxy's. Its
 * scheme, host and port count where they are said once and are valid; the host is always among
 * these lines. A scheme that is not the listener's has that scheme's own port.
 */
export function relayedLines(head: Head, arrival: Arrival, trusted: Cidrs): Buffer {
  const address = unmapped(arrival.address);
  const said = only(head, PROTO).toLowerCase();
  const scheme = said === "http" || said === "https" ? said : arrival.scheme;
  const port = portOf(only(head, PORT)) ?? defaultPort(scheme, arrival);
  const host = hostOf(only(head, HOST)) ?? textOf(head, head.authorityStart, head.authorityEnd);
  return ascii(
    `X-Forwarded-For: ${chainOf(head)}${address}\r\n` +
      `X-Real-IP: ${realAddress(head, trusted) ?? address}\r\n` +
      `X-Forwarded-Proto: ${scheme}\r\n` +
      `X-Forwarded-Port: ${port}\r\n` +
      (host === "" ? "" : `X-Forwarded-Host: ${host}\r\n`),
  );
}

/** A dual-stack listener shows IPv4 clients as `::ffff:a.b.c.d`. */
function unmapped(address: string): string {
  return address.startsWith("::ffff:") && address.includes(".") ? address.slice(7) : address;
}

function defaultPort(scheme: string, arrival: Arrival): number {
  if (scheme === arrival.scheme) return arrival.port;
  return scheme === "https" ? 443 : 80;
}

function portOf(text: string): number | null {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  return port > 0 && port <= PORT_MAX ? port : null;
}

function hostOf(text: string): string | null {
  const bytes = ascii(text);
  return hostEnd(bytes, 0, bytes.length) < 0 ? null : text;
}

/** The value of the only line of that name; "" when there is none, or two that may disagree. */
function only(head: Head, name: Uint8Array): string {
  let value = "";
  let lines = 0;
  for (let line = 0; line < head.count * FIELD; line += FIELD) {
    if (!isNamed(head, line, name)) continue;
    value = textOf(head, head.fields[line + VALUE_START]!, head.fields[line + VALUE_END]!);
    lines++;
  }
  return lines === 1 ? value : "";
}

/** All of `X-Forwarded-For`, byte for byte, with a comma behind it when it is not empty. */
function chainOf(head: Head): string {
  let chain = "";
  for (let line = 0; line < head.count * FIELD; line += FIELD) {
    if (!isNamed(head, line, FOR)) continue;
    const value = textOf(head, head.fields[line + VALUE_START]!, head.fields[line + VALUE_END]!);
    if (value !== "") chain += `${value}, `;
  }
  return chain;
}

/**
 * Walks the chain from its end to the first address that is not a trusted proxy's: all before it
 * may be invented. Null when the chain has no address at its end.
 */
function realAddress(head: Head, trusted: Cidrs): string | null {
  let real: string | null = null;
  let left = PROXIES_MAX;
  for (let line = (head.count - 1) * FIELD; line >= 0; line -= FIELD) {
    if (!isNamed(head, line, FOR)) continue;
    const start = head.fields[line + VALUE_START]!;
    let end = head.fields[line + VALUE_END]!;
    while (end > start) {
      let from = end;
      while (from > start && head.bytes[from - 1] !== COMMA) from--;
      const element = addressIn(head.bytes, from, end);
      if (element === null || left-- === 0) return real;
      real = element;
      const bytes = ascii(element);
      if (!trusted.has(bytes, 0, bytes.length)) return real;
      end = from - 1;
    }
  }
  return real;
}

/** The address in one element of a chain, without port and brackets; null when there is none. */
function addressIn(bytes: Buffer, start: number, end: number): string | null {
  let from = start;
  let to = end;
  while (from < to && isOws(bytes[from]!)) from++;
  while (to > from && isOws(bytes[to - 1]!)) to--;
  if (bytes[from] === OPEN) {
    const close = bytes.indexOf(CLOSE, from);
    if (close < 0 || close >= to) return null;
    from++;
    to = close;
  } else {
    // One colon behind a dot is a port; an IPv6 address has two colons at least.
    const colon = bytes.lastIndexOf(COLON, to - 1);
    const dot = bytes.indexOf(DOT, from);
    if (colon > from && dot >= 0 && dot < colon && bytes.indexOf(COLON, from) === colon) to = colon;
  }
  return isAddress(bytes, from, to) ? unmapped(bytes.toString("latin1", from, to)) : null;
}

function isNamed(head: Head, line: number, name: Uint8Array): boolean {
  const { bytes, fields } = head;
  if (fields[line + KNOWN] !== H_MANAGED) return false;
  return equalsFolded(bytes, fields[line + NAME_START]!, fields[line + NAME_END]!, name);
}

function textOf(head: Head, from: number, to: number): string {
  return head.bytes.toString("latin1", from, to);
}
