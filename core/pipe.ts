/**
 * Bytes that go between two sockets as they are. Each way ends by itself: a FIN goes on behind what
 * waits, a reset at once. While one side does not take bytes the other is not read, so that no more
 * than one read waits each way.
 */
import { release } from "./bytes.ts";
import { Outbox } from "./outbox.ts";
import type { Sink } from "./outbox.ts";

/** The part of a Bun socket that a pipe needs. */
export type PipeSocket = Sink & {
  pause(): void;
  shutdown(): void;
  end(): void;
  terminate(): void;
};

/** Whose pipe it is: the client's side of it. */
export interface PipeOwner {
  /** Bytes, or an end, went through. */
  moved(): void;
  /** Something waits for the client, or does not any more. */
  stalled(): void;
  flowed(): void;
  /** No endpoint could be reached, the last one for this fault; the pipe is still open. */
  failed(fault: number): void;
  /** Both sockets are closed. Called once. */
  over(): void;
}

/** The way of a pipe to a backend. */
export interface Passage {
  /** Bytes, or an end, went through the pipe: its time starts anew. */
  moved(): void;
  /** The pipe is over. */
  close(): void;
}

/** What finds that way. */
export interface Passages {
  /**
   * Begins to connect the backend's end of the pipe to an endpoint of the backend with this id;
   * null when there is none, or none has room. It can still fail afterwards.
   */
  open(backend: string, pipe: Pipe): Passage | null;
}

export class Pipe {
  readonly client: PipeEnd;
  readonly backend: PipeEnd;
  readonly owner: PipeOwner;
  #over = false;

  constructor(owner: PipeOwner) {
    this.owner = owner;
    this.client = new PipeEnd(this);
    this.backend = new PipeEnd(this);
  }

  /** What is on one end came from the other. */
  other(end: PipeEnd): PipeEnd {
    return end === this.client ? this.backend : this.client;
  }

  /** Closes both sides: after all was sent, or by a reset. */
  close(reset: boolean): void {
    if (this.#over) return;
    this.#over = true;
    this.client.close(reset);
    this.backend.close(reset);
    this.owner.over();
  }
}

/** One side: its socket, and what waits to be sent there. */
export class PipeEnd {
  readonly #pipe: Pipe;
  readonly #out = new Outbox();
  #socket: PipeSocket | null = null;
  #held = false;
  /** Its peer sends no more. */
  #fin = false;
  /** Nothing more is to be sent to it, and it knows. */
  #closing = false;
  #shut = false;
  #closed = false;

  constructor(pipe: Pipe) {
    this.#pipe = pipe;
  }

  /** Bytes that wait to be sent. */
  get waiting(): number {
    return this.#out.size;
  }

  /** Bytes that the kernel took, ever. */
  get taken(): number {
    return this.#out.taken;
  }

  /** Whether either way has ended. */
  get halved(): boolean {
    return this.#fin || this.#closing;
  }

  /** The socket is open from now on: what waits is sent. */
  attach(socket: PipeSocket): void {
    this.#socket = socket;
    this.drained();
  }

  /** Sends bytes that nobody else holds. False: something waits. */
  send(bytes: Buffer): boolean {
    const flowing = this.#out.lend(this.#socket, bytes, 0, bytes.length);
    if (flowing) release(bytes);
    else this.#stall();
    return flowing;
  }

  received(bytes: Buffer): void {
    if (this.#closed || this.#fin) return;
    if (!this.#pipe.other(this).send(bytes)) this.hold();
    this.#pipe.owner.moved();
  }

  drained(): void {
    if (this.#socket === null) return;
    const { size } = this.#out;
    this.#out.drain(this.#socket);
    if (this.#out.size < size) this.#pipe.owner.moved();
    if (this.#out.size > 0) return this.#stall();
    if (this === this.#pipe.client) this.#pipe.owner.flowed();
    if (this.#closing) this.#shutDown();
    else this.#pipe.other(this).#resume();
  }

  #stall(): void {
    if (this === this.#pipe.client) this.#pipe.owner.stalled();
  }

  /** Its peer sends no more: the other side learns it, behind what waits there. */
  ended(): void {
    if (this.#closed || this.#fin) return;
    // Of a socket that is dead a reset comes as if it were FIN.
    if (this.#out.dead) return this.#pipe.close(true);
    this.#fin = true;
    this.#pipe.owner.moved();
    this.#pipe.other(this).#finish();
  }

  #finish(): void {
    this.#closing = true;
    if (this.#out.size === 0 && this.#socket !== null) this.#shutDown();
  }

  #shutDown(): void {
    if (this.#shut) return;
    this.#shut = true;
    this.#socket?.shutdown();
    // Both ways have ended when both sides were told.
    if (this.#pipe.other(this).#shut) this.#pipe.close(false);
  }

  /** The socket is gone; `clean`: not by a reset. Behind our FIN this alone tells its peer's. */
  closed(clean: boolean): void {
    if (this.#closed) return;
    this.#socket = null;
    if (clean && this.#shut) this.ended();
    if (this.#closed) return;
    // When both ways ended in order, what waits for the other side still goes there.
    if (!clean || !this.#shut || !this.#fin) this.#pipe.close(true);
  }

  /** Reads no more until the other side takes bytes. */
  hold(): void {
    if (this.#held || this.#socket === null) return;
    this.#held = true;
    this.#socket.pause();
  }

  #resume(): void {
    if (!this.#held || this.#fin) return;
    this.#held = false;
    this.#socket?.resume();
  }

  /** Its part in the end of the pipe. */
  close(reset: boolean): void {
    const socket = this.#socket;
    this.#socket = null;
    this.#closed = true;
    this.#out.clear();
    if (reset) socket?.terminate();
    else socket?.end();
  }
}
