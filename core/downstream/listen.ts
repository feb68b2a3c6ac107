/** The only place that accepts connections from clients. */
import { reportBug } from "../contain.ts";
import { OK } from "../fault.ts";
import { DownstreamConnection } from "./connection.ts";
import { addressOf, isLost, shareOf, turnAway } from "./entrance.ts";
import { Preface } from "./preface.ts";
import type { Begin } from "./preface.ts";
import { PROTOCOLS, namedCallbacks, shakeHands } from "./secure.ts";
import type { SecureSite } from "./secure.ts";
import type { Site } from "./site.ts";
import type { Attached, DownstreamSocket } from "./socket.ts";

/** A literal IPv4 or IPv6 address without brackets, and a port; port 0 is any free one. */
export type Address = Readonly<{ host: string; port: number }>;

/**
 * Where to listen: on a socket that is bound to `address` already, descriptor `fd`, which belongs
 * to the listener from then on (whoever else holds the socket keeps it, and what waits in its
 * queue); or, null, on one of its own, whose address others can share if `reusePort`: the kernel
 * deals connections out to them.
 */
export type Place = Readonly<{ address: Address; fd: number | null; reusePort: boolean }>;

/** `stop` lets go of the descriptor, and of no connection. */
export type Listener = Readonly<{ address: Address; fd: number; stop: () => void }>;

type Callbacks = Bun.SocketHandler<Attached, "buffer">;

/** Listens for HTTP; throws Bun's error (EADDRINUSE, EACCES) when it cannot. */
export function listen(place: Place, site: Site): Listener {
  return open(place, callbacks(site));
}

/**
 * Listens for HTTP over TLS; throws as `listen`. Who asks for no name is shown for ever what
 * everybody is shown at this moment.
 */
export function listenSecure(place: Place, site: SecureSite): Listener {
  const accepting = (socket: DownstreamSocket): void => {
    const client = shareOf(addressOf(socket), site);
    if (site.admission.admit(client) === OK) shakeHands(socket, site, client);
    // Nothing can be said before TLS, and that is what there is no room for.
    else socket.terminate();
  };
  // A context is an option that the types of 1.4.5 do not know.
  const tls = { secureContext: site.vault.any.context, ALPNProtocols: PROTOCOLS };
  return open(place, Object.assign(namedCallbacks(site), { open: accepting }), tls);
}

/** Listens for what `begin` does with each connection when its ClientHello is here; throws so. */
export function listenPeeking(place: Place, site: Site, begin: Begin): Listener {
  const accepting = (socket: DownstreamSocket): void => {
    if (isLost(socket, site)) return void socket.terminate();
    const address = addressOf(socket);
    const client = site.proxies.hasAddress(address) ? null : shareOf(address, site);
    if (site.admission.admit(client) !== OK) return void socket.terminate();
    socket.data = new Preface(socket, site, client, begin);
  };
  return open(place, Object.assign(callbacks(site), { open: accepting }));
}

function open(place: Place, socket: Callbacks, tls?: Bun.TLSOptions): Listener {
  const { address, fd, reusePort } = place;
  const options = {
    // `fd` alone is enough for Bun 1.4.5, whose types ask for an address as well.
    hostname: address.host,
    port: address.port,
    allowHalfOpen: true,
    socket,
    ...(tls === undefined ? {} : { tls }),
    // Missing from the types, but honoured (SO_REUSEPORT).
    ...(fd === null ? { reusePort } : { fd }),
  };
  const listener = Bun.listen<Attached>(options);
  return {
    address: { host: address.host, port: fd === null ? listener.port : address.port },
    fd: (listener as typeof listener & { readonly fd: number }).fd,
    stop: () => listener.stop(),
  };
}

/** One set of callbacks for all sockets of a listener; the connection hangs on `socket.data`. */
function callbacks(site: Site): Callbacks {
  return {
    binaryType: "buffer",
    open(socket: DownstreamSocket) {
      accept(socket, site);
    },
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
      reportBug(error);
      socket.data?.broken();
    },
  };
}

/** A client is let in, or told that there is no room. */
function accept(socket: DownstreamSocket, site: Site): void {
  if (isLost(socket, site)) return void socket.terminate();
  const address = addressOf(socket);
  const proxied = site.proxies.hasAddress(address);
  // A proxy brings the connections of many clients, and says of whom.
  const client = proxied ? null : shareOf(address, site);
  const fault = site.admission.admit(client);
  if (fault !== OK) turnAway(socket, fault);
  else if (proxied) socket.data = new Preface(socket, site, client);
  else socket.data = new DownstreamConnection(socket, site, client);
}
