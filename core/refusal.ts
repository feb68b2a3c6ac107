/** What the client reads when rind answers a fault by itself. */
import { FAULTS } from "./fault.ts";

const BODIES = FAULTS.map((fault) => Buffer.from(`${fault.text}\n`, "latin1"));

/** What the client reads of a fault. */
export function faultBody(fault: number): Uint8Array {
  return BODIES[fault]!;
}

/** Header lines that belong to a status (RFC 9110 §15.5.6, §15.5.22, §15.6.4). */
export function faultLines(fault: number): string {
  const status = FAULTS[fault]!.status;
  if (status === 405) return "Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n";
  if (status === 426) return "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n";
  return status === 503 ? "Retry-After: 1\r\n" : "";
}
