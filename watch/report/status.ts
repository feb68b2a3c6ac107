/**
 * Writes where we can be reached into the status of each Ingress that is ours, and only where it
 * says something else. Watching tells what is there, so in a steady state nothing is written.
 *
 *     moved, published ──► dirty ──► next: compare ─ same ─► forgotten
 *                            ▲                     ├ differs ─► PATCH
 *                            └────── waiting ◄─────┴ too early, denied, left alone
 */
import type { Cancel, Clock } from "../../core/clock.ts";
import type { Finding } from "../finding.ts";
import type { ApiAnswer } from "../source/api/api.ts";
import { CONFLICT, isPassing, MISSING } from "../source/api/codes.ts";
import type { IngressStatus } from "../source/api/status.ts";
import { Denials, DENIED_MS, isDenial } from "./denials.ts";
import { Echoes } from "./echoes.ts";
import { Lanes, namespaceOf } from "./lanes.ts";
import { Ledger } from "./ledger.ts";
import { type Errand, isOfOne, type Writer } from "./outgoing.ts";
import { type Target, targetsKey } from "./targets.ts";

/**
 * From news of an object to a look at it: by then it is translated, and known whether it is still
 * ours. Who gives it to another class must not find our address in it again.
 */
const MOVED_MS = 500;
/** Compared without letting anything else happen: some milliseconds. */
const LOOKS_MAX = 1_000;

export type StatusConfig = Readonly<{
  clock: Clock;
  /** By `namespace/name`, of all Ingresses; alive. */
  statuses: ReadonlyMap<string, IngressStatus>;
  /** There is something to write. */
  wake: () => void;
  /** `findings` or `problem` changed. */
  told: () => void;
}>;

/** A write that is on its way: what it says, into which version of which object. */
type Sent = Readonly<{ uid: string; wanted: string; replaced: string }>;

export class StatusWriter implements Writer {
  readonly #config: StatusConfig;
  readonly #ledger: Ledger;
  readonly #echoes: Echoes;
  #targets: readonly Target[] | null = null;
  #wanted = "";
  #ours: ReadonlySet<string> = new Set();
  /** To be looked at: those that somebody may be waiting for, then those of a change for all. */
  readonly #soon = new Lanes();
  readonly #dirty = new Lanes();
  /** To be looked at later. */
  readonly #waiting = new Map<string, Cancel>();
  readonly #denials: Denials;

  constructor(config: StatusConfig) {
    this.#config = config;
    this.#denials = new Denials(config.clock);
    this.#ledger = new Ledger(config.clock, config.told);
    this.#echoes = new Echoes(config.statuses);
  }

  /** What every Ingress of ours should say. null: not known, so nothing is written. */
  publish(targets: readonly Target[] | null): void {
    const wanted = targets === null ? "" : targetsKey(targets);
    const known = this.#targets !== null && wanted === this.#wanted;
    this.#targets = targets;
    this.#wanted = wanted;
    if (targets !== null && !known) this.#review();
  }

  /** This is the end: what is published next is written at once, however often it was before. */
  hurry(): void {
    this.#ledger.hurry();
  }

