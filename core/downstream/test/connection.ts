/** A client's connection and its deadlines, without sockets: time passes when the test says so. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { FakeSocket } from "../../../test/socket.ts";
import type { Exchange, Router } from "../../exchange.ts";
import {
  BODY_TIMEOUT,
  BODY_TOO_SLOW,
  CLIENT_STALLED,
  FIRST_BYTE_TIMEOUT,
  OK,
  RESPONSE_CUT,
  WAITING_FULL,
} from "../../fault.ts";
import { Head } from "../../head.ts";
import { parseResponse, responseKind } from "../../http1/response.ts";
import { LONG_READ, type Limits, TURN_MAX, limitsOf } from "../../limits.ts";
import { Random } from "../../random.ts";
import { tallied } from "../../tally.ts";
import { Timers } from "../../timers.ts";
import { DownstreamConnection } from "../connection.ts";
import { openSite, type Site } from "../site.ts";
import type { DownstreamSocket } from "../socket.ts";

const SECOND = 1_000;
/** The wheel may be this late, and never early. */
const LATE_MS = 2_000;
const TICK_MS = 250;
const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const LARGE = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n";
const POST = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n";

type Setup = Readonly<{
  socket: FakeSocket;
  connection: DownstreamConnection;
  site: Site;
  exchanges: Exchange[];
  receive: (bytes: string) => void;
  pass: (ms: number) => void;
  /** It is over: FIN or RST was sent, or the connection is forgotten. */
  isOver: () => boolean;
}>;

/** A connection whose exchanges do what `route` says, which by default is nothing. */
function setup(
  route: (exchange: Exchange) => void = () => {},
  given: Partial<Limits> = {},
  seed = 1,
): Setup {
  const exchanges: Exchange[] = [];
  const router: Router = {
    route: (exchange) => {
      exchanges.push(exchange);
      route(exchange);
    },
    retry: () => false,
    replayMax: () => 0,
    answered: () => {},
    over: () => {},
  };
  const timers = new Timers();
  const site = openSite({
    router,
    timers,
    limits: limitsOf(given),
    random: new Random(seed * 0x9e37_79b9),
    unacked: () => socket.unacked,
  });
  const socket = new FakeSocket();
  const connection = new DownstreamConnection(socket as unknown as DownstreamSocket, site);
  const pass = (ms: number): void => {
    for (let at = 0; at < ms; at += TICK_MS) timers.tick();
  };
  const receive = (bytes: string): void => connection.received(Buffer.from(bytes, "latin1"));
  const isOver = (): boolean => socket.done.some((act) => act !== "pause" && act !== "resume");
  return { socket, connection, site, exchanges, receive, pass, isOver };
}

/** Not before `ms`, and not long after it. */
function expectEnd({ pass, isOver }: Setup, ms: number): void {
  pass(ms - SECOND);
  assert.not.ok(isOver(), `over before ${ms} ms`);
  pass(SECOND + LATE_MS);
  assert.ok(isOver(), `not over after ${ms} ms`);
}

const answered = (exchange: Exchange): void => exchange.answer(200, Buffer.from("x"), "");

test("a client that says nothing has 10 s, and gets no answer", () => {
  const it = setup();
  const before = tallied(FIRST_BYTE_TIMEOUT);
  expectEnd(it, 10 * SECOND);
  assert.is(it.socket.written, "");
  assert.is(tallied(FIRST_BYTE_TIMEOUT), before + 1);
});

test("a head that drips has 10 s from its first byte, then 408", () => {
  const it = setup();
  it.pass(5 * SECOND);
  for (let i = 0; i < 8; i++) {
    it.receive("GET / HTTP/1.1\r\nHost: a\r\nA: b\r\n"[i]!);
    it.pass(SECOND);
    assert.not.ok(it.isOver(), `${i + 1} s`);
  }
  it.receive("/");
  it.pass(2 * SECOND + LATE_MS);
  assert.match(it.socket.written, /^HTTP\/1\.1 408 /);
  assert.ok(it.isOver());
});

