/**
 * What rind writes to the cluster: where each Ingress is served, and what is wrong with objects.
 * One rind of all does it, the holder of a lease; traffic depends on none of this.
 *
 *     Leader ── leads ──► Addresses ── targets ──► StatusWriter ─┐
 *        └── may ────────────────────────────────► Outgoing ◄────┴─ EventWriter ◄── findings
 */
import type { Clock } from "../../core/clock.ts";
import type { Random } from "../../core/random.ts";
import type { Finding } from "../finding.ts";
import type { ApiClient } from "../source/api/api.ts";
import { FORBIDDEN } from "../source/api/codes.ts";
import type { IngressStatus } from "../source/api/status.ts";
import { Addresses, type Publish } from "./addresses.ts";
import type { Identity } from "./event.ts";
import { EventWriter } from "./events.ts";
import { Leader } from "./leader.ts";
import { Outgoing } from "./outgoing.ts";
import { StatusWriter } from "./status.ts";

/** Kept of the time for a drain, so that the lease can be given back. */
const RELEASE_MS = 1_000;
const IDENTITY_BOUND = 2 ** 31;
const BASE_36 = 36;

export type ReportConfig = Readonly<{
  clock: Clock;
  /** Seeded by chance: it tells this process from others of the same pod. */
  random: Random;
  api: ApiClient;
  /** The time of day as `Date.toISOString` gives it. */
  today: () => string;
  /** The pod that we are, or something like it outside of a cluster. */
  pod: Readonly<{ namespace: string; name: string }>;
  lease: Readonly<{ namespace: string; name: string }>;
  publish: Publish;
  /** By `namespace/name`, of all Ingresses; alive. */
  statuses: ReadonlyMap<string, IngressStatus>;
  /** null: the object is not known, or not any more. */
  lookup: (kind: string, namespace: string, name: string) => Identity | null;
  /** What is wrong with reporting itself; replaces what was told before. */
  tell: (findings: readonly Finding[]) => void;
}>;

/** `pending` counts what this rind has still to write; 0 when another one leads. */
export type ReportState = Readonly<{
  leader: boolean;
  /** The holder of the lease, as far as we know: a pod's name and a word of its own. */
  leaderName: string;
  /** Why something is not written now, or "". */
  problem: string;
  pending: number;
  /** Findings that got no Event: too many waited, or there were too many of one object. */
  dropped: number;
}>;

/** Reports from `start` until `drain` or `stop`. Nothing here throws or rejects. */
export class Report {
  readonly #config: ReportConfig;
  readonly #leader: Leader;
  readonly #outgoing: Outgoing;
  readonly #status: StatusWriter;
  readonly #events: EventWriter;
  #addresses: Addresses | null = null;
  #told: readonly Finding[] = [];
  #stopped = false;
  /** Hears, during a drain, that something was written. */
  #turned: () => void = () => {};

