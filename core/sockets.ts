/**
 * The listening sockets of all workers, held by the supervisor: one for each worker and address,
 * which share the address (SO_REUSEPORT). A worker inherits its own and accepts on them.
 *
 * Because the supervisor holds them too, the connections that wait in the queue of a worker survive
 * it: its successor accepts them. Closing such a socket instead would reset all that wait.
 *
 *         bound ──open──► listening ──shut──► bound
 *
 * Bound, the kernel deals the address's connections to the sockets of the other workers.
 */
import { closeSync } from "node:fs";
import { isIPv6 } from "node:net";
import { errorOf, openLibc } from "./libc.ts";
import type { Libc } from "./libc.ts";
import type { Address, Refused } from "./protocol.ts";

const AF_INET = 2;
const AF_INET6 = 10;
/** SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC: no other child of ours inherits it by accident. */
const STREAM = 0o2_004_001;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_REUSEPORT = 15;
const SO_ACCEPTCONN = 30;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
const SHUT_RDWR = 2;

const ON = new Int32Array([1]);
const OFF = new Int32Array([0]);
/** Lengths of sockaddr_in and sockaddr_in6. */
const V4_BYTES = 16;
const V6_BYTES = 28;
/** The kernel cuts it down to net.core.somaxconn. */
const BACKLOG = 65_535;

type Bound = Readonly<{ ok: true; fd: number; port: number }>;

/** The sockets; `null` where this system lets nobody hold them, for a `reason`. */
export type OpenedSockets =
  Readonly<{ ok: true; sockets: Sockets | null; reason: string }> | Refused;

/** Binds `count` sockets to every address; an address that is taken by anybody is refused. */
export function openSockets(wanted: readonly Address[], count: number): OpenedSockets {
  const opened = openLibc();
  if (!opened.ok) return { ok: true, sockets: null, reason: opened.reason };
  const { libc } = opened;
  const addresses: Address[] = [];
  const held: number[][] = Array.from({ length: count }, () => []);
  const refuse = (address: Address, code: string): Refused => {
    for (const fd of held.flat()) closeSync(fd);
    return { ok: false, address, code };
  };
  for (const address of wanted) {
    const probe = bind(libc, address, false);
    if (typeof probe === "string") return refuse(address, probe);
    const bound = { host: address.host, port: probe.port };
    addresses.push(bound);
    // From here on it no longer stands in the way of its like, but of everybody else.
    set(libc, probe.fd, [SOL_SOCKET, SO_REUSEPORT], ON);
    const code = bindAll(libc, bound, held);
    closeSync(probe.fd);
    if (code !== "") return refuse(address, code);
  }
  return { ok: true, sockets: new Sockets(libc, addresses, held), reason: "" };
}

/** See the top of this file. Owns its descriptors until `close`. */
export class Sockets {
  /** The addresses, with the ports that port 0 became. */
  readonly addresses: readonly Address[];
  readonly #libc: Libc;
  readonly #held: readonly number[][];

  constructor(libc: Libc, addresses: readonly Address[], held: readonly number[][]) {
    this.#libc = libc;
    this.addresses = addresses;
    this.#held = held;
  }

  /** The descriptors of one worker, in the order of the addresses; empty when closed. */
  of(worker: number): readonly number[] {
    return this.#held[worker] ?? [];
  }

  /** Lets connections come to a worker; also takes the longest queue that the system allows. */
  open(worker: number): void {
    for (const fd of this.of(worker)) this.#libc.listen(fd, BACKLOG);
  }

  /** Sends new connections to the other workers, and resets those that wait here. */
  shut(worker: number): void {
    for (const fd of this.of(worker)) {
      // One that only is bound would remember it, and later accept connections that cannot send.
      if (this.#listens(fd)) this.#libc.shutdown(fd, SHUT_RDWR);
    }
  }

  /** Gives the sockets up: each lives on only as long as its worker accepts on it. */
  close(): void {
    for (const fds of this.#held) for (const fd of fds.splice(0)) closeSync(fd);
  }

  #listens(fd: number): boolean {
    const value = new Int32Array(1);
    this.#libc.getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, value, new Uint32Array([4]));
    return value[0] === 1;
  }
}

/** One socket for each worker; answers the system's code, or "" when all are bound. */
function bindAll(libc: Libc, address: Address, held: readonly number[][]): string {
  for (const fds of held) {
    const bound = bind(libc, address, true);
    if (typeof bound === "string") return bound;
    fds.push(bound.fd);
  }
  return "";
}

/**
 * A bound socket, not listening yet. Not `shared`, it is refused an address on which anybody
 * listens; a second rind of the same user would otherwise get half of the traffic in silence.
 */
function bind(libc: Libc, address: Address, shared: boolean): Bound | string {
  const family = isIPv6(address.host) ? AF_INET6 : AF_INET;
  const fd = libc.socket(family, STREAM, 0);
  if (fd < 0) return errorOf(libc);
  // What is left of an earlier rind's connections (TIME_WAIT) is not in the way.
  set(libc, fd, [SOL_SOCKET, SO_REUSEADDR], ON);
  if (shared) set(libc, fd, [SOL_SOCKET, SO_REUSEPORT], ON);
  // `[::]` is every address, of both kinds, whatever the system's default.
  if (family === AF_INET6) set(libc, fd, [IPPROTO_IPV6, IPV6_V6ONLY], OFF);
  const name = socketAddress(libc, family, address);
  const code = name === null ? "EINVAL" : libc.bind(fd, name, name.length) < 0 ? errorOf(libc) : "";
  if (name === null || code !== "") {
    closeSync(fd);
    return code;
  }
  libc.getsockname(fd, name, new Uint32Array([name.length]));
  return { ok: true, fd, port: new DataView(name.buffer).getUint16(2) };
}

function set(
  libc: Libc,
  fd: number,
  [level, option]: readonly [number, number],
  value: Int32Array,
): void {
  libc.setsockopt(fd, level, option, value, value.byteLength);
}

/** `struct sockaddr_in` or `sockaddr_in6`: family, port, (flow,) address. Null: not an address. */
function socketAddress(libc: Libc, family: number, { host, port }: Address): Uint8Array | null {
  const name = new Uint8Array(family === AF_INET6 ? V6_BYTES : V4_BYTES);
  const view = new DataView(name.buffer);
  view.setUint16(0, family, true);
  view.setUint16(2, port);
  const where = name.subarray(family === AF_INET6 ? 8 : 4);
  const text = new TextEncoder().encode(`${host}\0`);
  return libc.inet_pton(family, text, where) === 1 ? name : null;
}
