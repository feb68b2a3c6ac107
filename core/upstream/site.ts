/** What all connections to backends of one worker share. */
import type { Limits } from "../limits.ts";
import type { Random } from "../random.ts";
import type { Timers } from "../timers.ts";
import type { UpstreamConnection } from "./connection.ts";

/** Who wants to know whether anybody listens at an address. */
export interface Knocker {
  readonly address: string;
  readonly port: number;
  knocked(open: boolean): void;
  broken(): void;
}

/**
 * `connect` starts to connect and never throws; the outcome arrives as one call of `opened` or
 * `refused`, never before it returned. `knock` opens a connection and closes it again without a
 * word; the outcome arrives as one call of `knocked`, never before it returned. A test gives both a
 * network of its own.
 */
export type UpstreamSite = Readonly<{
  timers: Timers;
  limits: Limits;
  random: Random;
  connect: (connection: UpstreamConnection) => void;
  knock: (knocker: Knocker) => void;
}>;
