/**
 * `bun bench/soak.ts [--minutes N] [--rps N] [--workers N] [--seed N] [--limit NAME=VALUE]`: steady
 * load with churn, aborts and abuse, and whether memory and descriptors stay where they were. Ends
 * by itself; exit 1 when something grew, crashed, logged an error, or failed that was not broken on
 * purpose.
 */
import { parseArgs } from "node:util";
import { type Soak, soak } from "./soak/run.ts";

const DEFAULTS = { minutes: "10", rps: "300", workers: "2" };
const MINUTES_MAX = 24 * 60;

process.exit(await main());

async function main(): Promise<number> {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => process.exit(130));
  }
  const option = { type: "string" } as const;
  const { values } = parseArgs({
    options: {
      minutes: option,
      rps: option,
      workers: option,
      seed: option,
      limit: { ...option, multiple: true },
    },
  });
  const { limit = [], ...numbers } = values;
  const given = { ...DEFAULTS, seed: `${Date.now() % 1e9}`, ...numbers };
  const plan: Soak = {
    minutes: Number(given.minutes),
    perSecond: Number(given.rps),
    workers: Number(given.workers),
    seed: Number(given.seed),
    flags: limit.flatMap((each) => ["--limit", each]),
  };
  const { flags: _flags, ...counts } = plan;
  const wrong = Object.entries(counts).find(([, value]) => !(value > 0));
  if (wrong !== undefined || plan.minutes > MINUTES_MAX) {
    console.error(`soak: ${wrong?.[0] ?? "minutes"}: expected a number above 0, at most a day`);
    return 2;
  }
  console.log(`seed ${plan.seed}, ${plan.minutes} min at ${plan.perSecond}/s`);
  return (await soak(plan, (line) => console.log(line))) ? 0 : 1;
}
