/**
 * Who of several rinds writes to the cluster: the holder of a Lease (coordination.k8s.io/v1), by
 * the rules of client-go's leader election. Only status and Events depend on it, never traffic.
 *
 *     began ── renewed ─────────── until: we stop ───── others may take the lease
 *       └──────────── RENEW_MS ──────────┘                      │
 *                 └───────────────── LEASE_MS ──────────────────┘
 *
 * Nobody's time of day is compared: how old a lease is counts from when it was seen to change.
 */
import type { Cancel, Clock } from "../../core/clock.ts";
import type { Random } from "../../core/random.ts";
import { isFields } from "../objects.ts";
import type { ApiAnswer, ApiClient, ApiFailure } from "../source/api/api.ts";
import { CONFLICT, FORBIDDEN, MISSING } from "../source/api/codes.ts";

/** The defaults of client-go's leaderelection package. */
const LEASE_MS = 15_000;
const RENEW_MS = 10_000;
const RETRY_MS = 2_000;
const JITTER_MS = 2_400;
/**
 * While the holder is seen to renew, the others look this rarely: with the pace of client-go,
 * which is made for two or three replicas, a DaemonSet of 1 000 nodes would read the lease 300
 * times a second for ever. Shorter than LEASE_MS, so that a lease is looked at before it runs out.
 */
const FOLLOW_MS = 10_000;
const FOLLOW_JITTER_MS = 4_000;
/** One request; a second one fits between the end of our leadership and that of our lease. */
const ASK_MS_MAX = 5_000;
/** What a lease may ask for, so that a slip in it does not keep everybody out for good. */
const LEASE_MS_MAX = 60_000;
const BACKOFF_MS_MAX = 30_000;
const DOUBLINGS_MAX = 4;
/** The release at the end of a drain. */
const RELEASE_MS_MAX = 2_000;

/** `today` is the time of day as `Date.toISOString` gives it, for people to read. */
export type LeaderConfig = Readonly<{
  clock: Clock;
  random: Random;
  api: ApiClient;
  today: () => string;
  lease: Readonly<{ namespace: string; name: string }>;
  /** Of this process and no other. */
  identity: string;
  /** Leadership was won or lost, or what stands in its way changed. */
  changed: () => void;
}>;

type Fields = Readonly<Record<string, unknown>>;
/** A lease as the API server has it. `holder` "" means that nobody has it. */
type Lease = Readonly<{ metadata: Fields; spec: Fields; holder: string }>;

/**
 * Takes part in the election from `start` to `stop` or `release`. One other rind alone takes a
 * lease that was released after 14 s at most: the longest wait between two looks. That of a leader
 * who died is taken after 33.4 s at most: its last renewal is seen after 14 s, is respected for
 * LEASE_MS, and the look that finds it run out is up to 4.4 s late. To both comes the time that
 * requests take; of many rinds, the first that looks is sooner.
 */
export class Leader {
  readonly #config: LeaderConfig;
  /** The lease as we wrote it last, or null when it must be read first. */
  #mine: Lease | null = null;
  #leadUntil = -Infinity;
  /** The `spec` that was seen last, and since when it has been like this. */
  #seen = "";
  #seenAt = 0;
  #holder = "";
  /** Another one has the lease, and wrote it since our look before: it lives. */
  #followed = false;
  #failure: ApiFailure | null = null;
  #failures = 0;
  /** Leadership ended during a turn, if only until it was confirmed. */
  #broken = false;
  #stopped = false;
  #turning: Promise<void> = Promise.resolve();
  #cancelTurn: Cancel | null = null;
  #cancelEnd: Cancel | null = null;

  constructor(config: LeaderConfig) {
    this.#config = config;
  }

  start(): void {
    this.#turning = this.#turn();
  }

  /** Whether we may write now. Ask before each write: it ends by itself. */
  leading(): boolean {
    return this.#config.clock.now() < this.#leadUntil;
  }

  /** Who has the lease, as far as we know, or "". */
  holder(): string {
    return this.#holder;
  }

  /** Why we take no part in the election now, or null. */
  failure(): ApiFailure | null {
    return this.#failure;
  }

  /** Leaves the election without a word: the lease runs out. */
  stop(): void {
    this.#stopped = true;
    this.#cancelTurn?.();
    this.#cancelEnd?.();
    this.#leadUntil = -Infinity;
  }

  /** Leaves the election and the lease with it, so that the next one need not wait. */
  async release(): Promise<void> {
    this.stop();
    await this.#turning;
    const mine = this.#mine;
    if (mine === null) return;
    const now = this.#now();
    const spec = { ...mine.spec, holderIdentity: "", leaseDurationSeconds: 1, renewTime: now };
    await this.#put(mine, spec, RELEASE_MS_MAX);
  }

  async #turn(): Promise<void> {
    const { clock } = this.#config;
    const before = this.#view();
    const began = clock.now();
    const failure = await this.#attempt();
    if (this.#stopped) return;
    this.#failure = failure;
    this.#failures = failure === null ? 0 : this.#failures + 1;
    if (this.#mine !== null && failure === null) this.#lead(began + RENEW_MS);
    if (this.#broken || before !== this.#view()) this.#config.changed();
    this.#broken = false;
    this.#cancelTurn = clock.after(this.#waitMs(failure), () => {
      this.#turning = this.#turn();
    });
  }

