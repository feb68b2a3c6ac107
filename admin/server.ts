/** The admin address: its own listener, so that operators get in when traffic is a flood. */
import { answer } from "./api.ts";
import { log } from "../core/log.ts";
import type { View } from "./api.ts";
import type { Address } from "../core/protocol.ts";

/** Seconds a connection may sit idle; an operator's keep-alive, not a client's. */
const IDLE_S = 30;
/** No path takes a body. */
const BODY_BYTES_MAX = 1_024;

/** The bound admin address, or the system's error code when it cannot be bound. */
export type Admin =
  | Readonly<{ ok: true; address: Address; stop: () => void }>
  | Readonly<{ ok: false; address: Address; code: string }>;

/** Binds `address` and serves the admin API there until `stop`. Port 0 takes any free port. */
export function openAdmin(address: Address, view: View): Admin {
  try {
    const server = Bun.serve({
      hostname: address.host,
      port: address.port,
      development: false,
      // Left out, Bun shares the port outside of development: two rinds would both "have" it.
      reusePort: false,
      idleTimeout: IDLE_S,
      maxRequestBodySize: BODY_BYTES_MAX,
      fetch: (request) => answer(request, view),
      error: (error) => {
        log("error", "admin request failed", { stack: error.stack ?? error.message });
        return new Response("internal error\n", { status: 500 });
      },
    });
    return {
      ok: true,
      address: { host: address.host, port: server.port ?? address.port },
      stop: () => void server.stop(true),
    };
  } catch (error) {
    return { ok: false, address, code: codeOf(error) };
  }
}

function codeOf(error: unknown): string {
  if (error instanceof Error && "code" in error) return String(error.code);
  return String(error);
}
