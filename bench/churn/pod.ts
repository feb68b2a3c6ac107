/**
 * A backend with the life of a pod: it serves, it is asked to end and finishes what it has, or it
 * is killed. Every answer carries its name, the request's id and a checksum of what it was sent.
 */
import { createHash } from "node:crypto";
import { answerOn, Broken, type Message, type Wire } from "./wire.ts";

/** How a client may ask to be failed: the connection is reset, or the answer cut or nonsense. */
export type Abort = "reset" | "cut" | "junk";

/** What a pod needs to know of the world: who else may have run the same request. */
export type Witness = (id: string, method: string) => void;

/** `idleMs`: a kept connection is closed at some time within so long, as hasty backends do. */
export type Birth = Readonly<{
  name: string;
  service: string;
  port: number;
  idleMs: number;
  witness: Witness;
}>;

const WEBSOCKET_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const CHUNK_BYTES = 1_000;

export class Pod {
  readonly name: string;
  readonly service: string;
  readonly port: number;
  readonly #listener: Bun.TCPSocketListener<Wire>;
  readonly #witness: Witness;
  readonly #idleMs: number;
  /** Connections, and whether each is in the middle of something. */
  readonly #wires = new Map<Wire, boolean>();
  #ending = false;

  /** Listens on `port`, or on any when that one is taken or 0. */
  constructor(of: Birth) {
    const { name, service, port, witness } = of;
    this.name = name;
    this.service = service;
    this.#witness = witness;
    this.#idleMs = of.idleMs;
    this.#listener = listen(port, (wire) => void this.#converse(wire));
    this.port = this.#listener.port;
  }

  /** As on SIGTERM: accepts nothing, finishes what runs, and after `graceMs` cuts the rest. */
  async end(graceMs: number): Promise<void> {
    this.#ending = true;
    this.#listener.stop();
    for (const [wire, busy] of this.#wires) if (!busy) wire.shut();
    const end = performance.now() + graceMs;
    while (this.#wires.size > 0 && performance.now() < end) await Bun.sleep(20);
    this.kill();
  }

  /** As on SIGKILL: the port is closed and every connection reset. */
  kill(): void {
    this.#ending = true;
    this.#listener.stop();
    for (const wire of [...this.#wires.keys()]) wire.reset();
  }

  async #converse(wire: Wire): Promise<void> {
    this.#wires.set(wire, false);
    // A connection without a first request is not idle yet, only young.
    for (let idleMs = Infinity; ; idleMs = this.#idleMs) {
      const hangUp =
        idleMs === Infinity ? undefined : setTimeout(() => wire.shut(), Math.random() * idleMs);
      const request = await wire.message("request");
      clearTimeout(hangUp);
      if (request === null || request instanceof Broken) break;
      this.#wires.set(wire, true);
      const keeps = await this.#answer(wire, request);
      this.#wires.set(wire, false);
      if (!keeps || this.#ending) break;
    }
    wire.shut();
    // The other side's FIN is awaited, so that no late byte of it makes the kernel send a reset.
    while (wire.ending === "open") {
      const rest = await wire.until("\n");
      if (rest === null || rest instanceof Broken) break;
    }
    wire.shut();
    this.#wires.delete(wire);
  }

  async #answer(wire: Wire, request: Message): Promise<boolean> {
    const [method = "", target = ""] = request.first.split(" ");
    const url = new URL(target, "http://pod");
    const id = url.pathname.slice(1);
    this.#witness(id, method);
    const asked = url.searchParams;
    if (request.fields.get("upgrade") === "websocket") return this.#tunnel(wire, request, id);
    if (asked.has("wait")) await Bun.sleep(Number(asked.get("wait")));
    const abort = asked.get("abort") as Abort | null;
    if (abort === "reset") wire.reset();
    if (abort === "junk") wire.send("\0\x01 this is no HTTP\r\n\r\n");
    if (abort === "reset" || abort === "junk") return false;
    const body = tagged(this.name, id, Number(asked.get("size") ?? 0));
    const close = this.#ending ? "Connection: close\r\n" : "";
    wire.send(
      `HTTP/1.1 200 OK\r\nX-Pod: ${this.name}\r\nX-Id: ${id}\r\n${close}` +
        `X-Crc: ${Bun.hash.crc32(request.body)}\r\n`,
    );
    if (abort === "cut") {
      wire.send(`Content-Length: ${body.length + 1}\r\n\r\n`);
      wire.send(body);
      return false;
    }
    if (asked.has("chunked")) sendChunks(wire, body);
    else wire.send(Buffer.concat([Buffer.from(`Content-Length: ${body.length}\r\n\r\n`), body]));
    return close === "";
  }

  /** Lines come back with the name in front, until the client has no more. */
  async #tunnel(wire: Wire, request: Message, id: string): Promise<boolean> {
    const key = `${request.fields.get("sec-websocket-key")}${WEBSOCKET_GUID}`;
    const accept = createHash("sha1").update(key).digest("base64");
    wire.send(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
        `Sec-WebSocket-Accept: ${accept}\r\nX-Pod: ${this.name}\r\nX-Id: ${id}\r\n\r\n`,
    );
    for (;;) {
      const line = await wire.until("\n");
      if (line === null || line instanceof Broken) return false;
      wire.send(`${this.name} ${line}\n`);
    }
  }
}

/** The body of an answer: the tag of pod and request, repeated to at least `size` bytes. */
export function tagged(pod: string, id: string, size: number): Buffer {
  const tag = `${pod} ${id}\n`;
  return Buffer.from(tag.repeat(Math.max(1, Math.ceil(size / tag.length))), "latin1");
}

/** `bytes` in chunks, last chunk included. */
export function sendChunks(wire: Wire, bytes: Buffer): void {
  const parts: (string | Buffer)[] = ["Transfer-Encoding: chunked\r\n\r\n"];
  for (let i = 0; i < bytes.length; i += CHUNK_BYTES) {
    const chunk = bytes.subarray(i, i + CHUNK_BYTES);
    parts.push(`${chunk.length.toString(16)}\r\n`, chunk, "\r\n");
  }
  parts.push("0\r\n\r\n");
  wire.send(Buffer.concat(parts.map((part) => Buffer.from(part as string))));
}

function listen(port: number, accept: (wire: Wire) => void): Bun.TCPSocketListener<Wire> {
  try {
    return answerOn(port, accept);
  } catch (error) {
    if ((error as { code?: string }).code !== "EADDRINUSE" || port === 0) throw error;
    return answerOn(0, accept);
  }
}
