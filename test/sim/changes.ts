/**
 * A worker's endpoints are replaced, or the worker drains, at every moment of every script: what is
 * in flight is finished.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { judge } from "./judge.ts";
import { run } from "./run.ts";
import { SCRIPTS } from "./scripts.ts";
import type { World } from "./world.ts";

type Change = Readonly<{
  name: string;
  happen: (world: World) => void;
  /** Clients may notice, by a `Connection: close`. */
  noticed: boolean;
}>;

const CHANGES: readonly Change[] = [
  { name: "endpoints are replaced", happen: (world) => world.replace("new"), noticed: false },
  { name: "the worker drains", happen: (world) => world.drain(), noticed: true },
];

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
