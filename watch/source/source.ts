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
 * A cluster to follow. It never tells that something is gone because it could not be read.
 * `watch` is called once; after `stop` nothing is told any more.
 */
export type Source = Readonly<{
  watch(sink: (event: SourceEvent) => void): void;
  stop(): void;
}>;
