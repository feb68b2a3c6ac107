/**
 * A strict little HTTP/1.1 of its own for both ends of a load: messages are read whole, and what
 * is cut or malformed is told apart from what simply ended. Shares no code with rind.
 */

/** How long a client waits for the next byte of its answer. */
const SILENCE_MS_MAX = 20_000;
const SWEEP_MS = 1_000;
const HEAD_BYTES_MAX = 64 * 1_024;
const NOTHING = Buffer.alloc(0);

/** A message with its body. `fields` are in lower case; those that repeat are joined by commas. */
export type Message = Readonly<{
  first: string;
  fields: ReadonlyMap<string, string>;
  body: Buffer;
  /** Whether the connection may carry another message after this one. */
  keeps: boolean;
}>;

/** Why a message is none: it ended in the middle, or it is not HTTP as this end accepts it. */
export class Broken {
  readonly reason: string;

  constructor(reason: string) {
    this.reason = reason;
  }
}

const live = new Set<Wire>();
let sweeping: Timer | null = null;

/** One connection, read by one reader at a time. Writing queues without a bound. */
export class Wire {
  /** How the other side left, once it did. */
  ending: "open" | "fin" | "reset" = "open";
  /** Bytes read so far, for whoever wants to leave in the middle. */
  received = 0;
  readonly #socket: Bun.Socket<Wire>;
  #queue: Buffer[] = [];
  #unread: Buffer = NOTHING;
  #shut = false;
  #wake: (() => void) | null = null;
  #silentSince = 0;
  readonly #patienceMs: number;

  /** A read that gets nothing for `patienceMs` resets the connection. */
  constructor(socket: Bun.Socket<Wire>, patienceMs: number) {
    this.#socket = socket;
    this.#patienceMs = patienceMs;
    live.add(this);
    sweeping ??= setInterval(sweep, SWEEP_MS);
  }

