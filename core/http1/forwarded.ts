/**
 * The lines that tell a backend who asked and how. What clients send under these names is removed
 * (write.ts), unless the peer is a proxy we trust: then its word counts (relay.ts).
 */
import { ascii } from "../bytes.ts";

/** Where a request came in. Addresses without brackets; `scheme` of the listener. */
export type Arrival = Readonly<{ address: string; port: number; scheme: "http" | "https" }>;

/**
 * Header lines for a peer that is not trusted, the same for every request of its connection:
 * X-Forwarded-For, X-Real-IP, X-Forwarded-Proto and X-Forwarded-Port, then `more` whole lines.
 */
export function forwardedLines(arrival: Arrival, more = ""): Buffer {
  const address = unmapped(arrival.address);
  return ascii(
    `X-Forwarded-For: ${address}\r\n` +
      `X-Real-IP: ${address}\r\n` +
      `X-Forwarded-Proto: ${arrival.scheme}\r\n` +
      `X-Forwarded-Port: ${arrival.port}\r\n${more}`,
  );
}

/** A dual-stack listener shows IPv4 clients as `::ffff:a.b.c.d`. */
export function unmapped(address: string): string {
  return address.startsWith("::ffff:") && address.includes(".") ? address.slice(7) : address;
}
