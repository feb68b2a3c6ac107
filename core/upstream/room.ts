/**
 * How many connections to all endpoints of a worker there are. Never more than it has files for:
 * what idles to one endpoint makes room for what another one needs, and who found no room gets the
 * next that is free.
 */

/** An endpoint, as its room sees it. */
export interface Tenant {
  /** How many wait for a connection to it. */
  readonly pending: number;
  /** Closes the connection that idles longest; false when none does. */
  evict(): boolean;
  /** There is room: one who waits may open a connection. */
  admit(): void;
}

export class Room {
  /** Connections that exist: dialling, busy and idle. */
  open = 0;
  readonly #most: number;
  readonly #tenants: ReadonlyMap<string, Tenant>;
  /** Those where somebody waits for room, in the order of their turns. */
  readonly #waiting = new Set<Tenant>();
  #settling = false;

  /** For `most` connections to all of `tenants`, which may come and go. */
  constructor(most: number, tenants: ReadonlyMap<string, Tenant>) {
    this.#most = most;
    this.#tenants = tenants;
  }

  /** Whether one more may be opened; to say yes an idle one may be closed. */
  mayOpen(): boolean {
    if (this.open < this.#most) return true;
    for (const tenant of this.#tenants.values()) if (tenant.evict()) return true;
    return false;
  }

  /** Somebody waits at `tenant` because there was no room. */
  wait(tenant: Tenant): void {
    this.#waiting.add(tenant);
  }

  /**
   * A connection is closed, or idles: lets those in who wait, one from each in turn. While some
   * idle nobody waits, so that what `mayOpen` closes is for its caller.
   */
  settle(): void {
    if (this.#waiting.size === 0 || this.#settling) return;
    this.#settling = true;
    for (const tenant of this.#waiting) {
      if (tenant.pending > 0 && !this.mayOpen()) break;
      // It comes back, behind the others, when more wait there.
      this.#waiting.delete(tenant);
      if (tenant.pending > 0) tenant.admit();
    }
    this.#settling = false;
  }
}