  /** Sends all of it, as fast as the other side takes it. */
  send(bytes: string | Buffer): void {
    if (this.ending === "reset") return;
    this.#queue.push(typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes);
    if (this.#queue.length === 1) this.flushed();
  }

  /** Sends FIN once everything is out. */
  shut(): void {
    this.#shut = true;
    this.flushed();
  }

  /** Ends the connection at once, by RST. */
  reset(): void {
    this.#socket.terminate();
    this.over("reset");
  }

  /** Stops reading, or goes on. */
  pause(paused: boolean): void {
    if (paused) this.#socket.pause();
    else this.#socket.resume();
  }

  /**
   * The next request, or response to `method`; null when the other side left before its first
   * byte. At most 64 KiB of head.
   */
  async message(role: "request" | "response", method = ""): Promise<Message | null | Broken> {
    const head = await this.until("\r\n\r\n");
    if (head === null || head instanceof Broken) return head;
    const lines = head.split("\r\n");
    const fields = new Map<string, string>();
    for (const line of lines.slice(1)) {
      const colon = line.indexOf(":");
      if (colon <= 0) return new Broken(`a field without a name: ${JSON.stringify(line)}`);
      const name = line.slice(0, colon).toLowerCase();
      const value = line.slice(colon + 1).trim();
      fields.set(name, fields.has(name) ? `${fields.get(name)}, ${value}` : value);
    }
    const first = lines[0]!;
    const none =
      method === "HEAD" || / (1\d\d|204|304)( |$)/.test(role === "response" ? first : "");
    const body = none ? NOTHING : await this.#body(role, fields);
    if (body instanceof Broken) return body;
    const says = (fields.get("connection") ?? "").toLowerCase();
    return { first, fields, body, keeps: !says.includes("close") && first.includes("HTTP/1.1") };
  }

  /** Text up to `end`, which is taken too; null when nothing came before the other side's end. */
  async until(end: string): Promise<string | null | Broken> {
    for (;;) {
      const at = this.#unread.indexOf(end);
      if (at >= 0) return this.#take(at, end.length).toString("latin1");
      if (this.#unread.length > HEAD_BYTES_MAX) return new Broken("no end of a head in 64 KiB");
      if (await this.#more()) continue;
      if (this.#unread.length === 0 && this.ending === "fin") return null;
      return new Broken(`${this.ending} after ${this.#unread.length} bytes of a head`);
    }
  }

  async #body(role: string, fields: ReadonlyMap<string, string>): Promise<Buffer | Broken> {
    const length = fields.get("content-length");
    if (fields.get("transfer-encoding") === "chunked") {
      return length === undefined ? this.#chunks() : new Broken("two framings");
    }
    if (length !== undefined) return this.#exactly(Number(length));
    if (role === "request") return NOTHING;
    return new Broken("a response without a length");
  }

  async #chunks(): Promise<Buffer | Broken> {
    const chunks: Buffer[] = [];
    for (;;) {
      const size = await this.until("\r\n");
      if (size === null || size instanceof Broken) return size ?? new Broken("fin between chunks");
      if (!/^[0-9a-f]{1,8}$/i.test(size)) return new Broken(`chunk size ${JSON.stringify(size)}`);
      const chunk = await this.#exactly(parseInt(size, 16));
      if (chunk instanceof Broken) return chunk;
      const close = await this.until("\r\n");
      if (close !== "") return new Broken("a chunk is longer than it says");
      if (chunk.length === 0) return Buffer.concat(chunks);
      chunks.push(chunk);
    }
  }

  async #exactly(length: number): Promise<Buffer | Broken> {
    const parts: Buffer[] = [];
    let missing = length;
    for (;;) {
      const part = this.#take(Math.min(missing, this.#unread.length), 0);
      parts.push(part);
      missing -= part.length;
      if (missing === 0) return Buffer.concat(parts);
      if (await this.#more()) continue;
      return new Broken(`${this.ending} ${missing} bytes before the end of a body`);
    }
  }

  #take(length: number, extra: number): Buffer {
    const taken = this.#unread.subarray(0, length);
    this.#unread = this.#unread.subarray(length + extra);
    return taken;
  }

  /** Waits for more bytes; false when there will be none. */
  async #more(): Promise<boolean> {
    if (this.ending !== "open") return false;
    const before = this.received;
    this.#silentSince = performance.now();
    await new Promise<void>((resolve) => (this.#wake = resolve));
    return this.received > before;
  }

  // --- called by the socket's events, and by the sweep ---

  arrived(bytes: Buffer): void {
    this.received += bytes.length;
    this.#unread = this.#unread.length === 0 ? bytes : Buffer.concat([this.#unread, bytes]);
    this.#rouse();
  }

  flushed(): void {
    while (this.#queue.length > 0) {
      const first = this.#queue[0]!;
      const taken = this.#socket.write(first);
      if (taken < 0) return this.over("reset");
      if (taken < first.length) {
        this.#queue[0] = first.subarray(taken);
        return;
      }
      this.#queue.shift();
    }
    if (!this.#shut) return;
    if (this.ending === "open") this.#socket.shutdown();
    else this.#socket.end();
  }

  over(ending: "fin" | "reset"): void {
    if (this.ending !== "reset") this.ending = ending;
    if (ending === "fin" && this.#shut && this.#queue.length === 0) this.#socket.end();
    if (ending === "reset") this.#queue = [];
    this.#rouse();
  }

  closed(failed: boolean): void {
    live.delete(this);
    if (live.size === 0 && sweeping !== null) {
      clearInterval(sweeping);
      sweeping = null;
    }
    // A FIN that follows our own is told by the close alone.
    this.over(failed ? "reset" : "fin");
  }

  late(now: number): void {
    if (this.#wake !== null && now - this.#silentSince > this.#patienceMs) this.reset();
  }

  #rouse(): void {
    this.#wake?.();
    this.#wake = null;
  }
}

function sweep(): void {
  const now = performance.now();
  for (const wire of [...live]) wire.late(now);
}

const EVENTS = {
  data: (socket: Bun.Socket<Wire>, bytes: Buffer): void => socket.data.arrived(bytes),
  drain: (socket: Bun.Socket<Wire>): void => socket.data.flushed(),
  end: (socket: Bun.Socket<Wire>): void => socket.data.over("fin"),
  close: (socket: Bun.Socket<Wire>, error?: Error): void => socket.data.closed(error !== undefined),
  error: (socket: Bun.Socket<Wire>): void => socket.data.over("reset"),
};

/** Connects to loopback; Broken when nobody accepts. */
export async function dial(port: number): Promise<Wire | Broken> {
  const open = (socket: Bun.Socket<Wire>): void => {
    socket.data = new Wire(socket, SILENCE_MS_MAX);
    socket.setNoDelay(true);
  };
  const socket = { ...EVENTS, open };
  try {
    const opened = await Bun.connect({
      hostname: "127.0.0.1",
      port,
      allowHalfOpen: true,
      socket,
      data: undefined as unknown as Wire,
    });
    return opened.data;
  } catch (error) {
    return new Broken(`connect: ${(error as { code?: string }).code ?? String(error)}`);
  }
}

/** Listens on loopback and gives each connection to `accept`. */
export function answerOn(port: number, accept: (wire: Wire) => void): Bun.TCPSocketListener<Wire> {
  const open = (socket: Bun.Socket<Wire>): void => {
    // Whoever connects decides how long it keeps an idle connection.
    socket.data = new Wire(socket, Infinity);
    socket.setNoDelay(true);
    accept(socket.data);
  };
  const socket = { ...EVENTS, open };
  return Bun.listen<Wire>({ hostname: "127.0.0.1", port, allowHalfOpen: true, socket });
}
