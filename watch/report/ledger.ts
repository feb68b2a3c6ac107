/**
 * What we wrote into which status, and how that went: one write of an object in five seconds, less
 * and less of one that the server fails at, and no fight with whoever writes the same field.
 *
 *     write  overwritten  write  overwritten  write  overwritten      10 min      write …
 *       ├──── 5 s ─────────┼──── 5 s ──────────┤          └── left alone ───────────┤
 */
import type { Clock } from "../../core/clock.ts";
import type { Finding } from "../finding.ts";

/** From one write of a status to the next one of the same. */
const OBJECT_MS = 5_000;
/** Who overwrites what we wrote so often within this time is let have it for a while. */
const FIGHT_WRITES_MAX = 3;
const FIGHT_MS = 300_000;
const REST_MS = 600_000;
/** The longest wait for an object that the server fails at, after 5, 10, 20 and 40 s. */
const FAILED_MS_MAX = 60_000;
/** One failure is over with the next try, as a rule. */
const QUIET_FAILURES_MAX = 1;

type Page = {
  readonly uid: string;
  triedAt: number;
  /** What we wrote last, and when: a second write of the same means that it was overwritten. */
  written: string;
  writes: number[];
  /** Not to be written before. */
  restUntil: number;
  /** Writes in a row that were not taken. */
  failures: number;
  finding: Finding | null;
};

/** Keys are `namespace/name`. The same key with another uid is another object, without a past. */
export class Ledger {
  readonly #clock: Clock;
  readonly #told: () => void;
  readonly #pages = new Map<string, Page>();
  #objectMs = OBJECT_MS;

  /** `told` hears when `findings` changes. */
  constructor(clock: Clock, told: () => void) {
    this.#clock = clock;
    this.#told = told;
  }

  /** From now on, nothing waits only because it was written a moment ago. */
  hurry(): void {
    this.#objectMs = 0;
  }

  /** From one write of an object to the next one. */
  objectMs(): number {
    return this.#objectMs;
  }

  /** The Ingresses that are left alone, and why. */
  findings(): readonly Finding[] {
    return [...this.#pages.values()].flatMap(({ finding }) => finding ?? []);
  }

  /** How long not to write `wanted` into an object that says something else; 0 or less: now. */
  waitMs(key: string, uid: string, wanted: string): number {
    const now = this.#clock.now();
    const page = this.#page(key, uid);
    const early = page.triedAt + this.#objectMs - now;
    // Until then, what is watched may be older than what we wrote.
    if (early > 0) return early;
    if (page.restUntil <= now && this.#fought(page, wanted)) {
      page.restUntil = now + REST_MS;
      this.#note(key, page, {
        reason: "somebody else keeps writing other addresses here",
        hint: "let one controller alone serve the class of this Ingress",
        effect: "its status is left alone for ten minutes",
      });
    }
    return page.restUntil - now;
  }

  /** Whether what we wrote under this key was another object. */
  isAnother(key: string, uid: string): boolean {
    return (this.#pages.get(key)?.uid ?? uid) !== uid;
  }

  /** A write is on its way. */
  tried(key: string, uid: string): void {
    this.#page(key, uid).triedAt = this.#clock.now();
  }

  /** The write was done. */
  wrote(key: string, uid: string, written: string): void {
    const page = this.#page(key, uid);
    if (page.failures > 0) this.#mended(page);
    if (page.written !== written) page.writes = [];
    page.written = written;
    page.writes.push(this.#clock.now());
  }

  /** The write was refused for good, for a reason that is not a lack of permission. */
  refused(key: string, uid: string, reason: string): void {
    const page = this.#page(key, uid);
    page.failures += 1;
    page.restUntil = this.#clock.now() + REST_MS;
    this.#note(key, page, {
      reason: `the API server refuses our status: ${reason}`,
      hint: "see the addresses that rind publishes, and admission policies",
      effect: "its status is left alone for ten minutes",
    });
  }

  /** The server failed at the write of this object, and may not do so at another one. */
  failed(key: string, uid: string, reason: string): void {
    const page = this.#page(key, uid);
    const waitMs = Math.min(FAILED_MS_MAX, OBJECT_MS * 2 ** page.failures);
    page.failures += 1;
    page.restUntil = this.#clock.now() + waitMs;
    if (page.failures <= QUIET_FAILURES_MAX) return;
    this.#note(key, page, {
      reason: `the API server fails to write our status: ${reason}`,
      hint: "see its log, and the admission webhooks of Ingresses",
      effect: "its status is tried again each minute",
    });
  }

  /** The object says what it should. The answer is when to look again, or 0: no need. */
  agreed(key: string): number {
    const page = this.#pages.get(key);
    if (page === undefined || page.finding === null) return 0;
    const quietMs = this.#clock.now() - (page.writes.at(-1) ?? -Infinity);
    if (quietMs < FIGHT_MS) return FIGHT_MS - quietMs;
    page.restUntil = -Infinity;
    this.#mended(page);
    return 0;
  }

  /** The object is gone, or not ours any more. */
  forget(key: string): void {
    const finding = this.#pages.get(key)?.finding ?? null;
    this.#pages.delete(key);
    if (finding !== null) this.#told();
  }

  /**
   * Whether somebody writes it after us, each time: the object says something else although our
   * last writes of just this went well, and each one named the version that it replaced.
   */
  #fought(page: Page, wanted: string): boolean {
    const now = this.#clock.now();
    page.writes = page.writes.filter((at) => now - at < FIGHT_MS);
    const writesMax = page.finding === null ? FIGHT_WRITES_MAX : 1;
    return page.written === wanted && page.writes.length >= writesMax;
  }

  #page(key: string, uid: string): Page {
    const known = this.#pages.get(key);
    if (known?.uid === uid) return known;
    this.forget(key);
    const never = { triedAt: -Infinity, restUntil: -Infinity };
    const page: Page = { uid, ...never, written: "", writes: [], failures: 0, finding: null };
    this.#pages.set(key, page);
    return page;
  }

  #mended(page: Page): void {
    const { finding } = page;
    page.failures = 0;
    page.finding = null;
    if (finding !== null) this.#told();
  }

  #note(key: string, page: Page, what: Pick<Finding, "reason" | "hint" | "effect">): void {
    const [namespace = "", name = ""] = key.split("/");
    const effect = `${what.effect}; traffic is not concerned`;
    const of = { kind: "Ingress", namespace, name, field: "status.loadBalancer.ingress" };
    page.finding = { level: "warning", ...of, ...what, effect };
    this.#told();
  }
}
