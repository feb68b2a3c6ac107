/** One end of a TCP connection for tests: sends what it is told, remembers what came, waits. */
import { readMessage, type Message } from "./message.ts";

/** A test that waits longer than this hangs; it is a guard, nothing measures with it. */
const HANG_MS = 15_000;

type Waiter = Readonly<{ ready: () => boolean; wake: () => void }>;

/** How the other end left: not yet, by FIN, or by RST. */
export type Ending = "open" | "fin" | "reset";

/** Owns one socket. What came and was not taken yet is `unread`. */
export class Peer {
  unread: Buffer = Buffer.alloc(0);
  /** Every byte that came, counted; `digest` hashes the counted bytes when `counting`. */
  received = 0;
  /** Bytes the kernel took from us. */
  sent = 0;
  ending: Ending = "open";
  /** The socket is closed on both sides. */
  closed = false;
  readonly #socket: Bun.Socket<Peer>;
  readonly #queue: Buffer[] = [];
  readonly #hash = new Bun.CryptoHasher("sha256");
  #counting = false;
  #shut = false;
  #waiters: Waiter[] = [];

  constructor(socket: Bun.Socket<Peer>) {
    this.#socket = socket;
    socket.setNoDelay(true);
  }

  /** Queues bytes (a string is latin1) and writes what the kernel takes. */
  send(bytes: string | Buffer): void {
    this.#queue.push(typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes);
    this.flush();
  }

