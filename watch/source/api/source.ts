/** A cluster behind its API server, as a source: a feed for each kind and namespace. */
import type { Cancel } from "../../../core/clock.ts";
import { log } from "../../../core/log.ts";
import type { Finding } from "../../finding.ts";
import { type Resource, RESOURCES } from "../../resources.ts";
import type { StoreEvent } from "../../store.ts";
import type { FeedState, Source, SourceEvent, Wants } from "../source.ts";
import { Feed, type FeedEvents } from "./feeds.ts";
import { isPassing } from "./codes.ts";
import { type Health, Journal, type WriteLine } from "./journal.ts";
import { Named } from "./named.ts";
import type { ReflectorTerms } from "./replica.ts";
import type { IngressStatus } from "./status.ts";

/** Findings that come together are told together. */
const FINDINGS_MS = 50;
/** The runtime has 256 requests in flight at most, and a watch is one. Some are left for others. */
const WATCHES_MAX = 240;
const NAMED_MAX = 100;
const NAMESPACES_MAX = 50;

/** What is followed. */
export type ApiScope = Readonly<{
  /** None: all of them. */
  namespaces: readonly string[];
  /** Whether the labels of Namespaces matter. */
  namespaceObjects: boolean;
  /** `all` takes the right to read every Secret there is. */
  secrets: "named" | "all";
}>;

/** See `Source`. Objects are told as they are in the cluster, statuses are kept aside. */
export class ApiSource implements Source {
  /** Of every Ingress, by `namespace/name`; a live view. */
  readonly statuses: ReadonlyMap<string, IngressStatus>;
  readonly #statuses = new Map<string, IngressStatus>();
  readonly #terms: ReflectorTerms;
  readonly #feeds: readonly Feed[];
  readonly #named: Named | null;
  readonly #journal: Journal;
  readonly #surplus: readonly Finding[];
  /** The namespaces to follow; none: all of them. */
  readonly #chosen: readonly string[];
  /** Those of the chosen namespaces in which nothing was seen yet: misspelled ones are. */
  #empty: readonly string[] = [];
  #sink: ((event: SourceEvent) => void) | null = null;
  #statusMoved: (key: string) => void = () => {};
  #synced = false;
  #findings: readonly Finding[] = [];
  #cancelFindings: Cancel | null = null;

