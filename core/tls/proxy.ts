/**
 * The PROXY header, with which a load balancer says whose connection it passes on: versions 1
 * (text) and 2 (binary) of haproxy.org's proxy-protocol.txt.
 */
import { isAddress } from "../cidr.ts";
import { BAD_PROXY_HEADER, MORE, OK } from "../fault.ts";

/** `PROXY TCP6 ` and the longest of everything, CRLF included (§2.1). */
const TEXT_MAX = 107;
/** What may lie behind the 16 bytes that version 2 begins with: addresses, and TLVs. */
const BINARY_MAX = 4_096;
/** No header is longer. */
export const PROXY_BYTES_MAX = 16 + BINARY_MAX;

const TEXT = Buffer.from("PROXY ");
const SIGNATURE = Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1");
const FIXED = 16;
const LF = 10;
const CR = 13;

const LOCAL = 0x20;
const PROXIED = 0x21;
const TCP4 = 0x11;
const TCP6 = 0x21;
/** Bytes of addresses, by family: unspecified, IPv4, IPv6, UNIX. */
const ADDRESS_BYTES = [0, 12, 36, 216] as const;
/** Unspecified, stream, datagram. */
const TRANSPORTS = 3;
const CRC = 0x03;
const CRC_BYTES = 4;
/** What each byte adds to a sum. */
const SUMS = sumTable();

/** What the header says. To be filled by `readProxyHeader`, again and again. */
export class ProxyHeader {
  /** Of the client; "" when the connection is the proxy's own, or its client has no IP address. */
  address = "";
  /** The port that the client came to; 0 with no address. */
  port = 0;
  /** Where the header ends in the bytes that were read. */
  end = 0;
}

/**
 * Reads the header that begins at `from`: OK and `header` is filled, MORE when it is not all here,
 * or BAD_PROXY_HEADER as soon as that is certain. MORE is never answered from PROXY_BYTES_MAX bytes
 * on.
 */
export function readProxyHeader(
  bytes: Uint8Array,
  from: number,
  to: number,
  header: ProxyHeader,
): number {
  header.address = "";
  header.port = 0;
  if (begins(bytes, from, to, SIGNATURE)) {
    return to - from < FIXED ? MORE : readBinary(bytes, from, to, header);
  }
  if (!begins(bytes, from, to, TEXT)) return BAD_PROXY_HEADER;
  return to - from < TEXT.length ? MORE : readText(bytes, from, to, header);
}

/** Whether what is here of `start` is as it should be. */
function begins(bytes: Uint8Array, from: number, to: number, start: Uint8Array): boolean {
  const count = Math.min(start.length, to - from);
  for (let i = 0; i < count; i++) if (bytes[from + i] !== start[i]) return false;
  return true;
}

// === version 1 ===

function readText(bytes: Uint8Array, from: number, to: number, header: ProxyHeader): number {
  const last = Math.min(to, from + TEXT_MAX);
  let at = from;
  while (at < last && bytes[at] !== LF) at++;
  if (at === last) return to - from < TEXT_MAX ? MORE : BAD_PROXY_HEADER;
  if (bytes[at - 1] !== CR) return BAD_PROXY_HEADER;
  header.end = at + 1;
  const line = Buffer.from(bytes.subarray(from, at - 1)).toString("latin1");
  const [, family, source, target, sourcePort, port, ...rest] = line.split(" ");
  // Whatever follows has no meaning (§2.1).
  if (family === "UNKNOWN") return OK;
  const version = family === "TCP4" ? 4 : family === "TCP6" ? 6 : 0;
  const good = isOf(version, source) && isOf(version, target) && isPort(sourcePort) && isPort(port);
  if (!good || rest.length > 0) return BAD_PROXY_HEADER;
  header.address = source!;
  header.port = Number(port);
  return OK;
}

/** Whether it is an address of that version of IP. */
function isOf(version: number, text = ""): boolean {
  const bytes = Buffer.from(text, "latin1");
  return isAddress(bytes, 0, bytes.length) && text.includes(":") === (version === 6) && version > 0;
}