  /** The Ingresses that are ours. One that is not any more keeps what it says. */
  own(ours: ReadonlySet<string>): void {
    const before = this.#ours;
    if (ours === before) return;
    this.#ours = ours;
    for (const key of before) if (!ours.has(key)) this.#forget(key);
    for (const key of ours) if (!before.has(key)) this.#look(key, this.#soon);
    if (this.#soon.size > 0) this.#config.wake();
  }

  /** The status of an Ingress was told, or the Ingress is gone. */
  moved(key: string): void {
    if (!this.#ours.has(key)) return;
    const status = this.#config.statuses.get(key);
    // Whatever the one before had to wait for is no matter of this one.
    if (status === undefined || this.#ledger.isAnother(key, status.uid)) this.#forget(key);
    if (status !== undefined && !this.#waiting.has(key)) this.#later(key, MOVED_MS);
    this.#config.wake();
  }

  /** How many are not known to say what they should. */
  pending(): number {
    if (this.#targets === null) return 0;
    let pending = this.#soon.size + this.#dirty.size;
    for (const key of this.#waiting.keys()) if (this.#differs(key)) pending += 1;
    return pending;
  }

  /** Why some are not written, or "". */
  problem(): string {
    return this.#denials.problem();
  }

  /** The Ingresses that are left alone, and why. */
  findings(): readonly Finding[] {
    return this.#ledger.findings();
  }

  /** Forgets everything: nothing is ours any more. */
  stop(): void {
    this.#ours = new Set();
    for (const cancel of this.#waiting.values()) cancel();
    this.#waiting.clear();
    this.#soon.clear();
    this.#dirty.clear();
  }

  next(): Errand | null {
    const targets = this.#targets;
    if (targets === null) return null;
    return this.#first(this.#soon, targets) ?? this.#first(this.#dirty, targets);
  }

  #first(queue: Lanes, targets: readonly Target[]): Errand | null {
    for (let looks = 0; queue.size > 0; looks++) {
      if (looks === LOOKS_MAX) {
        this.#config.wake();
        return null;
      }
      const key = queue.take() ?? "";
      const status = this.#echoes.get(key);
      if (status === undefined || !this.#ours.has(key)) continue;
      const differs = this.#differs(key);
      const waitMs = differs ? this.#patience(key, status.uid) : this.#ledger.agreed(key);
      if (waitMs > 0) this.#later(key, waitMs);
      else if (differs) return this.#errand(key, status, targets);
    }
    return null;
  }

  #patience(key: string, uid: string): number {
    const deniedMs = this.#denials.waitMs(namespaceOf(key));
    return Math.max(deniedMs, this.#ledger.waitMs(key, uid, this.#wanted));
  }

  #errand(key: string, status: IngressStatus, targets: readonly Target[]): Errand {
    const [namespace = "", name = ""] = key.split("/");
    const { uid, resourceVersion } = status;
    const sent = { uid, wanted: this.#wanted, replaced: resourceVersion };
    this.#ledger.tried(key, uid);
    return {
      request: {
        method: "PATCH",
        path: `/apis/networking.k8s.io/v1/namespaces/${namespace}/ingresses/${name}/status`,
        query: { fieldManager: "rind" },
        contentType: "application/merge-patch+json",
        // Named, so that a write meets the object that was judged, or 409: never one that was made
        // anew under this name, nor one that somebody else wrote a moment ago.
        body: { metadata: { resourceVersion }, status: { loadBalancer: { ingress: targets } } },
      },
      done: (answer) => this.#done(key, sent, answer),
    };
  }

  #done(key: string, sent: Sent, answer: ApiAnswer): void {
    if (!this.#ours.has(key)) return;
    const failed = !answer.ok && isOfOne(answer);
    if (!answer.ok && !failed && isPassing(answer.status)) return this.#look(key, this.#soon);
    if (!answer.ok && isDenial(answer)) return this.#deny(key, answer.reason);
    if (this.#denials.allow(namespaceOf(key))) this.#config.told();
    if (!answer.ok && answer.status === MISSING) return this.#forget(key);
    if (answer.ok) this.#wrote(key, sent, answer.body);
    else if (failed) this.#ledger.failed(key, sent.uid, answer.reason);
    // In a conflict, the next version of the object is on its way to us.
    else if (answer.status !== CONFLICT) this.#ledger.refused(key, sent.uid, answer.reason);
    // What was watched meanwhile may be older or newer than this write.
    this.#later(key, Math.max(MOVED_MS, this.#ledger.objectMs()));
  }

  #wrote(key: string, { uid, wanted, replaced }: Sent, body: unknown): void {
    this.#ledger.wrote(key, uid, wanted);
    this.#echoes.wrote(key, replaced, body);
  }

  #deny(key: string, reason: string): void {
    this.#denials.deny(namespaceOf(key), reason);
    this.#config.told();
    this.#later(key, DENIED_MS);
  }

  #differs(key: string): boolean {
    const status = this.#echoes.get(key);
    if (status === undefined || !this.#ours.has(key) || this.#targets === null) return false;
    return targetsKey(status.ingress) !== this.#wanted;
  }

  #review(): void {
    for (const key of this.#ours) if (!this.#soon.has(key)) this.#look(key, this.#dirty);
    if (this.#ours.size > 0) this.#config.wake();
  }

  /** Each one stands in one place at most. */
  #look(key: string, queue: Lanes): void {
    this.#drop(key);
    queue.add(key);
  }

  #later(key: string, ms: number): void {
    this.#drop(key);
    const look = () => {
      this.#look(key, this.#dirty);
      this.#config.wake();
    };
    this.#waiting.set(key, this.#config.clock.after(ms, look));
  }

  #forget(key: string): void {
    this.#drop(key);
    this.#ledger.forget(key);
    this.#echoes.forget(key);
  }

  #drop(key: string): void {
    this.#waiting.get(key)?.();
    this.#waiting.delete(key);
    this.#soon.delete(key);
    this.#dirty.delete(key);
  }
}
