/** The only place that accepts connections from clients. */
import { reportBug } from "../contain.ts";
import { OK } from "../fault.ts";
import { DownstreamConnection } from "./connection.ts";
import { addressOf, shareOf, turnAway } from "./entrance.ts";
import { Preface } from "./preface.ts";
import type { Site } from "./site.ts";
import type { Attached, DownstreamSocket } from "./socket.ts";

/** A literal IPv4 or IPv6 address without brackets, and a port; port 0 is any free one. */
export type Address = Readonly<{ host: string; port: number }>;

export type Listener = Readonly<{ address: Address; stop: () => void }>;

/**
 * Listens on one address; throws Bun's error (EADDRINUSE, EACCES) when it cannot. `reusePort` lets
 * several workers share the address; the kernel deals connections out to them.
 */
export function listen(address: Address, site: Site, reusePort: boolean): Listener {
  const options = {
    hostname: address.host,
    port: address.port,
    // Missing from the types of listen options in 1.4.5, but honoured (SO_REUSEPORT).
    reusePort,
    allowHalfOpen: true,
    socket: handlers(site),
  };
  const listener = Bun.listen<Attached>(options);
  return {
    address: { host: address.host, port: listener.port },
    stop: () => listener.stop(),
  };
}

/**
 * Accepts on a socket that is bound to `address` already: descriptor `fd`, which belongs to the
 * listener from now on. Whoever else holds the socket keeps it, and what waits in its queue.
 */
export function listenOn(fd: number, address: Address, site: Site): Listener {
  // `fd` alone is enough for Bun 1.4.5; its types ask for an address as well.
  const options = { fd, hostname: address.host, port: address.port, allowHalfOpen: true };
  const listener = Bun.listen<Attached>({ ...options, socket: handlers(site) });
  return { address, stop: () => listener.stop() };
}

/** One set of callbacks for all sockets of a listener; the connection hangs on `socket.data`. */
function handlers(site: Site): Bun.SocketHandler<Attached, "buffer"> {
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
  const address = addressOf(socket);
  const proxied = site.proxies.hasAddress(address);
  // A proxy brings the connections of many clients, and says of whom.
  const client = proxied ? null : shareOf(address, site);
  const fault = site.admission.admit(client);
  if (fault !== OK) turnAway(socket, fault);
  else if (proxied) socket.data = new Preface(socket, site, client);
  else socket.data = new DownstreamConnection(socket, site, client);
}
