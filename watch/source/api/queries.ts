/** What lists and watches ask for, as query parameters (meta/v1 ListOptions). */
import type { Random } from "../../../core/random.ts";

/** A watch lasts a random time in this range, so that not all of them end at once. */
const WATCH_MIN_S = 300;
const WATCH_MAX_S = 600;
/** Objects of a page. */
const PAGE = "500";
const NOT_OLDER = { resourceVersionMatch: "NotOlderThan" };

type Query = Readonly<Record<string, string>>;

/**
 * A page of a list: the first one of a list not older than `from` ("0": of any age, "": the
 * latest), or the one that `token` continues with. Not older has to be said: with a limit, a
 * version alone means just that version, however old (API concepts, resourceVersionMatch).
 */
export function listQuery(
  selectors: Query,
  { paged, from, token }: Readonly<{ paged: boolean; from: string; token: string }>,
): Query {
  const page = { ...selectors, ...(paged ? { limit: PAGE } : {}) };
  if (token !== "") return { ...page, continue: token };
  return from === "" ? page : { ...page, resourceVersion: from, ...NOT_OLDER };
}

/** Everything after `version`. */
export function watchQuery(selectors: Query, version: string, random: Random): Query {
  const seconds = WATCH_MIN_S + random.below(WATCH_MAX_S - WATCH_MIN_S + 1);
  return {
    ...selectors,
    watch: "true",
    allowWatchBookmarks: "true",
    timeoutSeconds: String(seconds),
    ...(version === "" ? {} : { resourceVersion: version }),
  };
}

/** Everything there is, not older than `from`, and then what follows (KEP-3157). */
export function streamQuery(selectors: Query, from: string, random: Random): Query {
  const watch = watchQuery(selectors, from === "0" ? "" : from, random);
  return { ...watch, sendInitialEvents: "true", ...NOT_OLDER };
}
