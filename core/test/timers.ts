/** The timer wheel: never early, hardly late, and one item's bug is that item's end. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type Timed, Timers } from "../timers.ts";

const TICKS_A_SECOND = 4;

class Item implements Timed {
  deadline = 0;
  slot = -1;
  prev: Timed | null = null;
  next: Timed | null = null;
  readonly expired: number[] = [];
  isBroken = false;
  readonly #timers: Timers;
  readonly #then: () => void;

  constructor(timers: Timers, then: () => void = () => {}) {
    this.#timers = timers;
    this.#then = then;
  }

  expire(): void {
    this.expired.push(this.#timers.now);
    this.deadline = 0;
    this.#then();
  }

  broken(): void {
    this.isBroken = true;
    this.#timers.remove(this);
  }
}

function run(timers: Timers, ticks: number): void {
  for (let i = 0; i < ticks; i++) timers.tick();
}

for (const ms of [1, 250, 251, 1_000, 5_000, 75_000]) {
  test(`${ms} ms: not before, and at most a second late`, () => {
    const timers = new Timers();
    const item = new Item(timers);
    timers.add(item);
    run(timers, 3);
    const due = timers.after(ms);
    assert.ok((due - timers.now) * 250 >= ms);
    item.deadline = due;
    run(timers, due - timers.now - 1);
    assert.equal(item.expired, []);
    run(timers, 1 + TICKS_A_SECOND);
    assert.is(item.expired.length, 1);
  });
}

test("a deadline that moved on is kept at its new time only", () => {
  const timers = new Timers();
  const item = new Item(timers);
  timers.add(item);
  for (let i = 0; i < 40; i++) {
    item.deadline = timers.after(1_000);
    timers.tick();
  }
  assert.equal(item.expired, []);
  run(timers, 12);
  assert.is(item.expired.length, 1);
});

test("an item that expires may remove itself and any other", () => {
  const timers = new Timers();
  const others: Item[] = [];
  const removeAll = (): void => {
    for (const other of others) timers.remove(other);
  };
  for (let i = 0; i < 5; i++) others.push(new Item(timers, removeAll));
  for (const other of others) {
    other.deadline = timers.after(250);
    timers.add(other);
  }
  run(timers, 20);
  assert.is(
    others.reduce((sum, { expired }) => sum + expired.length, 0),
    1,
  );
});

test("an item whose code fails is broken; the others expire all the same", () => {
  const timers = new Timers();
  const fail = (): void => {
    throw new Error("a bug");
  };
  const items = [new Item(timers), new Item(timers, fail), new Item(timers)];
  for (const item of items) {
    item.deadline = timers.after(250);
    timers.add(item);
  }
  run(timers, 20);
  assert.equal(
    items.map(({ isBroken }) => isBroken),
    [false, true, false],
  );
  assert.equal(
    items.map(({ expired }) => expired.length),
    [1, 1, 1],
  );
});

test.run();
