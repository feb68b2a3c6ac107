/**
 * The first message of a TLS client (RFC 8446 §4.1.2, RFC 5246 §7.4.1.2), read without answering
 * it: who is asked for decides what the client gets, before anything is decrypted.
 *
 * ```text
 *   record 16 03 xx length │ part of …            a record holds up to 16 KiB,
 *   record 16 03 xx length │ … ClientHello        the message may lie in several
 * ```
 */
import { fold } from "../bytes.ts";
import { isAddress } from "../cidr.ts";
import { MORE, OK } from "../fault.ts";

/** What `readHello` answers besides OK and MORE: these bytes are not TLS, or broken TLS. */
export const NOT_TLS = -1;
export const MALFORMED = -2;

/** The longest message; BoringSSL and Envoy take no longer one either. */
const HELLO_MAX = 16_384;
/** The longest payload of a record (RFC 8446 §5.1). */
const RECORD_MAX = 16_384;
/** Records that one message may be cut into; each read looks at all that are here. */
const RECORDS_MAX = 64;
/** Bytes before the end of which `readHello` never answers MORE. */
export const HELLO_BYTES_MAX = HELLO_MAX + 4 + RECORDS_MAX * 5;
const DOT = 46;
const SPACE = 32;
const DELETE = 127;

/** RFC 6066 §3 has DNS names; those are no longer (RFC 1035 §2.3.4). */
const NAME_MAX = 255;

const RECORD_HEAD = 5;
const MESSAGE_HEAD = 4;
const HANDSHAKE_RECORD = 22;
const CLIENT_HELLO = 1;
const MAJOR_VERSION = 3;
const RANDOM_BYTES = 32;
const SESSION_ID_MAX = 32;
/** Extensions (RFC 6066 §3, RFC 7301 §3.1, RFC 8446 §4.2.1). */
const SERVER_NAME = 0;
const PROTOCOLS = 16;
const VERSIONS = 43;
const HOST_NAME = 0;

/** What a client asks for. To be filled by `readHello`, again and again. */
export class Hello {
  /** The name, lower case, without a dot at its end; "" for none, which an address is as well. */
  name = "";
  /** Application protocols, the preferred first (ALPN); none when it does not say. */
  alpn: readonly string[] = [];
  /** Versions it speaks, such as 0x0304 for TLS 1.3, without those that mean nothing (GREASE). */
  versions: readonly number[] = [];

  reset(): void {
    this.name = "";
    this.alpn = [];
    this.versions = [];
  }
}

/**
 * Reads the ClientHello that begins at `from`: OK and `hello` is filled, MORE when it is not all
 * here, NOT_TLS or MALFORMED as soon as that is certain. What lies behind the message is not looked
 * at. The version of SSLv2, without records, is not TLS.
 */
export function readHello(bytes: Uint8Array, from: number, to: number, hello: Hello): number {
  let head = 0;
  let seen = 0;
  let size = 0;
  let at = from;
  for (let records = 0; records < RECORDS_MAX; records++) {
    const length = recordLength(bytes, at, to);
    if (length === 0) return MORE;
    if (length < 0) return records === 0 ? length : MALFORMED;
    const start = at + RECORD_HEAD;
    const end = Math.min(start + length, to);
    for (let i = start; i < end && seen < MESSAGE_HEAD; i++, seen++) head = head * 256 + bytes[i]!;
    if (seen > 0 && wrongHead(head, seen)) return MALFORMED;
    size += end - start;
    const whole = MESSAGE_HEAD + (head % 0x1_00_00_00);
    if (seen === MESSAGE_HEAD && size >= whole) {
      if (records === 0) return readMessage(bytes, start + MESSAGE_HEAD, start + whole, hello);
      return readMessage(joined(bytes, from, whole), MESSAGE_HEAD, whole, hello);
    }
    if (start + length > to) return MORE;
    at = start + length;
  }
  return MALFORMED;
}

/** The size of the record at `at`, 0 when its head is not all here; or what is wrong with it. */
function recordLength(bytes: Uint8Array, at: number, to: number): number {
  if (at < to && bytes[at] !== HANDSHAKE_RECORD) return NOT_TLS;
  if (at + 1 < to && bytes[at + 1] !== MAJOR_VERSION) return NOT_TLS;
  if (to - at < RECORD_HEAD) return 0;
  const length = pair(bytes, at + 3);
  // An empty piece of a message must not be sent (RFC 8446 §5.1).
  return length === 0 || length > RECORD_MAX ? MALFORMED : length;
}

/** Whether the first `seen` bytes of a message, in one number, begin no ClientHello of ours. */
function wrongHead(head: number, seen: number): boolean {
  if (seen < MESSAGE_HEAD) return Math.floor(head / 256 ** (seen - 1)) !== CLIENT_HELLO;
  return head < CLIENT_HELLO * 0x1_00_00_00 || head > CLIENT_HELLO * 0x1_00_00_00 + HELLO_MAX;
}

