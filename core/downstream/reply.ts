/** The answering half of a client's HTTP/1.1 connection: heads, bodies, and whether it stays. */
import { ascii } from "../bytes.ts";
import type { Head } from "../head.ts";
import { writeAnswer } from "../http1/answer.ts";
import { BY_CHUNKS, BY_CLOSE, NO_BODY } from "../http1/body.ts";
import { H_HSTS } from "../http1/names.ts";
import { dropLines } from "../http1/nominate.ts";
import {
  SAY_CLOSE,
  SAY_KEEP_ALIVE,
  SAY_NOTHING,
  SAY_UPGRADE,
  addLine,
  writeResponse,
} from "../http1/write.ts";
import { Output } from "../output.ts";
import type { Sink } from "../outbox.ts";
import { Slab } from "../slab.ts";

const CONTINUE = ascii("HTTP/1.1 100 Continue\r\n\r\n");

/** Shared by all connections of the worker: it is empty whenever a callback returns. */
const SLAB = new Slab();

export class Reply {
  readonly out: Output;
  /** HTTP/1.`minor` of the request. */
  minor = 1;
  /** The request is a HEAD: no answer has a body. */
  bodiless = false;
  /** The connection may carry another request. */
  keep = true;
  /** The body of this answer ends when the connection does. */
  untilClose = false;

  constructor(sink: Sink) {
    this.out = new Output(SLAB, sink);
  }

  // === hot ===

  /**
   * A final head for a backend's response whose framing is `kind`. `hsts` is our own line of
   * Strict-Transport-Security, instead of the backend's, or "".
   */
  head(head: Head, kind: number, hsts: string): void {
    const unsized = kind === BY_CHUNKS || kind === BY_CLOSE;
    this.out.chunks = unsized && this.minor === 1;
    if (unsized && this.minor === 0) {
      this.keep = false;
      this.untilClose = true;
    }
    let say = SAY_NOTHING;
    if (!this.keep) say = SAY_CLOSE;
    else if (this.minor === 0) say = SAY_KEEP_ALIVE;
    this.out.begin();
    const framing = this.out.chunks ? BY_CHUNKS : unsized ? BY_CLOSE : kind;
    if (hsts !== "") dropLines(head, H_HSTS);
    writeResponse(SLAB, head, framing, say);
    if (hsts !== "") addLine(SLAB, hsts);
  }

  // === cold ===

  /** A 1xx; clients of HTTP/1.0 know none (RFC 9110 §15.2). */
  interim(head: Head): void {
    if (this.minor === 0) return;
    this.out.begin();
    writeResponse(SLAB, head, NO_BODY, SAY_NOTHING);
    this.out.flush();
  }

  proceed(): void {
    this.out.raw(CONTINUE);
  }

  /** The 101 of a tunnel, after which no message follows. */
  switch(head: Head): void {
    this.keep = false;
    this.out.chunks = false;
    this.out.begin();
    writeResponse(SLAB, head, NO_BODY, SAY_UPGRADE);
    this.out.flush();
  }

  /** A whole response of our own; `extra` is header lines. */
  answer(status: number, body: Uint8Array, extra: string): void {
    this.out.begin();
    writeAnswer(SLAB, { status, length: body.length, extra, close: !this.keep });
    if (!this.bodiless && status !== 204 && status !== 304) this.out.raw(body);
    this.out.flush();
  }
}
