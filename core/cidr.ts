/**
 * Address ranges as people write them (RFC 4632, RFC 4291 §2.3), and whether an address is in one.
 * An IPv4-mapped IPv6 address (`::ffff:a.b.c.d`) is the IPv4 address, everywhere.
 */
import { assert } from "./assert.ts";
import { fold } from "./bytes.ts";

/** An address as its 16-bit groups: two of IPv4, or eight of IPv6. */
type Groups = readonly number[];

/** A range: the groups of its first address, and how many leading bits belong to the network. */
export type Cidr = Readonly<{ groups: Groups; bits: number }>;

type Read = Readonly<{ ok: true; value: Cidr } | { ok: false; reason: string }>;

const DOT = 46;
const COLON = 58;
const ZERO = 48;
const GROUPS_V4 = 2;
const GROUPS_V6 = 8;

/** Where `read` puts an address; valid until the next call. */
const groups = new Uint16Array(GROUPS_V6);

/**
 * Reads `10.0.0.0/8`, `2001:db8::/32`, or one address without a length. Bits behind the network's
 * are ignored. What cannot be read comes back as a reason, to be shown to whoever wrote it.
 */
export function parseCidr(text: string): Read {
  const match = /^([^/]+)(?:\/(0|[1-9]\d{0,2}))?$/.exec(text);
  const address = Buffer.from(match?.[1] ?? "", "utf8");
  const count = read(address, 0, address.length);
  const mapped = count === GROUPS_V4 && address.includes(":");
  const width = mapped ? 128 : count * 16;
  const length = match?.[2] === undefined ? width : Number(match[2]);
  if (match === null || count === 0) return refuse(text, "10.0.0.0/8 or 2001:db8::/32");
  if (length > width) return refuse(text, `at most ${width} bits`);
  if (mapped && length < 96) return refuse(text, "at least 96 bits of a mapped IPv4 address");
  const bits = mapped ? length - 96 : length;
  return { ok: true, value: { groups: [...groups.subarray(0, count)], bits } };
}

function refuse(text: string, expected: string): Read {
  return { ok: false, reason: `"${text}" is not an address range: expected ${expected}` };
}

/** A set of ranges, compiled: one look costs a few nanoseconds a range and allocates nothing. */
export class Cidrs {
  /** How many ranges there are. */
  readonly size: number;
  /** Per range: network and mask, in one number each. */
  readonly #v4: Int32Array;
  /** Per range: the groups of the network, then those of its mask. */
  readonly #v6: Uint16Array;

  constructor(ranges: readonly Cidr[]) {
    this.size = ranges.length;
    const v4 = compile(ranges, GROUPS_V4);
    this.#v4 = Int32Array.from({ length: v4.length / 2 }, (_, i) => joined(v4, 2 * i));
    this.#v6 = compile(ranges, GROUPS_V6);
  }

  /** Whether a peer's address, as the socket tells it, is in a range; a zone is ignored. */
  hasAddress(text: string): boolean {
    if (this.size === 0) return false;
    const bytes = bytesOf(text);
    return this.has(bytes, 0, bytes.length);
  }

  // === hot ===

  /** Whether `bytes[from, to)` is an address in one of the ranges. */
  has(bytes: Uint8Array, from: number, to: number): boolean {
    const count = read(bytes, from, to);
    if (count === 0) return false;
    return count === GROUPS_V4 ? this.#hasV4(joined(groups, 0)) : this.#hasV6();
  }

  #hasV4(address: number): boolean {
    const ranges = this.#v4;
    for (let i = 0; i < ranges.length; i += 2) {
      if ((address & ranges[i + 1]!) === ranges[i]) return true;
    }
    return false;
  }

  #hasV6(): boolean {
    const ranges = this.#v6;
    for (let i = 0; i < ranges.length; i += 2 * GROUPS_V6) if (coversV6(ranges, i)) return true;
    return false;
  }
}

/** Two groups as one number of 32 bits. */
function joined(from: Uint16Array, at: number): number {
  return (from[at]! << 16) | from[at + 1]!;
}

function coversV6(ranges: Uint16Array, at: number): boolean {
  for (let i = 0; i < GROUPS_V6; i++) {
    if ((groups[i]! & ranges[at + GROUPS_V6 + i]!) !== ranges[at + i]!) return false;
  }
  return true;
}

/** Whether `bytes[from, to)` is an IPv4 or IPv6 address, without brackets, zone or port. */
export function isAddress(bytes: Uint8Array, from: number, to: number): boolean {
  return read(bytes, from, to) !== 0;
}

/** Reads an address into `groups` and says how many there are; 0 when it is none. */
function read(bytes: Uint8Array, from: number, to: number): number {
  let at = from;
  while (at < to && bytes[at] !== COLON) at++;
  if (at === to) return readV4(bytes, from, to, 0) ? GROUPS_V4 : 0;
  if (!readV6(bytes, from, to)) return 0;
  for (let i = 0; i < 5; i++) if (groups[i] !== 0) return GROUPS_V6;
  if (groups[5] !== 0xffff) return GROUPS_V6;
  groups[0] = groups[6]!;
  groups[1] = groups[7]!;
  return GROUPS_V4;
}

