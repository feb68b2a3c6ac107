/** What a client must not notice: a connection that dies under a request that may go again. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { judge, summary } from "./judge.ts";
import { failing, type Fault, type Operation } from "./plan.ts";
import { run } from "./run.ts";
import { SCRIPTS } from "./scripts.ts";

/**
 * The last write of a request, or the first read of its answer, in the order of the operations of a
 * script: `nth` of this kind on the backend's side, from 0.
 */
type Case = readonly [script: string, kind: Operation["kind"], nth: number, unnoticed: boolean];

const GONE: Readonly<Record<"read" | "write", readonly Fault[]>> = {
  read: ["eof", "fin", "reset"],
  write: ["dead", "lost"],
};

// A fresh connection that dies is the backend's failure; a reused one may have been idle too long.
const CASES: readonly Case[] = [
  ["reused", "read", 0, false],
  ["reused", "read", 1, true],
  ["reused", "write", 1, true],
  ["reusedHead", "read", 1, true],
  ["reusedPut", "read", 1, true],
  ["reusedPut", "write", 1, true],
  ["reusedBigPut", "read", 1, true],
  ["reusedPost", "read", 1, false],
];

for (const [name, kind, nth, unnoticed] of CASES) {
  const end = unnoticed ? "and all is well" : "502";
  test(`${name}: ${kind} ${nth} of the backend fails, ${end}`, () => {
    const script = SCRIPTS.find((one) => one.name === name)!;
    const normal = run(script);
    const n = operationOf(normal.plan.operations, kind, nth);
    for (const way of GONE[kind === "write" ? "write" : "read"]) {
      const failed = run(script, { choose: failing(new Map([[n, way]])) });
      assert.equal(judge(failed, normal), [], `RIND_SIM=${name}:${n}:${way}`);
      const seen = failed.clients.map((client) => summary(client.seen));
      const before = normal.clients.map((client) => summary(client.seen));
      if (unnoticed) assert.equal(seen, before, `RIND_SIM=${name}:${n}:${way}`);
      else assert.match(seen.join(), /HTTP\/1\.1 502 /, `RIND_SIM=${name}:${n}:${way}`);
    }
  });
}

test("a write that fails before a byte is taken goes again whatever the method", () => {
  for (const name of ["reusedPost", "reused", "post", "get"]) {
    const script = SCRIPTS.find((one) => one.name === name)!;
    const normal = run(script);
    const nth = name.startsWith("reused") ? 1 : 0;
    const n = operationOf(normal.plan.operations, "write", nth);
    const failed = run(script, { choose: failing(new Map([[n, "dead"]])) });
    assert.equal(judge(failed, normal), [], `RIND_SIM=${name}:${n}:dead`);
    assert.is(summary(failed.clients[0]!.seen), summary(normal.clients[0]!.seen), name);
  }
});

function operationOf(
  operations: readonly Operation[],
  kind: Operation["kind"],
  nth: number,
): number {
  const all = [...operations.keys()].filter((n) => {
    const operation = operations[n]!;
    return operation.side === "backend" && operation.kind === kind;
  });
  assert.ok(all.length > nth, "the script has so many operations of this kind");
  return all[nth]!;
}

test.run();
