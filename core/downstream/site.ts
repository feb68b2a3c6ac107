/** What all clients' connections of one worker share. */
import type { Router } from "../exchange.ts";
import type { Limits } from "../limits.ts";
import type { Random } from "../random.ts";
import type { Timers } from "../timers.ts";
import type { DownstreamConnection } from "./connection.ts";

/** What a site is made of. */
export type SiteParts = Readonly<{
  router: Router;
  timers: Timers;
  limits: Limits;
  random: Random;
}>;

export type Site = SiteParts & {
  readonly connections: Set<DownstreamConnection>;
  /** Every answer is the last one of its connection. */
  draining: boolean;
};

/** A site without connections. */
export function openSite(parts: SiteParts): Site {
  return { ...parts, connections: new Set(), draining: false };
}
