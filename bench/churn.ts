/**
 * `bun bench/churn.ts [--small] [--seed N] [--rps N] [--workers N] [--limit NAME=VALUE] [--without
 * CHANGE]`: everything that may change does, under load, and no request may fail. Ends by itself,
 * within three minutes; exit 1 when a request failed or a change did not come about, 2 when
 * called wrongly.
 */
import { parseArgs } from "node:util";
import { type Plan, runChurn } from "./churn/run.ts";
import { FULL, SMALL, shortfall } from "./churn/plans.ts";

process.exit(await main());

async function main(): Promise<number> {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => process.exit(130));
  }
  const { values } = parseArgs({
    options: {
      small: { type: "boolean" },
      seed: { type: "string" },
      rps: { type: "string" },
      workers: { type: "string" },
      limit: { type: "string", multiple: true },
      without: { type: "string", multiple: true },
    },
  });
  const base = values.small === true ? SMALL : FULL;
  const plan: Plan = {
    ...base,
    seed: Number(values.seed ?? Date.now() % 1e9),
    perSecond: Number(values.rps ?? base.perSecond),
    workers: Number(values.workers ?? base.workers),
    flags: (values.limit ?? []).flatMap((limit) => ["--limit", limit]),
    ...Object.fromEntries((values.without ?? []).map((what) => [what, 0])),
  };
  const wrong = wrongIn(plan, base);
  if (wrong !== undefined) {
    console.error(`churn: ${wrong}: expected a number, or the name of a change`);
    return 2;
  }
  console.log(`seed ${plan.seed}`);
  const { done, score } = await runChurn(plan);
  for (const line of score.lines()) console.log(line);
  const missing = shortfall(plan, done);
  console.log(
    Object.entries(done)
      .map(([what, count]) => `${count} ${what}`)
      .join(", "),
  );
  for (const line of missing) console.log(`MISSING: ${line}`);
  return score.failures > 0 || missing.length > 0 ? 1 : 0;
}

/** What was asked for that is no number, or that no plan has. */
function wrongIn(plan: Plan, base: Plan): string | undefined {
  const { flags: _flags, ...numbers } = plan;
  return Object.entries(numbers).find(([name, value]) => !(name in base) || !(value >= 0))?.[0];
}
