/** The only place that accepts connections from clients. */
import { clientOf } from "../cidr.ts";
import { reportBug } from "../contain.ts";
import { CLIENT_FULL, CONNECTIONS_FULL, FAULTS, OK } from "../fault.ts";
import { statusLine } from "../http1/status.ts";
import { DownstreamConnection } from "./connection.ts";
import type { Site } from "./site.ts";
import type { Attached, DownstreamSocket } from "./socket.ts";

/** What a client reads that is not let in; there may be many, so it is laid together once. */
const REFUSAL = refusal(CONNECTIONS_FULL);
const CLIENT_REFUSAL = refusal(CLIENT_FULL);

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

/**
 * A client is let in, or told that there is no room; it costs one write and no time. A client that
 * already sent something may see a reset instead: waiting for it would need the room there is not.
 */
function accept(socket: DownstreamSocket, site: Site): void {
  // A client that reset the connection already has no address any more.
  const address = (socket.remoteAddress as string | undefined) ?? "unknown";
  // A trusted proxy brings the connections of many clients.
  const client = site.trusted.hasAddress(address) ? null : clientOf(address);
  const fault = site.admission.admit(client);
  if (fault === OK) socket.data = new DownstreamConnection(socket, site, client);
  else {
    socket.write(fault === CLIENT_FULL ? CLIENT_REFUSAL : REFUSAL);
    socket.end();
  }
}

function refusal(fault: number): string {
  const { status, text } = FAULTS[fault]!;
  const line = Buffer.from(statusLine(status)).toString("latin1");
  const type = "Content-Type: text/plain; charset=utf-8\r\n";
  const length = `Content-Length: ${text.length + 1}\r\n`;
  return `${line}${type}${length}Retry-After: 1\r\nConnection: close\r\n\r\n${text}\n`;
}