function isPort(text = ""): boolean {
  return /^(0|[1-9]\d{0,4})$/.test(text) && Number(text) <= 65_535;
}

// === version 2 ===

function readBinary(bytes: Uint8Array, from: number, to: number, header: ProxyHeader): number {
  const command = bytes[from + 12]!;
  const kind = bytes[from + 13]!;
  const length = pair(bytes, from + 14);
  if (command !== LOCAL && command !== PROXIED) return BAD_PROXY_HEADER;
  if (length > BINARY_MAX) return BAD_PROXY_HEADER;
  const start = from + FIXED;
  const end = start + length;
  if (end > to) return MORE;
  header.end = end;
  // A health check of the proxy itself: all the rest has no meaning (§2.2).
  if (command === LOCAL) return OK;
  const size = ADDRESS_BYTES[kind >> 4];
  if (size === undefined || (kind & 0x0f) >= TRANSPORTS || size > length) return BAD_PROXY_HEADER;
  if (!goodExtras(bytes, from, start + size, end)) return BAD_PROXY_HEADER;
  // Of other kinds the address is nothing that a backend could be told.
  if (kind === TCP4) {
    header.address = bytes.subarray(start, start + 4).join(".");
    header.port = pair(bytes, start + 10);
  } else if (kind === TCP6) {
    header.address = textOf(bytes, start);
    header.port = pair(bytes, start + 34);
  }
  return OK;
}

/** Whether the TLVs in `bytes[start, end)` fill it, and their checksum of the header is right. */
function goodExtras(bytes: Uint8Array, from: number, start: number, end: number): boolean {
  for (let at = start; at < end;) {
    if (at + 3 > end) return false;
    const value = at + 3;
    const next = value + pair(bytes, at + 1);
    if (next > end) return false;
    if (bytes[at] === CRC && next - value !== CRC_BYTES) return false;
    if (bytes[at] === CRC && sumOf(bytes, from, end, value) !== quad(bytes, value)) return false;
    at = next;
  }
  return true;
}

/** IPv6 as text, the longest run of zero groups as `::` (RFC 5952), or what it has mapped. */
function textOf(bytes: Uint8Array, from: number): string {
  const groups: number[] = [];
  for (let i = 0; i < 8; i++) groups.push(pair(bytes, from + 2 * i));
  if (groups[5] === 0xffff && groups.slice(0, 5).every((group) => group === 0)) {
    return bytes.subarray(from + 12, from + 16).join(".");
  }
  const text = groups.map((group) => group.toString(16)).join(":");
  let longest: RegExpExecArray | null = null;
  for (const run of text.matchAll(/\b0(?::0)+\b/g)) {
    if (run[0].length > (longest?.[0].length ?? 0)) longest = run;
  }
  if (longest === null) return text;
  const before = text.slice(0, longest.index).replace(/:$/, "");
  const behind = text.slice(longest.index + longest[0].length).replace(/^:/, "");
  return `${before}::${behind}`;
}

/** CRC-32C (RFC 3720 §12.1) of `bytes[from, to)`, the four bytes at `blank` taken for zeros. */
function sumOf(bytes: Uint8Array, from: number, to: number, blank: number): number {
  let sum = 0xffff_ffff;
  for (let i = from; i < to; i++) {
    const byte = i >= blank && i < blank + CRC_BYTES ? 0 : bytes[i]!;
    sum = (sum >>> 8) ^ SUMS[(sum ^ byte) & 0xff]!;
  }
  return ~sum >>> 0;
}

function sumTable(): Uint32Array {
  const table = new Uint32Array(256);
  for (let i = 0; i < 256; i++) {
    let sum = i;
    for (let bit = 0; bit < 8; bit++) sum = (sum & 1) === 0 ? sum >>> 1 : (sum >>> 1) ^ 0x82f63b78;
    table[i] = sum;
  }
  return table;
}

/** A number of two bytes. */
function pair(bytes: Uint8Array, at: number): number {
  return bytes[at]! * 256 + bytes[at + 1]!;
}

/** A number of four bytes. */
function quad(bytes: Uint8Array, at: number): number {
  return pair(bytes, at) * 65_536 + pair(bytes, at + 2);
}
