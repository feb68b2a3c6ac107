/**
 * For a single process, and where nobody can hold the sockets of the workers (core/sockets.ts):
 * makes sure of the addresses before any worker starts: that nobody else serves there, and what
 * port a 0 stands for. Workers share their ports (SO_REUSEPORT), and so would a second rind of the
 * same user, in silence and with half of the traffic; the exclusive bind here refuses it.
 */
import { createServer } from "node:net";
import type { Server } from "node:net";
import type { Address, Refused } from "./protocol.ts";

/** Every port is a real one. `release` closes what held them; call it when workers listen. */
type Reserved = Readonly<{ ok: true; addresses: readonly Address[]; release: () => void }>;

/**
 * Tries every address in turn. A given port is tried and closed again at once; a port 0 is held
 * open until `release`, so that nobody else is given the same number meanwhile.
 */
export async function reserve(wanted: readonly Address[]): Promise<Reserved | Refused> {
  const held: Server[] = [];
  const addresses: Address[] = [];
  const release = (): void => {
    for (const server of held) server.close();
  };
  for (const address of wanted) {
    const bound = await bind(address);
    if (typeof bound === "string") {
      release();
      return { ok: false, address, code: bound };
    }
    const { server, port } = bound;
    addresses.push({ host: address.host, port });
    if (address.port === 0) held.push(server);
    else await close(server);
  }
  return { ok: true, addresses, release };
}

function bind(address: Address): Promise<{ server: Server; port: number } | string> {
  return new Promise((resolve) => {
    const server = createServer((socket) => socket.destroy());
    server.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    const own = address.port === 0 ? { reusePort: true } : { exclusive: true };
    server.listen({ host: address.host, port: address.port, ...own }, () => {
      const at = server.address();
      const port = at === null || typeof at === "string" ? address.port : at.port;
      resolve({ server, port });
    });
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}
