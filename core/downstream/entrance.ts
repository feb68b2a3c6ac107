/** Who a client is, whose share of the connections it has, and when there is no place for it. */
import { clientOf } from "../cidr.ts";
import { CLIENT_FULL, CONNECTIONS_FULL, FAULTS } from "../fault.ts";
import { statusLine } from "../http1/status.ts";
import { DRAIN_IDLE_MS, DRAIN_SPREAD_MS } from "../limits.ts";
import type { Site } from "./site.ts";
import type { DownstreamSocket } from "./socket.ts";

/** What a client reads that is not let in; there may be many, so it is laid together once. */
const REFUSAL = refusal(CONNECTIONS_FULL);
const CLIENT_REFUSAL = refusal(CLIENT_FULL);

/** The peer's address; "unknown" when it reset the connection already and has none any more. */
export function addressOf(socket: DownstreamSocket): string {
  return (socket.remoteAddress as string | undefined) ?? "unknown";
}

/**
 * Whether a connection was reset before it was accepted, where it matters who the peer is: of a
 * proxy its PROXY header would be read as what a client says. Health checks do that.
 */
export function isLost(socket: DownstreamSocket, { proxies }: Pick<Site, "proxies">): boolean {
  return proxies.size > 0 && (socket.remoteAddress as string | undefined) === undefined;
}

/** Whose share a connection from `address` counts in; a trusted proxy brings many clients: null. */
export function shareOf(address: string, site: Site): string | null {
  return site.trusted.hasAddress(address) ? null : clientOf(address);
}

/** When a client that has not begun to ask is let go in a drain: not all at the same time. */
export function lastTickOf({ timers, random }: Site): number {
  return timers.after(Math.max(DRAIN_IDLE_MS, random.below(DRAIN_SPREAD_MS)));
}

/**
 * Tells a client over plain HTTP which fault of admission keeps it out; it costs one write and no
 * time. A client that already sent something may see a reset instead: waiting for it would need the
 * room there is not.
 */
export function turnAway(socket: DownstreamSocket, fault: number): void {
  socket.write(fault === CLIENT_FULL ? CLIENT_REFUSAL : REFUSAL);
  socket.end();
}

function refusal(fault: number): string {
  const { status, text } = FAULTS[fault]!;
  const line = Buffer.from(statusLine(status)).toString("latin1");
  const type = "Content-Type: text/plain; charset=utf-8\r\n";
  const length = `Content-Length: ${text.length + 1}\r\n`;
  return `${line}${type}${length}Retry-After: 1\r\nConnection: close\r\n\r\n${text}\n`;
}