  constructor(config: ReportConfig) {
    const { clock, random, api, today, pod, lease, statuses, lookup } = config;
    const identity = `${pod.name}_${word(random)}${word(random)}`;
    const wake = () => this.#outgoing.wake();
    const told = () => this.#tell();
    this.#config = config;
    const changed = () => this.#elected();
    this.#leader = new Leader({ clock, random, api, today, lease, identity, changed });
    this.#status = new StatusWriter({ clock, statuses, wake, told });
    const instance = pod.name;
    this.#events = new EventWriter({ clock, today, instance, lookup, wake, told });
    this.#outgoing = new Outgoing({
      clock,
      random,
      api,
      may: () => this.#leader.leading(),
      writers: [this.#status, this.#events],
      turned: () => this.#turned(),
    });
  }

  start(): void {
    this.#leader.start();
  }

  /** All findings, those of them that are new, and the Ingresses that are ours. */
  published(
    of: Readonly<{
      findings: readonly Finding[];
      fresh: readonly Finding[];
      ours: ReadonlySet<string>;
    }>,
  ): void {
    if (this.#stopped) return;
    this.#status.own(of.ours);
    this.#events.found(of.findings, of.fresh);
  }

  /** The status of this Ingress (`namespace/name`) is another one, or the Ingress is gone. */
  statusMoved(key: string): void {
    if (!this.#stopped) this.#status.moved(key);
  }

  /**
   * Takes our own address out of every status, as far as that can be done in `deadlineMs`, and
   * gives the lease to the next one, who does the rest. To be called while we still serve.
   */
  async drain(deadlineMs: number): Promise<void> {
    const { clock } = this.#config;
    const end = clock.now() + deadlineMs;
    if (this.#leader.leading() && this.#addresses !== null) {
      this.#status.hurry();
      this.#addresses.leave();
      await this.#written(end - RELEASE_MS);
    }
    this.#halt();
    const released = this.#leader.release();
    await this.#until(end, (over) => void released.then(over));
  }

  /** Writes nothing any more; the lease runs out by itself. */
  stop(): void {
    this.#halt();
    this.#leader.stop();
  }

  state(): ReportState {
    const leader = this.#leader.leading();
    const pending = leader ? this.#status.pending() + this.#events.pending() : 0;
    const dropped = this.#events.dropped();
    return {
      leader,
      leaderName: this.#leader.holder(),
      problem: this.#problem(),
      pending,
      dropped,
    };
  }

  #elected(): void {
    if (this.#stopped) return;
    const { clock, random, api, publish, pod } = this.#config;
    const leads = this.#leader.leading();
    if (leads && this.#addresses === null) {
      const changed = () => this.#moved();
      this.#addresses = new Addresses({ clock, random, api, publish, pod, changed });
      this.#events.begin();
    } else if (!leads) this.#resign();
    // What was to be written in a moment without leadership waits for this.
    if (leads) this.#outgoing.wake();
    this.#tell();
    this.#turned();
  }

  #resign(): void {
    this.#addresses?.stop();
    this.#addresses = null;
    // What we know of addresses is not kept up to date from here on.
    this.#status.publish(null);
    this.#events.end();
  }

  #moved(): void {
    this.#status.publish(this.#addresses?.targets() ?? null);
    this.#tell();
    this.#turned();
  }

  #halt(): void {
    this.#stopped = true;
    this.#resign();
    this.#outgoing.stop();
    this.#status.stop();
  }

  /** Waits until every status says what it should, or for `end`. */
  async #written(end: number): Promise<void> {
    await this.#until(end, (over) => {
      this.#turned = () => {
        if (this.#status.pending() === 0) over();
      };
      this.#turned();
    });
    this.#turned = () => {};
  }

  #until(end: number, begin: (over: () => void) => void): Promise<void> {
    const { clock } = this.#config;
    return new Promise((resolve) => {
      const cancel = clock.after(Math.max(0, end - clock.now()), resolve);
      begin(() => {
        cancel();
        resolve();
      });
    });
  }

  #problem(): string {
    const problems = [
      this.#leader.failure()?.reason ?? "",
      this.#outgoing.problem(),
      this.#status.problem(),
      this.#events.problem(),
      this.#addresses?.problem() ?? "",
    ];
    return problems.find((problem) => problem !== "") ?? "";
  }

  #tell(): void {
    // Who does not lead writes nothing, and so would never learn that one of these is over.
    const findings = this.#leader.leading() ? [...this.#status.findings()] : [];
    findings.push(...this.#denied());
    const finding = this.#addresses?.finding() ?? null;
    if (finding !== null) findings.push(finding);
    if (this.#stopped || Bun.deepEquals(findings, this.#told, true)) return;
    this.#told = findings;
    this.#config.tell(findings);
  }

  /** What only people can mend. A server that is away is told of by the feeds. */
  #denied(): readonly Finding[] {
    const failure = this.#leader.failure();
    const writers = this.#leader.leading() ? [this.#status, this.#events] : [];
    const reasons = [
      failure?.status === FORBIDDEN ? failure.reason : "",
      ...writers.map((writer) => writer.problem()),
    ];
    const hint = "apply the RBAC objects of k8s/rind.yaml, or use --report off";
    const effect = "status and Events are not written; traffic is not concerned";
    const of = { kind: "Rind", namespace: "", name: "report", field: "" };
    return reasons
      .filter((reason, i) => reason !== "" && reasons.indexOf(reason) === i)
      .map((reason) => ({ level: "warning", ...of, reason, hint, effect }) as const);
  }
}

function word(random: Random): string {
  return random.below(IDENTITY_BOUND).toString(BASE_36);
}