test("an idle connection has 75 s after its answer", () => {
  const it = setup(answered);
  it.receive(GET);
  assert.match(it.socket.written, /^HTTP\/1\.1 200 /);
  it.pass(60 * SECOND);
  it.receive(GET);
  expectEnd(it, 75 * SECOND);
});

/** The next `bytes` of a large body. */
const pieceOf = (bytes: number): string => "x".repeat(bytes);

test("a body that stands still has 30 s, then 408; one that moves has all the time", () => {
  const it = setup();
  const before = tallied(BODY_TIMEOUT);
  it.receive(LARGE);
  for (let i = 0; i < 20; i++) {
    it.pass(25 * SECOND);
    assert.not.ok(it.isOver());
    it.receive(pieceOf(13_000));
  }
  expectEnd(it, 30 * SECOND);
  assert.match(it.socket.written, /^HTTP\/1\.1 408 [^]*the body\n$|^HTTP\/1\.1 408 [^]*body\n$/);
  assert.is(tallied(BODY_TIMEOUT), before + 1);
});

test("a body that drips is 408 although it moves", () => {
  const it = setup();
  const before = tallied(BODY_TOO_SLOW);
  it.receive(LARGE);
  for (let at = 0; at < 60 && !it.isOver(); at += 10) {
    it.pass(10 * SECOND);
    it.receive("x");
  }
  assert.ok(it.isOver(), "within a minute");
  assert.match(it.socket.written, /^HTTP\/1\.1 408 [^]*too slowly\n$/);
  assert.is(tallied(BODY_TOO_SLOW), before + 1);
  assert.ok(it.exchanges[0]!.finished, "the backend is free");
});

test("a body has 500 bytes a second, averaged, once 30 s have passed", () => {
  const it = setup();
  it.receive(LARGE);
  it.receive(pieceOf(10_000));
  for (let at = 0; at < 48; at += 12) {
    it.pass(12 * SECOND);
    it.receive("x");
    assert.not.ok(it.isOver(), `${at + 12} s of 30 + 20`);
  }
  it.pass(2 * SECOND + LATE_MS);
  assert.ok(it.isOver());
});

test("what came early buys five minutes at most", () => {
  const it = setup();
  it.receive(LARGE.replace("1000000", "2000000"));
  it.receive(pieceOf(1_900_000));
  // By the average alone it would have more than an hour.
  for (let at = 0; at < 290; at += 10) {
    it.pass(10 * SECOND);
    it.receive("x");
    assert.not.ok(it.isOver(), `${at + 10} s`);
  }
  it.pass(15 * SECOND);
  assert.ok(it.isOver());
});

test("the time we hold a body does not count against its rate", () => {
  const it = setup();
  it.receive(LARGE);
  it.pass(20 * SECOND);
  it.connection.hold();
  it.pass(500 * SECOND);
  assert.not.ok(it.isOver());
  it.connection.resume();
  it.receive("x");
  expectEnd(it, 10 * SECOND);
});

test("a client that waits for 100 has the time until it comes, and then that of a body", () => {
  const it = setup();
  it.receive(LARGE.replace("\r\n\r\n", "\r\nExpect: 100-continue\r\n\r\n"));
  it.pass(100 * SECOND);
  assert.not.ok(it.isOver());
  it.connection.sendContinue();
  expectEnd(it, 30 * SECOND);
});

test("a client that waits for 100 no longer has the time of a body", () => {
  const it = setup();
  it.receive(LARGE.replace("\r\n\r\n", "\r\nExpect: 100-continue\r\n\r\n"));
  it.receive("x");
  expectEnd(it, 30 * SECOND);
});

test("the rest of an unwanted body has 2 s", () => {
  const it = setup(answered);
  it.receive(LARGE.replace("1000000", "2000"));
  it.receive(pieceOf(1_000));
  expectEnd(it, 2 * SECOND);
  const kept = setup(answered);
  kept.receive(LARGE.replace("1000000", "2000"));
  kept.receive(pieceOf(2_000));
  expectEnd(kept, 75 * SECOND);
});

test("a client that waits for its answer has no deadline of its own", () => {
  const it = setup();
  it.receive(GET);
  it.pass(600 * SECOND);
  assert.not.ok(it.isOver());
});

