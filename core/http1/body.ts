/**
 * Message bodies, decoded without I/O: Content-Length, chunked (RFC 9112 §7.1) or until the
 * connection closes. `next` walks the bytes it is given and yields segments of data; nothing is
 * copied. Chunk extensions are validated and dropped; trailers too, unless they are asked for.
 */
import { BAD_BODY, BAD_TRAILER } from "../fault.ts";
import { CLASS, HEX_VALUE, TCHAR, VALUE } from "./classes.ts";
import { BROKEN, DATA, ENDED, WANT } from "./found.ts";
import { Trailers } from "./trailers.ts";

// --- kinds ---
export const NO_BODY = 0;
export const BY_LENGTH = 1;
export const BY_CHUNKS = 2;
export const BY_CLOSE = 3;

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
const EXT_QUOTED_END = 15;
/** Behind the last chunk: the empty line, or trailers. */
const LAST = 16;
const LAST_LF = 17;
const TRAILER = 18;
const DONE = 19;
const FAILED = 20;

const CR = 13;
const LF = 10;
const SP = 32;
const HTAB = 9;
const SEMICOLON = 59;
const EQUALS = 61;
const QUOTE = 34;
const BACKSLASH = 92;

const SIZE_DIGITS_MAX = 16;
const EXTENSION_MAX = 256;
/** Framing bytes a chunk of any size needs: size, two line ends and a little room. */
const CHUNK_CREDIT = 16;
/** Further framing bytes allowed beyond twice the data: a body must not be mostly extensions. */
const OVERHEAD_MAX = 16_384;

export class Body {
  kind = NO_BODY;
  /** Bytes to come: of the body by length, or of the chunk. */
  left = 0;
  /** The data `next` found. */
  from = 0;
  to = 0;
  /** Where `next` stopped. */
  at = 0;
  /** Chunks seen so far, of all bodies. */
  chunks = 0;
  /** Data bytes seen so far. */
  total = 0;
  /** Whether space may follow a chunk size: old servers pad it, clients have no business to. */
  lenient = false;
  /** What is BROKEN: the fault of a request whose body it is. */
  fault = BAD_BODY;
  #state = SIZE;
  #digits = 0;
  #line = 0;
  #overhead = 0;
  #wanted: ReadonlySet<string> | null = null;
  #trailers: Trailers | null = null;

  /** Starts a body of `kind`; `length` is in bytes and counts for BY_LENGTH only. */
  start(kind: number, length: number, lenient: boolean): void {
    this.kind = kind;
    this.left = kind === BY_LENGTH ? length : 0;
    this.total = 0;
    this.lenient = lenient;
    this.fault = BAD_BODY;
    this.#state = SIZE;
    this.#digits = 0;
    this.#line = 0;
    this.#overhead = 0;
    this.#wanted = null;
    this.#trailers = null;
  }

  /** To be called after `start`: trailers are wanted, but for those of these folded names. */
  keepTrailers(but: ReadonlySet<string>): void {
    this.#wanted = but;
  }

  /** The trailer lines that may travel on, after ENDED; null when there are none. */
  trailers(): Uint8Array | null {
    return this.#trailers === null ? null : this.#trailers.lines();
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
      case LAST:
        return byte === CR ? LAST_LF : this.#trailer(byte);
      case LAST_LF:
        return byte === LF ? DONE : FAILED;
      case TRAILER:
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
    this.chunks++;
    return this.left > 0 ? CHUNK : LAST;
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

  #trailer(byte: number): number {
    this.#trailers ??= new Trailers(!this.lenient, this.#wanted);
    const found = this.#trailers.next(byte);
    if (found === WANT) return TRAILER;
    if (found === ENDED) return DONE;
    this.fault = BAD_TRAILER;
    return FAILED;
  }
}
