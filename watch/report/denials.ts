/** Where we may not write: noted by namespace, since that is how permissions are given. */
import type { Clock } from "../../core/clock.ts";
import { isFields } from "../objects.ts";
import type { ApiFailure } from "../source/api/api.ts";
import { FORBIDDEN } from "../source/api/codes.ts";

/** After 403 in a namespace, one write finds out whether that has changed. */
export const DENIED_MS = 30_000;
/** A denial that nobody has tried again for so long after that is forgotten. */
const STALE_MS = 10_000;

/** How every authorizer's refusal is worded (apiserver: responsewriters/errors.go). */
const CANNOT = /\bcannot \S+ (?:resource|path) "/;

type Denial = Readonly<{ until: number; reason: string }>;

export class Denials {
  readonly #clock: Clock;
  readonly #namespaces = new Map<string, Denial>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  deny(namespace: string, reason: string): void {
    this.#namespaces.set(namespace, { until: this.#clock.now() + DENIED_MS, reason });
  }

  /** A write was not denied. The answer is whether one was before. */
  allow(namespace: string): boolean {
    return this.#namespaces.delete(namespace);
  }

  /** How long not to write there; 0 or less: now. */
  waitMs(namespace: string): number {
    return (this.#namespaces.get(namespace)?.until ?? -Infinity) - this.#clock.now();
  }

  /** Why some namespace is not written to, or "". */
  problem(): string {
    const now = this.#clock.now();
    for (const [namespace, { until, reason }] of this.#namespaces) {
      // It would have been tried again by now: there is nothing left to write.
      if (until + STALE_MS < now) this.#namespaces.delete(namespace);
      else return reason;
    }
    return "";
  }
}

/** Whether we lack a right. Policies, quotas and ends of namespaces are 403 too, of one object. */
export function isDenial({ status, body }: ApiFailure): boolean {
  const message = isFields(body) ? body["message"] : null;
  return status === FORBIDDEN && (typeof message !== "string" || CANNOT.test(message));
}
