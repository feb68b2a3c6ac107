/**
 * A request or response head, parsed: offsets into the bytes it came from, never strings. A codec
 * (core/http1, later core/http2) fills it; routing and the writers read it. One head is reused for
 * many messages; `reset` makes it empty. All offsets are into `bytes` unless said otherwise.
 */

/** Int32 numbers a header line takes in `fields`. */
export const FIELD = 5;
export const NAME_START = 0;
export const NAME_END = 1;
export const VALUE_START = 2;
export const VALUE_END = 3;
/** What the line is: one of the `H_…` ids in core/http1/names.ts, 0 when nobody cares. */
export const KNOWN = 4;

/** Most header lines a head can hold: what an upstream may send; clients get fewer. */
export const FIELDS_MAX = 256;

const NOTHING = Buffer.alloc(0);

export class Head {
  bytes: Buffer = NOTHING;
  /** Header lines in order, FIELD numbers each. */
  readonly fields = new Int32Array(FIELDS_MAX * FIELD);
  /** How many lines `fields` holds. */
  count = 0;

  // --- request line ---
  methodStart = 0;
  methodEnd = 0;
  /** HTTP/1.`minor`. */
  minor = 1;
  /** The path as it is matched, logged and forwarded; `path` is `bytes` or a canonical copy. */
  path: Buffer = NOTHING;
  pathStart = 0;
  pathEnd = 0;
  /** Query without its `?`; `queryStart < 0` when there is no `?` at all. */
  queryStart = -1;
  queryEnd = -1;
  /** Host name alone: no port, no trailing dot, case as sent. Equal offsets: no host. */
  hostStart = 0;
  hostEnd = 0;
  /** The whole Host value as sent, port included. */
  authorityStart = 0;
  authorityEnd = 0;

  // --- status line ---
  status = 0;

  // --- framing and connection ---
  /** Bytes of body announced by Content-Length; -1 when there is none. */
  length = -1;
  chunked = false;
  /** OR of the `C_…` bits in core/http1/names.ts. */
  connection = 0;
  /** The end of the head: the body, or the next message, starts here. */
  end = 0;

  // --- where an unfinished parse goes on ---
  /** 0 before the first line, 1 inside the header section. */
  phase = 0;
  /** Start of the first line that is not judged yet. */
  next = 0;

  /** Empties the head and points it at the bytes of the next message. */
  reset(bytes: Buffer, start: number): void {
    this.bytes = bytes;
    this.count = 0;
    this.methodStart = start;
    this.methodEnd = start;
    this.minor = 1;
    this.path = bytes;
    this.pathStart = start;
    this.pathEnd = start;
    this.queryStart = -1;
    this.queryEnd = -1;
    this.hostStart = start;
    this.hostEnd = start;
    this.authorityStart = start;
    this.authorityEnd = start;
    this.status = 0;
    this.length = -1;
    this.chunked = false;
    this.connection = 0;
    this.end = start;
    this.phase = 0;
    this.next = start;
  }
}
