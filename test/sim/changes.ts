/**
 * A worker's endpoints are replaced, or the worker drains, at every moment of every script: what is
 * in flight is finished.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { CHANGES } from "./changes.cases.ts";
import { judge } from "./judge.ts";
import { run } from "./run.ts";
import { SCRIPTS } from "./scripts.ts";

for (const { name, happen, noticed } of CHANGES) {
  for (const script of SCRIPTS) {
    test(`${script.name}: ${name} in the middle of it`, () => {
      const normal = run(script);
      for (let at = 0; at < normal.plan.operations.length; at++) {
        const changed = run(script, { event: { at, happen } });
        assert.equal(judge(changed, normal, noticed), [], `at operation ${at}`);
      }
    });
  }
}

test.run();