test("a client that does not read has 30 s without progress", () => {
  const it = setup();
  it.receive(GET);
  const { down } = it.exchanges[0]!;
  it.socket.room = 5;
  const bytes = Buffer.alloc(100_000);
  assert.not.ok(down.sendBody(bytes, 0, 100_000));
  it.pass(25 * SECOND);
  it.socket.room = 50_000;
  it.connection.drained();
  assert.not.ok(it.isOver());
  expectEnd(it, 30 * SECOND);
  assert.is(it.site.connections.size, 0);
  assert.ok(it.exchanges[0]!.finished, "its exchange is over as well");
});

test("a client that reads too slowly for the kernel to say so is served on", () => {
  const { socket, connection, exchanges, receive, pass, isOver } = setup();
  receive(GET);
  socket.room = 0;
  connection.answer(200, Buffer.alloc(1_000_000, "x"), "");
  assert.is(exchanges.length, 1);
  for (let i = 0; i < 5; i++) {
    socket.room = 20_000;
    pass(25 * SECOND);
    assert.not.ok(isOver(), `after ${i + 1} times 25 s`);
  }
  pass(15 * SECOND + LATE_MS);
  assert.ok(isOver());
});

test("a client takes what its system acknowledges, though our kernel has room for nothing", () => {
  const it = setup((exchange) => exchange.answer(200, Buffer.alloc(1_000_000), ""));
  it.socket.room = 200_000;
  it.socket.unacked = 200_000;
  it.receive(GET);
  // 150 bytes a second: the worst of modems.
  for (let at = 0; at < 600; at += 20) {
    it.socket.unacked -= 3_000;
    it.pass(20 * SECOND);
    assert.not.ok(it.isOver(), `${at + 20} s`);
  }
  it.pass(15 * SECOND + LATE_MS);
  assert.equal(it.socket.done, ["reset"]);
});

test("a request holds its own head, not what is pipelined behind it", () => {
  const it = setup();
  it.receive(GET + GET.repeat(1_000));
  assert.is(it.exchanges.length, 1);
  assert.is(it.exchanges[0]!.replay.toString("latin1"), GET);
});

test("pipelined requests have one turn at a time, whatever asks for it", async () => {
  const it = setup((exchange) => exchange.answer(200, Buffer.alloc(9), ""));
  it.receive(GET.repeat(1_000));
  for (let i = 0; i < 20; i++) it.connection.drained();
  const before = it.exchanges.length;
  await new Promise((resolve) => setImmediate(resolve));
  assert.is(it.exchanges.length, before + TURN_MAX);
});

test("when too much waits for all clients, who is waited for longest goes", async () => {
  const it = setup((exchange) => exchange.answer(200, Buffer.alloc(1_000_000), ""), {
    waitingBytes: 2_500_000,
  });
  const before = tallied(WAITING_FULL);
  const sockets = [it.socket, new FakeSocket(), new FakeSocket()];
  const others = sockets
    .slice(1)
    .map((socket) => new DownstreamConnection(socket as unknown as DownstreamSocket, it.site));
  const connections = [it.connection, ...others];
  for (const [i, connection] of connections.entries()) {
    sockets[i]!.room = 0;
    connection.received(Buffer.from(GET));
    // The second one's answer waits anew: it takes what waited.
    if (i !== 1) continue;
    sockets[i]!.room = Number.POSITIVE_INFINITY;
    connection.drained();
    sockets[i]!.room = 0;
    connection.received(Buffer.from(GET));
  }
  assert.ok(it.site.waiting.total > 3_000_000);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(
    sockets.map(({ done }) => done),
    [["reset"], [], []],
  );
  assert.is(tallied(WAITING_FULL), before + 1);
  for (const connection of others) connection.closed();
  assert.is(it.site.waiting.total, 0);
});

test("acknowledging a byte now and then is no progress for ever", () => {
  const it = setup((exchange) => exchange.answer(200, Buffer.alloc(1_000_000), ""));
  it.socket.room = 200_000;
  it.socket.unacked = 200_000;
  it.receive(GET);
  for (let at = 0; at < 60 && !it.isOver(); at += 10) {
    it.socket.unacked -= 1;
    it.pass(10 * SECOND);
  }
  assert.equal(it.socket.done, ["reset"], "within a minute");
});

