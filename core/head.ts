/**
 * A request or response head, parsed: offsets into the bytes it came from, never strings. A codec
 * (core/http1, later core/http2) fills it; routing and the writers read it. One head is reused for
 * many messages; `reset` makes it empty. All offsets are into `bytes` unless said otherwise.
 */

import { HEAD_LINES_MAX } from "./limits.ts";

/** Int32 numbers a header line takes in `fields`. */
export const FIELD = 5;
export const NAME_START = 0;
export const NAME_END = 1;
export const VALUE_START = 2;
export const VALUE_END = 3;
/** What the line is: one of the `H_…` ids in core/http1/names.ts, 0 when nobody cares. */
export const KNOWN = 4;

// --- bits of `flags` ---
export const CLOSE = 1 << 0;
export const KEEP_ALIVE = 1 << 1;
/** `Connection: upgrade`. */
export const UPGRADE = 1 << 2;
/** `Connection` names fields that must not travel on. */
export const NOMINATED = 1 << 3;
/** `Upgrade` lists `websocket`. */
export const WEBSOCKET = 1 << 4;
/** `Upgrade` lists `h2c` or `h2`. */
export const H2C = 1 << 5;
export const EXPECT = 1 << 6;
export const HAS_LENGTH = 1 << 7;
export const HAS_CODING = 1 << 8;
export const HAS_HOST = 1 << 9;
/** The request line names scheme and authority. */
export const ABSOLUTE = 1 << 10;
/** The path holds a byte that `canonicalPath` must look at. */
export const PATH_ODD = 1 << 11;
export const WS_KEY = 1 << 12;
export const WS_VERSION = 1 << 13;
/** `OPTIONS *`. */
export const ASTERISK = 1 << 14;
/** Authentication that belongs to the connection: NTLM or Negotiate. */
export const BOUND = 1 << 15;
// A line that is well formed, but means something wrong; judged when all lines are known.
export const BAD_LENGTH_LINE = 1 << 16;
export const BAD_CODING_LINE = 1 << 17;
export const UNKNOWN_CODING_LINE = 1 << 18;
export const BAD_HOST_LINE = 1 << 19;
export const BAD_EXPECT_LINE = 1 << 20;
export const BAD_CONNECTION_LINE = 1 << 21;
export const BAD_WS_LINE = 1 << 22;
export const BAD_ALIAS_LINE = 1 << 23;
/** More options in `Connection` than anybody looks at. */
export const MANY_OPTIONS = 1 << 26;
/** `TE: trailers`: the client wants the trailers of a chunked answer (RFC 9110 §10.1.4). */
export const TRAILERS = 1 << 24;
/** `Max-Forwards` is there; it counts for OPTIONS. */
export const MAX_FORWARDS = 1 << 25;
export const HAS_DATE = 1 << 27;
/** The request line names the scheme `https`. */
export const HTTPS = 1 << 28;

const NOTHING = Buffer.alloc(0);

export class Head {
  bytes: Buffer = NOTHING;
  /** Where the message starts. */
  start = 0;
  /** Header lines in order, FIELD numbers each. */
  readonly fields = new Int32Array(HEAD_LINES_MAX * FIELD);
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
  /** Authority of an absolute-form target. */
  targetHostStart = 0;
  targetHostEnd = 0;

  // --- status line ---
  status = 0;

  // --- framing and connection ---
  /** Bytes of body announced by Content-Length; -1 when there is none. */
  length = -1;
  chunked = false;
  /** OR of the bits above. */
  flags = 0;
  /** How often this proxy stands in `Via` already. */
  hops = 0;
  /** What `Max-Forwards` allows; -1 when it says nothing (RFC 9110 §7.6.2). */
  maxForwards = -1;
  /** How long its sender keeps an idle connection, from `Keep-Alive: timeout`; -1: not said. */
  keepAliveSeconds = -1;
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
    this.start = start;
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
    this.targetHostStart = start;
    this.targetHostEnd = start;
    this.status = 0;
    this.length = -1;
    this.chunked = false;
    this.flags = 0;
    this.hops = 0;
    this.maxForwards = -1;
    this.keepAliveSeconds = -1;
    this.end = start;
    this.phase = 0;
    this.next = start;
  }
}
