/** A connection that is handed on, and its client's time, without sockets. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { FakeSocket } from "../../../test/socket.ts";
import { CLIENT_STALLED, CONNECT_FAILED, PASSTHROUGH_FAILED, WAITING_FULL } from "../../fault.ts";
import { type Limits, limitsOf } from "../../limits.ts";
import type { Pipe } from "../../pipe.ts";
import { Random } from "../../random.ts";
import { tallied } from "../../tally.ts";
import { Timers } from "../../timers.ts";
import { passThrough } from "../passthrough.ts";
import { openSite, type Site } from "../site.ts";
import type { Attached, DownstreamSocket } from "../socket.ts";

const TICK_MS = 250;
const SECOND = 1_000;
const ALERT = "\x15\x03\x01\x00\x02\x02\x50";

type Setup = Readonly<{
  socket: FakeSocket & { data: Attached | null };
  backend: FakeSocket;
  site: Site;
  pipe: Pipe;
  /** How often its way was told that the pipe is over. */
  closes: () => number;
  pass: (ms: number) => void;
}>;

/** `open` false: there is no way to the backend at all. */
function setup(given: Partial<Limits> = {}, open = true): Setup {
  const timers = new Timers();
  const socket = Object.assign(new FakeSocket(), { data: null as Attached | null, fd: 9 });
  const unacked = (): number => socket.unacked;
  const random = new Random(1);
  const parts = { router: null as never, timers, limits: limitsOf(given), random, unacked };
  let pipe: Pipe | null = null;
  let closes = 0;
  const site = openSite(parts, undefined, {
    open: (_id, made) => {
      pipe = made;
      return open ? { moved: () => {}, close: () => closes++ } : null;
    },
  });
  const client = "192.0.2.1";
  const bytes = Buffer.from("hello");
  passThrough(socket as unknown as DownstreamSocket, site, { client, bytes }, "b");
  return {
    socket,
    backend: new FakeSocket(),
    site,
    pipe: pipe!,
    closes: () => closes,
    pass: (ms) => {
      for (let i = 0; i < ms / TICK_MS; i++) timers.tick();
    },
  };
}

function isGone({ site }: Setup): boolean {
  return site.connections.size === 0 && site.admission.open === 0 && site.waiting.total === 0;
}

test("while no backend is there, nothing more is read", () => {
  const it = setup();
  assert.equal(it.socket.done, ["pause"]);
  it.pipe.backend.attach(it.backend);
  assert.equal(it.socket.done, ["pause", "resume"]);
  it.socket.done.length = 0;
  it.socket.data!.abort();
  assert.equal(it.socket.done, ["reset"]);
});

test("it counts as a connection of its client until it is over", () => {
  const it = setup();
  assert.is(it.site.admission.connectionsOf("192.0.2.1"), 1);
  assert.is(it.site.connections.size, 1);
  it.pipe.backend.attach(it.backend);
  assert.is(it.backend.written, "hello");
  it.socket.data!.ended();
  assert.equal(it.backend.done, ["fin"]);
  assert.not(isGone(it));
  it.pipe.backend.closed(true);
  assert.ok(isGone(it));
  assert.equal(it.socket.done.slice(-2), ["fin", "end"]);
  assert.is(it.closes(), 1);
});

test("without a way, or when it turns out to be none, the client gets an alert", () => {
  for (const open of [true, false]) {
    const before = tallied(PASSTHROUGH_FAILED);
    const it = setup({}, open);
    if (open) it.pipe.owner.failed(CONNECT_FAILED);
    assert.is(tallied(PASSTHROUGH_FAILED), before + 1);
    assert.is(it.socket.written, ALERT);
    assert.is(it.socket.done.at(-1), "end");
    assert.ok(isGone(it));
  }
});

test("a client that takes too little of what waits for it is closed", () => {
  const it = setup({ clientStallMs: 8_000, answerRateMin: 100 });
  it.pipe.backend.attach(it.backend);
  it.socket.room = 10_000;
  it.socket.unacked = 10_000;
  it.pipe.backend.received(Buffer.alloc(100_000));
  assert.is(it.site.waiting.total, 90_000);
  assert.equal(it.backend.done, ["pause"]);
  // A client with a bad link: its system takes a little, ours does not free room for more yet.
  for (let i = 0; i < 4; i++) {
    it.pass(6 * SECOND);
    it.socket.unacked -= 1_000;
    assert.not(isGone(it), `after ${i}`);
  }
  const before = tallied(CLIENT_STALLED);
  it.pass(10 * SECOND);
  assert.ok(isGone(it));
  assert.is(tallied(CLIENT_STALLED), before + 1);
  assert.equal([it.socket.done.at(-1), it.backend.done.at(-1)], ["reset", "reset"]);
});

test("one that takes all again has all the time", () => {
  const it = setup({ clientStallMs: 8_000 });
  it.pipe.backend.attach(it.backend);
  it.socket.room = 1_000;
  it.pipe.backend.received(Buffer.alloc(100_000));
  it.socket.room = 100_000;
  it.socket.data!.drained();
  assert.is(it.site.waiting.total, 0);
  assert.equal(it.backend.done, ["pause", "resume"]);
  it.pass(60 * SECOND);
  assert.not(isGone(it));
  it.socket.data!.abort();
});

test("when too much waits for all clients, it is one of those that go", async () => {
  const it = setup({ waitingBytes: 1_000 });
  const before = tallied(WAITING_FULL);
  it.pipe.backend.attach(it.backend);
  it.socket.room = 0;
  it.pipe.backend.received(Buffer.alloc(100_000));
  await new Promise((resolve) => setImmediate(resolve));
  assert.ok(isGone(it));
  assert.is(tallied(WAITING_FULL), before + 1);
});

test("at the end of a drain the backend is told, and the client read no more", () => {
  const it = setup();
  it.pipe.backend.attach(it.backend);
  it.socket.data!.drain();
  assert.equal(it.backend.done, []);
  it.socket.data!.farewell();
  assert.equal(it.backend.done, ["fin"]);
  assert.is(it.socket.done.at(-1), "pause");
  it.pipe.backend.received(Buffer.from("the end"));
  assert.match(it.socket.written, "the end");
  it.socket.data!.abort();
  assert.ok(isGone(it));
});

test.run();
