/** Bytes that arrived before they could be used: an unfinished head, or pipelined requests. */
const FIRST_SIZE = 4_096;

export class Backlog {
  bytes: Buffer = Buffer.alloc(0);
  /** How much of `bytes` is filled. */
  end = 0;

  /** Copies `source[from, to)` to the end; the buffer at least doubles when it must grow. */
  append(source: Buffer, from: number, to: number): void {
    const size = this.end + to - from;
    if (size > this.bytes.length) {
      const grown = Buffer.allocUnsafe(Math.max(FIRST_SIZE, size, this.bytes.length * 2));
      this.bytes.copy(grown, 0, 0, this.end);
      this.bytes = grown;
    }
    source.copy(this.bytes, this.end, from, to);
    this.end = size;
  }

  /** Hands the bytes over to the caller and is empty. Valid up to the old `end`. */
  take(): Buffer {
    const bytes = this.bytes;
    this.bytes = Buffer.alloc(0);
    this.end = 0;
    return bytes;
  }
}
