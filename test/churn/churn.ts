/** Everything changes under load and no request fails: `npm run churn`, in small. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { SMALL, shortfall } from "../../bench/churn/plans.ts";
import { runChurn } from "../../bench/churn/run.ts";

test("endpoints, routes, workers and whole proxies are replaced, and nobody notices", async () => {
  const seed = Number(process.env["RIND_SEED"] ?? Date.now() % 1e9);
  console.log(`note: seed ${seed}`);
  const { done, score } = await runChurn({ ...SMALL, seed });
  for (const line of score.lines()) console.log(line);
  const changes = Object.entries(done).map(([what, count]) => `${count} ${what}`);
  console.log(`note: ${score.requests} requests, ${score.failures} failed, ${changes.join(", ")}`);
  assert.is(score.failures, 0, "printed above");
  assert.equal(shortfall(SMALL, done), []);
});

test.run();
