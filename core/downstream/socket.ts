/** A client's socket, and what hangs on it. */

/**
 * What a socket's callbacks go to, and who ends with the worker. What it is changes while the
 * connection lasts: first what waits for a PROXY header or for TLS, then what carries requests.
 */
export interface Attached {
  received(bytes: Buffer): void;
  /** The kernel takes bytes again. */
  drained(): void;
  /** The client sends no more. */
  ended(): void;
  /** The socket is gone; `clean`: not by a reset. */
  closed(clean: boolean): void;
  /** Its own code failed: it closes. */
  broken(): void;
  /** The worker takes no new clients, and this one should leave soon. */
  drain(): void;
  /** The time for that is up: the last words. */
  farewell(): void;
  /** It ends now. */
  abort(): void;
}

/** Its descriptor is missing from the types of 1.4.5; −1 once it is closed. */
export type DownstreamSocket = Bun.Socket<Attached> & { readonly fd: number };

/** How a connection came, where its socket does not tell. */
export type Came = Readonly<{
  /** Of the client, as a PROXY header has it, without brackets; "": ask the socket. */
  address: string;
  /** Where the client came to, from the same header; 0: ask the socket. */
  port: number;
  scheme: "http" | "https";
  /** Id of the TLS policy it came under. */
  policy: string;
  /** Header lines about the certificate that the client showed. */
  lines: string;
}>;

/** An ordinary connection, and one over TLS under the policy of everybody. */
export const PLAIN: Came = { address: "", port: 0, scheme: "http", policy: "", lines: "" };
export const SECURE: Came = { ...PLAIN, scheme: "https" };
