/** The only place that accepts connections from clients. */
import { reportBug } from "../contain.ts";
import { DownstreamConnection } from "./connection.ts";
import type { DownstreamSocket } from "./connection.ts";
import type { Site } from "./site.ts";

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
  const listener = Bun.listen<DownstreamConnection>(options);
  return {
    address: { host: address.host, port: listener.port },
    stop: () => listener.stop(),
  };
}

/** One set of callbacks for all sockets of a listener; the connection hangs on `socket.data`. */
function handlers(site: Site): Bun.SocketHandler<DownstreamConnection, "buffer"> {
  return {
    binaryType: "buffer",
    open(socket: DownstreamSocket) {
      socket.data = new DownstreamConnection(socket, site);
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
      socket.data?.closed();
    },
    error(socket, error) {
      reportBug(error);
      socket.data?.broken();
    },
  };
}
