/** When an endpoint is left alone, for how long, and how it comes back; time is ticked by hand. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { BAD_RESPONSE, CONNECT_FAILED } from "../../fault.ts";
import { limitsOf, type Limits } from "../../limits.ts";
import { Random } from "../../random.ts";
import { Timers } from "../../timers.ts";
import { Health } from "../health.ts";

const TICK_MS = 250;
const SECOND = 1_000;
/** A wait is rounded up to ticks, and begins somewhere inside of one. */
const ROUNDING_MS = 2 * TICK_MS;

type Setup = Readonly<{
  pass: (ms: number) => void;
  /** So many requests fail. */
  fail: (times?: number) => void;
  /** A request finds nobody who listens. */
  lose: () => void;
  succeed: () => void;
  /** Whether it would get a request. */
  well: () => boolean;
  /** Offers it one request; true when it gets it. */
  offer: () => boolean;
  /** Sends it one request, come what may. */
  choose: () => void;
  /** Milliseconds until it gets a request, which it then gets. */
  wait: () => number;
  load: (active: number) => number;
  /** From now on knocks are answered so, in the tick in which they come; "" is no answer at all. */
  listen: (how: "open" | "closed" | "") => void;
  /** How many knocks there were. */
  knocks: () => number;
  stop: () => void;
}>;

/** An endpoint that listens. */
function setup(given: Partial<Limits> = {}, seed = 1): Setup {
  const timers = new Timers();
  let how: "open" | "closed" | "" = "open";
  let knocks = 0;
  let waiting = false;
  const knock = (): void => {
    knocks++;
    waiting = true;
  };
  const random = new Random(seed);
  const site = { timers, limits: limitsOf(given), random, connect: () => {}, knock };
  const health = new Health({ address: "192.0.2.1", port: 80 }, site);
  const tick = (): void => {
    timers.tick();
    if (!waiting || how === "") return;
    waiting = false;
    health.knocked(how === "open");
  };
  const offer = (): boolean => {
    const available = health.available(timers.now);
    if (available) health.chosen(timers.now);
    return available;
  };
  return {
    offer,
    choose: () => health.chosen(timers.now),
    well: () => health.available(timers.now),
    pass: (ms) => {
      for (let i = 0; i < ms / TICK_MS; i++) tick();
    },
    fail: (times = 1) => {
      for (let i = 0; i < times; i++) health.failed(timers.now, BAD_RESPONSE);
    },
    lose: () => health.failed(timers.now, CONNECT_FAILED),
    succeed: () => health.succeeded(),
    wait: () => {
      const began = timers.now;
      while (!offer()) tick();
      return (timers.now - began) * TICK_MS;
    },
    load: (active) => health.load(active, timers.now),
    listen: (next) => {
      how = next;
    },
    knocks: () => knocks,
    stop: () => health.stop(),
  };
}

/** `f` a failure, `s` a success, a digit so many seconds; whether it then gets requests. */
const STREAKS: readonly (readonly [events: string, well: boolean])[] = [
  ["", true],
  ["f", true],
  ["ff", true],
  ["fff", false],
  ["ffsf", true],
  ["ffsff", true],
  ["ffsfff", false],
  ["f4f4f", false],
  ["ff9f", false],
  // The window begins anew with the failure that does not fit into it.
  ["f6f6f", true],
  ["f6f6fff", false],
  ["ff99f", true],
  ["fffs", true],
];

test("three failures in a row within the window eject, and a success takes all back", () => {
  for (const [events, well] of STREAKS) {
    const { pass, fail, succeed, well: found } = setup({ ejectMs: 60 * SECOND });
    for (const event of events) {
      if (event === "f") fail();
      else if (event === "s") succeed();
      else pass(Number(event) * SECOND);
    }
    assert.is(found(), well, events);
  }
});

test("how many failures eject is a limit, and 0 is never", () => {
  for (const ejectAfter of [1, 2, 5]) {
    const { fail, well } = setup({ ejectAfter });
    fail(ejectAfter - 1);
    assert.ok(well(), `${ejectAfter}`);
    fail();
    assert.not.ok(well(), `${ejectAfter}`);
  }
  const { fail, well } = setup({ ejectAfter: 0 });
  fail(1_000);
  assert.ok(well());
});

