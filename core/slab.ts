/**
 * A worker's assembly buffer for one direction: a head and the first bytes of its body are laid
 * side by side and leave in one write. It is empty again before the callback that filled it
 * returns, so it is shared by all connections of the worker.
 */
import { assert } from "./assert.ts";

export class Slab {
  /** Larger than the largest head with all its additions, plus a body piece worth copying. */
  readonly bytes = Buffer.allocUnsafeSlow(256 * 1024);
  /** How much of `bytes` is filled. */
  end = 0;
  /** Whose bytes these are. */
  #owner: object | null = null;

  /** To be called before filling. Bytes of two connections must never lie side by side. */
  claim(owner: object): void {
    if (this.#owner === owner) return;
    const left = this.end;
    // Thrown away before anything else: a bug of one connection must not stop all others.
    this.end = 0;
    this.#owner = owner;
    assert(left === 0, "a slab changes hands empty");
  }

  /** Throws away what `owner` laid down; a connection that dies leaves nothing behind. */
  disown(owner: object): void {
    if (this.#owner !== owner) return;
    this.end = 0;
    this.#owner = null;
  }

  /** Free bytes. */
  get room(): number {
    return this.bytes.length - this.end;
  }

  /** Appends all of a small constant. */
  add(constant: Uint8Array): void {
    this.bytes.set(constant, this.end);
    this.end += constant.length;
  }
}

/** Body bytes that are copied behind a head when it does not fit in front of them. */
export const JOIN_MAX = 96 * 1024;
/** Body bytes worth copying behind a head in any case, instead of writing them by themselves. */
export const COPY_MAX = 16 * 1024;
