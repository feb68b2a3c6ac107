/**
 * Tells findings where people look: as Events on the objects they concern. One finding is one
 * Event, under a name that follows from it, so that a second leader finds it told already.
 */
import type { Cancel, Clock } from "../../core/clock.ts";
import type { Finding } from "../finding.ts";
import { isFields } from "../objects.ts";
import type { ApiAnswer, ApiFailure } from "../source/api/api.ts";
import { CONFLICT, isPassing, MISSING } from "../source/api/codes.ts";
import { Allowance } from "./allowance.ts";
import { Denials, isDenial } from "./denials.ts";
import { eventName, eventNamespace, eventOf, findingKey } from "./event.ts";
import { type Identity, isTellable } from "./event.ts";
import { type Errand, isOfOne, type Writer } from "./outgoing.ts";

/** What is over within this time is not told, such as an Ingress that comes before its Service. */
const SETTLE_MS = 3_000;
/** A finding that comes back later than this is told again. */
const AGAIN_MS = 600_000;
/** An Event that the server fails at is tried again after this; see isOfOne. */
const FAILED_MS = 30_000;
/** Findings that wait to be told; beyond that the oldest are dropped, and counted. */
const QUEUE_MAX = 1_000;
/** Of one namespace; what comes beyond that is dropped: nobody pushes out everybody else's. */
const CROWD_MAX = 250;
/** Findings that are remembered as told. */
const TOLD_MAX = 10_000;

export type EventsConfig = Readonly<{
  clock: Clock;
  /** The time of day as `Date.toISOString` gives it. */
  today: () => string;
  /** Who tells it, such as the name of our pod. */
  instance: string;
  /** null: the object is not known, or not any more. */
  lookup: (kind: string, namespace: string, name: string) => Identity | null;
  /** There is something to write. */
  wake: () => void;
  /** `problem` changed. */
  told: () => void;
}>;

type Queued = Readonly<{ finding: Finding; dueAt: number }>;
/** `count` null: somebody else told it first. */
type Told = Readonly<{ at: number; uid: string; count: number | null }>;

/** Queue and memory are by the key of a finding. */
export class EventWriter implements Writer {
  readonly #config: EventsConfig;
  readonly #denials: Denials;
  readonly #allowance: Allowance;
  readonly #queue = new Map<string, Queued>();
  /** How many of the queue are of which namespace. */
  readonly #crowds = new Map<string, number>();
  readonly #told = new Map<string, Told>();
  /** Whether it is on us to tell. */
  #telling = false;
  /** null: nothing was published yet. */
  #current: readonly Finding[] | null = null;
  /** The keys of the current findings, made when they are asked for. */
  #keys: ReadonlySet<string> | null = null;
  #dropped = 0;
  #cancel: Cancel | null = null;

  constructor(config: EventsConfig) {
    this.#config = config;
    this.#denials = new Denials(config.clock);
    this.#allowance = new Allowance(config.clock);
  }

