/**
 * A client between its accept and the end of TLS with it. It has a deadline that nothing it does
 * moves, and is one of a bounded number: each holds 10 to 16 KiB, most of it the TLS library.
 */
import { contain } from "../contain.ts";
import { HANDSHAKE_FAILED, HANDSHAKE_TIMEOUT, HANDSHAKES_FULL } from "../fault.ts";
import { LIMITS } from "../limits.ts";
import { Notices } from "../notice.ts";
import { tally } from "../tally.ts";
import type { Timed } from "../timers.ts";
import type { Idle } from "./admission.ts";
import { DownstreamConnection } from "./connection.ts";
import { lastTickOf } from "./entrance.ts";
import { Pace } from "./pace.ts";
import type { Paced } from "./pace.ts";
import type { Site } from "./site.ts";
import type { Attached, Came, DownstreamSocket } from "./socket.ts";

/** Who shakes hands. `client` as the admission has it; `deadline` is a tick. */
export type Caller = Readonly<{ client: string | null; deadline: number }>;

/** Where it is done. `port` is the one that clients see; 0: ask the socket. */
type Door = Site & Readonly<{ handshakes: Handshakes; port: number }>;

/** How TLS begins on a socket, and what comes of it. */
export interface Way {
  /** Begins, and answers the socket that TLS is on; one that waited reads again. */
  begin(handshake: Handshake, socket: DownstreamSocket): DownstreamSocket;
  /** How it came, or the fault for which it may not stay; asked when TLS is there. */
  verdict(socket: DownstreamSocket): Came | number;
}

/** All that are on their way, the oldest first. */
export class Handshakes {
  readonly pace = new Pace();
  readonly #all = new Set<Handshake>();
  readonly #max: number;
  readonly #notices: Notices;

  constructor({ limits, timers }: Pick<Site, "limits" | "timers">) {
    this.#max = limits.handshakes;
    this.#notices = new Notices(timers);
  }

  /** One more; when these are too many the oldest goes: who is slow is not waited for then. */
  enter(handshake: Handshake): void {
    this.#all.add(handshake);
    if (this.#all.size <= this.#max) return;
    for (const oldest of this.#all) {
      oldest.end(HANDSHAKES_FULL);
      break;
    }
    this.#notices.tell(HANDSHAKES_FULL, { limit: LIMITS.handshakes.name, value: this.#max });
  }

  /** It is over. */
  leave(handshake: Handshake): void {
    this.#all.delete(handshake);
  }
}

export class Handshake implements Attached, Timed, Idle, Paced {
  deadline: number;
  slot = -1;
  prev: Timed | null = null;
  next: Timed | null = null;
  idleSince = 0;
  older: Idle | null = null;
  newer: Idle | null = null;
  readonly #site: Door;
  readonly #all: Handshakes;
  readonly #caller: Caller;
  readonly #way: Way;
  #socket: DownstreamSocket | null;
  #paused = false;
  #failed = false;
  #over = false;

  /** Of a client that was admitted, on its socket before TLS. `start` has to follow. */
  constructor(socket: DownstreamSocket, site: Door, caller: Caller, way: Way) {
    this.#socket = socket;
    this.#site = site;
    this.#all = site.handshakes;
    this.#caller = caller;
    this.#way = way;
    this.deadline = caller.deadline;
    site.admission.enter(caller.client);
    // It makes room for others like any client that we wait for.
    site.admission.rest(this);
    site.connections.add(this);
    site.timers.add(this);
    this.#all.enter(this);
  }

  /** Begins, in this turn of the event loop or in its own. */
  start(): void {
    const { pace } = this.#all;
    if (pace.take()) return void this.begin();
    this.#paused = true;
    this.#socket?.pause();
    pace.wait(this);
  }

  begin(): boolean {
    const socket = this.#socket;
    if (socket === null) return false;
    if (this.#paused) socket.resume();
    contain(this, () => {
      const secured = this.#way.begin(this, socket);
      // It may have failed already.
      if (!this.#over) this.#socket = secured;
    });
    return true;
  }

  /** TLS is there, or failed for a reason that the runtime names. */
  finished(socket: DownstreamSocket, ok: boolean, reason: string): void {
    if (this.#over || this.#failed) return;
    if (!ok) return this.#fail(reason);
    const came = this.#way.verdict(socket);
    if (typeof came === "number") return this.end(came);
    this.#leave();
    // A PROXY header knows it better.
    const port = came.port || this.#site.port;
    const arrived = { ...came, port };
    const connection = new DownstreamConnection(socket, this.#site, this.#caller.client, arrived);
    socket.data = connection;
    if (this.#site.draining) connection.drain();
  }

  /** The library tells the client why, and closes. A client that left has not failed. */
  #fail(reason: string): void {
    this.#failed = true;
    if (reason !== "ECONNRESET") tally(HANDSHAKE_FAILED);
  }

  /** Over for a reason of ours, which is counted. */
  end(fault: number): void {
    if (this.#over) return;
    tally(fault);
    this.#kill();
  }

  expire(): void {
    // In a drain we hurry it, which is no fault of the client's.
    if (this.#failed || this.#site.draining) this.#kill();
    else this.end(HANDSHAKE_TIMEOUT);
  }

  closed(): void {
    this.#leave();
  }

  /** There is no room, and this one is awaited longest. */
  shed(): void {
    this.#kill();
  }

  broken(): void {
    this.#kill();
  }

  /** Who has just come may have a request on its way; who says nothing is not waited for. */
  drain(): void {
    this.deadline = Math.min(this.deadline, lastTickOf(this.#site));
  }

  farewell(): void {
    this.#kill();
  }

  abort(): void {
    this.#kill();
  }

  /** Requests come after it, and nothing is written before. */
  received(): void {}

  drained(): void {}

  /** The library tells that as a failure. */
  ended(): void {}

  #kill(): void {
    const socket = this.#socket;
    this.#leave();
    socket?.terminate();
  }

  #leave(): void {
    if (this.#over) return;
    this.#over = true;
    this.#socket = null;
    const { admission, connections, timers } = this.#site;
    admission.wake(this);
    admission.leave(this.#caller.client);
    connections.delete(this);
    timers.remove(this);
    this.#all.leave(this);
  }
}
