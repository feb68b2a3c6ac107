/**
 * The way out of one socket: what the kernel did not take at once waits here, in order, until the
 * socket drains. Bounded by its users, who stop reading the other side while anything waits.
 */
import { assert } from "./assert.ts";

/** The part of a Bun socket that the outbox needs. */
export type Sink = {
  write(bytes: Uint8Array, from: number, length: number): number;
  resume(): void;
};

export class Outbox {
  /** Bytes that wait. */
  size = 0;
  /** Bytes that the kernel took, ever. */
  taken = 0;
  /**
   * The socket said that it is dead. Its reset was told to that write, and Bun tells the reader
   * only an end, as if it were FIN.
   */
  dead = false;
  readonly #chunks: Uint8Array[] = [];
  readonly #from: number[] = [];
  readonly #to: number[] = [];

  /** Writes `bytes[from, to)`, behind what waits. A part that has to wait is copied. */
  send(sink: Sink | null, bytes: Uint8Array, from: number, to: number): boolean {
    const at = from + this.#write(sink, bytes, from, to);
    // The slab is filled again before this leaves.
    if (at < to) this.#keep(copyOf(bytes, at, to), 0, to - at);
    return this.size === 0;
  }

  /**
   * As `send`, for bytes that nobody changes any more: what has to wait is kept as it is, unless
   * it is less than half of them, so that no more than twice what waits is held.
   */
  lend(sink: Sink | null, bytes: Uint8Array, from: number, to: number): boolean {
    const at = from + this.#write(sink, bytes, from, to);
    if (at < to && isSmall(bytes, at, to)) this.#keep(copyOf(bytes, at, to), 0, to - at);
    else if (at < to) this.#keep(bytes, at, to);
    return this.size === 0;
  }

  /** Goes on after the socket drained. True when nothing waits any more. */
  drain(sink: Sink): boolean {
    while (this.#chunks.length > 0) {
      const from = this.#from[0]!;
      const to = this.#to[0]!;
      const sent = this.#put(sink, this.#chunks[0]!, from, to);
      this.size -= sent;
      this.taken += sent;
      if (sent < to - from) {
        this.#shrink(from + sent, to);
        return false;
      }
      this.#chunks.shift();
      this.#from.shift();
      this.#to.shift();
    }
    assert(this.size === 0, "an empty outbox holds no bytes");
    return true;
  }

  /** Of the first chunk `[from, to)` is left. */
  #shrink(from: number, to: number): void {
    const chunk = this.#chunks[0]!;
    const small = isSmall(chunk, from, to);
    if (small) this.#chunks[0] = copyOf(chunk, from, to);
    this.#from[0] = small ? 0 : from;
    this.#to[0] = small ? to - from : to;
  }

  /** Takes over what waits in another outbox that never got to write a byte. */
  adopt(other: Outbox): void {
    for (let i = 0; i < other.#chunks.length; i++) {
      this.#keep(other.#chunks[i]!, other.#from[i]!, other.#to[i]!);
    }
    other.clear();
  }

  clear(): void {
    this.#chunks.length = 0;
    this.#from.length = 0;
    this.#to.length = 0;
    this.size = 0;
  }

  #write(sink: Sink | null, bytes: Uint8Array, from: number, to: number): number {
    if (from === to || this.size > 0 || sink === null) return 0;
    const sent = this.#put(sink, bytes, from, to);
    this.taken += sent;
    return sent;
  }

  #keep(bytes: Uint8Array, from: number, to: number): void {
    this.#chunks.push(bytes);
    this.#from.push(from);
    this.#to.push(to);
    this.size += to - from;
  }

  /**
   * How many bytes the kernel took. −1 from a dead socket is none, and its close event follows; but
   * Bun never tells the end of one that is paused, so it has to read again.
   */
  #put(sink: Sink, bytes: Uint8Array, from: number, to: number): number {
    const sent = sink.write(bytes, from, to - from);
    if (sent >= 0) return sent;
    this.dead = true;
    sink.resume();
    return 0;
  }
}

/** `[from, to)` is less than half of what it is part of. */
function isSmall(bytes: Uint8Array, from: number, to: number): boolean {
  return 2 * (to - from) < bytes.length;
}

/** Not `bytes.slice`: a Buffer's is a view. */
function copyOf(bytes: Uint8Array, from: number, to: number): Uint8Array {
  return Uint8Array.prototype.slice.call(bytes, from, to);
}
