/** The only place that opens connections to backends. */
import { contain, reportBug } from "../contain.ts";
import { KNOCKS_MAX, KNOCK_MS, KNOCK_STAY_MS } from "../limits.ts";
import type { UpstreamConnection } from "./connection.ts";
import type { RawConnection } from "./raw.ts";
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

/** The same over TLS: nobody gets a socket as opened before it is known who is behind it. */
const SECURE_HANDLERS: Bun.SocketHandler<UpstreamConnection> = {
  ...HANDLERS,
  open(socket) {
    socket.data.reached(socket);
  },
  handshake(socket, success, error) {
    const { data } = socket;
    const { secure, address } = data.endpoint;
    const reason = secure!.judge(socket, success, error, address);
    if (reason !== "") return data.distrusted(reason);
    // A new handshake inside this one could replace who was checked (TLS 1.2).
    socket.disableRenegotiation();
    data.opened(socket);
  },
  error(socket, error) {
    // What the other side says in an alert, such as that it wants a certificate, comes as one.
    if ("errno" in error) return socket.data.distrusted(alertOf(error));
    reportBug(error);
    socket.data.broken();
  },
};

/**
 * Starts to connect; the outcome arrives as `opened` or `refused`, never before this returns. There
 * is no way to cancel it: a connection that gave up waiting terminates the socket that opens late.
 */
export function connect(connection: UpstreamConnection): void {
  const refused = (): void => contain(connection, () => connection.refused());
  if (connection.endpoint.secure?.options === null) setImmediate(refused);
  else dial(connection).catch(refused);
}

/** In a promise of its own, since Bun.connect throws at once for an address it does not like. */
async function dial(connection: UpstreamConnection): Promise<void> {
  const { address, port, secure } = connection.endpoint;
  const to = { hostname: address, port, allowHalfOpen: true, data: connection };
  if (secure === null) await Bun.connect({ ...to, socket: HANDLERS });
  else await Bun.connect({ ...to, tls: secure.options!, socket: SECURE_HANDLERS });
}

/** What an error of BoringSSL says behind its last colon: `TLSV1_ALERT_CERTIFICATE_REQUIRED`. */
function alertOf({ message }: Error): string {
  return `it ended TLS: ${message.slice(message.lastIndexOf(":") + 1)}`;
}

/** The same again, so that each set sees sockets and connections of one shape only. */
const RAW_HANDLERS: Bun.SocketHandler<RawConnection> = {
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
  close(socket, error) {
    socket.data.closed(error === undefined);
  },
  connectError() {
    // As above.
  },
  error(socket, error) {
    reportBug(error);
    socket.data.broken();
  },
};

/** As `connect`, for a connection that carries bytes as they are. */
export function connectRaw(connection: RawConnection): void {
  const { address: hostname, port } = connection.endpoint;
  const options = { hostname, port, allowHalfOpen: true, data: connection, socket: RAW_HANDLERS };
  const dialled = async (): Promise<unknown> => Bun.connect(options);
  dialled().catch(() => contain(connection, () => connection.refused()));
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

/** Knocks that hold a descriptor, by who asked, and who waits until there are fewer. */
const knocks = new Map<Knocker, Knock>();
const patient: Knocker[] = [];

/**
 * Tells whether anybody listens: `knocked(true)` when a connection is accepted within KNOCK_MS and
 * not closed in the KNOCK_STAY_MS after that, as a proxy does that has no server behind it. Called
 * once, and never before this returns. A dial cannot be cancelled, and holds its descriptor for two
 * minutes where a dead node answers nothing: it serves the next knock of its endpoint as well, and
 * no more than KNOCKS_MAX of them are on their way at a time.
 */
export function knock(knocker: Knocker): void {
  const dialling = knocks.get(knocker);
  if (dialling !== undefined) dialling.again();
  else if (knocks.size < KNOCKS_MAX) start(knocker);
  else patient.push(knocker);
}

function start(knocker: Knocker): void {
  const { address, port } = knocker;
  const data = new Knock(knocker);
  knocks.set(knocker, data);
  const socket = KNOCK_HANDLERS;
  const dialled = async (): Promise<unknown> =>
    Bun.connect({ hostname: address, port, data, socket });
  dialled().catch(() => data.over(false));
}

class Knock {
  readonly #knocker: Knocker;
  #socket: Bun.Socket<Knock> | null = null;
  #timer: Timer;
  /** Nobody waits for an outcome. */
  #told = false;

  constructor(knocker: Knocker) {
    this.#knocker = knocker;
    this.#timer = this.#unopened();
  }

  /** The next knock, while the dial is still on its way. */
  again(): void {
    this.#told = false;
    this.#timer = this.#unopened();
  }

  opened(socket: Bun.Socket<Knock>): void {
    this.#socket = socket;
    if (this.#told) return this.over(false);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.over(true), KNOCK_STAY_MS).unref();
  }

  /** Its descriptor is free, or soon: the outcome, if it is still awaited. */
  over(open: boolean): void {
    if (knocks.get(this.#knocker) !== this) return;
    knocks.delete(this.#knocker);
    this.#socket?.end();
    const next = patient.shift();
    if (next !== undefined) start(next);
    this.#tell(open);
  }

  #tell(open: boolean): void {
    if (this.#told) return;
    this.#told = true;
    clearTimeout(this.#timer);
    contain(this.#knocker, () => this.#knocker.knocked(open));
  }

  /** Nobody has to wait for it when the process ends. */
  #unopened(): Timer {
    return setTimeout(() => this.#tell(false), KNOCK_MS).unref();
  }
}
