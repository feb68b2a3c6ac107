/** The test runner must not call a broken test file green. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";

const HEAD = `import { test } from "uvu";\nimport * as assert from "uvu/assert";\n`;
const PASS = `test("a", () => assert.ok(true));\n`;
const RUN = "test.run();\n";
const ROOT = `${import.meta.dir}/..`;

/** What is wrong, the file, the last line of the run, and what the run says about it. */
const CASES: readonly (readonly [string, string, string, string])[] = [
  ["nothing", HEAD + PASS + PASS + RUN, "2 passed, 0 failed", "ok   test/it.ts"],
  [
    "a failing test",
    HEAD + PASS + `test("b", () => assert.ok(0));\n` + RUN,
    "1 passed, 1 failed",
    "b",
  ],
  ["no test.run()", HEAD + PASS, "0 passed, 1 failed", "does not end with test.run()"],
  ["tests after run()", HEAD + RUN + PASS, "0 passed, 1 failed", "does not end with test.run()"],
  ["no test", HEAD + RUN, "0 passed, 1 failed", "runs no test"],
  ["a crash", `${HEAD}${PASS}throw new Error("boom");\n${RUN}`, "0 passed, 1 failed", "boom"],
  [
    "an early exit",
    `${HEAD}test("a", () => process.exit(0));\n${RUN}`,
    "0 passed, 1 failed",
    "ended before its tests did",
  ],
  [
    "a hook that throws",
    `${HEAD}test.before(() => assert.ok(0));\n${PASS}${RUN}`,
    "0 passed, 1 failed",
    "1 failed",
  ],
  [
    "a bad end after good tests",
    `${HEAD}process.on("exit", () => process.exit(3));\n${PASS}${RUN}`,
    "1 passed, 1 failed",
    "passed, then ended with 3",
  ],
  [
    "a folder left behind",
    `import { mkdtempSync } from "node:fs";\nimport { tmpdir } from "node:os";\n${HEAD}` +
      `mkdtempSync(\`\${tmpdir()}/mine-\`);\n${PASS}${RUN}`,
    "1 passed, 1 failed",
    "left mine-",
  ],
  [
    "a skipped test",
    `${HEAD}console.log("skip: no tool");\ntest.skip("b", () => {});\n${PASS}${RUN}`,
    "1 passed, 0 failed, 1 skipped",
    "skip: no tool",
  ],
];

for (const [what, source, last, says] of CASES) {
  test(`a file with ${what}: ${last}`, () => {
    const root = mkdtempSync(join(tmpdir(), "rind-runner-"));
    try {
      mkdirSync(join(root, "test"));
      writeFileSync(join(root, "test/it.ts"), source);
      symlinkSync(join(ROOT, "node_modules"), join(root, "node_modules"));
      const env = { ...process.env, RIND_TEST_ROOT: root };
      const run = Bun.spawnSync([process.execPath, join(import.meta.dir, "run.ts")], { env });
      const output = run.stdout.toString();
      assert.is(output.trimEnd().split("\n").at(-1), last);
      assert.ok(output.includes(says), output);
      assert.is(run.exitCode, last.includes(" 0 failed") ? 0 : 1);
    } finally {
      rmSync(root, { recursive: true });
    }
  });
}

test.run();
