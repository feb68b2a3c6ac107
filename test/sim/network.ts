/**
 * A network in memory, without time and without threads: sockets that keep Bun's contract towards
 * rind, remote ends that scripts act, and a loop whose turns the test makes. The same script and
 * the same fault give the same run, byte for byte.
 *
 *     rind ── Socket ══ wire ══ Remote ── a script
 */
import type { Fault, Operation } from "./plan.ts";

/** What rind does with the events of a socket. */
export type Events = {
  received(bytes: Buffer): void;
  drained(): void;
  ended(): void;
  closed(): void;
  broken(): void;
};

/** A remote end's behaviour: it goes on whenever what it waits for holds. */
export type Actor = Generator<() => boolean, void>;

/** How one end sees that the other left. */
export type Ending = "open" | "fin" | "reset";

export type Side = "client" | "backend";

/** How many bytes of `length` one read gives, the first of them at `at` of the stream. */
export type Cut = (side: Side, at: number, length: number) => number;

/** Of the send buffer, by default. */
const ROOM = 65_536;
/** Turns until a run that does not come to rest is called a livelock. */
const TURNS_MAX = 20_000;

export class Network {
  readonly sockets: Socket[] = [];
  /** What rind threw out of a callback. */
  readonly bugs: string[] = [];
  /** Called after every callback into rind, when it has returned for good. */
  check: () => void = () => {};
  /** Asked for every operation; what it answers happens instead. */
  fault: (operation: Operation) => Fault | null = () => null;
  /** How often nothing happened any more. */
  rests = 0;
  cut: Cut = (_side, _at, length) => length;
  readonly #immediates: (() => void)[] = [];
  readonly #setImmediate = globalThis.setImmediate;
  #depth = 0;
  readonly #dials: { due: () => boolean; open: () => void }[] = [];

  constructor() {
    const later = (work: () => void): void => this.later(work);
    globalThis.setImmediate = later as unknown as typeof setImmediate;
  }

  /** Does something at the end of the turn. */
  later(work: () => void): void {
    this.#immediates.push(work);
  }

  /** Gives the real loop back. What was put off is done first, so that nothing outlives the run. */
  close(): void {
    for (let turn = 0; this.#immediates.length > 0 && turn < TURNS_MAX; turn++) this.#runLater();
    globalThis.setImmediate = this.#setImmediate;
  }

  /** How many connections are not open yet. */
  get dialling(): number {
    return this.#dials.length;
  }

  /** Opens a connection as soon as `due` holds. */
  dial(due: () => boolean, open: () => void): void {
    this.#dials.push({ due, open });
  }

  /** Calls into rind as Bun does: what is thrown closes the one connection it was thrown for. */
  call(events: Events | null, work: () => void): void {
    this.#depth++;
    try {
      work();
    } catch (error) {
      this.bugs.push(error instanceof Error ? (error.stack ?? error.message) : String(error));
      try {
        events?.broken();
      } catch (again) {
        this.bugs.push(`broken() threw: ${String(again)}`);
      }
    }
    if (--this.#depth === 0) this.check();
  }

  /** One turn: remote ends read and act, then rind hears of it, then what was put off is done. */
  turn(): boolean {
    let busy = false;
    for (const socket of this.sockets.slice()) if (socket.remote.turn()) busy = true;
    for (const dial of this.#dials.splice(0)) {
      if (!dial.due()) this.#dials.push(dial);
      else {
        dial.open();
        busy = true;
      }
    }
    for (const socket of this.sockets.slice()) if (socket.turn()) busy = true;
    return this.#runLater() || busy;
  }

  /** Turns until nothing happens any more, not even of those who waited for a rest. */
  settle(): void {
    let quiet = 0;
    for (let turn = 0; quiet < 2; turn++) {
      if (turn > TURNS_MAX) throw new Error(`no rest after ${TURNS_MAX} turns`);
      if (this.turn()) quiet = 0;
      else {
        quiet++;
        this.rests++;
      }
    }
  }

  #runLater(): boolean {
    const now = this.#immediates.splice(0);
    for (const work of now) this.call(null, work);
    return now.length > 0;
  }
}

/** Rind's end, with the part of Bun's socket that rind uses. */
export class Socket {
  readonly remoteAddress: string = "192.0.2.1";
  readonly localPort: number = 8_000;
  readonly side: Side;
  readonly index: number;
  readonly network: Network;
  readonly remote: Remote;
  events: Events | null = null;
  /** Every byte the kernel took, whether or not it arrived. */
  readonly taken: Buffer[] = [];
  closed = false;
  /** The send buffer, and what of it is not read by the other side. */
  room = ROOM;
  flight: Buffer[] = [];
  /** FIN is sent. */
  shut = false;
  /** What came and was not read. */
  readonly inbound: Buffer[] = [];
  inboundEnd: Ending = "open";
  #at = 0;
  #paused = false;
  /** The buffer was full; or a drain is told for no reason, as Bun does now and then. */
  #full = false;
  #spurious = false;
  /** A write failed while paused: the close event stays away until it reads again. */
  #deaf = false;
  /** A write was told of the reset: then reads see a FIN in its place. */
  #swallowed = false;
  #endTold = false;

