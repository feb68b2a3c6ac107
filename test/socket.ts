/** A socket for tests of one side alone: it writes down what is done to it, and nothing happens. */

export class FakeSocket {
  readonly remoteAddress = "192.0.2.1";
  readonly localPort = 8_000;
  /** What the kernel took, as latin1. */
  written = "";
  /** How many bytes the kernel still takes; −1: the connection is dead. */
  room = Number.POSITIVE_INFINITY;
  /** Of what the kernel took, how much the other side has not acknowledged. */
  unacked = 0;
  /** Calls in order: `pause`, `resume`, `fin` for shutdown, `reset` for terminate, `end`. */
  readonly done: string[] = [];

  write(bytes: Uint8Array | string, from = 0, length = bytes.length): number {
    if (this.room < 0) return -1;
    const size = Math.min(length, this.room);
    this.room -= size;
    this.written += Buffer.from(bytes).toString("latin1", from, from + size);
    return size;
  }

  pause(): void {
    this.done.push("pause");
  }

  resume(): void {
    this.done.push("resume");
  }

  shutdown(): void {
    this.done.push("fin");
  }

  terminate(): void {
    this.done.push("reset");
  }

  end(): void {
    this.done.push("end");
  }
}
