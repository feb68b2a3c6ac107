import { test } from "uvu";
import * as assert from "uvu/assert";
import { fakeClock, systemClock } from "../clock.ts";

test("calls come in the order of their moments, each at its own", () => {
  const clock = fakeClock();
  const calls: string[] = [];
  const note = (name: string) => () => calls.push(`${name}@${clock.now()}`);
  clock.after(20, note("late"));
  clock.after(10, note("first"));
  clock.after(10, note("second"));
  clock.advance(9);
  assert.equal(calls, []);
  clock.advance(1);
  assert.equal(calls, ["first@10", "second@10"]);
  clock.advance(100);
  assert.equal(calls, ["first@10", "second@10", "late@20"]);
  assert.is(clock.now(), 110);
});

test("a call may ask for another one within the same advance", () => {
  const clock = fakeClock();
  const at: number[] = [];
  const tick = (): void => {
    at.push(clock.now());
    clock.after(10, tick);
  };
  clock.after(10, tick);
  clock.advance(35);
  assert.equal(at, [10, 20, 30]);
});

test("a call that was taken back is not made, and taking it back twice is harmless", () => {
  const clock = fakeClock();
  const cancel = clock.after(10, () => assert.unreachable());
  cancel();
  cancel();
  clock.advance(20);
});

test("the real clock does not call at once, and not what was taken back", async () => {
  const calls: string[] = [];
  const done = new Promise<void>((resolve) => {
    systemClock.after(1, () => calls.push("taken back"))();
    systemClock.after(1, () => {
      calls.push("made");
      resolve();
    });
  });
  assert.equal(calls, []);
  await done;
  assert.equal(calls, ["made"]);
});

test.run();
