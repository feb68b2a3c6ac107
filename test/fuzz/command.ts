/** `npm run fuzz` as a person meets it: what it prints, and how it ends. */
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";

const COMMAND = join(import.meta.dir, "../fuzz.ts");
const NODE = Bun.which("node") !== null;

/** Arguments, PATH, and what is expected: the exit code, the first line, and a later one. */
const CASES: readonly (readonly [string, string, number, string, RegExp])[] = [
  ["--seed 9 --cases 20", process.env.PATH ?? "", 0, "seed 9", /\nno failures\n$/],
  ["--seed 9 --cases 20 --only responses", process.env.PATH ?? "", 0, "seed 9", /relayed/],
  ["--seed 9", "", 2, "seed 9", /^fuzz: node is not in PATH/],
  ["--only nothing", "", 2, "", /^fuzz: --only nothing: no such direction\nusage: /],
  ["--minutes ten", "", 2, "", /^fuzz: ten: expected a number/],
  ["--minute 10", "", 2, "", /^fuzz: .*--minute.*\nusage: /],
];

for (const [args, path, code, first, later] of CASES) {
  const runs = NODE || code !== 0 ? test : test.skip;
  runs(`fuzz ${args}${path === "" ? ", without node" : ""}: ${code}`, () => {
    const command = [process.execPath, COMMAND, ...args.split(" ")];
    const run = Bun.spawnSync(command, { env: { ...process.env, PATH: path } });
    assert.is(run.exitCode, code, run.stderr.toString());
    assert.is(run.stdout.toString().split("\n")[0], first);
    assert.match(code === 0 ? run.stdout.toString() : run.stderr.toString(), later);
  });
}

if (!NODE) console.log("skip: node is not installed");

test.run();