test("a client that takes a byte now and then is given up, although it makes progress", () => {
  const it = setup((exchange) => exchange.answer(200, Buffer.alloc(1_000_000), ""));
  const before = tallied(CLIENT_STALLED);
  it.socket.room = 0;
  it.receive(GET);
  for (let at = 0; at < 60 && !it.isOver(); at += 10) {
    it.socket.room = 1;
    it.pass(10 * SECOND);
  }
  assert.equal(it.socket.done, ["reset"], "within a minute");
  assert.is(tallied(CLIENT_STALLED), before + 1);
});

test("a rate is that of all the times an answer waited, not of the last", () => {
  const it = setup();
  it.receive(GET);
  const { down } = it.exchanges[0]!;
  // The backend sends little by little, and the client takes each piece at its last moment.
  for (let at = 0; at < 80 && !it.isOver(); at += 20) {
    it.socket.room = 0;
    down.sendBody(Buffer.alloc(100), 0, 100);
    it.pass(20 * SECOND);
    it.socket.room = 100;
    it.connection.drained();
    it.pass(100 * SECOND);
  }
  assert.equal(
    it.socket.done,
    ["reset"],
    "the time between does not count, the time it waited does",
  );
});

test("a refused client gets FIN at once and 2 s to take the answer", () => {
  const it = setup();
  it.receive("GET /\r\n\r\n");
  assert.match(it.socket.written, /^HTTP\/1\.1 400 /);
  assert.equal(it.socket.done, ["fin"]);
  it.receive("more that nobody reads");
  assert.is(it.site.connections.size, 1);
  it.pass(2 * SECOND + LATE_MS);
  assert.is(it.site.connections.size, 0);
  assert.is(it.exchanges.length, 0);
});

test("a client that closes is forgotten at once, with its exchange", () => {
  const it = setup();
  it.receive(POST);
  it.connection.closed();
  assert.is(it.site.connections.size, 0);
  assert.ok(it.exchanges[0]!.finished);
  it.pass(100 * SECOND);
  assert.equal(it.socket.done, []);
});

test("draining: an idle connection goes soon, and not before 1 s after its last answer", () => {
  const ends = new Set<number>();
  for (let seed = 1; seed <= 20; seed++) {
    for (const idleMs of [0, 500, 10 * SECOND]) {
      const it = setup(answered, {}, seed);
      it.receive(GET);
      it.pass(idleMs);
      it.site.draining = true;
      it.connection.drain();
      let afterMs = 0;
      for (; !it.isOver() && afterMs < 10 * SECOND; afterMs += TICK_MS) it.pass(TICK_MS);
      assert.ok(afterMs <= 2 * SECOND + 2 * TICK_MS, `${afterMs} ms of 2 s`);
      if (idleMs < SECOND) assert.ok(idleMs + afterMs >= SECOND, "a request may be on its way");
      else ends.add(afterMs);
    }
  }
  assert.ok(ends.size >= 4, "not all at the same time");
});

test("draining: a busy connection goes after its answer", () => {
  const busy = setup();
  busy.receive(GET);
  busy.site.draining = true;
  busy.connection.drain();
  busy.pass(60 * SECOND);
  assert.not.ok(busy.isOver());
  answered(busy.exchanges[0]!);
  assert.match(busy.socket.written, /Connection: close\r\n/);
  assert.ok(busy.isOver());
});

test("draining: a request that comes in the last moment is answered, and closes", () => {
  const it = setup(answered);
  it.site.draining = true;
  it.connection.drain();
  it.receive(GET + GET);
  assert.is(it.socket.written.match(/HTTP\/1\.1 200 /g)?.length, 1);
  assert.match(it.socket.written, /Connection: close\r\n/);
  assert.ok(it.isOver());
});

/** How many requests are answered until an answer says that it is the last. */
function countKept(it: Setup, afterMs = 0, max = 100): number {
  for (let i = 1; i <= max; i++) {
    it.socket.written = "";
    it.receive(GET);
    if (it.socket.written.includes("Connection: close\r\n")) return i;
    it.pass(afterMs);
  }
  return max + 1;
}

