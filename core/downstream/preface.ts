/**
 * What a connection is before it is HTTP or TLS: what comes first is read without an answer, within
 * one deadline from accept, and handed over with what was learned.
 *
 * ```text
 *   [PROXY header] ─▶ HTTP
 *   [PROXY header] ─▶ ClientHello ─▶ TLS, or a backend that does TLS itself
 * ```
 */
import { Backlog } from "../backlog.ts";
import { BAD_PROXY_HEADER, HANDSHAKE_FAILED, HANDSHAKE_TIMEOUT, MORE, OK } from "../fault.ts";
import { tally } from "../tally.ts";
import type { Timed } from "../timers.ts";
import { DECODE_ERROR } from "../tls/alert.ts";
import { Hello, MALFORMED, readHello } from "../tls/hello.ts";
import { ProxyHeader, readProxyHeader } from "../tls/proxy.ts";
import type { Idle } from "./admission.ts";
import { DownstreamConnection } from "./connection.ts";
import { addressOf, lastTickOf, shareOf, turnAway } from "./entrance.ts";
import type { Site } from "./site.ts";
import { PLAIN } from "./socket.ts";
import type { Attached, DownstreamSocket } from "./socket.ts";

/** What a connection said before its first answer. */
export type Opening = Readonly<{
  /** Of the client, and the port it came to, by the PROXY header; "" and 0: ask the socket. */
  address: string;
  port: number;
  /** Whose share of the connections it counts in; null is nobody's. */
  client: string | null;
  hello: Hello;
  /** The ClientHello and all that came behind it. */
  bytes: Buffer;
  /** The tick at which its handshake must be over. */
  deadline: number;
}>;

/** Goes on with a connection over TLS, which was admitted and hangs on nothing any more. */
export type Begin = (socket: DownstreamSocket, site: Site, opening: Opening) => void;

/** Shared by all connections of the worker: it does not outlive the callback that fills it. */
const HEADER = new ProxyHeader();

export class Preface implements Attached, Timed, Idle {
  idleSince = 0;
  older: Idle | null = null;
  newer: Idle | null = null;
  deadline: number;
  slot = -1;
  prev: Timed | null = null;
  next: Timed | null = null;
  readonly #site: Site;
  /** What comes behind the ClientHello; null: this is plain HTTP. */
  readonly #begin: Begin | null;
  #socket: DownstreamSocket | null;
  #client: string | null;
  /** A PROXY header has to come first. */
  #proxied: boolean;
  #address = "";
  #port = 0;
  /** What came and is not enough. */
  #kept: Backlog | null = null;

  /**
   * Of a client that was admitted as one of `client`. It begins with a PROXY header if the peer is
   * one of `site.proxies`; `begin` goes on with TLS, null with HTTP.
   */
  constructor(
    socket: DownstreamSocket,
    site: Site,
    client: string | null,
    begin: Begin | null = null,
  ) {
    const { admission, timers, limits, proxies, connections } = site;
    this.#socket = socket;
    this.#site = site;
    this.#client = client;
    this.#begin = begin;
    this.#proxied = proxies.hasAddress(addressOf(socket));
    this.deadline = timers.after(limits.handshakeMs);
    timers.add(this);
    admission.enter(client);
    admission.rest(this);
    connections.add(this);
  }

