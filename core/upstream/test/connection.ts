/** A backend's connection and its deadlines, without sockets: time passes when the test says so. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { FakeSocket } from "../../../test/socket.ts";
import { Exchange, type Router } from "../../exchange.ts";
import {
  BAD_RESPONSE,
  CONNECT_FAILED,
  CONNECT_TIMEOUT,
  HEAD_CUT,
  FAULTS,
  OK,
  RESPONSE_CUT,
  RESPONSE_EXCESS,
  RESPONSE_STALLED,
  RESPONSE_TIMEOUT,
  UNSOLICITED,
  UPSTREAM_TLS_FAILED,
} from "../../fault.ts";
import { Head } from "../../head.ts";
import { DEFAULT_LIMITS, LONG_READ } from "../../limits.ts";
import { DEFAULT_POLICY } from "../../model.ts";
import { parseRequest } from "../../http1/request.ts";
import { Random } from "../../random.ts";
import type { CompiledRoute } from "../../route/table.ts";
import type { Downstream } from "../../streams.ts";
import { tallied } from "../../tally.ts";
import { Timers } from "../../timers.ts";
import { UpstreamConnection, type UpstreamSocket } from "../connection.ts";
import { Endpoint } from "../endpoint.ts";
import { Room } from "../room.ts";

const SECOND = 1_000;
const LATE_MS = 2_000;
const TICK_MS = 250;
const TIMEOUTS = { connectMs: 5 * SECOND, headMs: 60 * SECOND, idleMs: 20 * SECOND };
const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const UPLOAD = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n";

/** A client's side that writes down what it is told. */
function fakeDown(told: string[], takes: () => boolean): Downstream {
  return {
    forwarded: Buffer.from("X-Forwarded-For: 192.0.2.1\r\n"),
    forwardedHost: false,
    secure: false,
    policy: "",
    sendHead: (head) => told.push(`head ${head.status}`),
    sendInterim: (head) => told.push(`interim ${head.status}`),
    sendContinue: () => told.push("continue"),
    sendSwitch: () => told.push("switch"),
    sendBody: (bytes, from, to) => {
      told.push(`body ${bytes.toString("latin1", from, to)}`);
      return takes();
    },
    sendEnd: () => told.push("end"),
    flush: () => {},
    answer: (status) => told.push(`answer ${status}`),
    abort: () => told.push("abort"),
    hold: () => told.push("hold"),
    resume: () => told.push("resume"),
    over: () => told.push("over"),
  };
}

type Setup = Readonly<{
  endpoint: Endpoint;
  connection: UpstreamConnection;
  exchange: Exchange;
  socket: FakeSocket;
  told: string[];
  open: () => void;
  receive: (bytes: string) => void;
  pass: (ms: number) => void;
}>;

/** A connection that connects, with a request that waits for it. */
function setup(request: string, takes = (): boolean => true): Setup {
  const told: string[] = [];
  const router: Router = {
    route: () => {},
    retry: () => false,
    replayMax: () => 0,
    answered: () => {},
    over: () => {},
  };
  const timers = new Timers();
  const site = {
    timers,
    limits: DEFAULT_LIMITS,
    random: new Random(1),
    connect: () => {},
    knock: () => {},
  };
  const room = new Room(Number.POSITIVE_INFINITY, new Map());
  const endpoint = new Endpoint(
    "key",
    { address: "192.0.2.2", port: 80, secure: null },
    site,
    room,
  );
  endpoint.users = 1;
  const exchange = new Exchange(fakeDown(told, takes), router);
  const connection = new UpstreamConnection(endpoint, site);
  const socket = new FakeSocket();
  begin(exchange, connection, request);
  return {
    endpoint,
    connection,
    exchange,
    socket,
    told,
    open: () => connection.opened(socket as unknown as UpstreamSocket),
    receive: (bytes) => connection.received(Buffer.from(bytes, "latin1")),
    pass: (ms) => {
      for (let at = 0; at < ms; at += TICK_MS) timers.tick();
    },
  };
}

function begin(exchange: Exchange, connection: UpstreamConnection, request: string): void {
  const head = new Head();
  const bytes = Buffer.from(request, "latin1");
  head.reset(bytes, 0);
  assert.is(parseRequest(head, bytes.length), OK);
  exchange.reset();
  exchange.route = {
    policy: { timeouts: TIMEOUTS, bodyBytesMax: null, retry: DEFAULT_POLICY.retry },
  } as CompiledRoute;
  exchange.endpoint = connection.endpoint;
  exchange.up = connection;
  connection.assign(exchange);
  connection.sendHead(head);
  if (head.length <= 0) exchange.requestEnd();
  exchange.requestFlush();
}

