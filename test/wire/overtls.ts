/** Over TLS, on both of its ways, everything is as it is without: the same tests once more. */
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";

/** Those whose subject TLS could change: where bytes begin, end, wait or stop. */
const SUITES = ["bodies", "drain", "exchange", "isolation", "pipelined", "slow", "tunnel"];

for (const way of ["byName", "peeking"]) {
  for (const suite of SUITES) {
    test(`${way}: ${suite}`, async () => {
      const child = Bun.spawn([process.execPath, join(import.meta.dir, `${suite}.ts`)], {
        env: { ...process.env, RIND_TEST_WIRE: way },
        stdio: ["ignore", "pipe", "pipe"],
      });
      const [output, noise] = await Promise.all([
        new Response(child.stdout).text(),
        new Response(child.stderr).text(),
      ]);
      assert.is(await child.exited, 0, output + noise);
      assert.match(output, /Passed: +[1-9]/);
    });
  }
}

test.run();
