/** What a reflector follows, with what, and what it keeps equal to it. */
import type { Random } from "../../../core/random.ts";
import type { WatchTerms } from "./watching.ts";

/** What to follow. An `optional` feed counts as synced when it is denied or not there. */
export type FeedPlace = Readonly<{
  /** For people, such as `Ingress in shop`. */
  name: string;
  /** Of the objects, such as `Service`. A server that tells other ones is not believed. */
  kind: string;
  /** Of the list, such as `/api/v1/services`. */
  path: string;
  /** Selectors. */
  query: Readonly<Record<string, string>>;
  optional: boolean;
}>;

/**
 * What is kept equal. Objects come as the server writes them; those in lists lack `kind` and
 * `apiVersion`. Between `begin` and `end` a whole list is told: `end` says that what was not in it
 * is gone, and another `begin` that the list so far is void.
 */
export type Replica = Readonly<{
  begin: () => void;
  put: (raw: unknown) => void;
  gone: (raw: unknown) => void;
  end: () => void;
  /** The state of the feed is another one, or it was heard of again after a failure. */
  moved: () => void;
}>;

/** `stream` tries streamed lists first (KEP-3157); servers without them are asked for pages. */
export type ReflectorTerms = WatchTerms &
  Readonly<{
    random: Random;
    stream: boolean;
    /**
     * True while others find that the server is away, and ask on. A feed that fails meanwhile asks
     * no more until it is poked. Without it, never.
     */
    away?: () => boolean;
  }>;
