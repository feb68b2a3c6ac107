import { suite } from "uvu";
import * as assert from "uvu/assert";
import { fakeClock } from "../../../../core/clock.ts";
import { Random } from "../../../../core/random.ts";
import { Backoff } from "../backoff.ts";

const test = suite("backoff");

/** The waits after failures that come so long after the wait before them. */
function waits(healthyMs: readonly number[], retryAfterMs: number | null = null): number[] {
  const clock = fakeClock();
  const backoff = new Backoff(clock, new Random(5));
  return healthyMs.map((ms) => {
    clock.advance(ms);
    const waitMs = backoff.next(retryAfterMs);
    clock.advance(waitMs);
    return waitMs;
  });
}

test("twice as long each time, up to half a minute, never less than half of that", () => {
  waits(Array<number>(9).fill(0)).forEach((ms, i) => {
    const most = Math.min(30_000, 800 * 2 ** i);
    assert.ok(ms >= most / 2 && ms <= most, `${ms} ms, the ${i}th time`);
  });
});

test("health counts from the end of a wait: two minutes of it make a first one", () => {
  const grown = waits([0, 0, 0, 0, 0, 0, 119_000]).at(-1)!;
  assert.ok(grown >= 15_000, `${grown} ms`);
  const first = waits([0, 0, 0, 0, 0, 0, 120_000]).at(-1)!;
  assert.ok(first <= 800, `${first} ms`);
});

test("a server may ask for more, not for less", () => {
  assert.equal(waits([0, 0], 60_000), [60_000, 60_000]);
  assert.ok(waits([0], 1)[0]! >= 400);
});

test.run();
