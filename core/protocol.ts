/** What a supervisor and its workers say to each other over IPC: plain data, a union each way. */
import type { Limits } from "./limits.ts";
import type { Delta, KeyPair, TlsVersion } from "./model.ts";

/** An IP literal without brackets, and a port; port 0 asks the system to choose one. */
export type Address = Readonly<{ host: string; port: number }>;

/** TLS as all listeners speak it, where a host does not say otherwise. */
export type TlsSettings = Readonly<{
  /** Shown to whoever asks for no name, or for one without a certificate. */
  fallback: KeyPair;
  /** Whether a name that nobody has is served with that one, or gets no handshake. */
  unknown: "default" | "refuse";
  minVersion: TlsVersion;
  /** For TLS 1.2; "" are those that the vault has for that. */
  ciphers: string;
  /** That of HTTPS as clients see it, also where ports are mapped in front. */
  port: number;
}>;

/** How every worker treats clients: it is told once, at its start. */
export type EdgeSettings = Readonly<{
  /** Where to listen: for HTTP, and for HTTP over TLS. */
  http: readonly Address[];
  https: readonly Address[];
  tls: TlsSettings;
  /** Peers that begin each connection with a PROXY header; texts that `parseCidr` reads. */
  proxies: readonly string[];
  /** Peers whose forwarded headers are believed; texts that `parseCidr` reads. */
  trusted: readonly string[];
  limits: Limits;
}>;

/** Where it listens, with the ports that port 0 became. */
export type Bound = Pick<EdgeSettings, "http" | "https">;

/** It listens nowhere. */
export const UNBOUND: Bound = { http: [], https: [] };

/** Of an edge that speaks no TLS, and has no proxy before it. */
export const PLAIN_EDGE: Pick<EdgeSettings, "https" | "tls" | "proxies"> = {
  https: [],
  tls: {
    fallback: { chain: "", key: "" },
    unknown: "default",
    minVersion: "1.2",
    ciphers: "",
    port: 443,
  },
  proxies: [],
};

/** Nobody can listen there. `code` is the system's: `EADDRINUSE`, `EACCES`, `EADDRNOTAVAIL`, … */
export type Refused = Readonly<{ ok: false; address: Address; code: string }>;

/**
 * `start` is the first message and comes once. A worker accepts on `http` when its first delta is
 * applied, never before: without a table it could only answer 404. `inherited`: the sockets for it
 * and, behind them, for `https` are descriptors of the worker (core/launch.ts) already; otherwise
 * it binds them itself. At most one `delta` is in flight to a worker; it is answered by `applied`
 * or `refused`. A worker whose event loop turns answers `ping` by `pong`. `drain` ends the worker,
 * which applies deltas until then.
 */
export type ToWorker =
  | (EdgeSettings &
      Readonly<{
        kind: "start";
        inherited: boolean;
        cursors: boolean;
        /** How many workers there are. */
        workers: number;
      }>)
  | Readonly<{ kind: "delta"; delta: Delta }>
  | Readonly<{ kind: "ping" }>
  | Readonly<{ kind: "drain"; deadlineMs: number }>;

/**
 * `ready`: the worker listens to IPC. `listening`: it accepts on all addresses. `failed`: it cannot
 * and is about to exit. `refused`: the delta could not be compiled, and the worker goes on with the
 * table it has. `pong`: so often each fault, by its id, happened since its start, and so much was
 * left on the heap by its last collection.
 */
export type FromWorker =
  | Readonly<{ kind: "ready" }>
  | Readonly<{ kind: "applied"; version: number }>
  | Readonly<{ kind: "refused"; version: number; reason: string }>
  | Readonly<{ kind: "listening" }>
  | Readonly<{ kind: "failed"; refused: Refused }>
  | Readonly<{ kind: "pong"; faults: readonly number[]; heapBytes: number }>;

/** `127.0.0.1:8000`, `[::1]:8000`: as people write an address. */
export function showAddress(address: Address): string {
  const host = address.host.includes(":") ? `[${address.host}]` : address.host;
  return `${host}:${address.port}`;
}
