/** TLS with clients: what they are shown for the name that they ask for, and what comes of it. */
import { reportBug } from "../contain.ts";
import { FALLBACK_SHOWN } from "../fault.ts";
import type { TlsSettings } from "../protocol.ts";
import { tally } from "../tally.ts";
import { Handshake } from "./handshake.ts";
import type { Handshakes, Way } from "./handshake.ts";
import type { Site } from "./site.ts";
import { SECURE } from "./socket.ts";
import type { Attached, DownstreamSocket } from "./socket.ts";
import type { Shown, Vault } from "./vault.ts";

/** Offered to clients (RFC 7301 §3.1): a list of one, each entry behind its length. */
export const PROTOCOLS = "\x08http/1.1";

/** What all TLS listeners of a worker share. */
export type SecureSite = Site &
  Readonly<{
    vault: Vault;
    handshakes: Handshakes;
    unknown: TlsSettings["unknown"];
    /** Whether the table has that host, by name or by wildcard. */
    serves: (name: string) => boolean;
    /** That clients see, where ports are mapped in front of us; 0: that of the socket. */
    port: number;
    /** Milliseconds since 1970. */
    wallMs: () => number;
  }>;

type Callbacks = Bun.SocketHandler<Attached, "buffer">;

/** Callbacks of TLS sockets, apart from those of plain ones, which are another class. */
export const TLS_CALLBACKS: Callbacks = {
  binaryType: "buffer",
  data(socket, bytes) {
    socket.data?.received(bytes);
  },
  drain(socket) {
    socket.data?.drained();
  },
  end(socket) {
    socket.data?.ended();
  },
  close(socket, error) {
    socket.data?.closed(error === undefined);
  },
  error(socket, error) {
    // Of the library: a record that is not good, or a try to negotiate anew, for which the client
    // has got an alert. The end that follows looks like FIN, and must not pass for one.
    if ((error as NodeJS.ErrnoException).code === "EPROTO") return socket.data?.closed(false);
    reportBug(error);
    socket.data?.broken();
  },
  handshake(socket, ok, error) {
    const attached = socket.data;
    if (!(attached instanceof Handshake)) return;
    const reason = (error as NodeJS.ErrnoException | null)?.code ?? "";
    attached.finished(socket as DownstreamSocket, ok, reason);
  },
};

/** What a client that asks for `name` is shown, "" for none. */
export function choose(site: SecureSite, name: string): Shown {
  const { vault } = site;
  const shown = vault.lookup(name);
  if (shown.fallback && name !== "" && (shown !== vault.any || site.serves(name))) {
    tally(FALLBACK_SHOWN);
  }
  return shown;
}

/** Whether connections have to be looked into before TLS, by the model or by the settings. */
export function mustPeek({ vault, unknown, proxies }: SecureSite): boolean {
  return unknown === "refuse" || proxies.size > 0 || vault.peeks();
}

/** The callbacks of a listener where the runtime reads names, and nobody asks for more. */
export function namedCallbacks(site: SecureSite): Callbacks {
  const named = {
    ...TLS_CALLBACKS,
    /**
     * Asked in each handshake of a client that names a host; missing from the types of 1.4.5. An
     * answer that is no context is the listener's own.
     */
    serverName: (_socket: unknown, name: string) => choose(site, name).context,
  };
  return named;
}

/** The runtime reads the ClientHello by itself, as soon as the socket may read. */
const BY_ITSELF: Way = { begin: (_handshake, socket) => socket, verdict: () => SECURE };

/** A client that was admitted as one of `client`, on a listener with `namedCallbacks`. */
export function shakeHands(
  socket: DownstreamSocket,
  site: SecureSite,
  client: string | null,
): void {
  const caller = { client, deadline: site.timers.after(site.limits.handshakeMs) };
  const handshake = new Handshake(socket, site, caller, BY_ITSELF);
  socket.data = handshake;
  handshake.start();
}
