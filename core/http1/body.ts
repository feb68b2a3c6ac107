/**
 * Message bodies, decoded without I/O: Content-Length, chunked (RFC 9112 §7.1) or until the
 * connection closes. `next` walks the bytes it is given and yields segments of data; nothing is
 * copied. Chunk extensions and trailers are validated and dropped, never forwarded.
 */
import { CLASS, HEX_VALUE, TCHAR, VALUE } from "./classes.ts";

// --- kinds ---
export const NO_BODY = 0;
export const BY_LENGTH = 1;
export const BY_CHUNKS = 2;
export const BY_CLOSE = 3;

// --- what `next` answers ---
/** All bytes are used up, the body goes on. */
export const WANT = 0;
/** `bytes[from, to)` is data. */
export const DATA = 1;
/** The body ended; `at` is behind its last byte. */
export const ENDED = 2;
/** The framing is broken; nothing behind it can be trusted. */
export const BROKEN = 3;

// --- states of the chunked decoder ---
const SIZE = 0;
const SIZE_MORE = 1;
const SIZE_SPACE = 2;
const EXT_NAME_START = 3;
const EXT_NAME = 4;
const EXT_AFTER_NAME = 5;
const EXT_VALUE_START = 6;
const EXT_VALUE = 7;
const EXT_QUOTED = 8;
const EXT_ESCAPE = 9;
const EXT_AFTER_VALUE = 10;
const SIZE_LF = 11;
const CHUNK = 12;
const CHUNK_CR = 13;
const CHUNK_LF = 14;
const TRAILER_START = 15;
const TRAILER_NAME = 16;
const TRAILER_VALUE = 17;
const TRAILER_LF = 18;
const LAST_LF = 19;
const DONE = 20;
const FAILED = 21;
const EXT_QUOTED_END = 22;

const CR = 13;
const LF = 10;
const SP = 32;
const HTAB = 9;
const SEMICOLON = 59;
const EQUALS = 61;
const QUOTE = 34;
const BACKSLASH = 92;
const COLON = 58;

const SIZE_DIGITS_MAX = 16;
const EXTENSION_MAX = 256;
/** Framing bytes a chunk of any size needs: size, two line ends and a little room. */
const CHUNK_CREDIT = 16;
/** Further framing bytes allowed beyond twice the data: a body must not be mostly extensions. */
const OVERHEAD_MAX = 16_384;
const TRAILER_MAX = 8_192;
const TRAILER_LINES_MAX = 32;

export class Body {
  kind = NO_BODY;
  /** Bytes to come: of the body by length, or of the chunk. */
  left = 0;
  /** The data `next` found. */
  from = 0;
  to = 0;
  /** Where `next` stopped. */
  at = 0;
  /** Data bytes seen so far. */
  total = 0;
  /** Whether space may follow a chunk size: old servers pad it, clients have no business to. */
  lenient = false;
  #state = SIZE;
  #digits = 0;
  #line = 0;
  #overhead = 0;
  #lines = 0;

  /** Starts a body of `kind`; `length` is in bytes and counts for BY_LENGTH only. */
  start(kind: number, length: number, lenient: boolean): void {
    this.kind = kind;
    this.left = kind === BY_LENGTH ? length : 0;
    this.total = 0;
    this.lenient = lenient;
    this.#state = SIZE;
    this.#digits = 0;
    this.#line = 0;
    this.#overhead = 0;
    this.#lines = 0;
  }

  /** Whether the body has no bytes to come, without looking at any. */
  get empty(): boolean {
    return this.kind === NO_BODY || (this.kind === BY_LENGTH && this.left === 0);
  }

  // === hot ===

  /** Looks at `bytes[from, end)` and answers WANT, DATA, ENDED or BROKEN; go on from `at`. */
  next(bytes: Uint8Array, from: number, end: number): number {
    if (this.kind === BY_CHUNKS) return this.#nextChunked(bytes, from, end);
    this.at = from;
    if (this.kind === NO_BODY) return ENDED;
    if (this.kind === BY_LENGTH && this.left === 0) return ENDED;
    if (from === end) return WANT;
    const size = this.kind === BY_LENGTH ? Math.min(end - from, this.left) : end - from;
    if (this.kind === BY_LENGTH) this.left -= size;
    return this.#found(from, from + size);
  }