test("a connection carries so many requests, and the last answer says so", () => {
  const it = setup(answered, { keepAliveRequests: 5 });
  assert.is(countKept(it), 5);
  assert.ok(it.isOver());
  assert.is(countKept(setup(answered, { keepAliveRequests: 0 })), 101, "0 is any number");
});

test("a connection of HTTP/1.0 carries so many requests as well", () => {
  const it = setup(answered, { keepAliveRequests: 2 });
  const old = "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
  it.receive(old);
  assert.not.ok(it.isOver());
  it.receive(old);
  assert.ok(it.isOver());
});

test("pipelined requests count as well", () => {
  const it = setup(answered, { keepAliveRequests: 3 });
  it.receive(GET.repeat(5));
  assert.is(it.socket.written.match(/HTTP\/1\.1 200 /g)?.length, 3);
  assert.ok(it.isOver());
});

test("a connection lives an hour, 10 % more or less, and closes with an answer", () => {
  const minutes = new Set<number>();
  for (let seed = 1; seed <= 20; seed++) {
    const kept = countKept(setup(answered, {}, seed), 60 * SECOND);
    assert.ok(kept >= 54 && kept <= 68, `${kept} minutes`);
    minutes.add(kept);
  }
  assert.ok(minutes.size > 3, "not all at the same time");
});

test("what a client sends after our FIN is bounded, and does not reset the answer", () => {
  const it = setup(() => {}, { discardBytes: 1_000 });
  it.receive("GET /\r\n\r\n");
  it.receive("x".repeat(900));
  assert.equal(it.socket.done, ["fin"]);
  it.receive("x".repeat(200));
  assert.equal(it.socket.done, ["fin", "pause"], "no more is read");
  it.pass(2 * SECOND + LATE_MS);
  assert.equal(it.socket.done, ["fin", "pause", "fin", "end"]);
  assert.is(it.site.connections.size, 0);
});

/** An exchange whose answer with these fields is on its way, with some of its body. */
function answering(it: Setup, fields: string): Exchange {
  const head = new Head();
  const bytes = Buffer.from(`HTTP/1.1 200 OK\r\n${fields}\r\n`);
  head.reset(bytes, 0);
  assert.is(parseResponse(head, bytes.length), OK);
  const exchange = it.exchanges.at(-1)!;
  exchange.responseHead(head, responseKind(head, false));
  exchange.responseBody(Buffer.from("some"), 0, 4);
  return exchange;
}

for (const [what, request, fields, ending] of [
  ["of a known length", GET, "Content-Length: 9\r\n", "fin"],
  ["in chunks", GET, "Transfer-Encoding: chunked\r\n", "fin"],
  ["without a length, in chunks to HTTP/1.1", GET, "", "fin"],
  ["that ends with the connection", "GET / HTTP/1.0\r\n\r\n", "", "reset"],
  ["of a known length to HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", "Content-Length: 9\r\n", "fin"],
] as const) {
  test(`a cut answer ${what} ends with ${ending}, and what came before it stays`, () => {
    const it = setup();
    it.receive(request);
    answering(it, fields).fail(RESPONSE_CUT);
    assert.equal(it.socket.done, [ending]);
    if (ending === "reset") return;
    assert.match(it.socket.written, /some(\r\n)?$/, "without the end of the body");
  });
}

test("a client that does not read the cut answer has 30 s, then it is reset", () => {
  const it = setup();
  it.receive(GET);
  it.socket.room = 10;
  answering(it, "Content-Length: 9\r\n").fail(RESPONSE_CUT);
  assert.equal(it.socket.done, []);
  expectEnd(it, 30 * SECOND);
  assert.equal(it.socket.done, ["reset"]);
});

const HANDSHAKE =
  "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
  "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

