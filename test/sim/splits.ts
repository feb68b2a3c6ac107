/** Where reads end means nothing: every script, cut at every byte of either side, goes the same. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { allRequests, summary } from "./judge.ts";
import type { Cut, Side } from "./network.ts";
import { run, type Run } from "./run.ts";
import { SCRIPTS } from "./scripts.ts";
import type { Script } from "./steps.ts";

const SIDES: readonly Side[] = ["client", "backend"];
/** Of longer streams, the first bytes and the last are cut, and a few between them. */
const WHOLE_MAX = 400;
const EDGE = 80;
const STRIDE = 1_021;

for (const script of SCRIPTS.filter(({ crowded }) => crowded !== true)) {
  test(`${script.name}: reads may end anywhere`, () => {
    const lengths: Record<Side, number> = { client: 0, backend: 0 };
    const whole: Cut = (side, at, length) => {
      lengths[side] = Math.max(lengths[side], at + length);
      return length;
    };
    const normal = seen(run(script, { cut: whole, brief: true }));
    for (const side of SIDES) {
      for (const at of positions(lengths[side])) {
        assert.is(seenWith(script, cutAt(side, at)), normal, `the ${side}'s bytes, cut at ${at}`);
      }
    }
    const each: Cut = () => 1;
    if (lengths.client + lengths.backend < 2 * WHOLE_MAX) {
      assert.is(seenWith(script, each), normal, "byte by byte");
    }
    const some: Cut = (_side, at, length) => Math.min(length, 1 + ((at * 7) % 97));
    assert.is(seenWith(script, some), normal, "in pieces of 1 to 97");
  });
}

function seenWith(script: Script, cut: Cut): string {
  return seen(run(script, { cut, brief: true }));
}

/** What everybody saw, and that nothing broke. */
function seen(one: Run): string {
  const clients = one.clients.map((client) => `${client.remote.ending}: ${summary(client.seen)}`);
  const malformed = one.clients.map((client) => client.seen.malformed);
  const requests = one.script.overtakes === true ? "" : allRequests(one);
  return [...clients, ...malformed, ...one.bugs, requests].join("\n");
}

/** Every connection of one side has a read that ends at `at`. */
function cutAt(side: Side, at: number): Cut {
  return (which, from, length) =>
    which === side && from < at && at < from + length ? at - from : length;
}

function positions(length: number): number[] {
  const all = Array.from({ length: Math.max(0, length - 1) }, (_, i) => i + 1);
  if (length <= WHOLE_MAX) return all;
  return all.filter((at) => at <= EDGE || at >= length - EDGE || at % STRIDE === 0);
}

test.run();
