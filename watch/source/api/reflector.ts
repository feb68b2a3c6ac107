/**
 * Keeps a replica equal to what the API server has: a list, then a watch from where the list ends,
 * and again, for ever. The rules are those of client-go's reflector (tools/cache/reflector.go).
 *
 *     list ──► watch ──┬─ closed, failed ───► watch, from the version last heard of
 *      ▲               └─ expired (410), garbled ─┐
 *      └──────────────────────────────────────────┘
 *
 * A failure changes nothing in the replica: only a list that is whole, or an event, tells that
 * something is gone. One request is in flight at a time.
 */
import type { Clock } from "../../../core/clock.ts";
import type { FeedState } from "../source.ts";
import type { ApiAnswer, ApiFailure } from "./api.ts";
import { Backoff } from "./backoff.ts";
import { FORBIDDEN, GONE, isPassing, isRefused, TIMEOUT, UNAUTHORIZED } from "./codes.ts";
import { bugFailure } from "./faults.ts";
import type { Frame } from "./frames.ts";
import { readPage, unreadable } from "./pages.ts";
import { listQuery, streamQuery, watchQuery } from "./queries.ts";
import type { FeedPlace, ReflectorTerms, Replica } from "./replica.ts";
import { isUntimed, Patience } from "./patience.ts";
import { type Ending, Watching } from "./watching.ts";

/** A watch that the server ends sooner is no good news, however clean the end. */
const SHORT_MS = 1_000;
/** All watches of a server expire together; their lists shall not come together. */
const JITTER_MS = 1_000;
/** Rights are granted by people, kinds are installed by them. */
const DENIED_MS = 30_000;
const MISSING_MS = 60_000;
/** A server that ignores `sendInitialEvents` never says that they are whole. */
const STREAM_MAX_MS = 60_000;
/** For a page of a list: a server that is slow is waited for. */
const LIST_MAX_MS = 120_000;
/** Of 500 objects each: more than a cluster can have of anything. */
const PAGES_MAX = 2_000;
/** Objects that are read without letting anything else happen: some milliseconds. */
const SLICE = 200;

/** Follows one list; does nothing before `start`, and nothing after `stop`. */
export class Reflector {
  readonly #terms: ReflectorTerms;
  readonly #feed: FeedPlace;
  readonly #replica: Replica;
  readonly #clock: Clock;
  readonly #backoff: Backoff;
  readonly #patience: Patience;
  /** Where the next watch begins; "": a list comes first. */
  #version = "";
  /** What that list must not be older than: "0" takes anything, "" asks for the latest. */
  #from = "0";
  #paged = true;
  /** Whether the server may know streamed lists, and whether the next list is one of pages. */
  #streams: boolean;
  #pages = false;
  #filling = false;
  #renewed = false;
  #synced = false;
  #stopped = false;
  #heardAt: number;
  #failure: ApiFailure | null = null;
  #watching: Watching | null = null;

  constructor(terms: ReflectorTerms, feed: FeedPlace, replica: Replica) {
    this.#terms = terms;
    this.#feed = feed;
    this.#replica = replica;
    this.#clock = terms.clock;
    this.#backoff = new Backoff(terms.clock, terms.random);
    this.#patience = new Patience(terms.clock, terms.random);
    this.#streams = terms.stream;
    this.#heardAt = terms.clock.now();
  }

  /** Begins with the list. */
  start(): void {
    void this.#run();
  }

  stop(): void {
    this.#stopped = true;
    this.#watching?.stop();
    this.#patience.stop();
  }