  /** It began nothing that is not over. */
  get #silent(): boolean {
    return this.#kept === null || this.#kept.size === 0;
  }

  received(bytes: Buffer): void {
    if (this.#socket === null) return;
    const kept = this.#kept;
    if (kept === null) return this.#read(bytes, 0, bytes.length);
    kept.append(bytes, 0, bytes.length);
    this.#read(kept.bytes, kept.start, kept.end);
  }

  /** Reads `bytes[from, to)`, all that is there. */
  #read(bytes: Buffer, from: number, to: number): void {
    let at = from;
    if (this.#proxied) {
      const found = readProxyHeader(bytes, at, to, HEADER);
      if (found === MORE) return this.#keep(bytes, at, to);
      if (found !== OK) return this.#refuse(BAD_PROXY_HEADER);
      at = HEADER.end;
      this.#proxied = false;
      if (!this.#introduce()) return;
    }
    if (this.#begin === null) return this.#beginPlain(this.#rest(bytes, at, to));
    const hello = new Hello();
    const found = readHello(bytes, at, to, hello);
    if (found === MORE) return this.#keep(bytes, at, to);
    // It learns that it is heard, and wrong.
    if (found === MALFORMED) this.#socket!.write(DECODE_ERROR);
    if (found !== OK) return this.#refuse(HANDSHAKE_FAILED);
    this.#beginSecure(this.#begin, hello, this.#rest(bytes, at, to));
  }

  /** Bounded by its readers, who know at a certain size. */
  #keep(bytes: Buffer, from: number, to: number): void {
    if (this.#kept !== null) return this.#kept.skip(from);
    this.#kept = new Backlog();
    this.#kept.append(bytes, from, to);
  }

  /** What was not used, to be given away: it must be the bytes of nobody else. */
  #rest(bytes: Buffer, from: number, to: number): Buffer {
    if (this.#kept === null) return bytes.subarray(from, to);
    const rest = Buffer.allocUnsafeSlow(to - from);
    bytes.copy(rest, 0, from, to);
    return rest;
  }

  /** From here on it is the client of the PROXY header; false when that one may not come in. */
  #introduce(): boolean {
    const { address, port } = HEADER;
    if (address === "") return true;
    const { admission } = this.#site;
    const client = shareOf(address, this.#site);
    // It may not stand in its own way, nor make room for itself.
    admission.wake(this);
    admission.leave(this.#client);
    this.#address = address;
    this.#port = port;
    this.#client = null;
    const fault = admission.admit(client);
    admission.enter(client);
    admission.rest(this);
    this.#client = client;
    if (fault === OK) return true;
    const socket = this.#leave();
    if (this.#begin === null) turnAway(socket, fault);
    else socket.end();
    return false;
  }

  #beginPlain(rest: Buffer): void {
    const came = { ...PLAIN, address: this.#address, port: this.#port };
    const socket = this.#leave();
    const connection = new DownstreamConnection(socket, this.#site, this.#client, came);
    socket.data = connection;
    if (this.#site.draining) connection.drain();
    if (rest.length > 0) connection.received(rest);
  }

  #beginSecure(begin: Begin, hello: Hello, bytes: Buffer): void {
    const address = this.#address;
    const port = this.#port;
    const client = this.#client;
    const { deadline } = this;
    begin(this.#leave(), this.#site, { address, port, client, hello, bytes, deadline });
  }

  /** Of a proxy that says nothing useful whoever reads the log learns which one it is. */
  #refuse(fault: number): void {
    tally(fault);
    if (fault === BAD_PROXY_HEADER) {
      const peer = addressOf(this.#socket!);
      this.#site.notices.tell(fault, { peer, expected: "a PROXY header first, as of all proxies" });
    }
    this.#close();
  }

  drained(): void {
    // Nothing is written that anybody waits for.
  }

  ended(): void {
    if (this.#socket === null) return;
    // Who says nothing, or only for whom it comes, looks whether somebody listens.
    if (this.#silent) this.#close();
    else this.#refuse(this.#proxied ? BAD_PROXY_HEADER : HANDSHAKE_FAILED);
  }

  closed(): void {
    if (this.#socket === null) return;
    if (!this.#silent) tally(this.#proxied ? BAD_PROXY_HEADER : HANDSHAKE_FAILED);
    this.#leave();
  }

  expire(): void {
    // In a drain we hurry it, which is no fault of the client's.
    if (this.#site.draining) this.#close();
    else this.#refuse(this.#proxied ? BAD_PROXY_HEADER : HANDSHAKE_TIMEOUT);
  }

  /** There is no room, and this one waits longest. */
  shed(): void {
    this.#close();
  }

  broken(): void {
    this.#close();
  }

  /** Who has just come may have a request on its way. */
  drain(): void {
    this.deadline = Math.min(this.deadline, lastTickOf(this.#site));
  }

  farewell(): void {
    // It has not said anything to which there could be last words.
  }

  abort(): void {
    this.#close();
  }

  #close(): void {
    if (this.#socket !== null) this.#leave().end();
  }

  /** It counts no more, and the socket is whoever's comes next. */
  #leave(): DownstreamSocket {
    const socket = this.#socket!;
    const { admission, timers, connections } = this.#site;
    this.#socket = null;
    timers.remove(this);
    admission.wake(this);
    admission.leave(this.#client);
    connections.delete(this);
    return socket;
  }
}