/** The first `size` bytes of the message that is cut into records from `from` on. */
function joined(bytes: Uint8Array, from: number, size: number): Uint8Array {
  const whole = new Uint8Array(size);
  let at = from;
  for (let done = 0; done < size;) {
    const start = at + RECORD_HEAD;
    const length = pair(bytes, at + 3);
    const end = Math.min(start + length, start + size - done);
    whole.set(bytes.subarray(start, end), done);
    done += end - start;
    at = start + length;
  }
  return whole;
}

/** The message without its head, `bytes[from, to)`. */
function readMessage(bytes: Uint8Array, from: number, to: number, hello: Hello): number {
  hello.reset();
  let at = from + 2 + RANDOM_BYTES;
  if (at >= to || bytes[from] !== MAJOR_VERSION) return MALFORMED;
  if (bytes[at]! > SESSION_ID_MAX) return MALFORMED;
  at += 1 + bytes[at]!;
  if (at + 2 > to) return MALFORMED;
  const ciphers = pair(bytes, at);
  if (ciphers === 0 || ciphers % 2 !== 0) return MALFORMED;
  at += 2 + ciphers;
  if (at >= to || bytes[at] === 0) return MALFORMED;
  at += 1 + bytes[at]!;
  if (at > to) return MALFORMED;
  // Before RFC 3546 there were no extensions, and who has none may leave the list away.
  const found = at === to ? OK : readExtensions(bytes, at, to, hello);
  if (found === OK && hello.versions.length === 0) hello.versions = [pair(bytes, from)];
  return found;
}

function readExtensions(bytes: Uint8Array, from: number, to: number, hello: Hello): number {
  if (from + 2 > to || pair(bytes, from) !== to - from - 2) return MALFORMED;
  let named = false;
  let chosen = false;
  let versed = false;
  for (let at = from + 2; at < to;) {
    if (at + 4 > to) return MALFORMED;
    const kind = pair(bytes, at);
    const start = at + 4;
    const end = start + pair(bytes, at + 2);
    if (end > to) return MALFORMED;
    at = end;
    // No extension may be there twice (RFC 8446 §4.2): the reader behind us could take the other.
    if (kind === SERVER_NAME) {
      if (named || !readName(bytes, start, end, hello)) return MALFORMED;
      named = true;
    } else if (kind === PROTOCOLS) {
      if (chosen || !readProtocols(bytes, start, end, hello)) return MALFORMED;
      chosen = true;
    } else if (kind === VERSIONS) {
      if (versed || !readVersions(bytes, start, end, hello)) return MALFORMED;
      versed = true;
    }
  }
  return OK;
}

/** A list of names, of which there is one kind only, and of each kind one at most. */
function readName(bytes: Uint8Array, from: number, to: number, hello: Hello): boolean {
  if (to - from < 5 || pair(bytes, from) !== to - from - 2) return false;
  if (bytes[from + 2] !== HOST_NAME || pair(bytes, from + 3) !== to - from - 5) return false;
  const start = from + 5;
  // RFC 6066 has names without the dot, people type them with it.
  const end = to > start && bytes[to - 1] === DOT ? to - 1 : to;
  if (end === start || to - start > NAME_MAX) return false;
  // Addresses are no names there; who connects to one asks for nobody in particular.
  if (isAddress(bytes, start, end)) return true;
  let name = "";
  for (let i = start; i < end; i++) {
    const byte = bytes[i]!;
    // What is no name at all is known to nobody; but it is seen in logs.
    if (byte <= SPACE || byte >= DELETE) return false;
    name += String.fromCharCode(fold(byte));
  }
  hello.name = name;
  return true;
}

function readProtocols(bytes: Uint8Array, from: number, to: number, hello: Hello): boolean {
  if (to - from < 4 || pair(bytes, from) !== to - from - 2) return false;
  const protocols: string[] = [];
  for (let at = from + 2; at < to;) {
    const end = at + 1 + bytes[at]!;
    if (end === at + 1 || end > to) return false;
    if (!isGrease(bytes, at + 1, end)) protocols.push(latin1(bytes, at + 1, end));
    at = end;
  }
  hello.alpn = protocols;
  return true;
}

function readVersions(bytes: Uint8Array, from: number, to: number, hello: Hello): boolean {
  const length = to - from - 1;
  if (length < 2 || length % 2 !== 0 || bytes[from] !== length) return false;
  const versions: number[] = [];
  for (let at = from + 1; at < to; at += 2) {
    if (!isGrease(bytes, at, at + 2)) versions.push(pair(bytes, at));
  }
  hello.versions = versions;
  return true;
}

/** Two bytes such as 0x3a3a that clients send to see that they are ignored (RFC 8701 §2). */
function isGrease(bytes: Uint8Array, from: number, to: number): boolean {
  const byte = bytes[from]!;
  return to - from === 2 && byte === bytes[from + 1] && (byte & 0x0f) === 0x0a;
}

function latin1(bytes: Uint8Array, from: number, to: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString("latin1");
}

/** A number of two bytes. */
function pair(bytes: Uint8Array, at: number): number {
  return bytes[at]! * 256 + bytes[at + 1]!;
}
