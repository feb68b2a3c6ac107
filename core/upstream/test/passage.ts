/** Which endpoints a pipe is offered to, and when that is given up; dials end as the test says. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { FakeSocket } from "../../../test/socket.ts";
import { CONNECT_FAILED, CONNECT_TIMEOUT, PENDING_TIMEOUT } from "../../fault.ts";
import { limitsOf, type Limits } from "../../limits.ts";
import { Pipe, type Passage } from "../../pipe.ts";
import { Random } from "../../random.ts";
import { Timers } from "../../timers.ts";
import { Endpoints } from "../endpoints.ts";
import { passagesTo } from "../passage.ts";
import type { RawConnection } from "../raw.ts";

const TICK_MS = 250;
const SECOND = 1_000;

type Setup = Readonly<{
  endpoints: Endpoints;
  /** In the order in which they were begun. */
  dials: RawConnection[];
  /** Ports of `dials`. */
  ports: () => readonly number[];
  open: (backend?: string) => Readonly<{ pipe: Pipe; passage: Passage | null; faults: number[] }>;
  pass: (ms: number) => void;
}>;

function setup(count: number, given: Partial<Limits> = {}, seed = 1): Setup {
  const timers = new Timers();
  const limits = limitsOf(given);
  const upstream = { timers, limits, random: new Random(seed), connect: () => {}, knock: () => {} };
  const endpoints = new Endpoints(upstream);
  const list = Array.from({ length: count }, (_, i) => ({
    address: "192.0.2.1",
    port: 8_001 + i,
    uid: "",
  }));
  endpoints.put({ id: "b", endpoints: list, reason: "", balance: "leastRequest", tls: null });
  const dials: RawConnection[] = [];
  const passages = passagesTo(endpoints, upstream, (connection) => void dials.push(connection));
  return {
    endpoints,
    dials,
    ports: () => dials.map(({ endpoint }) => endpoint.port),
    open: (backend = "b") => {
      const faults: number[] = [];
      let passage: Passage | null = null;
      const pipe = new Pipe({
        moved: () => passage?.moved(),
        stalled: () => {},
        flowed: () => {},
        failed: (fault) => void faults.push(fault),
        over: () => passage?.close(),
      });
      passage = passages.open(backend, pipe);
      return { pipe, passage, faults };
    },
    pass: (ms) => {
      for (let i = 0; i < ms / TICK_MS; i++) timers.tick();
    },
  };
}

test("no backend, or one without endpoints, is no way at all", () => {
  const it = setup(0);
  assert.is(it.open("b").passage, null);
  assert.is(it.open("another").passage, null);
  assert.is(it.endpoints.size, 1, "asking for a backend does not make it one");
});

test("each endpoint that fails is left for one that was not tried, three times at most", () => {
  for (let seed = 1; seed < 50; seed++) {
    for (const [count, tries] of [
      [1, 1],
      [2, 2],
      [3, 3],
      [5, 3],
    ] as const) {
      const it = setup(count, {}, seed);
      const { faults } = it.open();
      for (let i = 0; i < tries; i++) {
        assert.equal(faults, []);
        assert.is(it.endpoints.connections, 1);
        it.dials[i]!.refused();
      }
      assert.equal(faults, [CONNECT_FAILED]);
      assert.is(it.dials.length, tries);
      assert.is(new Set(it.ports()).size, tries, `${it.ports()}`);
      assert.is(it.endpoints.connections, 0);
    }
  }
});

test("an endpoint that does not answer is left as well; late it is not wanted any more", () => {
  const it = setup(2);
  const { pipe, faults } = it.open();
  pipe.backend.send(Buffer.from("hello"));
  it.pass(7 * SECOND);
  assert.is(it.dials.length, 2);
  assert.is(it.endpoints.connections, 2, "the dial cannot be called back");
  const late = new FakeSocket();
  it.dials[0]!.opened(late);
  assert.equal(late.done, ["reset"]);
  assert.is(late.written, "");
  assert.is(it.endpoints.connections, 1);
  const socket = new FakeSocket();
  it.dials[1]!.opened(socket);
  assert.is(socket.written, "hello");
  assert.equal(faults, []);
  const other = setup(1);
  const alone = other.open();
  other.pass(7 * SECOND);
  assert.equal(alone.faults, [CONNECT_TIMEOUT]);
});

test("a pipe that is over while it dials leaves nothing behind", () => {
  const it = setup(3);
  const { pipe, faults } = it.open();
  pipe.close(true);
  it.dials[0]!.refused();
  assert.is(it.dials.length, 1);
  assert.equal(faults, []);
  assert.is(it.endpoints.connections, 0);
  const next = setup(1);
  next.open().pipe.close(true);
  const socket = new FakeSocket();
  next.dials[0]!.opened(socket);
  assert.equal(socket.done, ["reset"]);
  assert.is(next.endpoints.connections, 0);
});

test("a busy endpoint is counted busy until the end, so that others are chosen", () => {
  const it = setup(2);
  const pipes = Array.from({ length: 4 }, () => it.open().pipe);
  assert.equal(it.ports().toSorted(), [8_001, 8_001, 8_002, 8_002]);
  for (const dial of it.dials) dial.opened(new FakeSocket());
  for (const pipe of pipes) pipe.close(false);
  assert.is(it.endpoints.connections, 0);
  for (const { endpoint } of it.dials) assert.is(endpoint.active, 0);
});

test("an endpoint without room is waited for, but not by too many, nor for ever", () => {
  const it = setup(1, { upstreamConnections: 1, pending: 2 });
  const first = it.open();
  it.dials[0]!.opened(new FakeSocket());
  const waiting = it.open();
  const slow = it.open();
  assert.is(it.open().passage, null, "too many wait");
  assert.is(it.dials.length, 1);
  first.pipe.close(false);
  assert.is(it.dials.length, 2, "its turn");
  it.dials[1]!.opened(new FakeSocket());
  it.pass(7 * SECOND);
  assert.equal(slow.faults, [PENDING_TIMEOUT]);
  assert.equal(waiting.faults, []);
  waiting.pipe.close(false);
  assert.is(it.endpoints.connections, 0);
});

test("one that finds no room anywhere was never counted as busy", () => {
  const it = setup(2, { upstreamConnections: 1, pending: 1 });
  const [first, ...others] = Array.from({ length: 4 }, () => it.open());
  const [refusing, full] = it.dials.map(({ endpoint }) => endpoint);
  it.dials[0]!.refused();
  assert.equal(first!.faults, [CONNECT_FAILED]);
  first!.pipe.close(false);
  assert.equal([refusing!.active, full!.active], [1, 2]);
  for (const { pipe } of others) pipe.close(false);
  assert.equal([refusing!.active, full!.active], [0, 0]);
});

test("who refuses is ejected, and who talks is well", () => {
  const it = setup(2, { ejectAfter: 3 });
  for (let i = 0; i < 12; i++) {
    it.open();
    const dial = it.dials.at(-1)!;
    if (dial.endpoint.port === 8_001) dial.refused();
  }
  const before = it.dials.length;
  const refusals = it.ports().filter((port) => port === 8_001).length;
  assert.is(refusals, 3);
  for (let i = 0; i < 10; i++) it.open();
  assert.equal(new Set(it.ports().slice(before)), new Set([8_002]));
});

test.run();
