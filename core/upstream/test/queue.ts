/** The queue against an array, over random pushes, shifts and removals from the middle. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Random } from "../../random.ts";
import { Queue, type Waiter } from "../queue.ts";

const SEED = Number(process.env["SEED"] ?? 20_261_125);
console.log(`SEED=${SEED}`);

const waiterOf = (): Waiter => ({
  queue: null,
  ahead: null,
  behind: null,
  serve: () => {},
  broken: () => {},
});

test("first come, first served, whoever leaves in between", () => {
  const random = new Random(SEED);
  const queue = new Queue();
  const naive: Waiter[] = [];
  const left: Waiter[] = [];
  for (let i = 0; i < 20_000; i++) {
    const move = random.below(5);
    if (move < 2) {
      // One that left may come back.
      const waiter = left.pop() ?? waiterOf();
      queue.push(waiter);
      naive.push(waiter);
    } else if (move < 4) {
      const first = queue.shift();
      assert.is(first, naive.shift() ?? null, `step ${i}`);
      if (first !== null) left.push(first);
    } else if (naive.length > 0) {
      const [gone] = naive.splice(random.below(naive.length), 1);
      queue.remove(gone!);
      left.push(gone!);
    }
    assert.is(queue.length, naive.length, `step ${i}`);
  }
});

test("who does not wait here can be removed, and nothing happens", () => {
  const [queue, other] = [new Queue(), new Queue()];
  const [one, two] = [waiterOf(), waiterOf()];
  queue.push(one);
  other.push(two);
  queue.remove(two);
  queue.remove(waiterOf());
  assert.is(queue.length, 1);
  assert.is(other.shift(), two);
  queue.remove(one);
  queue.remove(one);
  assert.is(queue.length, 0);
  assert.is(queue.shift(), null);
  assert.equal([one.queue, one.ahead, one.behind], [null, null, null]);
});

test.run();
