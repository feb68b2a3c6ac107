/** The few objects that reporting itself needs, kept up to date: our pods, or one Service. */
import type { Clock } from "../../core/clock.ts";
import type { Random } from "../../core/random.ts";
import { isFields } from "../objects.ts";
import type { ApiClient } from "../source/api/api.ts";
import { Reflector } from "../source/api/reflector.ts";
import type { FeedPlace } from "../source/api/replica.ts";

export type FollowedConfig<Kept> = Readonly<{
  clock: Clock;
  random: Random;
  api: ApiClient;
  feed: FeedPlace;
  /** What to keep of an object; null: nothing. */
  read: (raw: unknown) => Kept | null;
  /** What is kept changed, or the problem did. */
  changed: () => void;
}>;

/** Follows one list of one namespace from the moment it is made until `stop`. */
export class Followed<Kept> {
  readonly #config: FollowedConfig<Kept>;
  readonly #reflector: Reflector;
  readonly #objects = new Map<string, Kept>();
  /** The names in the list that is being told, if one is. */
  #listed = new Set<string>();
  #synced = false;

  constructor(config: FollowedConfig<Kept>) {
    const { clock, random, api: client, feed, changed } = config;
    this.#config = config;
    // For so few objects, a streamed list saves less than a server costs that does not know it.
    const terms = { client, clock, random, stream: false };
    this.#reflector = new Reflector(terms, feed, {
      begin: () => void (this.#listed = new Set()),
      put: (raw) => this.#put(raw),
      gone: (raw) => this.#gone(raw),
      end: () => this.#ended(),
      moved: changed,
    });
    this.#reflector.start();
  }

  /** By name, or null as long as it is not known what there is. */
  objects(): ReadonlyMap<string, Kept> | null {
    return this.#synced ? this.#objects : null;
  }

  /** Why the API server does not tell, or "". */
  problem(): string {
    return this.#reflector.state().problem;
  }

  stop(): void {
    this.#reflector.stop();
  }

  #put(raw: unknown): void {
    const name = nameOf(raw);
    const kept = this.#config.read(raw);
    this.#listed.add(name);
    if (kept === null) this.#objects.delete(name);
    else this.#objects.set(name, kept);
    if (this.#synced) this.#config.changed();
  }

  #gone(raw: unknown): void {
    this.#objects.delete(nameOf(raw));
    if (this.#synced) this.#config.changed();
  }

  #ended(): void {
    for (const name of this.#objects.keys()) {
      if (!this.#listed.has(name)) this.#objects.delete(name);
    }
    this.#synced = true;
    this.#config.changed();
  }
}

function nameOf(raw: unknown): string {
  const metadata = isFields(raw) ? raw["metadata"] : null;
  const name = isFields(metadata) ? metadata["name"] : null;
  return typeof name === "string" ? name : "";
}
