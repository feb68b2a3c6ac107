/**
 * The way out of one HTTP/1.1 connection: heads and body pieces are laid together in the worker's
 * slab and leave in one write; what the kernel does not take waits in the outbox.
 */
import { CHUNK_FRAMING, LAST_CHUNK, writeChunk, writeLastChunk } from "./http1/write.ts";
import { Outbox } from "./outbox.ts";
import type { Sink } from "./outbox.ts";
import { COPY_MAX, JOIN_MAX } from "./slab.ts";
import type { Slab } from "./slab.ts";

export class Output {
  /** Where bytes go; null while there is no open socket, then they wait. */
  sink: Sink | null;
  /** Whether body bytes leave as chunks. */
  chunks = false;
  readonly #slab: Slab;
  readonly #outbox = new Outbox();

  constructor(slab: Slab, sink: Sink | null) {
    this.#slab = slab;
    this.sink = sink;
  }

  /** Bytes that the kernel has not taken yet. */
  get waiting(): number {
    return this.#outbox.size;
  }

  /** Bytes that the kernel took, ever. */
  get taken(): number {
    return this.#outbox.taken;
  }

  /** The socket said that it is dead: an end that is told from now on may be a reset. */
  get dead(): boolean {
    return this.#outbox.dead;
  }

  // === hot ===

  /** To be called before a head is written into the slab. */
  begin(): void {
    this.#slab.claim(this);
  }

  /** Body bytes, framed as `chunks` says. False: something waits, hold the source. */
  body(bytes: Buffer, from: number, to: number): boolean {
    const slab = this.#slab;
    if (this.chunks) return this.#bodyInChunks(bytes, from, to);
    if (slab.end > 0) slab.claim(this);
    if (slab.end > 0 && to - from <= COPY_MAX && to - from <= slab.room) {
      slab.end += bytes.copy(slab.bytes, slab.end, from, to);
      return this.#outbox.size === 0;
    }
    const start = this.#headInPlace(bytes, from);
    // One call more costs more than the copy: 10 % of an upload of 64 KiB.
    if (slab.end > 0 && to - from <= JOIN_MAX && to - from <= slab.room) {
      slab.end += bytes.copy(slab.bytes, slab.end, from, to);
      return this.flush();
    }
    this.flush();
    return this.#outbox.lend(this.sink, bytes, start, to);
  }

  /**
   * Lays the head in front of a large body, over bytes of the same read that are used up, so that
   * both leave in one write without copying the body. Returns where the write starts.
   */
  #headInPlace(bytes: Buffer, from: number): number {
    const slab = this.#slab;
    if (slab.end === 0 || slab.end > from || this.#outbox.size > 0) return from;
    const start = from - slab.end;
    slab.bytes.copy(bytes, start, 0, slab.end);
    slab.end = 0;
    return start;
  }

  /** The end of a body; `trailers` are whole lines, lost on a body that is not chunked. */
  end(trailers: Uint8Array | null): void {
    if (!this.chunks) return;
    this.#slab.claim(this);
    if (trailers === null) this.#slab.add(LAST_CHUNK);
    else this.#endWith(trailers);
  }

  /** Writes what was laid together. False: something waits. */
  flush(): boolean {
    const slab = this.#slab;
    if (slab.end === 0) return this.#outbox.size === 0;
    slab.claim(this);
    const end = slab.end;
    slab.end = 0;
    return this.#outbox.send(this.sink, slab.bytes, 0, end);
  }

  #bodyInChunks(bytes: Buffer, from: number, to: number): boolean {
    const slab = this.#slab;
    slab.claim(this);
    for (let at = from; at < to;) {
      if (slab.room < COPY_MAX) this.flush();
      const end = Math.min(to, at + slab.room - CHUNK_FRAMING - LAST_CHUNK.length);
      writeChunk(slab, bytes, at, end);
      at = end;
    }
    return this.#outbox.size === 0;
  }

  // === cold ===

  #endWith(trailers: Uint8Array): void {
    if (this.#slab.room < COPY_MAX) this.flush();
    writeLastChunk(this.#slab, trailers);
  }

  /** Bytes as they are; `bytes` must not change afterwards. */
  raw(bytes: Uint8Array): void {
    this.flush();
    this.#outbox.lend(this.sink, bytes, 0, bytes.length);
  }

  /** Goes on after the socket drained. True when nothing waits any more. */
  drain(): boolean {
    return this.sink !== null && this.#outbox.drain(this.sink);
  }

  /** Takes over what another output never got to send. */
  adopt(other: Output): void {
    this.chunks = other.chunks;
    other.sink = null;
    other.flush();
    this.#outbox.adopt(other.#outbox);
  }

  /** No more bytes leave. */
  close(): void {
    this.sink = null;
    this.#slab.disown(this);
    this.#outbox.clear();
  }
}
