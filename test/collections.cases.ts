/**
 * Does code allocate? Workloads run in a process of their own, each between two marks on stderr,
 * where the collector writes its log; a workload that allocates makes it ask for collections.
 */
import { writeSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";

/** What a workload does once; the results are summed, so that nothing is optimised away. */
export type Workloads = Readonly<Record<string, (i: number) => number>>;

/** It allocates: if it is not seen, none of the others proves anything. */
const CONTROL = "control: an object";
const WORKER = "workloads";
const WARM_UP = 200_000;

const kept: unknown[] = [null];

const control = (i: number): number => {
  kept[0] = { at: i, next: i + 1 };
  return 1;
};

/** Registers the tests of a file that names its workloads; `file` is `import.meta.path` of it. */
export async function testCollections(
  file: string,
  workloads: Workloads,
  iterations: number,
): Promise<void> {
  // First, while the heap is small: the larger it is, the more it takes until it is collected.
  const all = { [CONTROL]: control, ...workloads };
  if (process.argv[2] === WORKER) {
    run(all, iterations);
    process.exit(0);
  }
  const counted = await collections(file);
  test("the control, which allocates, is seen", () => {
    assert.ok(counted.get(CONTROL)! > 0, `${counted.get(CONTROL)} collections`);
  });
  test("no workload is missing", () => {
    assert.equal([...counted.keys()], Object.keys(all));
  });
  for (const [workload, count] of counted) {
    if (workload === CONTROL) continue;
    test(`${workload}: no collection`, () => assert.is(count, 0));
  }
}

function run(workloads: Workloads, iterations: number): void {
  let sum = 0;
  for (const [name, once] of Object.entries(workloads)) {
    for (let i = 0; i < WARM_UP; i++) sum += once(i);
    Bun.gc(true);
    writeSync(2, `\nBEGIN ${name}\n`);
    for (let i = 0; i < iterations; i++) sum += once(i);
    writeSync(2, `\nEND ${name}\n`);
  }
  writeSync(1, `${sum}\n`);
}

/** How many collections were asked for in each workload. */
async function collections(file: string): Promise<ReadonlyMap<string, number>> {
  const program = Bun.spawn([process.execPath, file, WORKER], {
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