/** Four numbers of 0–255 without leading zeros, which some readers take for octal. */
function readV4(bytes: Uint8Array, from: number, to: number, group: number): boolean {
  let at = from;
  for (let part = 0; part < 4; part++) {
    if (part > 0 && (at === to || bytes[at++] !== DOT)) return false;
    const start = at;
    let value = 0;
    while (at < to && at - start < 3) {
      const digit = bytes[at]! - ZERO;
      if (digit < 0 || digit > 9) break;
      value = value * 10 + digit;
      at++;
    }
    const zeros = bytes[start] === ZERO && at - start > 1;
    if (at === start || value > 255 || zeros) return false;
    const index = group + (part >> 1);
    groups[index] = (part & 1) === 0 ? value << 8 : groups[index]! | value;
  }
  return at === to;
}

/** Eight groups; `::` once for one zero group or more; the last two may be written as IPv4. */
function readV6(bytes: Uint8Array, from: number, to: number): boolean {
  let at = from;
  let count = 0;
  let gap = -1;
  if (bytes[at] === COLON) {
    if (to - at < 2 || bytes[at + 1] !== COLON) return false;
    gap = 0;
    at += 2;
  }
  while (at < to) {
    if (count === GROUPS_V6) return false;
    const end = groupEnd(bytes, at, to);
    if (end < to && bytes[end] === DOT) {
      if (count > GROUPS_V6 - 2 || !readV4(bytes, at, to, count)) return false;
      count += 2;
      break;
    }
    if (end === at) return false;
    groups[count++] = hexOf(bytes, at, end);
    at = end;
    if (at === to) break;
    if (bytes[at++] !== COLON || at === to) return false;
    if (bytes[at] !== COLON) continue;
    if (gap >= 0) return false;
    gap = count;
    at++;
  }
  return gap < 0 ? count === GROUPS_V6 : count < GROUPS_V6 && spread(gap, count);
}

/** The end of up to four hexadecimal digits. */
function groupEnd(bytes: Uint8Array, from: number, to: number): number {
  let at = from;
  while (at < to && at - from < 4 && hexDigit(bytes[at]!) < 16) at++;
  return at;
}

function hexOf(bytes: Uint8Array, from: number, to: number): number {
  let value = 0;
  for (let i = from; i < to; i++) value = value * 16 + hexDigit(bytes[i]!);
  return value;
}

function hexDigit(byte: number): number {
  if (byte >= ZERO && byte <= 0x39) return byte - ZERO;
  const letter = fold(byte) - 0x61;
  return letter >= 0 && letter < 6 ? letter + 10 : 16;
}

/** Moves the groups behind `::` to the end and fills the gap with zeros. */
function spread(gap: number, count: number): true {
  const moved = count - gap;
  groups.copyWithin(GROUPS_V6 - moved, gap, count);
  groups.fill(0, gap, GROUPS_V6 - moved);
  return true;
}

// === cold ===

/**
 * Who counts as one client: an address, but of IPv6 its network of 64 bits, since whoever has one
 * of its addresses has them all (RFC 6177 §2).
 */
export function clientOf(address: string): string {
  const bytes = bytesOf(address);
  if (read(bytes, 0, bytes.length) !== GROUPS_V6) return address;
  const network = [...groups.subarray(0, GROUPS_V6 / 2)].map((group) => group.toString(16));
  return `${network.join(":")}::/64`;
}

/** A peer's address as the socket tells it, without its zone. */
function bytesOf(text: string): Uint8Array {
  const zone = text.indexOf("%");
  return Buffer.from(zone < 0 ? text : text.slice(0, zone), "latin1");
}

/** Ranges from texts that were looked at before: one that cannot be read is a programming error. */
export function cidrsOf(texts: readonly string[]): Cidrs {
  return new Cidrs(
    texts.map((text) => {
      const parsed = parseCidr(text);
      assert(parsed.ok, parsed.ok ? "" : parsed.reason);
      return parsed.value;
    }),
  );
}

function compile(ranges: readonly Cidr[], count: number): Uint16Array {
  const numbers: number[] = [];
  for (const range of ranges.filter((range) => range.groups.length === count)) {
    const mask = range.groups.map((_, i) => maskOf(range.bits - 16 * i));
    numbers.push(...range.groups.map((group, i) => group & mask[i]!), ...mask);
  }
  return Uint16Array.from(numbers);
}

/** The mask of one group of which the first `bits` belong to the network. */
function maskOf(bits: number): number {
  if (bits >= 16) return 0xffff;
  return bits <= 0 ? 0 : (0xffff << (16 - bits)) & 0xffff;
}