test("a connection that does not open is 504 after connectMs; opened late it is closed", () => {
  const it = setup(GET);
  it.pass(4 * SECOND);
  assert.equal(it.told, []);
  it.pass(SECOND + LATE_MS);
  assert.equal(it.told, ["answer 504", "over"]);
  it.open();
  assert.equal(it.socket.done, ["reset"]);
  assert.is(it.socket.written, "", "nothing is sent late");
});

test("a refused connection is 502, once", () => {
  const it = setup(GET);
  it.connection.refused();
  it.connection.refused();
  assert.equal(it.told, ["answer 502", "over"]);
});

/** What may come between the connect and the end of the handshake. */
const SHAKING: readonly (readonly [string, (it: Setup) => void])[] = [
  ["its certificate is not good", (it) => it.connection.distrusted("it is somebody else")],
  ["it sends bytes", (it) => it.receive("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")],
  ["it ends the connection", (it) => it.connection.ended()],
  ["it closes the connection", (it) => it.connection.closed()],
];

for (const [what, event] of SHAKING) {
  test(`before the handshake is over ${what}: 502, and nothing was sent`, () => {
    const it = setup(GET);
    const failed = tallied(UPSTREAM_TLS_FAILED);
    it.connection.reached(it.socket as unknown as UpstreamSocket);
    assert.is(it.socket.written, "", "it waits for the handshake");
    event(it);
    event(it);
    assert.equal(it.told, ["answer 502", "over"]);
    assert.is(it.socket.written, "");
    assert.is(tallied(UPSTREAM_TLS_FAILED), failed + 1);
    assert.is(it.endpoint.connections, 0);
    assert.is(it.connection.unsent, true, "it may go elsewhere");
  });
}

test("connectMs is for the handshake, too; who comes late or leaves early leaves no socket", () => {
  const slow = setup(GET);
  slow.connection.reached(slow.socket as unknown as UpstreamSocket);
  slow.pass(5 * SECOND + LATE_MS);
  assert.equal(slow.told, ["answer 504", "over"]);
  assert.equal(slow.socket.done, ["reset"]);
  const late = setup(GET);
  late.pass(5 * SECOND + LATE_MS);
  late.connection.reached(late.socket as unknown as UpstreamSocket);
  assert.equal(late.socket.done, ["reset"]);
  const left = setup(GET);
  left.connection.reached(left.socket as unknown as UpstreamSocket);
  left.exchange.requestCut();
  assert.equal(left.socket.done, ["reset"]);
  left.open();
  assert.is(left.socket.written, "");
});