  /**
   * Somebody else reached the server: a rest that was taken because it was away ends soon, and so
   * does a request that it may never have seen.
   */
  poke(withinMs?: number): void {
    if (this.#patience.quiet || this.#failure?.status === 0) this.#patience.poke(withinMs);
  }

  /** What there is to say about the feed. */
  state(): FeedState {
    return {
      name: this.#feed.name,
      synced: this.#synced,
      ageMs: this.#clock.now() - this.#heardAt,
      problem: this.#failure?.reason ?? "",
    };
  }

  /** The failure that is not over, or null. */
  failure(): ApiFailure | null {
    return this.#failure;
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const watches = this.#version !== "" || (this.#streams && !this.#pages);
      const turn = watches ? this.#watch() : this.#list();
      const restMs = await turn.catch((error: unknown) => this.#failed(bugFailure(error)));
      if (restMs === 0 || this.#stopped) continue;
      const quiet = isUntimed(this.#failure) && (this.#terms.away?.() ?? false);
      await this.#patience.rest(restMs, quiet);
    }
  }

  // === list; both ways answer how long to rest ===

  async #list(): Promise<number> {
    this.#replica.begin();
    let version = "";
    let token = "";
    for (let pages = 0; pages === 0 || token !== ""; pages++) {
      if (pages === PAGES_MAX) return this.#failed(unreadable("the list has no end"));
      const answer = await this.#ask(token);
      if (this.#stopped) return 0;
      const page = readPage(answer, this.#feed.kind);
      if (!page.ok) return this.#listFailed(page, token);
      this.#heard();
      for (let i = 0; i < page.items.length; i++) {
        if (i % SLICE === SLICE - 1) await this.#patience.rest(1);
        if (this.#stopped) return 0;
        this.#replica.put(page.items[i]);
      }
      // All pages are of one moment: that of the first one.
      version ||= page.version;
      token = page.token;
    }
    this.#listed(version);
    return 0;
  }

  #ask(token: string): Promise<ApiAnswer> {
    const query = listQuery(this.#feed.query, { paged: this.#paged, from: this.#from, token });
    return this.#terms.client.ask({ method: "GET", path: this.#feed.path, query }, LIST_MAX_MS);
  }

  #listed(version: string): void {
    this.#replica.end();
    this.#version = version;
    this.#paged = true;
    this.#pages = false;
    this.#synced = true;
    this.#replica.moved();
  }

  #listFailed(failure: ApiFailure, token: string): number {
    const { status } = failure;
    if (status !== GONE && status !== TIMEOUT) return this.#failed(failure);
    // The version is too old, or one that the server will only have later; or the pages took so
    // long that their moment is forgotten, and all is asked for at once.
    const hopeful = this.#from !== "" || (token !== "" && this.#paged);
    this.#from = "";
    if (token !== "") this.#paged = false;
    return hopeful && status === GONE ? 0 : this.#failed(failure);
  }

  // === watch ===

  async #watch(): Promise<number> {
    this.#filling = this.#version === "";
    if (this.#filling) this.#replica.begin();
    const [ending, livedMs] = await this.#follow();
    if (ending === null) return 0;
    return this.#filling ? this.#unfilled(ending) : this.#ended(ending, livedMs);
  }

  /** One watch, until it ends or is given up (null). */
  #follow(): Promise<readonly [ending: Ending | null, livedMs: number]> {
    const request = { method: "GET", path: this.#feed.path, query: this.#query() } as const;
    return new Promise((resolve) => {
      const end = (ending: Ending | null, livedMs = 0): void => {
        this.#watching?.stop();
        this.#patience.end();
        resolve([ending, livedMs]);
      };
      this.#patience.begin(() => end(null));
      this.#watching = new Watching({ ...this.#terms, kind: this.#feed.kind }, request, {
        opened: () => {
          this.#patience.end();
          // A proxy may answer for a server that is away: what comes, or lasts, tells.
          if (!this.#filling) return this.#patience.limit(SHORT_MS, () => this.#heard());
          this.#patience.limit(STREAM_MAX_MS, () => {
            this.#streams = false;
            end(null);
          });
        },
        took: (frame) => this.#took(frame),
        ended: end,
      });
    });
  }

  #query(): Readonly<Record<string, string>> {
    const { random } = this.#terms;
    if (this.#filling) return streamQuery(this.#feed.query, this.#from, random);
    return watchQuery(this.#feed.query, this.#version, random);
  }

  #took(frame: Exclude<Frame, { type: "error" }>): void {
    this.#heard();
    if (frame.type !== "mark") this.#replica[frame.type](frame.raw);
    // The objects of a streamed list come in any order: their versions are no place to go on from.
    if (!this.#filling) this.#version = frame.version || this.#version;
    else if (frame.type === "mark" && frame.whole && frame.version !== "") {
      this.#patience.end();
      this.#filling = false;
      this.#listed(frame.version);
    }
  }

  /** A streamed list did not become whole. Who does not take the request is asked for pages. */
  #unfilled(ending: Ending): number {
    if (ending.why === "failed" && isPassing(ending.failure.status)) {
      // As for a list: a version that this server may never have.
      if (ending.failure.status === TIMEOUT) this.#from = "";
      return this.#failed(ending.failure);
    }
    if (ending.why === "failed") this.#streams = false;
    this.#pages = true;
    return 0;
  }

  #ended(ending: Ending, livedMs: number): number {
    const short = livedMs < SHORT_MS;
    switch (ending.why) {
      case "silent":
        return 0;
      case "closed":
        return short ? this.#backoff.next(null) : 0;
      case "empty":
        return short ? this.#failed(unreadable("the watch ends as soon as it begins")) : 0;
      case "expired":
        this.#relist(this.#version);
        return short ? this.#backoff.next(null) : 1 + this.#terms.random.below(JITTER_MS);
      case "garbled":
        this.#relist(this.#version);
        return this.#failed(unreadable(ending.reason));
      case "failed":
        return this.#watchFailed(ending.failure);
    }
  }

  #watchFailed(failure: ApiFailure): number {
    const { status } = failure;
    // Who may list and not watch is at least up to date each half minute.
    if (isRefused(status)) this.#relist(this.#version);
    // A version that this server never had: it was restored, or is another one.
    else if (status === TIMEOUT || !isPassing(status)) this.#relist("");
    return this.#failed(failure);
  }

  #relist(from: string): void {
    this.#version = "";
    this.#from = from;
  }

  // === both ===

  #heard(): void {
    this.#heardAt = this.#clock.now();
    this.#renewed = false;
    if (this.#failure === null) return;
    this.#failure = null;
    this.#replica.moved();
  }

  #failed(failure: ApiFailure): number {
    this.#failure = failure;
    const { status, retryAfterMs } = failure;
    const refused = isRefused(status);
    if (refused && this.#feed.optional) {
      // There is nothing more to hear about it, and nothing to wait for.
      this.#synced = true;
      this.#heardAt = this.#clock.now();
    }
    this.#replica.moved();
    if (refused) return status === FORBIDDEN ? DENIED_MS : MISSING_MS;
    if (status !== UNAUTHORIZED || this.#renewed) return this.#backoff.next(retryAfterMs);
    // The credentials are read anew now: most likely a token has been replaced.
    this.#renewed = true;
    return 0;
  }
}
