/** What the control plane expects of whoever knows the cluster. */
import type { Finding } from "../finding.ts";
import type { StoreEvent } from "../store.ts";

/**
 * `findings` is everything that the source has to say about itself, and replaces what it said
 * before. `synced` comes once, when everything there is has been told: until then nobody may act.
 */
export type SourceEvent =
  | StoreEvent
  | Readonly<{ type: "findings"; findings: readonly Finding[] }>
  | Readonly<{ type: "synced" }>;

/**
 * What the objects name and a source tells only when it is asked: Secrets by `namespace/name`, and
 * the DNS names of ExternalName Services. Each call replaces the one before.
 */
export type Wants = Readonly<{ secrets: ReadonlySet<string>; names: ReadonlySet<string> }>;

/** One list and watch of the source, as `/readyz` and the dashboard show it. */
export type FeedState = Readonly<{
  /** `Ingress`, or `Ingress in shop` where a namespace is followed alone. */
  name: string;
  synced: boolean;
  /** Milliseconds since the cluster was last heard of here; it is heard of at least each 90 s. */
  ageMs: number;
  /** Why it is not heard of now, or "". */
  problem: string;
}>;

/**
 * A cluster to follow. It never tells that something is gone because it could not be read.
 * `watch` is called once; after `stop` nothing is told any more.
 */
export type Source = Readonly<{
  watch(sink: (event: SourceEvent) => void): void;
  stop(): void;
  /** Without it the source tells everything anyway. */
  want?(wants: Wants): void;
  /** Whether all that is wanted has been answered, be it by a failure. Without it: yes. */
  settled?(): boolean;
  /** Without it there is nothing that could be late. */
  feeds?(): readonly FeedState[];
}>;
