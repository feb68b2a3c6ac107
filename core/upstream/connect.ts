/** The only place that opens connections to backends. */
import { contain, reportBug } from "../contain.ts";
import type { UpstreamConnection } from "./connection.ts";

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