  #found(from: number, to: number): number {
    this.from = from;
    this.to = to;
    this.at = to;
    this.total += to - from;
    return DATA;
  }

  #nextChunked(bytes: Uint8Array, from: number, end: number): number {
    let at = from;
    if (this.#state === DONE || this.#state === FAILED) {
      this.at = from;
      return this.#state === DONE ? ENDED : BROKEN;
    }
    while (at < end) {
      if (this.#state === CHUNK) {
        const size = Math.min(end - at, this.left);
        this.left -= size;
        if (this.left === 0) this.#state = CHUNK_CR;
        return this.#found(at, at + size);
      }
      this.#state = this.#step(bytes[at]!);
      at++;
      this.#overhead++;
      if (this.#state === FAILED || this.#overhead > OVERHEAD_MAX + 2 * this.total) {
        this.#state = FAILED;
        return BROKEN;
      }
      if (this.#state === DONE) {
        this.at = at;
        return ENDED;
      }
    }
    this.at = at;
    return WANT;
  }

  /** One byte of framing: the state after it. */
  #step(byte: number): number {
    switch (this.#state) {
      case SIZE:
      case SIZE_MORE:
        return this.#size(byte);
      case SIZE_LF:
        return byte === LF ? this.#sized() : FAILED;
      case CHUNK_CR:
        return byte === CR ? CHUNK_LF : FAILED;
      case CHUNK_LF:
        this.#digits = 0;
        return byte === LF ? SIZE : FAILED;
      case TRAILER_START:
      case TRAILER_NAME:
      case TRAILER_VALUE:
      case TRAILER_LF:
      case LAST_LF:
        return this.#trailer(byte);
      default:
        return this.#extension(byte);
    }
  }

  #size(byte: number): number {
    const value = HEX_VALUE[byte]!;
    if (value < 16) {
      this.left = this.#digits === 0 ? value : this.left * 16 + value;
      this.#digits++;
      const fits = this.#digits <= SIZE_DIGITS_MAX && this.left <= Number.MAX_SAFE_INTEGER;
      return fits ? SIZE_MORE : FAILED;
    }
    if (this.#state === SIZE) return FAILED;
    this.#line = 0;
    return this.#afterSize(byte);
  }

  #afterSize(byte: number): number {
    if (byte === CR) return SIZE_LF;
    if (byte === SEMICOLON) return EXT_NAME_START;
    return byte === SP || byte === HTAB ? SIZE_SPACE : FAILED;
  }

  #sized(): number {
    this.#overhead -= CHUNK_CREDIT;
    if (this.left > 0) return CHUNK;
    this.#line = 0;
    return TRAILER_START;
  }

  // === cold ===

  /** `*( BWS ";" BWS token [ BWS "=" BWS ( token / quoted-string ) ] )`, at most 256 bytes. */
  #extension(byte: number): number {
    if (++this.#line > EXTENSION_MAX) return FAILED;
    const space = byte === SP || byte === HTAB;
    const token = (CLASS[byte]! & TCHAR) !== 0;
    switch (this.#state) {
      case SIZE_SPACE:
        // Space before `;` is BWS; before CRLF it is what only a lenient reader takes.
        if (byte === CR) return this.lenient ? SIZE_LF : FAILED;
        return this.#afterSize(byte);
      case EXT_NAME_START:
        return space ? EXT_NAME_START : token ? EXT_NAME : FAILED;
      case EXT_NAME:
        return token ? EXT_NAME : this.#afterName(byte, space);
      case EXT_AFTER_NAME:
        return this.#afterName(byte, space);
      case EXT_VALUE_START:
        if (space) return EXT_VALUE_START;
        return byte === QUOTE ? EXT_QUOTED : token ? EXT_VALUE : FAILED;
      case EXT_VALUE:
        return token ? EXT_VALUE : this.#afterValue(byte, space);
      case EXT_QUOTED:
        if (byte === QUOTE) return EXT_QUOTED_END;
        if (byte === BACKSLASH) return EXT_ESCAPE;
        return (CLASS[byte]! & VALUE) !== 0 ? EXT_QUOTED : FAILED;
      case EXT_ESCAPE:
        return (CLASS[byte]! & VALUE) !== 0 ? EXT_QUOTED : FAILED;
      default:
        return this.#afterValue(byte, space);
    }
  }

  #afterName(byte: number, space: boolean): number {
    if (byte === EQUALS) return EXT_VALUE_START;
    if (byte === CR) return this.#state === EXT_NAME ? SIZE_LF : FAILED;
    if (byte === SEMICOLON) return EXT_NAME_START;
    return space ? EXT_AFTER_NAME : FAILED;
  }

  #afterValue(byte: number, space: boolean): number {
    // Space goes before `;` only: trailing space is not in the grammar.
    if (byte === CR) return this.#state === EXT_AFTER_VALUE ? FAILED : SIZE_LF;
    if (byte === SEMICOLON) return EXT_NAME_START;
    return space ? EXT_AFTER_VALUE : FAILED;
  }

  /** Trailer lines obey the rules of header lines (RFC 9110 §6.5). */
  #trailer(byte: number): number {
    if (++this.#line > TRAILER_MAX) return FAILED;
    switch (this.#state) {
      case TRAILER_START:
        if (byte === CR) return LAST_LF;
        if (++this.#lines > TRAILER_LINES_MAX) return FAILED;
        return (CLASS[byte]! & TCHAR) !== 0 ? TRAILER_NAME : FAILED;
      case TRAILER_NAME:
        if (byte === COLON) return TRAILER_VALUE;
        return (CLASS[byte]! & TCHAR) !== 0 ? TRAILER_NAME : FAILED;
      case TRAILER_VALUE:
        if (byte === CR) return TRAILER_LF;
        return (CLASS[byte]! & VALUE) !== 0 ? TRAILER_VALUE : FAILED;
      case TRAILER_LF:
        return byte === LF ? TRAILER_START : FAILED;
      default:
        return byte === LF ? DONE : FAILED;
    }
  }
}
