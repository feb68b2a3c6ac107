/**
 * The Secrets that objects name, each followed alone: rind needs no right to see another one. What
 * goes beyond the watches that there may be is read again and again, one at a time, until a watch
 * is free.
 */
import type { Cancel } from "../../../core/clock.ts";
import type { Finding } from "../../finding.ts";
import type { Resource } from "../../resources.ts";
import type { FeedState } from "../source.ts";
import type { ApiFailure } from "./api.ts";
import { isRefused, MISSING } from "./codes.ts";
import { Feed, type FeedEvents, pathOf, refusal } from "./feeds.ts";
import type { Health } from "./journal.ts";
import { Keeper } from "./keeper.ts";
import type { ReflectorTerms } from "./replica.ts";
import { Turns } from "./turns.ts";

/** From one reading of an object to the next, and from one of any to the next: 20 a second. */
const ROUND_MS = 10_000;
const GAP_MS = 50;
/**
 * What was never read is waited for, so it is read at once, so many at a time: the runtime has room
 * for 16 requests besides the watches (source.ts).
 */
const FIRST_MAX = 8;
/** When none of them is due. */
const IDLE_MS = 1_000;
/** Every rind of the cluster comes back to a server that just did: not with all watches at once. */
const RETURN_MS = 5_000;

/** Follows what is wanted of one kind, by `namespace/name`. */
export class Named {
  readonly #terms: ReflectorTerms;
  readonly #resource: Resource;
  readonly #watchesMax: number;
  readonly #events: FeedEvents;
  readonly #feeds = new Map<string, Feed>();
  /** Those without a watch, and why the last reading of one failed. */
  readonly #polled = new Map<string, ApiFailure | null>();
  readonly #keeper: Keeper;
  #heardAt: number;
  readonly #turns = new Turns();
  #polling = false;
  /** First readings that are on their way. */
  #firsts = 0;
  #stopped = false;
  #cancel: Cancel = () => {};

  constructor(
    terms: ReflectorTerms,
    of: Readonly<{ resource: Resource; watchesMax: number }>,
    events: FeedEvents,
  ) {
    this.#terms = terms;
    this.#resource = of.resource;
    this.#watchesMax = of.watchesMax;
    this.#events = events;
    this.#keeper = new Keeper(of.resource, { ...events, moved: () => {} });
    this.#heardAt = terms.clock.now();
  }

