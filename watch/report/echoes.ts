/**
 * What Ingresses say now: what the watch told last or, until it tells of our own write, that.
 *
 *     watch    r1 ─────────────────── r2 ──── r3 …
 *     we            PATCH r1 → r2 ······ echo
 *     get      r1 ────────── r2 ───────────── r3 …
 */
import { isFields } from "../objects.ts";
import { type IngressStatus, readStatus } from "../source/api/status.ts";

type Echo = Readonly<{ replaced: string; status: IngressStatus }>;

/** Keys are `namespace/name`. Holds one echo each at most, of Ingresses that we wrote. */
export class Echoes {
  readonly #statuses: ReadonlyMap<string, IngressStatus>;
  readonly #awaited = new Map<string, Echo>();

  /** `statuses` is what is watched; alive. */
  constructor(statuses: ReadonlyMap<string, IngressStatus>) {
    this.#statuses = statuses;
  }

  /** What it says now, as far as anybody here can know. */
  get(key: string): IngressStatus | undefined {
    const watched = this.#statuses.get(key);
    const awaited = this.#awaited.get(key);
    if (awaited === undefined) return watched;
    if (watched?.resourceVersion === awaited.replaced) return awaited.status;
    this.#awaited.delete(key);
    return watched;
  }

  /**
   * A write that named the version `replaced` was answered with `body`. As it named it, nothing
   * came between the two: whatever else the watch tells is this write or younger.
   */
  wrote(key: string, replaced: string, body: unknown): void {
    const status = isFields(body) ? readStatus(body) : null;
    if (status === null || status.uid === "" || status.resourceVersion === "") return;
    this.#awaited.set(key, { replaced, status });
  }

  forget(key: string): void {
    this.#awaited.delete(key);
  }
}
