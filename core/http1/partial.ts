/** A head that arrives in pieces: collected, and parsed on from where the last piece ended. */
import { Backlog } from "../backlog.ts";
import { Head } from "../head.ts";

const LF = 10;

export class Partial {
  readonly head = new Head();
  readonly #backlog = new Backlog();

  /** Starts with the bytes of the first piece, `bytes[from, to)`. */
  constructor(bytes: Buffer, from: number, to: number) {
    this.#backlog.append(bytes, from, to);
    this.head.reset(this.#backlog.bytes, 0);
  }

  /** End of what is collected, in `head.bytes`. */
  get end(): number {
    return this.#backlog.end;
  }

  /**
   * Takes the next piece. False when there is nothing to judge yet: no line ended, and the
   * unfinished one is within `lineMax` bytes. So a line is parsed once, however it is cut.
   */
  more(bytes: Buffer, lineMax: number): boolean {
    this.#backlog.append(bytes, 0, bytes.length);
    // The path is not rewritten before the head is whole, so it lies in the same bytes.
    this.head.bytes = this.#backlog.bytes;
    this.head.path = this.#backlog.bytes;
    return bytes.indexOf(LF) >= 0 || this.#backlog.end - this.head.next > lineMax;
  }
}
