/**
 * The ways in which one port of a Service is spoken to, beside its own: each is a backend with
 * endpoints, connections and health of its own, and any Ingress can ask for another one.
 */
import { plainId } from "./backendtls.ts";
import type { Aim } from "./services.ts";

/** Of one port. Who asks for one more waits until somebody needs theirs no longer. */
const WAYS_MAX = 32;

/** What there is for who has no room. */
export const CROWDED: Aim = {
  ok: false,
  at: "name",
  reason: `its port is spoken to in ${WAYS_MAX} other ways already`,
  hint: "let Ingresses agree on TLS to it, or annotate the Service",
};

export class Ways {
  /** Ids of backends by the id of that of the Service itself. */
  readonly #taken = new Map<string, Set<string>>();

  /** Takes the way of a backend; one that is taken stays so. False: there is no room. */
  take(id: string): boolean {
    const port = plainId(id);
    const ways = this.#taken.get(port) ?? new Set();
    if (!ways.has(id) && ways.size >= WAYS_MAX) return false;
    this.#taken.set(port, ways.add(id));
    return true;
  }

  /** Nobody goes that way any more. Answers whether that left room where there was none. */
  give(id: string): boolean {
    const port = plainId(id);
    const ways = this.#taken.get(port);
    const full = ways?.size === WAYS_MAX;
    const gone = ways?.delete(id) ?? false;
    if (ways?.size === 0) this.#taken.delete(port);
    return gone && full;
  }
}
