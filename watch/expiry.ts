/**
 * Certificates that end: findings that come and go with time alone, also when no object changes.
 * Dates are those of the wall clock, which may be set; it is looked at every hour at least.
 */
import type { Cancel, Clock } from "../core/clock.ts";
import type { Finding } from "./finding.ts";
import { type CertificateFacts, listNames } from "./translate/certificates.ts";

const DAY_MS = 86_400_000;
/** So long before its end a certificate should have been renewed. */
const NOTICE_MS = 14 * DAY_MS;
/**
 * A certificate that is good for no longer than this is meant to be renewed every few days (CA/B
 * Baseline Requirements §1.6.1, short-lived), and is late in the last sixth of its time.
 */
const SHORT_MS = 7 * DAY_MS;
const SHORT_PART = 6;
const LOOK_MS = 3_600_000;
const NO_FINDINGS: readonly Finding[] = [];

export type ExpiryConfig = Readonly<{
  clock: Clock;
  /** Milliseconds of Unix. */
  wall: () => number;
  /** `findings` answers something else from now on. Not called by `watch`. */
  moved: () => void;
}>;

/** Follows the certificates that are served. */
export class Expiry {
  readonly #config: ExpiryConfig;
  #certificates: readonly CertificateFacts[] = [];
  #findings = NO_FINDINGS;
  #cancel: Cancel | null = null;

  constructor(config: ExpiryConfig) {
    this.#config = config;
  }

  /** From now on it is about these; a list that is the same costs nothing. */
  watch(certificates: readonly CertificateFacts[]): void {
    if (certificates === this.#certificates) return;
    this.#certificates = certificates;
    this.#look();
  }

  /** What there is to say; the same list while nothing changes. */
  findings(): readonly Finding[] {
    return this.#findings;
  }

  /** Says nothing new any more. */
  stop(): void {
    this.#cancel?.();
  }

  /** Answers whether there is something else to say. */
  #look(): boolean {
    const { clock, wall } = this.#config;
    const nowMs = wall();
    const findings = findExpiring(this.#certificates, nowMs);
    const moved = !Bun.deepEquals(findings, this.#findings, true);
    if (moved) this.#findings = findings;
    this.#cancel?.();
    const waitMs = Math.min(untilNext(this.#certificates, nowMs), LOOK_MS);
    const idle = this.#certificates.length === 0;
    this.#cancel = idle ? null : clock.after(waitMs, () => this.#turn());
    return moved;
  }

  #turn(): void {
    if (this.#look()) this.#config.moved();
  }
}

/** What is to be said of certificates at a moment, milliseconds of Unix, in their order. */
export function findExpiring(
  certificates: readonly CertificateFacts[],
  nowMs: number,
): readonly Finding[] {
  const findings = certificates.flatMap((each) => findingOf(each, nowMs) ?? []);
  return findings.length === 0 ? NO_FINDINGS : findings;
}

function findingOf(certificate: CertificateFacts, nowMs: number): Finding | null {
  const { id, names, notBeforeMs, notAfterMs } = certificate;
  const early = nowMs < notBeforeMs;
  const over = nowMs > notAfterMs;
  if (!early && !over && nowMs < noticeOf(certificate)) return null;
  const at = dateOf(early ? notBeforeMs : notAfterMs);
  const [namespace = "", name = ""] = id.split("/");
  const about = { kind: "Secret", namespace, name, field: "" };
  const reason = early
    ? `its certificate is not valid before ${at}`
    : `its certificate ${over ? "expired" : "expires"} on ${at}`;
  const whom = listNames(names, "it");
  const effect = `clients refuse ${whom}${early ? " until then" : over ? "" : " from then on"}`;
  const hint = early ? "" : "renew it: a new pair in this Secret is served at once";
  return { level: early || over ? "error" : "warning", ...about, reason, hint, effect };
}

/** From when on the end of a certificate is near. */
function noticeOf({ notBeforeMs, notAfterMs }: CertificateFacts): number {
  const lifeMs = notAfterMs - notBeforeMs;
  return notAfterMs - (lifeMs <= SHORT_MS ? lifeMs / SHORT_PART : NOTICE_MS);
}

/** Until there may be something else to say, more than zero. */
function untilNext(certificates: readonly CertificateFacts[], nowMs: number): number {
  let next = Number.POSITIVE_INFINITY;
  for (const each of certificates) {
    for (const at of [each.notBeforeMs, noticeOf(each), each.notAfterMs + 1]) {
      if (at > nowMs) next = Math.min(next, at - nowMs);
    }
  }
  return next;
}

/** A time that cannot be told, such as the year 300 000, is far away. */
function dateOf(timeMs: number): string {
  const date = new Date(timeMs);
  return Number.isNaN(date.getTime()) ? "a date far away" : date.toISOString().slice(0, 19) + "Z";
}
