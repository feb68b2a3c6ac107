/** A head that arrives in pieces: collected, and parsed on from where the last piece ended. */
import { Backlog } from "../backlog.ts";
import { Head } from "../head.ts";

const LF = 10;

export class Partial {
  readonly head = new Head();
  readonly #backlog = new Backlog();
  /** The first piece was parsed where it came, not here. */
  #unread = true;

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
   * Takes the next piece. False when there is nothing to judge yet: no line begins or ends in it,
   * and the unfinished one is within `lineMax` bytes. So a line is parsed twice at most, however it
   * is cut; its first byte alone may condemn it.
   */
  more(bytes: Buffer, lineMax: number): boolean {
    const begins = this.#unread || this.head.next === this.#backlog.end;
    this.#unread = false;
    this.#backlog.append(bytes, 0, bytes.length);
    // The path is not rewritten before the head is whole, so it lies in the same bytes.
    this.head.bytes = this.#backlog.bytes;
    this.head.path = this.#backlog.bytes;
    return begins || bytes.indexOf(LF) >= 0 || this.#backlog.end - this.head.next > lineMax;
  }
}