test("the request leaves when the handshake is over", () => {
  const it = setup(GET);
  it.connection.reached(it.socket as unknown as UpstreamSocket);
  it.open();
  assert.match(it.socket.written, /^GET \/ HTTP\/1\.1\r\n/);
  it.receive("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  assert.ok(it.told.includes("head 200"));
});

test("no answer after headMs is 504, and the connection is not kept", () => {
  const it = setup(GET);
  it.open();
  assert.match(it.socket.written, /^GET \/ HTTP\/1\.1\r\n/);
  it.pass(58 * SECOND);
  assert.equal(
    it.told.filter((what) => what.startsWith("answer")),
    [],
  );
  it.pass(2 * SECOND + LATE_MS);
  assert.ok(it.told.includes("answer 504"));
  assert.equal(it.socket.done, ["reset"]);
  assert.is(it.endpoint.idle, 0);
});

test("a head that drips does not win time", () => {
  const it = setup(GET);
  it.open();
  for (const byte of "HTTP/1.1 200 OK\r\nA") {
    it.receive(byte);
    it.pass(4 * SECOND);
  }
  assert.ok(it.told.includes("answer 504"), it.told.join());
});

test("headMs starts when the request is sent: a long upload is not cut", () => {
  const it = setup(UPLOAD);
  it.open();
  for (let i = 0; i < 10; i++) {
    it.pass(20 * SECOND);
    it.exchange.requestBody(Buffer.alloc(100), 0, 100);
    it.exchange.requestFlush();
  }
  it.exchange.requestEnd();
  assert.not.ok(it.told.includes("answer 504"), "cut while it moved");
  it.pass(50 * SECOND);
  assert.not.ok(it.told.includes("answer 504"), "the clock began too early");
  it.pass(10 * SECOND + LATE_MS);
  assert.ok(it.told.includes("answer 504"));
});

test("a backend that does not take the request is given up", () => {
  const it = setup(UPLOAD);
  it.socket.room = 10;
  it.open();
  it.exchange.requestBody(Buffer.alloc(1_000), 0, 1_000);
  it.exchange.requestFlush();
  assert.ok(it.told.includes("hold"));
  it.pass(60 * SECOND + LATE_MS);
  assert.ok(it.told.includes("answer 504"), it.told.join());
});

test("a body that stands still for idleMs is cut", () => {
  const it = setup(GET);
  it.open();
  it.receive("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n");
  for (let i = 0; i < 5; i++) {
    it.pass(15 * SECOND);
    it.receive("x");
  }
  assert.not.ok(it.told.includes("abort"));
  it.pass(20 * SECOND + LATE_MS);
  assert.ok(it.told.includes("abort"));
  assert.ok(it.exchange.finished);
});

test("a connection that is held for a slow client has no deadline meanwhile", () => {
  const it = setup(GET);
  it.open();
  it.receive("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nx");
  it.connection.hold();
  it.connection.hold();
  it.pass(300 * SECOND);
  assert.not.ok(it.told.includes("abort"));
  it.connection.resume();
  assert.equal(it.socket.done, ["pause", "resume"]);
  it.pass(20 * SECOND + LATE_MS);
  assert.ok(it.told.includes("abort"), "the backend's turn again");
});

test("an idle connection has 55 s, and is forgotten with the first byte or FIN", async () => {
  for (const end of ["time", "byte", "fin", "closed"] as const) {
    const it = setup(GET);
    it.open();
    it.receive("HTTP/1.1 204 X\r\n\r\n");
    assert.is(it.endpoint.idle, 1);
    if (end === "time") {
      it.pass(53 * SECOND);
      assert.is(it.endpoint.idle, 1);
      it.pass(2 * SECOND + LATE_MS);
    } else if (end === "byte") it.receive("H");
    else if (end === "fin") it.connection.ended();
    else it.connection.closed();
    assert.is(it.endpoint.idle, 0, end);
    assert.equal(it.told, ["resume", "head 204", "end", "over"], end);
  }
});

test("a connection that is not in step with its exchange is not kept", () => {
  for (const [answer, end, fault] of [
    ["HTTP/1.1 204 X\r\n\r\nbytes", ["fin", "end"], null],
    ["HTTP/1.1 204 X\r\nConnection: close\r\n\r\n", ["fin", "end"], null],
    ["HTTP/1.0 200 X\r\nContent-Length: 0\r\n\r\n", ["fin", "end"], null],
    ["nonsense\r\n\r\n", ["reset"], "answer 502"],
  ] as const) {
    const it = setup(GET);
    it.open();
    it.receive(answer);
    assert.is(it.endpoint.idle, 0, answer);
    assert.equal(it.socket.done, end, answer);
    if (fault !== null) assert.ok(it.told.includes(fault), answer);
  }
});

test("an answer before the request is complete ends the connection", () => {
  const it = setup(UPLOAD);
  it.open();
  it.receive("HTTP/1.1 403 X\r\nContent-Length: 0\r\n\r\n");
  assert.ok(it.told.includes("head 403") && it.told.includes("end"));
  assert.is(it.endpoint.idle, 0);
  assert.equal(it.socket.done, ["fin", "end"]);
});

test("a kept connection carries the next exchange from a clean start", async () => {
  const it = setup(GET);
  it.open();
  it.receive("HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n");
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
  assert.is(it.endpoint.take(), it.connection);
  it.told.length = 0;
  begin(it.exchange, it.connection, GET);
  it.receive("HTTP/1.1 200 X\r\nContent-Length: 2\r\n\r\nbc");
  assert.equal(it.told, ["head 200", "body bc", "end", "over"]);
});

test("a backend that takes the request slowly has all the time", () => {
  const it = setup(UPLOAD);
  it.socket.room = 10;
  it.open();
  it.exchange.requestBody(Buffer.alloc(1_000), 0, 1_000);
  it.exchange.requestEnd();
  it.exchange.requestFlush();
  for (let i = 0; i < 6; i++) {
    it.pass(30 * SECOND);
    it.socket.room = 10;
    it.connection.drained();
  }
  assert.not.ok(it.told.includes("answer 504"), "cut while it moved");
  it.pass(60 * SECOND + LATE_MS);
  assert.ok(it.told.includes("answer 504"));
});

test("a client that holds the answer back in its first read stops the clock", () => {
  const it = setup(GET, () => false);
  it.open();
  it.receive("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nx");
  assert.equal(it.socket.done, ["pause"]);
  it.pass(300 * SECOND);
  assert.not.ok(it.told.includes("abort"), it.told.join());
});

test("what is kept to be sent again is let go with the head of an answer, not its end", () => {
  for (const request of [GET, UPLOAD]) {
    const it = setup(request);
    it.exchange.replay = Buffer.from(request, "latin1");
    it.open();
    assert.ok(it.exchange.whole);
    it.receive("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nx");
    assert.is(it.exchange.replay.length, 0);
    assert.not.ok(it.exchange.whole);
  }
  assert.is(tunnel().exchange.replay.length, 0);
});

test("a backend that answers before it has the whole request is not used again", () => {
  for (const [room, done] of [
    [Number.POSITIVE_INFINITY, false],
    [200, true],
  ] as const) {
    const it = setup(UPLOAD);
    it.socket.room = room;
    it.open();
    const send = (): void => {
      it.exchange.requestBody(Buffer.alloc(1_000), 0, 1_000);
      it.exchange.requestEnd();
      it.exchange.requestFlush();
    };
    if (done) send();
    it.receive("HTTP/1.1 405 X\r\nContent-Length: 2\r\n\r\na");
    if (!done) send();
    it.socket.room = Number.POSITIVE_INFINITY;
    it.connection.drained();
    it.receive("b");
    assert.ok(it.told.includes("end"), it.told.join());
    assert.is(it.endpoint.idle, 0);
    assert.is(it.socket.done.at(-1), "end");
  }
});

test("an upload that goes on behind an early answer is not cut", () => {
  const it = setup(UPLOAD);
  it.open();
  it.receive("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n");
  for (let i = 0; i < 8; i++) {
    it.pass(15 * SECOND);
    it.exchange.requestBody(Buffer.alloc(100), 0, 100);
    it.exchange.requestFlush();
  }
  assert.not.ok(it.told.includes("abort"));
  it.pass(20 * SECOND + LATE_MS);
  assert.ok(it.told.includes("abort"));
});

const HANDSHAKE =
  "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n" +
  "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/** A tunnel that stands. */
function tunnel(takes = (): boolean => true): Setup {
  const it = setup(HANDSHAKE, takes);
  it.exchange.switches = true;
  it.exchange.replay = Buffer.from(HANDSHAKE, "latin1");
  it.open();
  it.receive(
    "HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: websocket\r\n" +
      "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
  );
  assert.ok(it.told.includes("switch"), it.told.join());
  it.exchange.requestDone = false;
  it.told.length = 0;
  it.socket.done.length = 0;
  return it;
}

test("a tunnel that was held and read on may be quiet for an hour", () => {
  const it = tunnel();
  it.connection.hold();
  it.connection.resume();
  it.pass(3_000 * SECOND);
  assert.not.ok(it.told.includes("abort"));
  it.pass(600 * SECOND + LATE_MS);
  assert.ok(it.told.includes("abort"));
});

test("a tunnel is over when both sides have ended, whichever is first, and not before", () => {
  for (const first of ["client", "backend"]) {
    const it = tunnel();
    const client = (): void => it.exchange.requestEnd();
    const backend = (): void => it.connection.ended();
    (first === "client" ? client : backend)();
    assert.not.ok(it.exchange.finished, first);
    assert.equal(it.told, first === "client" ? [] : ["end"]);
    if (first === "client") it.receive("late");
    else it.exchange.requestBody(Buffer.from("late"), 0, 4);
    (first === "client" ? backend : client)();
    assert.ok(it.exchange.finished, first);
    assert.equal(it.socket.done, ["fin", "fin", "end"], first);
    if (first === "client") assert.ok(it.told.includes("body late"));
    else assert.ok(it.socket.written.endsWith("late"));
  }
});

test("what waits for a slow backend reaches it before the tunnel is over", () => {
  const it = tunnel();
  it.socket.room = 0;
  it.exchange.requestBody(Buffer.from("slow"), 0, 4);
  it.connection.ended();
  it.exchange.requestEnd();
  assert.not.ok(it.exchange.finished);
  assert.equal(it.socket.done, []);
  it.socket.room = 4;
  it.connection.drained();
  assert.ok(it.socket.written.endsWith("slow"));
  assert.equal(it.socket.done, ["fin", "fin", "end"]);
  assert.ok(it.exchange.finished);
});

test("a tunnel with one side left ends after idleMs without a byte", () => {
  for (const first of ["client", "backend"]) {
    const it = tunnel();
    if (first === "client") it.exchange.requestEnd();
    else it.connection.ended();
    for (let i = 0; i < 5; i++) {
      it.pass(15 * SECOND);
      if (first === "client") it.receive("x");
      else it.exchange.requestBody(Buffer.from("x"), 0, 1);
    }
    assert.not.ok(it.exchange.finished, "ended while it moved");
    it.pass(20 * SECOND + LATE_MS);
    assert.ok(it.exchange.finished, first);
    assert.equal(it.socket.done.at(-1), "reset");
  }
});

test("while the client is awaited the backend has no deadline", () => {
  const it = setup(UPLOAD);
  it.open();
  it.pass(600 * SECOND);
  assert.not.ok(it.exchange.finished, "the backend pays for a slow client");
  it.exchange.requestBody(Buffer.alloc(1_000), 0, 1_000);
  it.exchange.requestEnd();
  it.pass(58 * SECOND);
  assert.not.ok(it.exchange.finished);
  it.pass(2 * SECOND + LATE_MS);
  assert.ok(it.told.includes("answer 504"));
});

const WHOLE = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const INTERIM = "HTTP/1.1 102 Processing\r\n\r\n";

/** What a backend does, and the fault that is counted for it. */
const COUNTED: readonly (readonly [string, number, (it: Setup) => void])[] = [
  ["no dial succeeds in time", CONNECT_TIMEOUT, (it) => it.pass(8 * SECOND)],
  ["the dial is refused", CONNECT_FAILED, (it) => it.connection.refused()],
  ["no answer", RESPONSE_TIMEOUT, (it) => (it.open(), it.pass(63 * SECOND))],
  ["an answer that stops", RESPONSE_STALLED, (it) => (stop(it), it.pass(23 * SECOND))],
  ["an answer that is cut", RESPONSE_CUT, (it) => (stop(it), it.connection.ended())],
  ["a broken chunk", RESPONSE_CUT, (it) => (it.open(), it.receive(CHUNKS), it.receive("zz"))],
  ["FIN inside a head", HEAD_CUT, (it) => (it.open(), it.receive("HT"), it.connection.ended())],
  ["33 interim answers", BAD_RESPONSE, (it) => (it.open(), it.receive(INTERIM.repeat(33)))],
  ["bytes behind an answer", RESPONSE_EXCESS, (it) => (it.open(), it.receive(`${WHOLE}!`))],
  ["bytes while idle", UNSOLICITED, (it) => (it.open(), it.receive(WHOLE), it.receive("!"))],
];

const CHUNKS = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

function stop(it: Setup): void {
  it.open();
  it.receive(WHOLE.slice(0, -1));
}

for (const [name, fault, happens] of COUNTED) {
  test(`${name}: ${FAULTS[fault]!.name} is counted once, and the connection is gone`, () => {
    const it = setup(GET);
    const before = FAULTS.map((_, id) => tallied(id));
    happens(it);
    const counted = FAULTS.flatMap((_, id) => (tallied(id) > before[id]! ? [id] : []));
    assert.equal(counted, [fault]);
    assert.is(tallied(fault), before[fault]! + 1);
    assert.is(it.endpoint.idle, 0);
    assert.is(it.connection.slot, -1, "no deadline is left");
    assert.ok(it.exchange.finished);
  });
}

test("a reset that was told to a write does not end a body, though it looks like FIN then", () => {
  const it = setup(UPLOAD);
  it.open();
  it.receive("HTTP/1.1 200 OK\r\n\r\nhalf");
  it.socket.room = -1;
  it.exchange.requestBody(Buffer.from("abc"), 0, 3);
  it.exchange.requestFlush();
  it.connection.ended();
  assert.equal(it.told.slice(-2), ["abort", "over"]);
});

test("a body that ends with the connection is complete by FIN and cut by a reset", () => {
  for (const end of ["ended", "closed"] as const) {
    const it = setup(GET);
    it.open();
    it.receive("HTTP/1.1 200 OK\r\n\r\nbody");
    it.connection[end]();
    assert.is(it.told.includes("abort"), end === "closed", end);
    assert.is(it.told.includes("end"), end === "ended", end);
  }
});

/** A long read of nothing but work. */
const CHUNKS_OF_1 = "1\r\na\r\n".repeat(Math.ceil(LONG_READ / 6));

test("a backend that sends faster than it is read lets others have a turn each time", async () => {
  const it = setup(GET);
  it.open();
  it.receive("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
  it.receive(CHUNKS_OF_1);
  assert.equal(it.socket.done, ["pause"]);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(it.socket.done, ["pause", "resume"]);
  it.receive(CHUNKS_OF_1);
  it.connection.hold();
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(it.socket.done, ["pause", "resume", "pause", "pause"], "who is held is not read");
  const large = setup(GET);
  large.open();
  large.receive("HTTP/1.1 200 OK\r\n\r\n");
  large.receive("a".repeat(LONG_READ));
  assert.equal(large.socket.done, [], "much to read is not much work");
});

test.run();