  /** What is wanted from now on; the rest is forgotten, and told to be gone. */
  want(keys: ReadonlySet<string>): void {
    for (const [key, feed] of this.#feeds) {
      if (keys.has(key)) continue;
      this.#feeds.delete(key);
      feed.drop();
    }
    for (const key of this.#polled.keys()) if (!keys.has(key)) this.#unpoll(key);
    // What was wrong with one that is wanted no more is over.
    this.#events.found();
    for (const key of this.#polled.keys()) {
      if (this.#feeds.size >= this.#watchesMax) break;
      this.#polled.delete(key);
      this.#turns.delete(key);
      this.#follow(key);
    }
    for (const key of keys) {
      if (this.#feeds.has(key) || this.#polled.has(key)) continue;
      if (this.#feeds.size < this.#watchesMax) this.#follow(key);
      else {
        this.#polled.set(key, null);
        this.#turns.add(key);
      }
    }
    for (let free = FIRST_MAX - this.#firsts; free > 0; free--) void this.#readFirsts();
    if (!this.#polling) void this.#poll();
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel();
    for (const feed of this.#feeds.values()) feed.stop();
  }

  /** The server is back: each asks at some moment of the next seconds. */
  poke(): void {
    for (const feed of this.#feeds.values()) feed.poke(RETURN_MS);
  }

  /** Of those that have a watch. */
  health(): readonly Health[] {
    return [...this.#feeds.values()].map((feed) => feed.health());
  }

  findings(): readonly Finding[] {
    const findings = [...this.#feeds.values()].flatMap((feed) => feed.findings());
    for (const [key, failure] of this.#polled) {
      if (failure === null || !isRefused(failure.status)) continue;
      const [namespace = "", name = ""] = key.split("/");
      const scope = { resource: this.#resource, namespace, name, optional: true };
      findings.push(refusal(scope, failure, { feed: key, known: this.#keeper.holds(key) }));
    }
    return [...findings, ...this.#keeper.findings()];
  }

  /** Whether each has been answered. */
  settled(): boolean {
    if (this.#firsts > 0 || !this.#turns.settled()) return false;
    for (const feed of this.#feeds.values()) {
      const { synced, problem } = feed.state();
      if (!synced && problem === "") return false;
    }
    return true;
  }

  /** All of them as one: as old as the oldest, with the first problem of any. */
  state(): FeedState | null {
    const states = [...this.#feeds.values()].map((feed) => feed.state());
    if (this.#polled.size > 0) {
      const ageMs = this.#terms.clock.now() - this.#heardAt;
      const failures = [...this.#polled.values()].filter((failure) => failure !== null);
      states.push({ name: "", synced: true, ageMs, problem: failures[0]?.reason ?? "" });
    }
    if (states.length === 0) return null;
    return {
      name: `${this.#resource.kind} by name`,
      synced: states.every(({ synced }) => synced),
      ageMs: Math.max(...states.map(({ ageMs }) => ageMs)),
      problem: states.find(({ problem }) => problem !== "")?.problem ?? "",
    };
  }

  #follow(key: string): void {
    const [namespace = "", name = ""] = key.split("/");
    const scope = { resource: this.#resource, namespace, name, optional: true };
    const feed = new Feed(this.#terms, scope, {
      ...this.#events,
      tell: (event) => {
        // What was read in turn stays until its watch tells what there is now.
        this.#keeper.gone(rawOf(key));
        this.#events.tell(event);
      },
    });
    this.#feeds.set(key, feed);
    feed.start();
  }

  #unpoll(key: string): void {
    this.#polled.delete(key);
    this.#turns.delete(key);
    this.#keeper.gone(rawOf(key));
    this.#events.tell({ type: "absent", kind: "Secret", key, known: false });
  }

  /** One after the other, until none is left that was never read. A server that is away is left. */
  async #readFirsts(): Promise<void> {
    this.#firsts += 1;
    while (!this.#stopped && !(this.#terms.away?.() ?? false)) {
      const key = this.#turns.takeFresh(this.#terms.clock.now());
      if (key === null) break;
      await this.#read(key);
    }
    this.#firsts -= 1;
  }

  async #poll(): Promise<void> {
    this.#polling = true;
    while (this.#polled.size > 0 && !this.#stopped) {
      const away = this.#terms.away?.() ?? false;
      const key = away ? null : this.#turns.take(this.#terms.clock.now(), ROUND_MS);
      if (key !== null) await this.#read(key);
      await this.#rest(key === null ? IDLE_MS : GAP_MS);
    }
    this.#polling = false;
  }

  async #read(key: string): Promise<void> {
    const [namespace = "", name = ""] = key.split("/");
    const path = pathOf(this.#resource, namespace, name);
    const answer = await this.#terms.client.ask({ method: "GET", path });
    const before = this.#polled.get(key);
    if (this.#stopped || before === undefined) return;
    const known = answer.ok || answer.status === MISSING;
    // Of one that is denied, the refusal is all there is to hear.
    if (known || isRefused(answer.status)) this.#heardAt = this.#terms.clock.now();
    if (answer.ok) this.#keeper.put(answer.body);
    else if (answer.status === MISSING) {
      this.#keeper.gone(rawOf(key));
      this.#events.tell({ type: "absent", kind: "Secret", key, known: true });
    }
    const failure = known ? null : answer;
    this.#polled.set(key, failure);
    if (failure?.reason !== before?.reason) this.#events.found();
  }

  /** Does not end any more after `stop`. */
  #rest(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#cancel = this.#terms.clock.after(ms, resolve);
    });
  }
}

function rawOf(key: string): unknown {
  const [namespace, name] = key.split("/");
  return { metadata: { namespace, name } };
}
