/**
 * The way out of one socket: what the kernel did not take at once waits here, in order, until the
 * socket drains. Bounded by its users, who stop reading the other side while anything waits.
 */
import { assert } from "./assert.ts";

/** The part of a Bun socket that the outbox needs. */
export type Sink = { write(bytes: Uint8Array, from: number, length: number): number };

export class Outbox {
  /** Bytes that wait. */
  size = 0;
  readonly #chunks: Uint8Array[] = [];
  readonly #from: number[] = [];
  readonly #to: number[] = [];

  /**
   * Writes `bytes[from, to)`, or what is left behind earlier bytes. `owned` bytes may be kept by
   * reference; others are copied when they have to wait. True when nothing waits.
   */
  send(sink: Sink | null, bytes: Uint8Array, from: number, to: number, owned = false): boolean {
    if (from === to) return this.size === 0;
    let at = from;
    if (this.size === 0 && sink !== null) {
      const sent = sink.write(bytes, from, to - from);
      if (sent === to - from) return true;
      // −1: the socket is gone; its close callback follows and nobody will read these bytes.
      at += Math.max(sent, 0);
    }
    this.#keep(bytes, at, to, owned);
    return false;
  }

  /** Goes on after the socket drained. True when nothing waits any more. */
  drain(sink: Sink): boolean {
    while (this.#chunks.length > 0) {
      const from = this.#from[0]!;
      const to = this.#to[0]!;
      const sent = Math.max(sink.write(this.#chunks[0]!, from, to - from), 0);
      this.size -= sent;
      if (sent < to - from) {
        this.#from[0] = from + sent;
        return false;
      }
      this.#chunks.shift();
      this.#from.shift();
      this.#to.shift();
    }
    assert(this.size === 0, "an empty outbox holds no bytes");
    return true;
  }

  /** Takes over what waits in another outbox that never got to write a byte. */
  adopt(other: Outbox): void {
    for (let i = 0; i < other.#chunks.length; i++) {
      this.#keep(other.#chunks[i]!, other.#from[i]!, other.#to[i]!, true);
    }
    other.clear();
  }

  clear(): void {
    this.#chunks.length = 0;
    this.#from.length = 0;
    this.#to.length = 0;
    this.size = 0;
  }

  #keep(bytes: Uint8Array, from: number, to: number, owned: boolean): void {
    // Not `slice`: that of a Buffer is a view, and the slab is filled again before this leaves.
    this.#chunks.push(owned ? bytes : Buffer.from(bytes.subarray(from, to)));
    this.#from.push(owned ? from : 0);
    this.#to.push(owned ? to : to - from);
    this.size += to - from;
  }
}
