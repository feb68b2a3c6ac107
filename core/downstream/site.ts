/** What all clients' connections of one worker share. */
import { Cidrs } from "../cidr.ts";
import type { Router } from "../exchange.ts";
import { headLimitsOf } from "../http1/fields.ts";
import type { HeadLimits } from "../http1/fields.ts";
import type { Limits } from "../limits.ts";
import type { Random } from "../random.ts";
import type { Timers } from "../timers.ts";
import { Admission } from "./admission.ts";
import type { DownstreamConnection } from "./connection.ts";
import { spansOf } from "./patience.ts";
import type { Spans } from "./patience.ts";
import { Waiting } from "./waiting.ts";

/** What a site is made of. */
export type SiteParts = Readonly<{
  router: Router;
  timers: Timers;
  limits: Limits;
  random: Random;
  /** How much of what went into the socket of descriptor `fd` its peer has not acknowledged. */
  unacked: (fd: number) => number;
}>;

export type Site = SiteParts & {
  /** Addresses of proxies whose forwarded headers are believed. */
  readonly trusted: Cidrs;
  readonly admission: Admission;
  readonly waiting: Waiting;
  readonly spans: Spans;
  readonly headLimits: HeadLimits;
  readonly connections: Set<DownstreamConnection>;
  /** Every answer is the last one of its connection. */
  draining: boolean;
};

const NOBODY = new Cidrs([]);

/**
 * A site without connections, which believes nobody but `trusted`; it admits as many connections as
 * `limits` says.
 */
export function openSite(parts: SiteParts, trusted = NOBODY): Site {
  const admission = new Admission(parts.limits, parts.timers);
  const waiting = new Waiting(parts.limits, parts.timers);
  const spans = spansOf(parts.limits);
  const headLimits = headLimitsOf(parts.limits);
  const connections = new Set<DownstreamConnection>();
  const shared = { admission, waiting, spans, headLimits, connections };
  return { ...parts, ...shared, trusted, draining: false };
}
