/** Who is let in, and who makes room: the order of idle connections, shares and capacity. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { CLIENT_FULL, CONNECTIONS_FULL, CONNECTION_SHED, OK } from "../../fault.ts";
import { seeded, seedOfRun } from "../../http1/test/cuts.cases.ts";
import { limitsOf } from "../../limits.ts";
import { tallied } from "../../tally.ts";
import { Timers } from "../../timers.ts";
import { Admission, type Idle } from "../admission.ts";

const seed = seedOfRun();
console.log(`seed ${seed} (RIND_SEED=${seed} runs it again)`);

/** A connection of `address` that closes when it is shed, and is remembered. */
class Guest implements Idle {
  idleSince = 0;
  older: Idle | null = null;
  newer: Idle | null = null;
  readonly #admission: Admission;
  readonly #address: string | null;
  readonly #shed: Guest[];

  constructor(admission: Admission, address: string | null, shed: Guest[]) {
    this.#admission = admission;
    this.#address = address;
    this.#shed = shed;
    admission.enter(address);
  }

  shed(): void {
    this.#shed.push(this);
    this.go();
  }

  go(): void {
    this.#admission.wake(this);
    this.#admission.leave(this.#address);
  }
}

function setup(connections: number, connectionsPerClient: number) {
  const timers = new Timers();
  const admission = new Admission(limitsOf({ connections, connectionsPerClient }), timers);
  const shed: Guest[] = [];
  /** As many guests as are let in, one after another; the fault of the first that is not. */
  const fill = (count: number, address: string | null, idle: boolean): number => {
    for (let i = 0; i < count; i++) {
      const fault = admission.admit(address);
      if (fault !== OK) return fault;
      const guest = new Guest(admission, address, shed);
      if (idle) admission.rest(guest);
    }
    return OK;
  };
  const pass = (seconds: number): void => {
    for (let i = 0; i < seconds * 4; i++) timers.tick();
  };
  return { admission, shed, fill, pass };
}

test("busy connections fill all of the capacity, and one more is turned away", () => {
  const { admission, fill, shed } = setup(100, 1_000);
  const before = tallied(CONNECTIONS_FULL);
  assert.is(fill(100, "a", false), OK);
  assert.is(fill(1, "a", false), CONNECTIONS_FULL);
  assert.is(admission.open, 100);
  assert.is(tallied(CONNECTIONS_FULL), before + 1);
  assert.is(shed.length, 0);
});

test("from 90 % on each new connection closes one that idles", () => {
  const { admission, fill, shed, pass } = setup(100, 1_000);
  const before = tallied(CONNECTION_SHED);
  assert.is(fill(90, "a", true), OK);
  pass(1);
  assert.is(shed.length, 0);
  assert.is(fill(90, "b", true), OK);
  assert.is(admission.open, 90);
  assert.is(shed.length, 90);
  assert.is(tallied(CONNECTION_SHED), before + 90);
});

test("a connection that idles for less than a second stays: its request may be on its way", () => {
  const { admission, fill, shed, pass } = setup(100, 1_000);
  assert.is(fill(95, "a", true), OK);
  pass(0.75);
  assert.is(fill(6, "b", true), CONNECTIONS_FULL);
  assert.is(admission.open, 100);
  assert.is(shed.length, 0);
  pass(0.25);
  assert.is(fill(1, "b", true), OK);
  assert.is(shed.length, 1);
});

test("one address has its share, half of all by default; those without an address have any", () => {
  const { admission, fill, shed, pass } = setup(10, 0);
  assert.is(fill(10, "a", true), CLIENT_FULL);
  pass(1);
  assert.is(admission.connectionsOf("a"), 5);
  assert.is(fill(1, "b", false), OK);
  assert.is(shed.length, 0, "a client beyond its share makes nobody go");
  assert.is(fill(2, null, false), OK);
  assert.is(admission.connectionsOf("c"), 0);
});

test("an address is forgotten with its last connection", () => {
  const { admission } = setup(10, 2);
  const guests = [new Guest(admission, "a", []), new Guest(admission, "a", [])];
  assert.is(admission.admit("a"), CLIENT_FULL);
  guests[0]!.go();
  assert.is(admission.admit("a"), OK);
  guests[1]!.go();
  assert.is(admission.connectionsOf("a"), 0);
  assert.is(admission.open, 0);
});

test("who idles longest goes first, whatever happened before", () => {
  const random = seeded(seed);
  const shed: Guest[] = [];
  const { admission, pass } = setup(1_000, 1_000);
  const guests = Array.from({ length: 50 }, () => new Guest(admission, null, shed));
  let order: Guest[] = [];
  for (let i = 0; i < 5_000; i++) {
    const guest = guests[random(guests.length)]!;
    if (random(2) === 0) {
      if (guest.idleSince === 0) order.push(guest);
      admission.rest(guest);
    } else {
      order = order.filter((other) => other !== guest);
      admission.wake(guest);
    }
  }
  pass(1);
  const crowd = Array.from({ length: 1_000 - guests.length }, () => new Guest(admission, null, []));
  while (order.length > shed.length) {
    const { length } = shed;
    assert.is(admission.admit(null), OK);
    assert.is(shed.length, length + 1);
    crowd.push(new Guest(admission, null, []));
  }
  assert.ok(order.every((guest, i) => guest === shed[i]));
  assert.is(admission.admit(null), CONNECTIONS_FULL, "nobody idles any more");
});

test.run();