test("a tunnel's client that sent FIN gets what the backend still sends, if it takes it", () => {
  const it = setup();
  it.receive(HANDSHAKE);
  const head = new Head();
  const bytes = Buffer.from("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n");
  head.reset(bytes, 0);
  assert.is(parseResponse(head, bytes.length), OK);
  const exchange = it.exchanges[0]!;
  exchange.responseSwitch(head);
  it.pass(1_000 * SECOND);
  it.connection.ended();
  it.socket.written = "";
  it.socket.room = 100_000;
  const total = 300_000;
  exchange.responseBody(Buffer.alloc(total), 0, total);
  exchange.responseEnd(null);
  for (let i = 0; i < 2; i++) {
    assert.not.ok(it.isOver());
    it.pass(25 * SECOND);
    it.socket.room = 100_000;
    it.connection.drained();
  }
  assert.is(it.socket.written.length, total);
  assert.equal(it.socket.done, ["fin", "end"]);
});

test("an idle connection makes room, a busy one does not", () => {
  const it = setup();
  const { admission } = it.site;
  assert.ok(it.connection.idleSince > 0, "it has not asked for anything");
  it.receive(GET);
  assert.not.ok(it.connection.idleSince > 0);
  answered(it.exchanges[0]!);
  assert.ok(it.connection.idleSince > 0);
  it.receive(GET.slice(0, 9));
  assert.not.ok(it.connection.idleSince > 0, "a request is on its way");
  it.receive(GET.slice(9));
  it.socket.room = 5;
  answered(it.exchanges[1]!);
  assert.not.ok(it.connection.idleSince > 0, "an answer is on its way");
  it.socket.room = 1_000;
  it.connection.drained();
  assert.ok(it.connection.idleSince > 0);
  assert.is(admission.open, 1);
  it.connection.shed();
  assert.is(admission.open, 0);
  assert.equal(it.socket.done, ["fin", "end"]);
});

test("answers of our own take turns: many pipelined requests do not hold the loop", async () => {
  const it = setup(answered);
  it.receive(GET.repeat(100));
  const first = it.exchanges.length;
  assert.ok(first > 0 && first < 100, `${first} answers in one turn`);
  for (let i = 0; i < 100; i++) await new Promise((resolve) => setImmediate(resolve));
  assert.is(it.exchanges.length, 100);
  assert.is(it.socket.written.match(/HTTP\/1\.1 200 /g)?.length, 100);
});

test("a client is paused for what it pipelines, and read on after the answer", () => {
  const it = setup();
  it.receive(GET);
  it.receive(GET.repeat(3_000));
  assert.equal(it.socket.done, ["pause"], "the backlog is bounded");
  answered(it.exchanges[0]!);
  assert.equal(it.socket.done, ["pause"], "much still waits");
  for (let i = 1; i < 3_000; i++) answered(it.exchanges[i]!);
  assert.equal(it.socket.done, ["pause", "resume"]);
});

/** A long read of nothing but work; cut anywhere, the next one goes on. */
const CHUNKED = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
const CHUNKS = "1\r\na\r\n".repeat(Math.ceil(LONG_READ / 6));

test("a client that sends faster than it is read gives others a turn each time", async () => {
  const it = setup();
  it.receive(CHUNKED);
  it.receive(CHUNKS.slice(0, LONG_READ - 6 - (LONG_READ % 6)));
  assert.equal(it.socket.done, [], "the kernel had no more");
  it.receive(CHUNKS);
  assert.equal(it.socket.done, ["pause"]);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(it.socket.done, ["pause", "resume"]);
});

test("who gave way and is held meanwhile is not read on", async () => {
  const it = setup();
  it.receive(CHUNKED);
  it.receive(CHUNKS);
  it.connection.hold();
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(it.socket.done, ["pause", "pause"]);
});

test("a client that is held is read on when its exchange is over", () => {
  const it = setup();
  it.receive(GET);
  it.connection.hold();
  it.connection.hold();
  assert.equal(it.socket.done, ["pause"]);
  answered(it.exchanges[0]!);
  assert.equal(it.socket.done, ["pause", "resume"]);
});