test("each failed probe doubles the wait, up to the limit, give or take a tenth", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const { fail, wait } = setup({ ejectMs: 8 * SECOND, ejectMaxMs: 60 * SECOND }, seed);
    fail(3);
    for (const seconds of [8, 16, 32, 60, 60, 60]) {
      const waited = wait();
      const least = seconds * SECOND * 0.9;
      const most = seconds * SECOND * 1.1 + ROUNDING_MS;
      assert.ok(waited >= least && waited <= most, `seed ${seed}: ${waited} for ${seconds} s`);
      fail();
    }
  }
});

test("waits differ, or all workers would probe at once", () => {
  const waits = new Set<number>();
  for (let seed = 1; seed <= 20; seed++) {
    const { fail, wait } = setup({ ejectMs: 60 * SECOND }, seed * 7_919);
    fail(3);
    waits.add(wait());
  }
  assert.ok(waits.size > 5, `${[...waits]}`);
});

test("none goes to an endpoint that is down, and one does within a second of its return", () => {
  for (const seconds of [1, 2, 5, 10, 20, 30]) {
    const { fail, listen, pass, well, wait, offer, succeed } = setup();
    pass(3_600 * SECOND);
    listen("closed");
    fail(3);
    for (let i = 0; i < seconds * 4; i++) {
      pass(TICK_MS);
      assert.not.ok(well(), `after ${i} of ${seconds} s`);
    }
    listen("open");
    const waited = wait();
    assert.ok(waited <= SECOND, `${waited} ms after ${seconds} s`);
    assert.not.ok(offer(), "one at a time");
    succeed();
    assert.ok(offer() && offer());
  }
});

test("an endpoint that stays down is never tried with a request, and knocked at ever rarer", () => {
  const { fail, listen, pass, well, knocks } = setup();
  listen("closed");
  fail(3);
  pass(10 * SECOND);
  const first = knocks();
  assert.ok(first >= 10 && first <= 20, `${first}`);
  for (let i = 0; i < 60; i++) {
    pass(60 * SECOND);
    assert.not.ok(well(), `minute ${i}`);
  }
  const before = knocks();
  pass(60 * SECOND);
  const later = knocks() - before;
  assert.ok(later >= 3 && later <= 6, `${later} in a minute`);
});

test("an endpoint that listens all the time is knocked at once, and serves its wait", () => {
  const { fail, knocks, wait } = setup({ ejectMs: 60 * SECOND });
  fail(3);
  const waited = wait();
  assert.ok(waited >= 54 * SECOND, `${waited} ms`);
  assert.is(knocks(), 1);
});

test("an endpoint that was down and is back before the first knock is used after it", () => {
  const { lose, wait } = setup({ ejectMs: 60 * SECOND });
  for (let i = 0; i < 3; i++) lose();
  const waited = wait();
  assert.ok(waited <= SECOND, `${waited} ms`);
});

test("a knock without an answer holds nothing up", () => {
  const { fail, listen, wait, knocks } = setup({ ejectMs: 4 * SECOND });
  listen("");
  fail(3);
  const waited = wait();
  assert.ok(waited <= 4.4 * SECOND + ROUNDING_MS, `${waited} ms`);
  fail();
  wait();
  assert.is(knocks(), 1, "and is not repeated before it came");
});

test("an answer that comes when the endpoint is well or probed changes nothing", () => {
  const { fail, listen, pass, succeed, well, choose, wait } = setup({ ejectMs: 4 * SECOND });
  listen("");
  fail(3);
  pass(SECOND);
  succeed();
  listen("closed");
  pass(SECOND);
  assert.ok(well());
  listen("");
  fail(3);
  wait();
  listen("closed");
  pass(SECOND);
  assert.not.ok(well(), "the probe is on its way");
  choose();
  succeed();
  assert.ok(well());
});

