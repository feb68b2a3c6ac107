/**
 * The two ways in which rind listens for TLS, with nothing of rind around them: what Bun does that
 * its types and its documentation do not promise. The names of the tests beside this file say what
 * breaks in rind when a version of Bun does it differently.
 */
import { createSecureContext, type SecureContext, type SecureContextOptions } from "node:tls";
import type { KeyPair } from "../../../model.ts";

/** RFC 7301 §3.1: each name with its length. */
export const HTTP1 = "\x08http/1.1";

/** A client's socket as Bun hands it out; `data` belongs to the test. */
export type Socket = Bun.Socket<Mark> & { readonly fd: number };

type Mark = { queue: Buffer[] };

/** What Bun told about a handshake. `code` "" when it told no error. */
export type Told = Readonly<{
  ok: boolean;
  code: string;
  authorized: boolean;
  version: string;
  alpn: string;
  /** Common name of the client's certificate, or "". */
  client: string;
  resumed: boolean;
}>;

/** A listener that echoes. `events` are the names of what happened, in order. */
export type Stand = Readonly<{
  port: number;
  told: Told[];
  events: string[];
  sockets: Socket[];
  /** What the sockets were before they were those of TLS. */
  raw: Pick<Socket, "end" | "terminate">[];
  fd: number;
  /** Its connections end with it, unless they are to stay. */
  stop: (all?: boolean) => void;
}>;

/** The native context inside, which is what Bun's own node:tls hands to its sockets. */
export type Native = Readonly<{ native: true }>;

/** What the listener does besides echoing. */
export type Events = Partial<
  Readonly<{
    /** Of a TLS listener. */
    open: (socket: Socket) => void;
    data: (socket: Socket, bytes: Buffer) => void;
    end: (socket: Socket) => void;
    drain: (socket: Socket) => void;
  }>
>;

/** `context`: shown without a name. `names`: what its serverName callback answers. */
type BySni = Readonly<{
  context: Native;
  names?: (name: string) => Native | Error | undefined;
  events?: Events;
  /** A descriptor that listens already. */
  fd?: number;
}>;

/** `choose`: options of upgradeTLS for the next connection. `hold`: bytes to wait for first. */
type ByPeek = Readonly<{
  choose: () => Readonly<Record<string, unknown>>;
  hold?: number;
  events?: Events;
}>;

/** A context as rind makes it. Several pairs are several kinds of keys of one host. */
export function contextOf(pairs: readonly KeyPair[], rest: SecureContextOptions = {}): Native {
  const made: SecureContext = createSecureContext({
    cert: pairs.map(({ chain }) => chain),
    key: pairs.map(({ key }) => key),
    ...rest,
  });
  return made.context as Native;
}

/** Listens for TLS; Bun asks which certificate. */
export function openBySni({ context, names, events, fd }: BySni): Stand {
  const stand = emptyStand();
  const options = {
    hostname: "127.0.0.1",
    port: 0,
    ...(fd === undefined ? {} : { fd }),
    allowHalfOpen: true,
    tls: { secureContext: context, ALPNProtocols: HTTP1 },
    socket: {
      ...callbacks(stand, events),
      open: (socket: Socket) => {
        stand.events.push("open");
        stand.sockets.push(socket);
        socket.data = { queue: [] };
        events?.open?.(socket);
      },
      serverName: (_socket: Socket, name: string) => {
        stand.events.push(`name ${name}`);
        return names?.(name);
      },
    },
  };
  return opened(stand, Bun.listen<Mark>(options as unknown as Bun.TCPSocketListenOptions<Mark>));
}

/** Listens for TCP, and makes it TLS when the first bytes are there. */
export function openByPeek({ choose, hold = 1, events }: ByPeek): Stand {
  const stand = emptyStand();
  const inner = callbacks(stand, events);
  const early = new WeakMap<object, Buffer>();
  const listener = Bun.listen<Mark | null>({
    hostname: "127.0.0.1",
    port: 0,
    allowHalfOpen: true,
    socket: {
      binaryType: "buffer",
      open(raw) {
        stand.events.push("raw open");
        stand.raw.push(raw);
        early.set(raw, Buffer.alloc(0));
      },
      data(raw, bytes) {
        const before = early.get(raw);
        if (before === undefined) return void stand.events.push("raw data");
        const all = Buffer.concat([before, bytes]);
        early.set(raw, all);
        if (all.length < hold) return;
        early.delete(raw);
        const [, socket] = raw.upgradeTLS({
          isServer: true,
          initialData: all,
          tls: choose(),
          data: { queue: [] },
          socket: inner,
        } as unknown as Bun.TLSUpgradeOptions<Mark>);
        stand.sockets.push(socket as unknown as Socket);
      },
      end: () => void stand.events.push("raw end"),
      close: () => void stand.events.push("raw close"),
      drain: () => {},
      error: (_raw, error) => void stand.events.push(`raw error ${error.message}`),
    },
  });
  return opened(stand, listener);
}

function emptyStand() {
  return {
    told: [] as Told[],
    events: [] as string[],
    sockets: [] as Socket[],
    raw: [] as Stand["raw"],
  };
}

function opened(stand: ReturnType<typeof emptyStand>, listener: object): Stand {
  const { port, fd } = listener as { port: number; fd: number };
  const stop = (all = true): void => {
    (listener as Bun.SocketListener).stop(all);
    // An upgraded socket is not the listener's any more.
    if (all) for (const socket of stand.sockets) socket.terminate();
  };
  return { ...stand, port, fd, stop };
}

function callbacks({ told, events }: ReturnType<typeof emptyStand>, own: Events = {}) {
  return {
    binaryType: "buffer" as const,
    handshake(socket: Socket, ok: boolean, error: NodeJS.ErrnoException | null) {
      events.push("handshake");
      told.push(toldOf(socket, ok, error));
    },
    data: (socket: Socket, bytes: Buffer) => {
      if (events.at(-1) !== "data") events.push("data");
      (own.data ?? send)(socket, bytes);
    },
    drain: (socket: Socket) => (own.drain ?? flush)(socket),
    end: (socket: Socket) => {
      events.push("end");
      if (own.end === undefined) socket.end();
      else own.end(socket);
    },
    close: () => void events.push("close"),
    error: (_socket: Socket, error: Error) => void events.push(`error ${error.message}`),
  };
}

function toldOf(socket: Socket, ok: boolean, error: NodeJS.ErrnoException | null): Told {
  const more = socket as unknown as Readonly<{
    isSessionReused: () => boolean;
    getTLSVersion: () => string;
    getPeerCertificate: () => { subject?: { CN?: string } } | undefined;
    alpnProtocol: string | false | null;
  }>;
  return {
    ok,
    code: error?.code ?? "",
    authorized: socket.authorized,
    version: more.getTLSVersion().replace("TLSv", ""),
    alpn: more.alpnProtocol || "",
    client: more.getPeerCertificate()?.subject?.CN ?? "",
    resumed: more.isSessionReused(),
  };
}

/** Writes what the socket takes, and the rest when it says so. */
export function send(socket: Socket, bytes: Buffer): void {
  socket.data.queue.push(bytes);
  flush(socket);
}

function flush(socket: Socket): void {
  const { queue } = socket.data;
  while (queue.length > 0) {
    const first = queue[0]!;
    const taken = Math.max(0, socket.write(first));
    if (taken < first.length) {
      queue[0] = first.subarray(taken);
      return;
    }
    queue.shift();
  }
}
