/** `npm run soak` for some seconds: the harness works, and nothing fails or is left open. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { soak } from "../../bench/soak/run.ts";

test("a short soak finds nothing wrong and leaves nothing open", async () => {
  const seed = Number(process.env["RIND_SEED"] ?? Date.now() % 1e9);
  console.log(`note: seed ${seed}`);
  const plan = { minutes: 0.05, perSecond: 200, workers: 2, seed, flags: [] };
  const fine = await soak(plan, console.log);
  assert.ok(fine, "printed above");
});

test.run();
