/** How large a run is, and what it must have done. */
import type { Plan } from "./run.ts";

const COMMON = { seed: 1, workers: 2, proxies: 2, lameDuckMs: 1_000, flags: [] } as const;

/** What a release is judged by. */
export const FULL: Plan = {
  ...COMMON,
  perSecond: 800,
  replacements: 1_000,
  flips: 500,
  workerReplacements: 20,
  restarts: 3,
  kills: 60,
  drainMs: 2_000,
  secondsMax: 170,
};

/** What every run of the tests can afford. */
export const SMALL: Plan = {
  ...COMMON,
  perSecond: 400,
  replacements: 100,
  flips: 100,
  workerReplacements: 4,
  restarts: 1,
  kills: 5,
  drainMs: 1_000,
  lameDuckMs: 500,
  secondsMax: 60,
};

/** Changes that a run did not get done. */
export function shortfall(plan: Plan, done: Readonly<Record<string, number>>): string[] {
  const wanted: Readonly<Record<string, unknown>> = plan;
  return Object.entries(done)
    .filter(([what, count]) => count < Number(wanted[what]))
    .map(([what, count]) => `${what}: ${count} of ${wanted[what]}`);
}
