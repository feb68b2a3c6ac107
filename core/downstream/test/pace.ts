/** Handshakes take turns: one in each turn of the event loop, first come first. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Pace, type Paced } from "../pace.ts";

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("one begins at once, others in turns of their own, in order", async () => {
  const pace = new Pace();
  const begun: number[] = [];
  const pacedOf = (name: number): Paced => ({ begin: () => begun.push(name) > 0 });
  for (let i = 0; i < 50; i++) {
    if (pace.take()) begun.push(i);
    else pace.wait(pacedOf(i));
  }
  assert.equal(begun, [0]);
  for (let turn = 1; turn < 50; turn++) {
    await nextTurn();
    assert.ok(begun.length <= turn + 1, `${begun.length} in ${turn} turns`);
  }
  while (begun.length < 50) await nextTurn();
  assert.equal(
    begun,
    Array.from({ length: 50 }, (_, i) => i),
  );
});

test("who comes while others wait is behind them", async () => {
  const pace = new Pace();
  const begun: string[] = [];
  assert.ok(pace.take());
  pace.wait({ begin: () => begun.push("first") > 0 });
  pace.wait({ begin: () => begun.push("second") > 0 });
  await nextTurn();
  assert.not.ok(pace.take());
  pace.wait({ begin: () => begun.push("third") > 0 });
  while (begun.length < 3) await nextTurn();
  assert.equal(begun, ["first", "second", "third"]);
  await nextTurn();
  await nextTurn();
  assert.ok(pace.take());
});

test("who left takes no turn", async () => {
  const pace = new Pace();
  let begun = 0;
  assert.ok(pace.take());
  for (let i = 0; i < 100; i++) pace.wait({ begin: () => false });
  pace.wait({ begin: () => ++begun > 0 });
  await nextTurn();
  await nextTurn();
  assert.is(begun, 1);
});

test.run();
