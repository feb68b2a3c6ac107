/** A few thousand cases of `npm run fuzz`, each time others: the invariants of a proxy's core. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { seedOfRun } from "../../core/http1/test/cuts.cases.ts";
import { tableCases } from "./cases.ts";
import { RequestRun } from "./requests.ts";
import { fuzz, type Direction } from "./run.ts";

const CASES = 3_000;
/** On a slow machine it is fewer cases. */
const MS_MAX = 4_000;

const seed = seedOfRun();
console.log(`seed ${seed} (RIND_SEED=${seed} runs it again)`);

const judged = Bun.which("node") === null ? test.skip : test;
if (Bun.which("node") === null) console.log("skip: node is not installed");

const run = async (direction: Direction): Promise<void> => {
  const said: string[] = [];
  const failures = await fuzz({
    seed,
    from: 0,
    cases: CASES,
    ms: MS_MAX,
    directions: [direction],
    say: (line) => void said.push(line),
    stopped: () => false,
  });
  console.log(said.join("\n"));
  assert.equal(failures, []);
};

judged("Node's parser reads exactly what is accepted of the case tables", async () => {
  const cases = tableCases(seed);
  const run = await RequestRun.open({ seed });
  try {
    const failures = await run.all(cases.length, (index) => cases[index]!);
    const told = failures.map(({ text, found }) => `${found?.mutators.join()}: ${text}`);
    assert.equal(told, []);
    assert.ok(run.accepted > 100 && run.rejected > 100, `${run.accepted}, ${run.rejected}`);
  } finally {
    run.stop();
  }
});

judged("Node's parser reads exactly the requests that were accepted", () => run("requests"));

test("clients read one whole response for a request, or a cut one", () => run("responses"));

test.run();
