/** What all clients' connections of one worker share. */
import { Cidrs } from "../cidr.ts";
import type { Router } from "../exchange.ts";
import { headLimitsOf } from "../http1/fields.ts";
import type { HeadLimits } from "../http1/fields.ts";
import type { Limits } from "../limits.ts";
import { Notices } from "../notice.ts";
import type { Passages } from "../pipe.ts";
import type { Random } from "../random.ts";
import type { Timers } from "../timers.ts";
import { Admission } from "./admission.ts";
import { spansOf } from "./patience.ts";
import type { Spans } from "./patience.ts";
import type { Attached } from "./socket.ts";
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

/** Peers that are no ordinary clients. */
export type Peers = Readonly<{
  /** Proxies whose forwarded headers are believed. */
  trusted: Cidrs;
  /** Proxies that begin each connection with a PROXY header. */
  proxies: Cidrs;
}>;

export type Site = SiteParts &
  Peers & {
    readonly admission: Admission;
    readonly waiting: Waiting;
    readonly spans: Spans;
    readonly headLimits: HeadLimits;
    readonly connections: Set<Attached>;
    readonly notices: Notices;
    readonly passages: Passages;
    /** Every answer is the last one of its connection. */
    draining: boolean;
  };

const NOBODY = new Cidrs([]);
const NO_PEERS: Peers = { trusted: NOBODY, proxies: NOBODY };

/** For connections that are handed on unopened: nowhere. */
const NO_PASSAGES: Passages = { open: () => null };

/** A site without connections; it admits as many of them as `limits` says. */
export function openSite(parts: SiteParts, peers = NO_PEERS, passages = NO_PASSAGES): Site {
  const admission = new Admission(parts.limits, parts.timers);
  const waiting = new Waiting(parts.limits, parts.timers);
  const spans = spansOf(parts.limits);
  const headLimits = headLimitsOf(parts.limits);
  const connections = new Set<Attached>();
  const notices = new Notices(parts.timers);
  const shared = { admission, waiting, spans, headLimits, connections, notices, passages };
  return { ...parts, ...shared, ...peers, draining: false };
}
