import { test } from "uvu";
import * as assert from "uvu/assert";
import { fakeClock } from "../../core/clock.ts";
import { Holdoff } from "../holdoff.ts";

/** `t` touch, `h` hurry, `c` cancel, a number lets milliseconds pass; then the moments of calls. */
const CASES: readonly [name: string, script: string, calls: readonly number[]][] = [
  ["one touch", "t 50", [10]],
  ["a second touch puts it off", "t 9 t 50", [19]],
  [
    "a storm ends at the maximum",
    "t 9 t 9 t 9 t 9 t 9 t 9 t 9 t 9 t 9 t 9 t 9 t 9 t 50",
    [100, 118],
  ],
  ["touches after a call start anew", "t 10 t 50", [10, 20]],
  ["hurry calls in this turn", "h 0", [0]],
  ["hurries of one turn are one call", "h h h 50", [0]],
  ["hurries in a row keep their distance", "h 1 h 1 h 50", [0, 10]],
  ["hurry after a call of touches keeps its distance", "t 10 h 50", [10, 20]],
  ["hurry waits with changes that wait", "t 5 h 50", [10]],
  ["a touch puts off a hurried call", "h t 50", [10]],
  ["a touch puts off a hurried call that waits", "h 1 h 8 t 50", [0, 19]],
  [
    "a touch after a storm has a maximum of its own",
    "t 9 t 9 t 9 t 9 t 9 t 9 t 9 t 9 t 9 t 9 t 9 t 2 h 1 t 50",
    [100, 112],
  ],
  ["nothing is called after cancel", "t 5 c 50 h c 50", []],
  ["it works again after cancel", "t 5 c t 50", [15]],
];

for (const [name, script, expected] of CASES) {
  test(name, () => {
    const clock = fakeClock();
    const calls: number[] = [];
    const holdoff = new Holdoff(clock, { quietMs: 10, maxMs: 100 }, () => calls.push(clock.now()));
    for (const step of script.split(" ")) {
      if (step === "t") holdoff.touch();
      else if (step === "h") holdoff.hurry();
      else if (step === "c") holdoff.cancel();
      else clock.advance(Number(step));
    }
    assert.equal(calls, expected);
  });
}

test.run();
