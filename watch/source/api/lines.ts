/** From the bytes of a stream to its lines, whatever the borders between the chunks. */

/** Longest line, bytes. An API server takes objects of 1.5 MiB or so (etcd's request limit). */
export const LINE_MAX = 8 * 1024 * 1024;

const LF = 0x0a;

/** Cuts one stream. What follows the last newline is kept back: it may be half a line. */
export class Lines {
  readonly #tell: (line: string) => void;
  readonly #decoder = new TextDecoder();
  /** The line that has begun: whole chunks, joined once its newline is here. */
  #parts: Uint8Array[] = [];
  #held = 0;

  constructor(tell: (line: string) => void) {
    this.#tell = tell;
  }

  /**
   * Tells each line that this chunk ends, without its newline; empty ones are not told. False when
   * a line is longer than LINE_MAX: nothing after it can be trusted.
   */
  take(chunk: Uint8Array): boolean {
    let start = 0;
    for (let end = chunk.indexOf(LF); end >= 0; end = chunk.indexOf(LF, start)) {
      if (!this.#hold(chunk.subarray(start, end))) return false;
      this.#release();
      start = end + 1;
    }
    return this.#hold(chunk.subarray(start));
  }

  #hold(part: Uint8Array): boolean {
    this.#held += part.length;
    if (this.#held > LINE_MAX) return false;
    if (part.length > 0) this.#parts.push(part);
    return true;
  }

  /** A character may lie on a border: bytes are joined before they are decoded. */
  #release(): void {
    const parts = this.#parts;
    if (parts.length === 0) return;
    const bytes = parts.length === 1 ? parts[0] : Buffer.concat(parts, this.#held);
    this.#parts = [];
    this.#held = 0;
    this.#tell(this.#decoder.decode(bytes));
  }
}