test("a client that does not read gets no further answer until it has the first", () => {
  const it = setup((exchange) => exchange.answer(200, Buffer.alloc(10_000), ""));
  it.socket.room = 1_000;
  it.receive(GET.repeat(5));
  it.receive(GET);
  assert.is(it.exchanges.length, 1, "answers do not pile up");
  it.pass(25 * SECOND);
  it.socket.room = 1_000;
  it.connection.drained();
  assert.is(it.exchanges.length, 1);
  it.socket.room = Number.POSITIVE_INFINITY;
  it.connection.drained();
  assert.is(it.exchanges.length, 6);
  assert.is(it.socket.written.match(/HTTP\/1\.1 200 /g)?.length, 6);
});

test("with half-close=0 a client that ended its side has left", () => {
  for (const [halfClose, answers] of [
    [1, 1],
    [0, 0],
  ] as const) {
    const it = setup(() => {}, { halfClose });
    it.receive(GET);
    it.connection.ended();
    assert.is(it.exchanges[0]!.finished, answers === 0, `half-close=${halfClose}`);
    if (answers === 1) answered(it.exchanges[0]!);
    assert.is(it.socket.written.includes("HTTP/1.1 200"), answers === 1);
    assert.ok(it.isOver());
  }
});

test("pipelined requests with FIN behind them are answered as the client takes them", () => {
  const it = setup((exchange) => exchange.answer(200, Buffer.alloc(10_000), ""));
  it.socket.room = 1_000;
  it.receive(GET.repeat(3));
  it.connection.ended();
  it.socket.room = Number.POSITIVE_INFINITY;
  it.connection.drained();
  assert.is(it.exchanges.length, 3);
  assert.equal(it.socket.done, ["fin", "end"]);
});

test("a client held while it does not read has 30 s all the same", () => {
  const it = setup();
  it.receive(POST);
  const { down } = it.exchanges[0]!;
  it.socket.room = 5;
  assert.not.ok(down.sendBody(Buffer.alloc(100), 0, 100));
  down.hold();
  expectEnd(it, 30 * SECOND);
});

test("a body that ends does not forget a client that does not read", () => {
  const it = setup();
  it.receive(POST);
  it.socket.room = 5;
  assert.not.ok(it.exchanges[0]!.down.sendBody(Buffer.alloc(100), 0, 100));
  it.receive("123456789");
  expectEnd(it, 30 * SECOND);
});

test("draining: an answer that is still on its way is finished", () => {
  const it = setup((exchange) => exchange.answer(200, Buffer.alloc(10_000), ""));
  it.socket.room = 1_000;
  it.receive(GET);
  it.site.draining = true;
  it.connection.drain();
  it.pass(20 * SECOND);
  assert.not.ok(it.isOver());
  it.socket.room = Number.POSITIVE_INFINITY;
  it.connection.drained();
  assert.match(it.socket.written, /\r\n\r\n\0{10000}$/);
  assert.not.match(it.socket.written, /Connection: close/);
  assert.not.ok(it.isOver(), "the client was told that it may go on");
  it.pass(SECOND - TICK_MS);
  assert.not.ok(it.isOver());
  it.pass(SECOND + LATE_MS);
  assert.equal(it.socket.done, ["fin", "end"]);
});

test("draining: who was told to keep the connection may send one request more", () => {
  const it = setup();
  it.receive(GET);
  const exchange = answering(it, "Content-Length: 8\r\n");
  it.site.draining = true;
  it.connection.drain();
  exchange.responseBody(Buffer.from("more"), 0, 4);
  exchange.up = null;
  exchange.responseEnd(null);
  assert.not.match(it.socket.written, /Connection: close/);
  assert.not.ok(it.isOver());
  it.receive(GET);
  answered(it.exchanges[1]!);
  assert.match(it.socket.written, /Connection: close\r\n/);
  assert.ok(it.isOver());
});

for (const [what, rest] of [
  ["head", "DELETE /x HT"],
  ["body", POST],
] as const) {
  test(`a client that left inside a ${what} is let go behind the answers it is owed`, () => {
    const it = setup();
    it.receive(GET + rest);
    it.connection.ended();
    assert.not.ok(it.isOver());
    answered(it.exchanges[0]!);
    assert.ok(it.isOver());
    assert.ok(it.exchanges.every((exchange) => exchange.finished));
  });
}

test.run();