  /** All findings there are now, and those of them that were not there before. */
  found(findings: readonly Finding[], fresh: readonly Finding[]): void {
    // What is not new to others is to us.
    const news = this.#current === null ? findings : fresh;
    if (findings !== this.#current) this.#keys = null;
    this.#current = findings;
    if (this.#telling) for (const finding of news) this.#add(finding);
  }

  /** Tells from now on, and everything there is: the one before may have told none of it. */
  begin(): void {
    this.#telling = true;
    for (const finding of this.#current ?? []) this.#add(finding);
  }

  pending(): number {
    return this.#queue.size;
  }

  /** How many findings were never told: too many waited, or there were too many of one object. */
  dropped(): number {
    return this.#dropped;
  }

  /** Why some are not told, or "". */
  problem(): string {
    return this.#denials.problem();
  }

  /** Tells nothing until it begins again: another one does. */
  end(): void {
    this.#telling = false;
    this.#cancel?.();
    this.#cancel = null;
    this.#queue.clear();
    this.#crowds.clear();
  }

  next(): Errand | null {
    const now = this.#config.clock.now();
    let soonest = Infinity;
    for (const [key, { finding, dueAt }] of this.#queue) {
      const waitMs = Math.max(dueAt - now, this.#denials.waitMs(eventNamespace(finding)));
      if (waitMs > 0) {
        soonest = Math.min(soonest, waitMs);
        continue;
      }
      this.#dequeue(key);
      if (!this.#stands(key)) continue;
      if (this.#allowance.take(objectOf(finding))) return this.#errand(key, finding);
      this.#dropped += 1;
    }
    if (soonest < Infinity) this.#sleep(soonest);
    return null;
  }

  #add(finding: Finding): void {
    const key = findingKey(finding);
    if (!isTellable(finding)) return;
    const waiting = this.#queue.get(key);
    if (waiting !== undefined) {
      // Its hint may be a better one by now: what is told is what is true when it is told.
      this.#queue.set(key, { ...waiting, finding });
      return;
    }
    const now = this.#config.clock.now();
    const told = this.#told.get(key);
    if (told !== undefined && now - told.at < AGAIN_MS && told.uid === this.#uid(finding)) return;
    if (this.#crowdOf(finding.namespace) >= CROWD_MAX) {
      this.#dropped += 1;
      return;
    }
    this.#enqueue(key, { finding, dueAt: now + SETTLE_MS });
    if (this.#queue.size > QUEUE_MAX) {
      this.#dropped += 1;
      this.#dequeue(this.#queue.keys().next().value ?? "");
    }
    if (this.#cancel === null) this.#sleep(SETTLE_MS);
  }

  #enqueue(key: string, queued: Queued): void {
    const { namespace } = queued.finding;
    if (!this.#queue.has(key)) this.#crowds.set(namespace, this.#crowdOf(namespace) + 1);
    this.#queue.set(key, queued);
  }

  #dequeue(key: string): void {
    const queued = this.#queue.get(key);
    if (queued === undefined) return;
    const { namespace } = queued.finding;
    this.#queue.delete(key);
    const left = this.#crowdOf(namespace) - 1;
    if (left > 0) this.#crowds.set(namespace, left);
    else this.#crowds.delete(namespace);
  }

  #crowdOf(namespace: string): number {
    return this.#crowds.get(namespace) ?? 0;
  }

  #errand(key: string, finding: Finding): Errand {
    const { lookup, instance, today } = this.#config;
    const { kind, namespace, name } = finding;
    const identity = lookup(kind, namespace, name);
    const uid = identity?.uid ?? "";
    const path = `/api/v1/namespaces/${eventNamespace(finding)}/events`;
    const query = { fieldManager: "rind" };
    const told = this.#told.get(key);
    if (told === undefined || told.uid !== uid) {
      const body = eventOf(finding, { identity, instance, now: today() });
      const request = { method: "POST", path, query, body } as const;
      return { request, done: (answer) => this.#created(key, { finding, uid }, answer) };
    }
    const count = told.count === null ? {} : { count: told.count + 1 };
    const request = {
      method: "PATCH",
      path: `${path}/${eventName(finding, uid)}`,
      query,
      contentType: "application/merge-patch+json",
      body: { ...count, lastTimestamp: today() },
    } as const;
    return { request, done: (answer) => this.#repeated(key, { finding, uid }, answer) };
  }

  #created(key: string, of: Readonly<{ finding: Finding; uid: string }>, answer: ApiAnswer): void {
    if (answer.ok) return this.#note(key, of, 1);
    // Told before, by another leader or by the rind that we were before a restart.
    if (answer.status === CONFLICT) return this.#note(key, of, null);
    this.#failed(key, of, answer);
  }

  #repeated(key: string, of: Readonly<{ finding: Finding; uid: string }>, answer: ApiAnswer): void {
    if (!answer.ok) {
      // Events live for an hour, as a rule.
      if (answer.status === MISSING) this.#told.delete(key);
      return answer.status === MISSING
        ? this.#again(key, of.finding)
        : this.#failed(key, of, answer);
    }
    const count = isFields(answer.body) ? answer.body["count"] : null;
    this.#note(key, of, typeof count === "number" ? count : null);
  }

  #failed(key: string, of: Readonly<{ finding: Finding; uid: string }>, failure: ApiFailure): void {
    if (isOfOne(failure)) return this.#again(key, of.finding, FAILED_MS);
    if (isPassing(failure.status)) return this.#again(key, of.finding);
    // The namespace is gone or going, or this Event is not to be had: once is enough.
    if (!isDenial(failure)) return this.#note(key, of, null);
    this.#denials.deny(eventNamespace(of.finding), failure.reason);
    this.#config.told();
    this.#again(key, of.finding);
  }

  #note(key: string, of: Readonly<{ finding: Finding; uid: string }>, count: number | null): void {
    if (this.#denials.allow(eventNamespace(of.finding))) this.#config.told();
    // In the order of their times, so that the oldest is forgotten first.
    this.#told.delete(key);
    this.#told.set(key, { at: this.#config.clock.now(), uid: of.uid, count });
    if (this.#told.size > TOLD_MAX) this.#told.delete(this.#told.keys().next().value ?? "");
  }

  #again(key: string, finding: Finding, waitMs = 0): void {
    this.#enqueue(key, { finding, dueAt: this.#config.clock.now() + waitMs });
  }

  #stands(key: string): boolean {
    this.#keys ??= new Set((this.#current ?? []).map(findingKey));
    return this.#keys.has(key);
  }

  #uid({ kind, namespace, name }: Finding): string {
    return this.#config.lookup(kind, namespace, name)?.uid ?? "";
  }

  #sleep(ms: number): void {
    this.#cancel?.();
    this.#cancel = this.#config.clock.after(ms, () => {
      this.#cancel = null;
      this.#config.wake();
    });
  }
}

function objectOf({ kind, namespace, name }: Finding): string {
  return `${kind} ${namespace}/${name}`;
}
