/** The few DER values a certificate is written with (ITU-T X.690 §8, §10, §11). */

/** Beyond this year a time needs four digits (RFC 5280 §4.1.2.5). */
const SHORT_YEAR_MAX = 2049;

/** One value: its tag, how long it is, and `parts` one after the other. */
export function der(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const content = Buffer.concat(parts);
  const { length } = content;
  if (length < 0x80) return Buffer.concat([Uint8Array.of(tag, length), content]);
  const size: number[] = [];
  for (let rest = length; rest > 0; rest >>>= 8) size.unshift(rest & 0xff);
  return Buffer.concat([Uint8Array.of(tag, 0x80 | size.length, ...size), content]);
}

/** SEQUENCE. */
export function sequence(...parts: readonly Uint8Array[]): Uint8Array {
  return der(0x30, ...parts);
}

/** A SET of one element, which is all that names are made of. */
export function setOf(part: Uint8Array): Uint8Array {
  return der(0x31, part);
}

/** INTEGER, not negative, from its bytes, the highest first; leading zeros are left out. */
export function integer(bytes: Uint8Array): Uint8Array {
  const first = bytes.findIndex((byte) => byte !== 0);
  const short = first < 0 ? Uint8Array.of(0) : bytes.subarray(first);
  // A first bit that is set would make it negative.
  return der(0x02, short[0]! >= 0x80 ? Buffer.concat([Uint8Array.of(0), short]) : short);
}

/** BOOLEAN TRUE; FALSE is a default in all we write, and so is left out. */
export const TRUE = Uint8Array.of(0x01, 0x01, 0xff);

/** NULL. */
export const NULL = Uint8Array.of(0x05, 0x00);

/** OBJECT IDENTIFIER from its usual form, `2.5.4.3`; no arc is beyond 31 bits. */
export function objectId(dotted: string): Uint8Array {
  const [top = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  const bytes = [top * 40 + second];
  for (const arc of rest) {
    const digits = [arc & 0x7f];
    for (let high = arc >>> 7; high > 0; high >>>= 7) digits.unshift(0x80 | (high & 0x7f));
    bytes.push(...digits);
  }
  return der(0x06, Uint8Array.from(bytes));
}

/** OCTET STRING. */
export function octets(content: Uint8Array): Uint8Array {
  return der(0x04, content);
}

/** BIT STRING; `unused` bits at the end of the last byte do not count. */
export function bits(content: Uint8Array, unused = 0): Uint8Array {
  return der(0x03, Uint8Array.of(unused), content);
}

/** UTF8String. */
export function utf8(text: string): Uint8Array {
  return der(0x0c, Buffer.from(text, "utf8"));
}

/** UTCTime, or GeneralizedTime from 2050 on; `ms` since 1970, cut to whole seconds. */
export function time(ms: number): Uint8Array {
  const date = new Date(ms);
  const digits = date.toISOString().replace(/[-:T]|\.\d+/g, "");
  const short = date.getUTCFullYear() <= SHORT_YEAR_MAX;
  return der(short ? 0x17 : 0x18, Buffer.from(short ? digits.slice(2) : digits, "latin1"));
}
