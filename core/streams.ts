/** The two sides of an exchange, as it sees them: heads, bytes and backpressure, and no codec. */
import type { Head } from "./head.ts";

/** The client's side of an exchange: an HTTP/1.1 connection, later an HTTP/2 stream. */
export interface Downstream {
  /** Lines that tell a backend who asked; `forwardedHost`: and at which host. */
  readonly forwarded: Uint8Array;
  readonly forwardedHost: boolean;
  /** The request at hand came over TLS, to us or to a proxy that we trust. */
  readonly secure: boolean;
  /** Id of the TLS policy that the connection came under; "" is that of everybody. */
  readonly policy: string;
  /** A final response head; `kind` is the framing the backend uses (http1/body.ts). */
  sendHead(head: Head, kind: number): void;
  /** A 1xx other than 100 and 101. */
  sendInterim(head: Head): void;
  /** The client may send the body it announced (RFC 9110 §10.1.1). */
  sendContinue(): void;
  /** The verified 101; from here on both directions are raw bytes. */
  sendSwitch(head: Head): void;
  /** Response bytes; false asks to hold the source until `drained`. */
  sendBody(bytes: Buffer, from: number, to: number): boolean;
  /** The response is complete, with these trailers; of a tunnel, the backend's side of it. */
  sendEnd(trailers: Uint8Array | null): void;
  /** Lets go of what was laid together; called once at the end of each upstream event. */
  flush(): void;
  /** A whole response of our own. `extra` is header lines. */
  answer(status: number, body: Uint8Array, extra: string): void;
  /** Cuts the response so that the client cannot take it for complete. */
  abort(): void;
  hold(): void;
  resume(): void;
  /** The exchange is over; the stream may carry another one. */
  over(): void;
}

/** The backend's side of an exchange. */
export interface Upstream {
  sendHead(head: Head): void;
  sendBody(bytes: Buffer, from: number, to: number): boolean;
  sendEnd(): void;
  flush(): void;
  abort(): void;
  hold(): void;
  resume(): void;
}
