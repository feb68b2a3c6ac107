/** Bytes that arrived before they could be used: an unfinished head, or pipelined requests. */
const FIRST_SIZE = 4_096;
/** A buffer doubles while it is small, and grows by this much when it is not. */
const GROWTH_MAX = 65_536;

const NO_BYTES = Buffer.alloc(0);

export class Backlog {
  /** What waits is `bytes[start, end)`; nobody changes the bytes before `end` any more. */
  bytes: Buffer = NO_BYTES;
  start = 0;
  end = 0;

  /** How many bytes wait. */
  get size(): number {
    return this.end - this.start;
  }

  /** Copies `source[from, to)` to the end; into a larger buffer when there is no room. */
  append(source: Buffer, from: number, to: number): void {
    if (this.end + to - from > this.bytes.length) this.#grow(to - from);
    source.copy(this.bytes, this.end, from, to);
    this.end += to - from;
  }

  /** What lies before `at` was used. */
  skip(at: number): void {
    this.start = at;
  }

  #grow(more: number): void {
    const size = this.size;
    const wanted = size + more + Math.min(size, GROWTH_MAX);
    const grown = Buffer.allocUnsafe(Math.max(FIRST_SIZE, wanted));
    this.bytes.copy(grown, 0, this.start, this.end);
    this.bytes = grown;
    this.start = 0;
    this.end = size;
  }
}