test("a knock that succeeds while the probe is on its way lets no second one through", () => {
  const { lose, listen, wait, offer, pass } = setup({ ejectMs: 4 * SECOND });
  listen("");
  for (let i = 0; i < 3; i++) lose();
  wait();
  listen("open");
  pass(SECOND);
  assert.not.ok(offer());
});

test("an endpoint that is well, or gone, is not knocked at", () => {
  const back = setup();
  back.fail(3);
  back.succeed();
  back.pass(60 * SECOND);
  assert.is(back.knocks(), 0, "it came back before");
  const ejected = setup();
  ejected.fail(3);
  ejected.stop();
  ejected.pass(60 * SECOND);
  assert.is(ejected.knocks(), 0, "gone after it was ejected");
  const late = setup();
  late.stop();
  late.fail(3);
  late.pass(60 * SECOND);
  assert.is(late.knocks(), 0, "gone before");
  const knocked = setup();
  knocked.listen("");
  knocked.fail(3);
  knocked.pass(SECOND);
  knocked.stop();
  knocked.listen("closed");
  knocked.pass(60 * SECOND);
  assert.is(knocked.knocks(), 1, "gone while a knock was on its way");
});

test("one request at a time is the probe", () => {
  const { fail, wait, offer, pass, succeed } = setup();
  fail(3);
  wait();
  assert.not.ok(offer());
  pass(5 * SECOND);
  assert.not.ok(offer(), "it has not answered yet");
  succeed();
  assert.ok(offer() && offer());
});

test("a probe without an outcome is followed by another, later each time", () => {
  const { fail, wait } = setup({ ejectMs: 4 * SECOND });
  fail(3);
  wait();
  const waits = Array.from({ length: 4 }, wait);
  assert.ok(waits[0]! >= 10 * SECOND && waits[0]! <= 11 * SECOND, `${waits}`);
  assert.ok(waits[3]! >= 30 * SECOND, `${waits}`);
});

test("a request sent there before the wait is over, when all are ejected, is no probe", () => {
  const { fail, wait, choose } = setup({ ejectMs: SECOND });
  fail(3);
  choose();
  const waited = wait();
  assert.ok(waited <= 1.1 * SECOND + ROUNDING_MS, `${waited} ms`);
});

test("failures of requests that were on their way do not make the wait longer", () => {
  const { fail, wait } = setup({ ejectMs: SECOND });
  fail(200);
  const waited = wait();
  assert.ok(waited <= 1.1 * SECOND + ROUNDING_MS, `${waited} ms`);
});

test("who comes and goes is left alone for longer, until it was well for a while", () => {
  const { fail, wait, succeed, pass } = setup({ ejectMs: SECOND });
  const flap = (): number => {
    fail(3);
    const waited = wait();
    succeed();
    return waited;
  };
  const waits = Array.from({ length: 5 }, flap);
  assert.ok(waits[4]! >= 16 * SECOND * 0.9, `${waits}`);
  pass(600 * SECOND);
  const later = flap();
  assert.ok(later <= 1.1 * SECOND + ROUNDING_MS, `${later} ms`);
});

test("a new one counts as busier than it is, less and less; without requests it is free", () => {
  const { load, pass } = setup({ slowStartMs: 10 * SECOND });
  let before = load(1);
  assert.ok(before > 8, `${before}`);
  for (let i = 0; i < 9; i++) {
    pass(SECOND);
    assert.ok(load(1) < before, `second ${i}`);
    assert.is(load(0), 0);
    assert.is(load(2), 2 * load(1));
    before = load(1);
  }
  pass(2 * SECOND);
  assert.is(load(1), 1);
});

test("the slow start begins again when an endpoint comes back, and can be off", () => {
  const { load, pass, fail, succeed } = setup();
  pass(60 * SECOND);
  fail(2);
  succeed();
  assert.is(load(1), 1, "it was never away");
  fail(3);
  succeed();
  assert.ok(load(1) > 8);
  assert.is(setup({ slowStartMs: 0 }).load(1), 1);
});

test.run();
