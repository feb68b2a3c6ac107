/** What all connections to backends of one worker share. */
import type { Limits } from "../limits.ts";
import type { Random } from "../random.ts";
import type { Timers } from "../timers.ts";
import type { UpstreamConnection } from "./connection.ts";

/**
 * `connect` starts to connect and never throws; the outcome arrives as one call of `opened` or
 * `refused`, never before it returned. A test gives it a network of its own.
 */
export type UpstreamSite = Readonly<{
  timers: Timers;
  limits: Limits;
  random: Random;
  connect: (connection: UpstreamConnection) => void;
}>;
