/** How an endpoint is chosen inside a backend. */
import type { Endpoint } from "./endpoint.ts";
import type { Backend } from "./endpoints.ts";

// === hot ===

/** Round robin; `not` is passed over while there is another one. Null when there is none. */
export function pickEndpoint(backend: Backend, not: Endpoint | null): Endpoint | null {
  const endpoints = backend.endpoints;
  const count = endpoints.length;
  if (count === 0) return null;
  if (backend.turn >= count) backend.turn = 0;
  const first = endpoints[backend.turn++]!;
  if (first !== not || count === 1) return first;
  if (backend.turn >= count) backend.turn = 0;
  return endpoints[backend.turn++]!;
}