  /** From the end of a turn to the next one. */
  #waitMs(failure: ApiFailure | null): number {
    const { random } = this.#config;
    if (this.#followed && failure === null) return FOLLOW_MS + random.below(FOLLOW_JITTER_MS);
    const calm = this.leading() ? RETRY_MS : RETRY_MS + random.below(JITTER_MS);
    if (failure === null) return calm;
    const grown = RETRY_MS * 2 ** Math.min(this.#failures, DOUBLINGS_MAX);
    const backoff = this.leading() ? 0 : Math.min(BACKOFF_MS_MAX, grown);
    const denied = failure.status === FORBIDDEN ? BACKOFF_MS_MAX : 0;
    return Math.max(calm, backoff, denied, failure.retryAfterMs ?? 0);
  }

  #lead(until: number): void {
    const { clock, changed } = this.#config;
    this.#leadUntil = until;
    this.#holder = this.#config.identity;
    this.#cancelEnd?.();
    this.#cancelEnd = clock.after(until - clock.now(), changed);
  }

  #lose(holder: string): void {
    this.#mine = null;
    this.#holder = holder;
    this.#leadUntil = -Infinity;
    this.#cancelEnd?.();
  }

  /** One try to take or keep the lease. To find it in other hands is no failure. */
  async #attempt(): Promise<ApiFailure | null> {
    this.#followed = false;
    if (this.#mine !== null) {
      const kept = await this.#take(this.#mine);
      if (kept === null || (kept.status !== CONFLICT && kept.status !== MISSING)) return kept;
      // Somebody wrote it meanwhile, perhaps only its labels, or deleted it: we wait to know.
      this.#leadUntil = -Infinity;
      this.#broken = true;
    }
    const answer = await this.#ask("GET", this.#path(), undefined);
    if (!answer.ok) return answer.status === MISSING ? this.#create() : this.#unread(answer);
    const lease = readLease(answer.body);
    const renewed = this.#observe(lease);
    const free = lease.holder === "" || lease.holder === this.#config.identity;
    if (!free && !this.#expired(lease)) {
      this.#followed = renewed;
      this.#lose(lease.holder);
      return null;
    }
    const failure = await this.#take(lease);
    if (failure?.status !== CONFLICT) return failure;
    this.#lose("");
    return null;
  }

  /** What we wrote may have changed: it must be read before it is written again. */
  #unread(failure: ApiFailure): ApiFailure {
    this.#mine = null;
    return failure;
  }

  async #create(): Promise<ApiFailure | null> {
    const { lease } = this.#config;
    const spec = this.#spec({});
    const body = { ...HEAD, metadata: { name: lease.name, namespace: lease.namespace }, spec };
    const answer = await this.#ask("POST", this.#list(), body);
    if (answer.ok) this.#mine = readLease(answer.body);
    // Another one was quicker, and is the leader.
    else if (answer.status === CONFLICT) this.#lose("");
    return answer.ok || answer.status === CONFLICT ? null : answer;
  }

  async #take(lease: Lease): Promise<ApiFailure | null> {
    const answer = await this.#put(lease, this.#spec(lease.spec), ASK_MS_MAX);
    if (answer.ok) this.#mine = readLease(answer.body);
    return answer.ok ? null : answer;
  }

  #spec(last: Fields): Fields {
    const { identity } = this.#config;
    const now = this.#now();
    const kept = last["holderIdentity"] === identity;
    const count = last["leaseTransitions"];
    const changes = typeof count === "number" ? count : 0;
    const first = last["holderIdentity"] === undefined && last["renewTime"] === undefined;
    return {
      ...last,
      holderIdentity: identity,
      leaseDurationSeconds: LEASE_MS / 1_000,
      acquireTime: kept ? (last["acquireTime"] ?? now) : now,
      renewTime: now,
      leaseTransitions: kept || first ? changes : changes + 1,
    };
  }

  /** Whether it was written since the look before. The first look cannot tell. */
  #observe(lease: Lease): boolean {
    const seen = JSON.stringify(lease.spec);
    const before = this.#seen;
    if (seen === before) return false;
    this.#seen = seen;
    this.#seenAt = this.#config.clock.now();
    return before !== "";
  }

  #expired({ spec }: Lease): boolean {
    const seconds = spec["leaseDurationSeconds"];
    const ms = typeof seconds === "number" && seconds > 0 ? seconds * 1_000 : LEASE_MS;
    return this.#config.clock.now() >= this.#seenAt + Math.min(ms, LEASE_MS_MAX);
  }

  #put({ metadata }: Lease, spec: Fields, timeoutMs: number): Promise<ApiAnswer> {
    // With its resourceVersion: of two that take a lease, one gets 409.
    return this.#ask("PUT", this.#path(), { ...HEAD, metadata, spec }, timeoutMs);
  }

  #ask(method: "GET" | "POST" | "PUT", path: string, body: unknown, timeoutMs = ASK_MS_MAX) {
    const { api } = this.#config;
    return api.ask(body === undefined ? { method, path } : { method, path, body }, timeoutMs);
  }

  #list(): string {
    const { namespace } = this.#config.lease;
    return `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`;
  }

  #path(): string {
    return `${this.#list()}/${this.#config.lease.name}`;
  }

  /** A MicroTime: the API server insists on six digits. */
  #now(): string {
    return this.#config.today().replace("Z", "000Z");
  }

  #view(): string {
    return `${this.leading()} ${this.#holder} ${this.#failure?.reason ?? ""}`;
  }
}

const HEAD = { apiVersion: "coordination.k8s.io/v1", kind: "Lease" };

function readLease(body: unknown): Lease {
  const lease = isFields(body) ? body : {};
  const spec = isFields(lease["spec"]) ? lease["spec"] : {};
  const holder = spec["holderIdentity"];
  return {
    metadata: isFields(lease["metadata"]) ? lease["metadata"] : {},
    spec,
    holder: typeof holder === "string" ? holder : "",
  };
}
