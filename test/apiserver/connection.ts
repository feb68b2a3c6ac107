/** One accepted connection: requests in, answers and streams out, and every way to break them. */
import { type Message, readMessage } from "../message.ts";

const STATUS_TEXT: Readonly<Record<number, string>> = {
  200: "OK",
  201: "Created",
  404: "Not Found",
};

/** What an answer carries besides its status. */
export type Answer = Readonly<{ status: number; body: string; fields?: Readonly<Fields> }>;
type Fields = Record<string, string>;

/** Bytes go out in pieces of `bytes`, one each `ms`. */
export type Pace = Readonly<{ bytes: number; ms: number }>;

/** An answer without an end in sight, in chunks. All of it does nothing once it is over. */
export class Stream {
  /** Bytes of the body so far. */
  sent = 0;
  over = false;
  /** After so many bytes of the body the connection closes: in the middle of a line, maybe. */
  cutAt = Number.POSITIVE_INFINITY;
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Sends some text. */
  write(text: string): void {
    if (this.over || text === "") return;
    const bytes = Buffer.from(text, "utf8");
    const room = this.cutAt - this.sent;
    const part = bytes.subarray(0, Math.min(bytes.length, room));
    this.sent += part.length;
    if (part.length > 0) {
      const head = Buffer.from(`${part.length.toString(16)}\r\n`);
      this.#connection.send(Buffer.concat([head, part, Buffer.from("\r\n")]));
    }
    if (bytes.length >= room) this.cut();
  }

  /** Ends it as servers do; the connection can be used again. */
  end(): void {
    if (this.over) return;
    this.over = true;
    this.#connection.send(Buffer.from("0\r\n\r\n"));
    this.#connection.next();
  }

  /** The connection closes, and the last chunk never comes. */
  cut(): void {
    this.over = true;
    this.#connection.close();
  }

  /** RST. */
  reset(): void {
    this.over = true;
    this.#connection.reset();
  }
}

/** Owns a socket. Takes one request at a time; `answer`, or the end of a stream, asks for more. */
export class Connection {
  pace: Pace | null = null;
  closed = false;
  /** The client showed a certificate that the authority signed. */
  certified = false;
  readonly #socket: Bun.Socket<Connection>;
  readonly #take: (request: Message) => void;
  readonly #queue: Buffer[] = [];
  readonly #onClose: (() => void)[] = [];
  #unread: Buffer = Buffer.alloc(0);
  #busy = false;
  #closing = false;
  #paced: ReturnType<typeof setTimeout> | null = null;

  constructor(socket: Bun.Socket<Connection>, take: (request: Message) => void) {
    this.#socket = socket;
    this.#take = take;
    socket.setNoDelay(true);
  }

  /** Called once when the connection is gone, whoever ended it. */
  onClose(gone: () => void): void {
    this.#onClose.push(gone);
  }

  /** Answers with a body of known length. After `cutAt` bytes of it the connection closes. */
  answer({ status, body, fields = {} }: Answer, cutAt = Number.POSITIVE_INFINITY): void {
    const bytes = Buffer.from(body, "utf8");
    const head = headOf(status, { ...fields, "Content-Length": String(bytes.length) });
    this.send(Buffer.concat([head, bytes.subarray(0, Math.min(bytes.length, cutAt))]));
    if (cutAt < bytes.length) this.close();
    else this.next();
  }

  /** Begins an answer of lines. */
  stream(): Stream {
    this.send(headOf(200, { "Transfer-Encoding": "chunked" }));
    return new Stream(this);
  }

  /** Queues bytes, and writes what may go out. */
  send(bytes: Buffer): void {
    if (this.closed || this.#closing) return;
    this.#queue.push(bytes);
    this.flush();
  }

  /** FIN, after what is queued. */
  close(): void {
    this.#closing = true;
    this.flush();
  }

  /** RST. */
  reset(): void {
    this.#queue.length = 0;
    this.#socket.terminate();
  }

  /** The next request may be answered. */
  next(): void {
    this.#busy = false;
    this.#read();
  }

  // --- called by the socket's events ---

  arrived(bytes: Buffer): void {
    this.#unread = this.#unread.length === 0 ? bytes : Buffer.concat([this.#unread, bytes]);
    this.#read();
  }

  flush(): void {
    if (this.closed || this.#paced !== null) return;
    while (this.#queue.length > 0) {
      const first = this.#queue[0]!;
      const part = this.pace === null ? first : first.subarray(0, this.pace.bytes);
      const taken = this.#socket.write(part);
      if (taken <= 0) return;
      if (taken < first.length) this.#queue[0] = first.subarray(taken);
      else this.#queue.shift();
      if (this.pace === null) continue;
      this.#paced = setTimeout(() => {
        this.#paced = null;
        this.flush();
      }, this.pace.ms);
      return;
    }
    if (this.#closing) this.#socket.end();
  }

  gone(): void {
    if (this.closed) return;
    this.closed = true;
    if (this.#paced !== null) clearTimeout(this.#paced);
    for (const tell of this.#onClose) tell();
  }

  #read(): void {
    if (this.#busy || this.closed || this.#closing) return;
    const request = readMessage(this.#unread, { response: false, bodiless: false, ended: false });
    if (request === null) return;
    this.#unread = this.#unread.subarray(request.size);
    this.#busy = true;
    this.#take(request);
  }
}

/** Handlers for sockets whose `data` is a Connection. */
export const CONNECTION_EVENTS = {
  data(socket: Bun.Socket<Connection>, bytes: Buffer): void {
    socket.data.arrived(bytes);
  },
  drain(socket: Bun.Socket<Connection>): void {
    socket.data.flush();
  },
  end(socket: Bun.Socket<Connection>): void {
    socket.end();
  },
  close(socket: Bun.Socket<Connection>): void {
    socket.data?.gone();
  },
  error(): void {
    // A reset while writing: `close` follows and says so.
  },
};

function headOf(status: number, fields: Readonly<Fields>): Buffer {
  const all = { "Content-Type": "application/json", ...fields };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  const text = STATUS_TEXT[status] ?? "Status";
  return Buffer.from(`HTTP/1.1 ${status} ${text}\r\n${lines.join("")}\r\n`);
}