  constructor(terms: ReflectorTerms, scope: ApiScope, write: WriteLine = log) {
    this.statuses = this.#statuses;
    this.#terms = terms;
    const health = (): readonly Health[] => [
      ...this.#feeds.map((feed) => feed.health()),
      ...(this.#named?.health() ?? []),
    ];
    this.#journal = new Journal(terms.clock, health, write);
    const events: FeedEvents = {
      tell: (event) => this.#tell(event),
      found: () => this.#found(),
      saw: (key, status) => this.#saw(key, status),
      moved: (feed) => this.#moved(feed),
    };
    const namespaces = [...new Set(scope.namespaces)];
    this.#surplus = surplusOf(namespaces.splice(NAMESPACES_MAX));
    this.#chosen = namespaces;
    this.#feeds = RESOURCES.filter((row) => follows(row, scope)).flatMap((resource) =>
      placesOf(resource, namespaces).map((namespace) => {
        // Who may read some namespaces only cannot be let see what belongs to none. But without
        // the labels that a setting asks for, nobody knows whose Ingresses to serve: that would be
        // an empty table for an error.
        const optional =
          resource.kind === "Secret" || (resource.kind === "IngressClass" && namespaces.length > 0);
        return new Feed(terms, { resource, namespace, name: "", optional }, events);
      }),
    );
    const watchesMax = Math.min(NAMED_MAX, WATCHES_MAX - this.#feeds.length);
    const resource = RESOURCES.find(({ read }) => read === "named");
    const named = scope.secrets === "named" && resource !== undefined;
    const patient = { ...terms, away: () => this.#isAway() };
    this.#named = named ? new Named(patient, { resource, watchesMax }, events) : null;
  }

  watch(sink: (event: SourceEvent) => void): void {
    this.#sink = sink;
    if (this.#surplus.length > 0) this.#found();
    for (const feed of this.#feeds) feed.start();
  }

  stop(): void {
    this.#sink = null;
    this.#cancelFindings?.();
    this.#journal.stop();
    for (const feed of this.#feeds) feed.stop();
    this.#named?.stop();
  }

  want(wants: Wants): void {
    if (this.#sink !== null) this.#named?.want(wants.secrets);
  }

  settled(): boolean {
    return this.#named?.settled() ?? true;
  }

  feeds(): readonly FeedState[] {
    const named = this.#named?.state() ?? null;
    const states = this.#feeds.map((feed) => feed.state());
    return named === null ? states : [...states, named];
  }

  /** Calls `moved` with the key of each Ingress whose status was read anew, or that is gone. */
  onStatus(moved: (key: string) => void): void {
    this.#statusMoved = moved;
  }

  #tell(event: StoreEvent): void {
    this.#sink?.(event);
    if (this.#empty.length > 0) this.#found();
  }

  #saw(key: string, status: IngressStatus | null): void {
    if (status === null) this.#statuses.delete(key);
    else this.#statuses.set(key, status);
    if (this.#sink !== null) this.#statusMoved(key);
  }

  #moved(feed: Feed): void {
    this.#found();
    if (this.#sink === null) return;
    this.#journal.moved();
    // One of them is often sooner than all the others to see that the server is back.
    if (feed.health().failure === null)
      for (const other of [...this.#feeds, this.#named]) other?.poke();
    if (this.#synced || !this.#feeds.every((each) => each.state().synced)) return;
    this.#synced = true;
    this.#empty = this.#chosen;
    this.#tellFindings();
    this.#sink?.({ type: "synced" });
  }

  /** Whether no kind can be read. */
  #isAway(): boolean {
    return this.#feeds.every((feed) => {
      const { failure } = feed.health();
      return failure !== null && isPassing(failure.status);
    });
  }

  #found(): void {
    if (this.#sink === null || this.#cancelFindings !== null) return;
    this.#cancelFindings = this.#terms.clock.after(FINDINGS_MS, () => this.#tellFindings());
  }

  #isEmpty(namespace: string): boolean {
    return !this.#feeds.some((feed) => feed.isIn(namespace) && feed.holds());
  }

  #tellFindings(): void {
    this.#cancelFindings?.();
    this.#cancelFindings = null;
    this.#empty = this.#empty.filter((namespace) => this.#isEmpty(namespace));
    const findings = [
      ...this.#surplus,
      ...this.#empty.map(emptyOf),
      ...this.#feeds.flatMap((feed) => feed.findings()),
      ...(this.#named?.findings() ?? []),
    ];
    if (Bun.deepEquals(findings, this.#findings, true)) return;
    this.#findings = findings;
    this.#sink?.({ type: "findings", findings });
  }
}

function follows({ read }: Resource, scope: ApiScope): boolean {
  if (read === "named") return scope.secrets === "all";
  return read === "all" || (read === "asked" && scope.namespaceObjects);
}

function placesOf(resource: Resource, namespaces: readonly string[]): readonly string[] {
  return resource.namespaced && namespaces.length > 0 ? namespaces : [""];
}

function emptyOf(namespace: string): Finding {
  const reason = `namespace ${namespace} holds nothing that rind reads`;
  const hint = "is it there, and spelled like this?";
  const about = { kind: "Rind", namespace: "", name: "namespaces", field: "", effect: "" };
  return { level: "warning", ...about, reason, hint };
}

function surplusOf(namespaces: readonly string[]): readonly Finding[] {
  if (namespaces.length === 0) return [];
  const reason = `more than ${NAMESPACES_MAX} namespaces are to be followed, each on its own`;
  const hint = "follow all namespaces, and choose among them by a selector";
  const effect = `not followed: ${namespaces.join(", ")}`;
  const name = "namespaces";
  return [{ level: "error", kind: "Rind", namespace: "", name, field: "", reason, hint, effect }];
}
