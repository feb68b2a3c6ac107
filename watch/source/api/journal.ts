/**
 * What the operator reads in the log about the API server: that it is not heard, for how long it
 * was not, and what it denies. What lasts shorter than a moment is not worth a line, and neither
 * is each feed and each attempt.
 */
import type { Cancel, Clock } from "../../../core/clock.ts";
import type { log } from "../../../core/log.ts";
import type { ApiFailure } from "./api.ts";
import { isRefused } from "./codes.ts";

const MOMENT_MS = 2_000;
/** Most feeds that one line names. */
const NAMED_MAX = 8;

/** A feed, what is wrong with it now, and how that is mended, or "". */
export type Health = Readonly<{ name: string; failure: ApiFailure | null; hint: string }>;

/** Writes a line of the log. */
export type WriteLine = typeof log;

/** Looks at the feeds a moment after one of them changed, and tells what is new. */
export class Journal {
  readonly #clock: Clock;
  readonly #health: () => readonly Health[];
  readonly #write: WriteLine;
  #denied: ReadonlySet<string> = new Set();
  #awayTold = false;
  /** Since when something is not heard, and until when it was not. */
  #awayAt: number | null = null;
  #backAt: number | null = null;
  #cancel: Cancel | null = null;

  constructor(clock: Clock, health: () => readonly Health[], write: WriteLine) {
    this.#clock = clock;
    this.#health = health;
    this.#write = write;
  }

  /** A feed changed. */
  moved(): void {
    const now = this.#clock.now();
    if (this.#health().some(isAway)) {
      this.#awayAt ??= now;
      this.#backAt = null;
    } else {
      if (!this.#awayTold) this.#awayAt = null;
      this.#backAt ??= now;
    }
    this.#cancel ??= this.#clock.after(MOMENT_MS, () => this.#look());
  }

  stop(): void {
    this.#cancel?.();
  }

  #look(): void {
    this.#cancel = null;
    const health = this.#health();
    const away = health.filter(isAway);
    if (away.length > 0 && !this.#awayTold) {
      const reason = away[0]?.failure?.reason ?? "";
      const feeds = namesOf(away);
      this.#write("warn", "the API server is not heard: nothing changes until it is", {
        reason,
        feeds,
      });
    }
    if (away.length === 0 && this.#awayTold) {
      const awayMs = Math.round((this.#backAt ?? 0) - (this.#awayAt ?? 0));
      this.#write("info", "the API server is heard again", { awayMs });
      this.#awayAt = null;
    }
    this.#awayTold = away.length > 0;
    this.#lookAtRights(health);
  }

  #lookAtRights(health: readonly Health[]): void {
    const denied = health.filter(isDenied);
    const fresh = denied.filter(({ name }) => !this.#denied.has(name));
    // One that is not followed any more is not allowed either, nor is one of a server that is away.
    const before = health.filter(({ name }) => this.#denied.has(name));
    const over = before.filter(({ failure }) => failure === null);
    this.#denied = new Set([...denied, ...before.filter(isAway)].map(({ name }) => name));
    const reason = fresh[0]?.failure?.reason ?? "";
    const hint = fresh[0]?.hint ?? "";
    if (fresh.length > 0) {
      const feeds = namesOf(fresh);
      this.#write("warn", "the API server does not let rind read", { feeds, reason, hint });
    }
    if (over.length > 0) {
      this.#write("info", "the API server lets rind read again", { feeds: namesOf(over) });
    }
  }
}

function isDenied({ failure }: Health): boolean {
  return failure !== null && isRefused(failure.status);
}

function isAway(health: Health): boolean {
  return health.failure !== null && !isDenied(health);
}

function namesOf(feeds: readonly Readonly<{ name: string }>[]): string {
  const names = feeds.slice(0, NAMED_MAX).map(({ name }) => name);
  const more = feeds.length - names.length;
  return more === 0 ? names.join(", ") : `${names.join(", ")} and ${more} more`;
}
