/**
 * A connection that is handed on to a backend unopened: the name that its client asks for says to
 * which, and the TLS in it is between the two of them.
 */
import { FAULTS, OK, PASSTHROUGH_FAILED } from "../fault.ts";
import { Pipe } from "../pipe.ts";
import type { Passage, PipeOwner } from "../pipe.ts";
import { tally } from "../tally.ts";
import { INTERNAL_ERROR } from "../tls/alert.ts";
import { NOTHING, Patience } from "./patience.ts";
import type { Patient } from "./patience.ts";
import type { Opening } from "./preface.ts";
import type { Site } from "./site.ts";
import type { Attached, DownstreamSocket } from "./socket.ts";

/**
 * Hands a client's connection on to the backend with this id. It was admitted and hangs on nothing
 * any more; what it said so far goes first. When no endpoint takes it, the client gets an alert.
 */
export function passThrough(
  socket: DownstreamSocket,
  site: Site,
  opening: Pick<Opening, "client" | "bytes">,
  backend: string,
): void {
  const passthrough = new Passthrough(socket, site, opening.client, backend);
  socket.data = passthrough;
  passthrough.begin(opening.bytes);
}

class Passthrough implements Attached, PipeOwner, Patient {
  readonly #socket: DownstreamSocket;
  readonly #site: Site;
  readonly #backend: string;
  readonly #client: string | null;
  readonly #pipe = new Pipe(this);
  readonly #patience: Patience;
  #passage: Passage | null = null;

  constructor(socket: DownstreamSocket, site: Site, client: string | null, backend: string) {
    this.#socket = socket;
    this.#site = site;
    this.#backend = backend;
    this.#client = client;
    this.#patience = new Patience(this, site.timers, site.spans);
    this.#patience.expect(NOTHING);
    site.admission.enter(client);
    site.connections.add(this);
    this.#pipe.client.attach(socket);
  }

  begin(bytes: Buffer): void {
    this.#pipe.backend.send(bytes);
    // No more of it waits here than was read already.
    this.#pipe.client.hold();
    this.#passage = this.#site.passages.open(this.#backend, this.#pipe);
    if (this.#passage === null) this.failed(OK);
  }

  // === of the client's socket ===

  received(bytes: Buffer): void {
    this.#pipe.client.received(bytes);
  }

  drained(): void {
    this.#pipe.client.drained();
  }

  ended(): void {
    this.#pipe.client.ended();
  }

  closed(clean: boolean): void {
    this.#pipe.client.closed(clean);
  }

  broken(): void {
    this.#pipe.close(true);
  }

  // === of the pipe ===

  moved(): void {
    this.#passage?.moved();
  }

  stalled(): void {
    const { waiting, taken } = this.#pipe.client;
    this.#site.waiting.set(this, waiting);
    this.#patience.stall(taken);
  }

  flowed(): void {
    this.#site.waiting.set(this, 0);
    this.#patience.flowed(0);
  }

  failed(fault: number): void {
    tally(PASSTHROUGH_FAILED);
    const cause = fault === OK ? "no endpoint is ready" : FAULTS[fault]!.name;
    this.#site.notices.tell(PASSTHROUGH_FAILED, { backend: this.#backend, cause });
    // More than a closed connection tells.
    this.#socket.write(INTERNAL_ERROR, 0, INTERNAL_ERROR.length);
    this.#pipe.close(false);
  }

  over(): void {
    this.#passage?.close();
    this.#site.waiting.set(this, 0);
    this.#patience.end();
    this.#site.admission.leave(this.#client);
    this.#site.connections.delete(this);
  }

  // === of its time ===

  acknowledged(): number {
    return this.#pipe.client.taken - this.#site.unacked(this.#socket.fd);
  }

  /** The client takes too little of what waits for it. */
  expired(fault: number): void {
    tally(fault);
    this.#pipe.close(true);
  }

  drain(): void {
    // What it carries knows no end that could be asked for: it has all the time of the drain.
  }

  /** The backend learns that no more comes, and ends it in its own words. */
  farewell(): void {
    this.#pipe.client.hold();
    this.#pipe.client.ended();
  }

  abort(): void {
    this.#pipe.close(true);
  }
}
