/** Routing allocates nothing: no collection is asked for in two million rounds of each workload. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { CONTROL, runWorkloads, WORKLOADS } from "./allocation.cases.ts";

const WORKER = "workloads";

if (process.argv[2] === WORKER) {
  runWorkloads();
  process.exit(0);
}

/** How many collections were asked for in each workload. */
async function collections(): Promise<ReadonlyMap<string, number>> {
  const program = Bun.spawn([process.execPath, import.meta.path, WORKER], {
    env: { ...process.env, BUN_JSC_logGC: "1" },
    stdio: ["ignore", "ignore", "pipe"],
  });
  const log = await program.stderr.text();
  assert.is(await program.exited, 0, log.slice(-2_000));
  const counted = new Map<string, number>();
  let workload = "";
  for (const line of log.split("\n")) {
    if (line.startsWith("BEGIN ")) {
      workload = line.slice("BEGIN ".length);
      counted.set(workload, 0);
    } else if (line.startsWith("END ")) workload = "";
    else if (workload !== "" && line.startsWith("Requesting GC")) {
      counted.set(workload, counted.get(workload)! + 1);
    }
  }
  return counted;
}

const counted = await collections();

test("the control, which allocates, is seen", () => {
  assert.ok(counted.get(CONTROL)! > 0, `${counted.get(CONTROL)} collections`);
});

test("no workload is missing", () => {
  assert.equal([...counted.keys()], Object.keys(WORKLOADS));
});

for (const [workload, count] of counted) {
  if (workload === CONTROL) continue;
  test(`${workload}: no collection`, () => assert.is(count, 0));
}

test.run();