  /** Sends in pieces of `size`, each in a write of its own and a turn of the loop of its own. */
  async sendPieces(bytes: string, size: number): Promise<void> {
    for (let at = 0; at < bytes.length && !this.closed; at += size) {
      this.send(bytes.slice(at, at + size));
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Everything that was queued is in the kernel's hands. */
  sentAll(): Promise<void> {
    return this.until(() => this.#queue.length === 0 || this.closed, "sending");
  }

  /** FIN, after what is queued. The other direction stays open. */
  shut(): void {
    this.#shut = true;
    this.flush();
  }

  /** RST. */
  reset(): void {
    this.#socket.terminate();
  }

  /** Stops reading, so that the sender's bytes pile up. */
  pause(): void {
    this.#socket.pause();
  }

  /** Reads on. */
  resume(): void {
    this.#socket.resume();
  }

  /** From now on bytes are hashed and counted, not kept. */
  count(): void {
    this.#counting = true;
    this.#hash.update(this.unread);
    this.unread = Buffer.alloc(0);
  }

  /** SHA-256 of everything counted, as hexadecimal. */
  digest(): string {
    return this.#hash.digest("hex");
  }

  /** Waits until `ready` holds after some event of this connection. */
  until(ready: () => boolean, what: string): Promise<void> {
    if (ready()) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(this.#stuck(what))), HANG_MS);
      const wake = (): void => {
        clearTimeout(timer);
        resolve();
      };
      this.#waiters.push({ ready, wake });
    });
  }

  /** The other end has sent FIN or RST. */
  async left(): Promise<Ending> {
    await this.until(() => this.ending !== "open", "the other end to leave");
    return this.ending;
  }

  /** Takes the next response. `method` is the request's, since HEAD has no body. */
  async response(method = "GET"): Promise<Message> {
    return this.#message(true, method === "HEAD");
  }

  /** Takes the next request, or `null` when the other end left before it began. */
  async request(): Promise<Message | null> {
    await this.until(() => this.unread.length > 0 || this.ending !== "open", "a request");
    return this.unread.length === 0 ? null : this.#message(false, false);
  }

  /** Waits for a request head and takes it, leaving its body in `unread`. */
  async head(): Promise<string> {
    await this.until(() => this.unread.includes("\r\n\r\n") || this.ending !== "open", "a head");
    const end = this.unread.indexOf("\r\n\r\n") + 4;
    if (end < 4) throw new Error(this.#stuck("a head, but the other end left"));
    return this.take(end).toString("latin1");
  }

  /** Takes the first `size` unread bytes. */
  take(size: number): Buffer {
    const taken = this.unread.subarray(0, size);
    this.unread = this.unread.subarray(size);
    return taken;
  }

  async #message(response: boolean, bodiless: boolean): Promise<Message> {
    let message: Message | null = null;
    const read = (): boolean => {
      const ended = this.ending === "fin";
      message = readMessage(this.unread, { response, bodiless, ended });
      return message !== null || this.ending !== "open";
    };
    await this.until(read, response ? "a response" : "a request");
    if (message === null) throw new Error(this.#stuck("a message, but the other end left"));
    this.take((message as Message).size);
    return message;
  }

  #stuck(what: string): string {
    const text = this.unread.toString("latin1", 0, 300);
    const state = `${this.ending}, ${this.received} received, ${this.sent} sent`;
    return `waited for ${what} (${state}): ${JSON.stringify(text)}`;
  }

  // --- called by the socket's events ---

  arrived(bytes: Buffer): void {
    this.received += bytes.length;
    if (this.#counting) this.#hash.update(bytes);
    else this.unread = this.unread.length === 0 ? bytes : Buffer.concat([this.unread, bytes]);
    this.#wake();
  }

  flush(): void {
    while (this.#queue.length > 0) {
      const first = this.#queue[0]!;
      const taken = this.#socket.write(first);
      if (taken <= 0) break;
      this.sent += taken;
      if (taken < first.length) this.#queue[0] = first.subarray(taken);
      else this.#queue.shift();
    }
    if (this.#shut && this.#queue.length === 0 && !this.closed) this.#socket.shutdown();
    this.#wake();
  }

  over(ending: "fin" | "reset", closed: boolean): void {
    if (this.ending === "open") this.ending = ending;
    if (closed) this.closed = true;
    this.#wake();
  }

  #wake(): void {
    const waiting = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiting) {
      if (waiter.ready()) waiter.wake();
      else this.#waiters.push(waiter);
    }
  }
}

/** Handlers for sockets whose `data` is a Peer. */
export const PEER_EVENTS = {
  data(socket: Bun.Socket<Peer>, bytes: Buffer): void {
    socket.data.arrived(bytes);
  },
  drain(socket: Bun.Socket<Peer>): void {
    socket.data.flush();
  },
  end(socket: Bun.Socket<Peer>): void {
    socket.data.over("fin", false);
  },
  close(socket: Bun.Socket<Peer>, error?: Error): void {
    socket.data?.over(error === undefined ? "fin" : "reset", true);
  },
  error(): void {
    // A reset while writing: `close` follows and says so.
  },
};

/**
 * Opens a connection to `address`, which defaults to IPv4 loopback; from an address of choice, and
 * over TLS when `tls` is given.
 */
export async function dial(
  port: number,
  address = "127.0.0.1",
  from?: string,
  tls?: Bun.TLSOptions,
): Promise<Peer> {
  if (tls !== undefined) return dialSecure(port, address, tls);
  const socket = await Bun.connect<Peer>({
    hostname: address,
    port,
    ...(from !== undefined && { localAddress: from }),
    allowHalfOpen: true,
    socket: {
      ...PEER_EVENTS,
      open(opened) {
        opened.data = new Peer(opened);
      },
    },
  });
  return socket.data;
}

/** Resolves when TLS is there; rejects with the code of what was wrong with it. */
function dialSecure(port: number, address: string, tls: Bun.TLSOptions): Promise<Peer> {
  const { promise, resolve, reject } = Promise.withResolvers<Peer>();
  const leave = (code: string): void => reject(new Error(code));
  void Bun.connect<Peer>({
    hostname: address,
    port,
    tls,
    allowHalfOpen: true,
    socket: {
      ...PEER_EVENTS,
      open(opened) {
        opened.data = new Peer(opened);
      },
      handshake(opened, ok, error) {
        const code = (error as NodeJS.ErrnoException | null)?.code ?? "";
        // A certificate that is not good is no failure for who takes any.
        const broken = code === "EPROTO" || code === "ECONNRESET";
        if (ok || (tls.rejectUnauthorized === false && !broken)) resolve(opened.data);
        else leave(code);
      },
      close(opened, error) {
        PEER_EVENTS.close(opened, error);
        leave("closed");
      },
    },
  }).catch(reject);
  return promise;
}

/** Waits until a count that grew stands still for 150 ms, and returns it. */
export async function standstill(count: () => number): Promise<number> {
  let last = 0;
  for (let still = 0; still < 15 || last === 0;) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    const next = count();
    still = next === last ? still + 1 : 0;
    last = next;
  }
  return last;
}

/** After so many turns what is awaited takes time, which others can use better. */
const TURNS_MAX = 100;

/** Waits for what no single connection announces; looks once a turn. Throws if that is late. */
export async function turnsUntil(ready: () => boolean): Promise<void> {
  const began = performance.now();
  for (let turn = 0; !ready(); turn++) {
    if (performance.now() - began > HANG_MS) throw new Error(`waited in vain until ${ready}`);
    if (turn < TURNS_MAX) await new Promise((resolve) => setImmediate(resolve));
    else await Bun.sleep(1);
  }
}

/** A port of IPv4 loopback where nobody listens: it was free a moment ago. */
export function freePort(): number {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  listener.stop(true);
  return listener.port;
}
