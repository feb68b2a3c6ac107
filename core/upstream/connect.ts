/** The only place that opens connections to backends. */
import { contain, reportBug } from "../contain.ts";
import { KNOCKS_MAX, KNOCK_MS, KNOCK_STAY_MS } from "../limits.ts";
import type { UpstreamConnection } from "./connection.ts";
import type { Knocker } from "./site.ts";

/** One set of callbacks for all upstream sockets; the connection hangs on `socket.data`. */
const HANDLERS: Bun.SocketHandler<UpstreamConnection> = {
  binaryType: "buffer",
  open(socket) {
    socket.data.opened(socket);
  },
  data(socket, bytes) {
    socket.data.received(bytes);
  },
  drain(socket) {
    socket.data.drained();
  },
  end(socket) {
    socket.data.ended();
  },
  close(socket) {
    socket.data.closed();
  },
  connectError() {
    // May come before Bun.connect returns, when nobody waits yet; the promise tells it later.
  },
  error(socket, error) {
    reportBug(error);
    socket.data.broken();
  },
};

/**
 * Starts to connect; the outcome arrives as `opened` or `refused`, never before this returns. There
 * is no way to cancel it: a connection that gave up waiting terminates the socket that opens late.
 */
export function connect(connection: UpstreamConnection): void {
  dial(connection).catch(() => contain(connection, () => connection.refused()));
}

/** In a promise of its own, since Bun.connect throws at once for an address it does not like. */
async function dial(connection: UpstreamConnection): Promise<void> {
  const { address, port } = connection.endpoint;
  await Bun.connect({
    hostname: address,
    port,
    allowHalfOpen: true,
    data: connection,
    socket: HANDLERS,
  });
}

const KNOCK_HANDLERS: Bun.SocketHandler<Knock> = {
  binaryType: "buffer",
  open(socket) {
    socket.data.opened(socket);
  },
  data() {
    // Who speaks first is there all the same.
  },
  end(socket) {
    socket.data.over(false);
  },
  close(socket) {
    socket.data.over(false);
  },
  connectError() {
    // As above.
  },
  error(socket) {
    socket.data.over(false);
  },
};

/**
 * Tells whether anybody listens: `knocked(true)` when a connection is accepted within KNOCK_MS and
 * not closed in the KNOCK_STAY_MS after that, as a proxy does that has no server behind it. Called
 * once, and never before this returns. At most KNOCKS_MAX knocks are on their way at a time.
 */
export function knock(knocker: Knocker): void {
  if (knocks < KNOCKS_MAX) start(knocker);
  else patient.push(knocker);
}

/** How many knocks are on their way, and who waits for one to be over. */
let knocks = 0;
const patient: Knocker[] = [];

function start(knocker: Knocker): void {
  knocks++;
  const { address, port } = knocker;
  const data = new Knock(knocker);
  const socket = KNOCK_HANDLERS;
  const dialled = async (): Promise<unknown> =>
    Bun.connect({ hostname: address, port, data, socket });
  dialled().catch(() => data.over(false));
}

class Knock {
  readonly #knocker: Knocker;
  #socket: Bun.Socket<Knock> | null = null;
  #timer: Timer;
  #over = false;

  constructor(knocker: Knocker) {
    this.#knocker = knocker;
    this.#timer = this.#in(KNOCK_MS, false);
  }

  opened(socket: Bun.Socket<Knock>): void {
    if (this.#over) {
      socket.end();
      return;
    }
    this.#socket = socket;
    clearTimeout(this.#timer);
    this.#timer = this.#in(KNOCK_STAY_MS, true);
  }

  over(open: boolean): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#timer);
    this.#socket?.end();
    knocks--;
    const next = patient.shift();
    if (next !== undefined) start(next);
    contain(this.#knocker, () => this.#knocker.knocked(open));
  }

  /** Nobody has to wait for it when the process ends. */
  #in(ms: number, open: boolean): Timer {
    return setTimeout(() => this.over(open), ms).unref();
  }
}
