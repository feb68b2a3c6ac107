import { test } from "uvu";
import * as assert from "uvu/assert";
import { cpuOf, memoryOf, ticksOf, treeOf } from "../cpu.ts";

/** On a CPU, not by the clock: of a busy machine it gets less than its time. */
const BURN_US = 60_000;

test("time burnt by a child counts for its parent's tree", async () => {
  const burn = `while (process.cpuUsage().user < ${BURN_US});`;
  const script = `${burn} console.log("done"); await Bun.stdin.text();`;
  const child = Bun.spawn(["sh", "-c", '"$0" -e "$1"; true', process.execPath, script], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  await child.stdout.getReader().read();
  const tree = treeOf(child.pid);
  const cpu = cpuOf(child.pid);
  child.stdin.end();
  await child.exited;
  assert.is(tree.length, 2);
  assert.is(cpu.busiestPid, tree[1]);
  assert.ok(cpu.ns > 0);
  assert.ok(cpu.tickNs > 0);
});

test("memory of a process that lives, and of one that is gone", async () => {
  const own = memoryOf(process.pid)!;
  assert.ok(own.pssKib > 0 && own.pssKib <= own.rssKib);
  const child = Bun.spawn(["true"]);
  await child.exited;
  assert.is(memoryOf(child.pid), null);
});

test("a CPU's ticks never run backwards", () => {
  const before = ticksOf(0);
  const after = ticksOf(0);
  assert.ok(after.total >= before.total && after.idle <= after.total);
});

test.run();
