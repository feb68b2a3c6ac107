/**
 * Trailer sections (RFC 9110 §6.5). Fields that frame or route a message, say who asks, or belong
 * to one connection mean nothing behind a body, and somebody who merges trailers into headers must
 * not be fooled by them: in a request they are refused, in a response they are left out.
 */
import { CLASS, TCHAR, VALUE } from "./classes.ts";
import { BROKEN, ENDED, WANT } from "./found.ts";
import { foldedName } from "./names.ts";

// --- states ---
const START = 0;
const NAME = 1;
const SAID = 2;
const LINE_LF = 3;
const LAST_LF = 4;

const CR = 13;
const LF = 10;
const COLON = 58;

const SECTION_MAX = 8_192;
const LINES_MAX = 32;
const NAME_MAX = 256;
const FIRST_SIZE = 512;

/** Refused in requests: framing, routing, authentication, and what belongs to one connection. */
const FORBIDDEN: ReadonlySet<string> = new Set([
  "authorization",
  "client-cert",
  "client-cert-chain",
  "connection",
  "content-length",
  "cookie",
  "expect",
  "forwarded",
  "host",
  "http2-settings",
  "keep-alive",
  "max-forwards",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "set-cookie",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "via",
  "www-authenticate",
  "x-real-ip",
]);
const FORBIDDEN_PREFIXES = ["x-forwarded-", "x-original-", "ssl-client-", "sec-websocket-"];

/** Left out as well: control of the response, and how to read its content (RFC 9110 §6.5.1). */
const UNFIT: ReadonlySet<string> = new Set([
  "age",
  "cache-control",
  "content-encoding",
  "content-range",
  "content-type",
  "date",
  "expires",
  "location",
  "pragma",
  "retry-after",
  "strict-transport-security",
  "vary",
  "warning",
]);

/** One trailer section, decoded without I/O: its lines obey the rules of header lines. */
export class Trailers {
  readonly #strict: boolean;
  readonly #wanted: ReadonlySet<string> | null;
  #state = START;
  #read = 0;
  #lines = 0;
  #bytes = Buffer.allocUnsafe(FIRST_SIZE);
  /** End of the lines that are kept: the line at hand starts here. */
  #kept = 0;
  #end = 0;
  #nameEnd = 0;

  /** `strict`: of a request. `wanted`: lines are kept, but for those of these folded names. */
  constructor(strict: boolean, wanted: ReadonlySet<string> | null) {
    this.#strict = strict;
    this.#wanted = wanted;
  }

  /** The next byte of the section, up to the LF of its empty line: WANT, ENDED or BROKEN. */
  next(byte: number): number {
    if (++this.#read > SECTION_MAX) return BROKEN;
    if (this.#state === LAST_LF) return byte === LF ? ENDED : BROKEN;
    if (this.#state === START) {
      if (byte === CR) return this.#go(LAST_LF);
      if (++this.#lines > LINES_MAX) return BROKEN;
    }
    if (this.#end === this.#bytes.length) {
      this.#bytes = Buffer.concat([this.#bytes], this.#bytes.length * 2);
    }
    this.#bytes[this.#end++] = byte;
    return this.#line(byte);
  }

  #line(byte: number): number {
    switch (this.#state) {
      case START:
        return (CLASS[byte]! & TCHAR) !== 0 ? this.#go(NAME) : BROKEN;
      case NAME:
        if (byte === COLON) return this.#named() ? this.#go(SAID) : BROKEN;
        return (CLASS[byte]! & TCHAR) !== 0 ? WANT : BROKEN;
      case SAID:
        if (byte === CR) return this.#go(LINE_LF);
        return (CLASS[byte]! & VALUE) !== 0 ? WANT : BROKEN;
      default:
        if (byte !== LF) return BROKEN;
        this.#keep();
        return this.#go(START);
    }
  }

  #go(state: number): number {
    this.#state = state;
    return WANT;
  }

  /** The line's name is complete; false when the message must not be believed. */
  #named(): boolean {
    this.#nameEnd = this.#end - 1;
    if (this.#nameEnd - this.#kept > NAME_MAX) return false;
    return !this.#strict || !isForbidden(this.#name());
  }

  /** The line is complete: it is kept, or the next one takes its place. */
  #keep(): void {
    if (this.#wanted !== null && this.#travels(this.#name(), this.#wanted)) this.#kept = this.#end;
    else this.#end = this.#kept;
  }

  /** The lines that may travel on, each with its CRLF; null when there are none. */
  lines(): Uint8Array | null {
    return this.#kept === 0 ? null : this.#bytes.subarray(0, this.#kept);
  }

  #travels(name: string, nominated: ReadonlySet<string>): boolean {
    return !isForbidden(name) && !UNFIT.has(name) && !nominated.has(name);
  }

  #name(): string {
    return foldedName(this.#bytes, this.#kept, this.#nameEnd);
  }
}

function isForbidden(name: string): boolean {
  if (FORBIDDEN.has(name)) return true;
  return FORBIDDEN_PREFIXES.some((prefix) => name.startsWith(prefix));
}