  /** `index` counts the sockets of its side. */
  constructor(network: Network, side: Side, index: number) {
    this.network = network;
    this.side = side;
    this.index = index;
    this.remote = new Remote(this);
    network.sockets.push(this);
  }

  /** Bytes on their way to the other side. */
  get inFlight(): number {
    return this.flight.reduce((sum, piece) => sum + piece.length, 0);
  }

  // --- what rind calls ---

  write(bytes: Uint8Array, from: number, length: number): number {
    if (this.closed || this.shut || this.inboundEnd === "reset") return this.#refuseWrite();
    const fault = this.network.fault({ kind: "write", side: this.side, index: this.index });
    if (fault === "dead") {
      this.#break();
      return this.#refuseWrite();
    }
    if (fault === "stall") this.remote.unplug();
    const limit = fault === "full" ? 0 : fault === "short" ? length >> 1 : length;
    const size = fault === "stall" ? 0 : Math.min(limit, this.room - this.inFlight);
    const piece = Buffer.from(Uint8Array.prototype.slice.call(bytes, from, from + size));
    if (size > 0) this.taken.push(piece);
    if (fault === "lost") this.#break();
    else if (size > 0) this.flight.push(piece);
    if (size < length) this.#full = true;
    return size;
  }

  #refuseWrite(): number {
    if (this.#paused) this.#deaf = true;
    this.#swallowed = true;
    return -1;
  }

  /** The other side's RST is here. */
  #break(): void {
    this.remote.reset();
    this.remote.ending = "reset";
  }

  pause(): void {
    if (!this.#paused) this.#spurious = true;
    this.#paused = true;
  }

  resume(): void {
    if (this.#paused) this.#spurious = true;
    this.#paused = false;
    this.#deaf = false;
  }

  /** FIN behind what was taken; reading goes on. */
  shutdown(): void {
    if (this.closed || this.shut) return;
    const fault = this.network.fault({ kind: "close", side: this.side, index: this.index });
    this.shut = true;
    if (fault === "silence") this.remote.unplug();
    if (fault === "reset") this.remote.reset();
  }

  /** A full close: the other side gets what was taken; if it was still speaking, it gets RST. */
  end(): void {
    if (this.closed) return;
    this.shut = true;
    this.#close();
    if (this.inbound.length > 0) this.remote.cutOff();
  }

  /** RST: what the other side has not read is lost. */
  terminate(): void {
    if (this.closed) return;
    this.#close();
    this.remote.cutOff();
  }

  /** Bun tells the end of a socket while `end` or `terminate` still runs. */
  #close(): void {
    this.closed = true;
    const { events } = this;
    this.network.call(events, () => events?.closed());
  }

  // --- the loop ---

  /** Tells rind what is new; true when it was told something. */
  turn(): boolean {
    const { events } = this;
    if (this.closed || events === null) return false;
    const told = this.#tellDrain(events);
    if (this.closed) return true;
    if (this.inboundEnd === "reset") return this.#tellReset(events) || told;
    if (this.#paused) return told;
    if (this.inbound.length > 0) return this.#tellBytes(events);
    return this.#tellEnd(events) || told;
  }

  #tellDrain(events: Events): boolean {
    const free = this.room - this.inFlight;
    const writable = this.#full && free * 3 >= this.room && !this.remote.unplugged;
    if (!writable && !this.#spurious) return false;
    if (writable) this.#full = false;
    this.network.call(events, () => events.drained());
    // Bun tells none of its own for what is done in the callback.
    this.#spurious = false;
    return true;
  }

  /** What came before the RST is read first, even by a socket that is paused. */
  #tellReset(events: Events): boolean {
    if (this.#deaf) return false;
    if (this.inbound.length > 0) return this.#tellBytes(events);
    if (this.#swallowed && !this.shut) this.network.call(events, () => events.ended());
    if (!this.closed) this.#close();
    return true;
  }

  #tellBytes(events: Events): boolean {
    const fault = this.network.fault({ kind: "read", side: this.side, index: this.index });
    if (fault === "silence") {
      this.remote.unplug();
      this.inbound.length = 0;
      this.inboundEnd = "open";
      return true;
    }
    let size = this.network.cut(this.side, this.#at, this.inbound[0]!.length);
    if (fault !== null) {
      size = fault === "cut" || fault === "cutReset" ? size >> 1 : 0;
      const piece = this.inbound[0]!.subarray(0, size);
      this.inbound.length = 0;
      if (size > 0) this.inbound.push(piece);
      this.#endFor(fault);
    }
    if (size > 0) this.#read(events, size);
    return true;
  }

  #endFor(fault: Fault): void {
    if (fault === "fin") this.remote.fin();
    else if (fault === "eof" || fault === "cut") this.remote.leave();
    else this.remote.reset();
    if (fault === "fin") this.remote.quiet = true;
  }

  #read(events: Events, size: number): void {
    const first = this.inbound[0]!;
    // Memory of its own: rind gives it back when it is done with it.
    const bytes = Buffer.allocUnsafeSlow(size);
    first.copy(bytes, 0, 0, size);
    if (size === first.length) this.inbound.shift();
    else this.inbound[0] = first.subarray(size);
    this.#at += size;
    this.network.call(events, () => events.received(bytes));
  }

  #tellEnd(events: Events): boolean {
    if (this.inboundEnd === "open") return false;
    if (this.#endTold) return this.#closeBoth();
    const fault = this.network.fault({ kind: "read", side: this.side, index: this.index });
    this.#endTold = true;
    if (fault === "silence") {
      this.remote.unplug();
      this.inboundEnd = "open";
      this.#endTold = false;
    } else if (fault === "reset") this.remote.reset();
    else if (this.shut) return this.#closeBoth();
    else {
      this.#spurious = true;
      this.network.call(events, () => events.ended());
    }
    return true;
  }

  #closeBoth(): boolean {
    if (!this.shut) return false;
    this.#close();
    return true;
  }
}

