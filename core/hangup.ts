/** The end of a socket that nobody wants to hear from any more. */

/** The part of a Bun socket that this takes. */
type Ended = Readonly<{ shutdown: () => void; end: () => void }>;

/**
 * Closes a socket in order: FIN, behind the close_notify of TLS (RFC 8446 §6.1), and its descriptor
 * is free. By `end` alone Bun 1.4.5 waits 10 s for the close_notify of the other side, and not even
 * `terminate` helps then: who is shed would hold a descriptor that nobody counts.
 */
export function hangUp(socket: Ended): void {
  socket.shutdown();
  socket.end();
}
