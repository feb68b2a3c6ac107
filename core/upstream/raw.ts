/**
 * One connection to an endpoint that carries bytes as they are, from before it exists until it is
 * gone:
 *
 *   WAITING ── its turn ──▶ CONNECTING ── opened ──▶ OPEN ──▶ DEAD
 *      └──────── every other way out, once: ─────────────────▶ ┘
 */
import { CONNECT_FAILED, CONNECT_TIMEOUT, PENDING_TIMEOUT, TUNNEL_IDLE } from "../fault.ts";
import { DEFAULT_POLICY } from "../model.ts";
import type { Pipe, PipeSocket } from "../pipe.ts";
import { tally } from "../tally.ts";
import type { Timed } from "../timers.ts";
import type { UpstreamConnection } from "./connection.ts";
import type { Endpoint } from "./endpoint.ts";
import type { Queue, Waiter } from "./queue.ts";
import type { UpstreamSite } from "./site.ts";

const WAITING = 0;
const CONNECTING = 1;
const OPEN = 2;
const DEAD = 3;

/** Starts to connect and never throws; the outcome arrives as `opened` or `refused`, later. */
export type DialRaw = (connection: RawConnection) => void;

/** Whose connection it is. */
export type RawOwner = Readonly<{
  pipe: Pipe;
  dial: DialRaw;
  /** It did not come to be, and is dead. */
  failed: (fault: number) => void;
}>;

export class RawConnection implements Timed, Waiter {
  readonly endpoint: Endpoint;
  deadline = 0;
  slot = -1;
  prev: Timed | null = null;
  next: Timed | null = null;
  queue: Queue | null = null;
  ahead: Waiter | null = null;
  behind: Waiter | null = null;
  readonly #site: UpstreamSite;
  readonly #owner: RawOwner;
  #state = CONNECTING;
  /** The endpoint counts it as one of its connections. */
  #counted = false;

  constructor(endpoint: Endpoint, site: UpstreamSite, owner: RawOwner) {
    this.endpoint = endpoint;
    this.#site = site;
    this.#owner = owner;
  }

  /** Gets a socket, now or when it is its turn. False when too many wait already. */
  reach(): boolean {
    if (this.endpoint.mayOpen()) this.#dial();
    else {
      this.#state = WAITING;
      if (!this.endpoint.enqueue(this)) {
        // It was counted nowhere, so that it has nothing to give back.
        this.#state = DEAD;
        return false;
      }
      this.deadline = this.#site.timers.after(this.#site.limits.pendingMs);
    }
    this.endpoint.active++;
    this.#site.timers.add(this);
    return true;
  }

  #dial(): void {
    this.#state = CONNECTING;
    this.#counted = true;
    this.deadline = this.#site.timers.after(DEFAULT_POLICY.timeouts.connectMs);
    this.endpoint.dialled();
    this.#owner.dial(this);
  }

  /** Its turn: what came free speaks HTTP already, so that it makes room for a new one. */
  serve(connection: UpstreamConnection | null): void {
    connection?.shut();
    this.#dial();
  }

  opened(socket: PipeSocket): void {
    if (this.#state !== CONNECTING) {
      socket.terminate();
      this.#discount();
      return;
    }
    this.#state = OPEN;
    this.moved();
    this.#owner.pipe.backend.attach(socket);
  }

  refused(): void {
    this.#discount();
    if (this.#state === CONNECTING) this.#fail(CONNECT_FAILED);
  }

  received(bytes: Buffer): void {
    if (this.#state !== OPEN) return;
    this.endpoint.health.succeeded();
    this.#owner.pipe.backend.received(bytes);
  }

  drained(): void {
    if (this.#state === OPEN) this.#owner.pipe.backend.drained();
  }

  ended(): void {
    if (this.#state === OPEN) this.#owner.pipe.backend.ended();
  }

  /** `clean`: not by a reset. */
  closed(clean: boolean): void {
    this.#discount();
    if (this.#state === OPEN) this.#owner.pipe.backend.closed(clean);
  }

  broken(): void {
    this.#owner.pipe.close(true);
  }

  /** What goes on begins anew: a whole tunnel may rest for long, half of one may not. */
  moved(): void {
    if (this.#state !== OPEN) return;
    const { client, backend } = this.#owner.pipe;
    const halved = client.halved || backend.halved;
    const ms = halved ? DEFAULT_POLICY.timeouts.idleMs : this.#site.limits.tunnelIdleMs;
    this.deadline = this.#site.timers.after(ms);
  }

  expire(): void {
    if (this.#state === WAITING) return this.#fail(PENDING_TIMEOUT);
    if (this.#state === CONNECTING) return this.#fail(CONNECT_TIMEOUT);
    // `drain` comes late for a slow reader, a write knows; `moved` is called when it took some.
    this.drained();
    if (this.#state !== OPEN || this.deadline > this.#site.timers.now) return;
    tally(TUNNEL_IDLE);
    this.#owner.pipe.close(true);
  }

  #fail(fault: number): void {
    if (this.#state === CONNECTING) this.endpoint.health.failed(this.#site.timers.now, fault);
    this.close();
    this.#owner.failed(fault);
  }

  /** It is not wanted any more; the pipe closes the socket, if there is one. */
  close(): void {
    if (this.#state === DEAD) return;
    if (this.#state === WAITING) this.endpoint.withdraw(this);
    const open = this.#state === OPEN;
    this.#state = DEAD;
    this.#site.timers.remove(this);
    this.endpoint.active--;
    // One that still connects counts until its dial has an end, which cannot be had sooner.
    if (open) this.#discount();
  }

  /** The socket is closed, or will never be: the endpoint may open another one. */
  #discount(): void {
    if (!this.#counted) return;
    this.#counted = false;
    this.endpoint.gone();
  }
}