/** The other end: a client, or a backend. Its own kernel is never full. */
export class Remote {
  readonly socket: Socket;
  actor: Actor | null = null;
  /** Bytes it reads in one turn. */
  pace = Number.POSITIVE_INFINITY;
  ending: Ending = "open";
  /** FIN is sent. */
  shut = false;
  /** Neither reads nor acts any more: its cable is out. */
  unplugged = false;
  /** Reads, and does nothing else. */
  quiet = false;
  /** Closed: whatever comes is answered with RST. */
  gone = false;
  #received: Buffer[] = [];
  #waits: (() => boolean) | null = null;

  constructor(socket: Socket) {
    this.socket = socket;
  }

  /** Everything it read. */
  get received(): Buffer {
    if (this.#received.length !== 1) this.#received = [Buffer.concat(this.#received)];
    return this.#received[0]!;
  }

  // --- what scripts call ---

  /** Sends bytes (a string is latin1), in a read of their own. */
  send(bytes: string | Buffer): void {
    const piece = typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes;
    if (this.shut || this.gone || piece.length === 0) return;
    if (this.socket.closed) return this.cutOff();
    this.socket.inbound.push(piece);
  }

  /** FIN; it reads on. */
  fin(): void {
    if (this.shut || this.gone) return;
    this.shut = true;
    if (this.socket.inboundEnd === "open") this.socket.inboundEnd = "fin";
  }

  /** A full close: FIN, and nobody reads any more. */
  leave(): void {
    this.fin();
    this.gone = true;
  }

  /** RST. */
  reset(): void {
    this.gone = true;
    this.shut = true;
    this.socket.inboundEnd = "reset";
    this.socket.flight = [];
  }

  /** Its cable is out. */
  unplug(): void {
    this.unplugged = true;
  }

  /** Rind's RST: what it has not read is lost. */
  cutOff(): void {
    if (this.unplugged) return;
    this.socket.flight = [];
    if (this.ending === "open" || !this.gone) this.ending = "reset";
    this.gone = true;
    this.shut = true;
  }

  // --- the loop ---

  turn(): boolean {
    if (this.unplugged) return false;
    const moved = this.#read();
    return this.#act() || moved;
  }

  #read(): boolean {
    const { socket } = this;
    if (socket.flight.length === 0) {
      if (!socket.shut || this.ending !== "open" || this.gone) return false;
      this.ending = "fin";
      return true;
    }
    if (this.gone) {
      // Bytes for nobody: RST.
      socket.flight = [];
      if (!socket.closed) socket.inboundEnd = "reset";
      return true;
    }
    let left = this.pace;
    while (left > 0 && socket.flight.length > 0) {
      const first = socket.flight[0]!;
      const piece = first.subarray(0, Math.min(left, first.length));
      this.#received.push(piece);
      left -= piece.length;
      if (piece.length === first.length) socket.flight.shift();
      else socket.flight[0] = first.subarray(piece.length);
    }
    return true;
  }

  #act(): boolean {
    if (this.quiet || this.gone) return false;
    let acted = false;
    while (this.actor !== null && (this.#waits === null || this.#waits())) {
      const next = this.actor.next();
      acted = true;
      if (next.done === true) this.actor = null;
      else this.#waits = next.value;
    }
    // Whoever is left and has nothing to say leaves as well.
    if (acted || this.ending === "open" || this.shut) return acted;
    this.fin();
    return true;
  }
}
