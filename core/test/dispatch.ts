/** From a request to a connection and on to another one: a network that does what a test says. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { FakeSocket } from "../../test/socket.ts";
import { Dispatch } from "../dispatch.ts";
import { Exchange } from "../exchange.ts";
import { MISDIRECTED, RETRIES_FULL } from "../fault.ts";
import { Head } from "../head.ts";
import { parseRequest } from "../http1/request.ts";
import { limitsOf, type Limits } from "../limits.ts";
import { DEFAULT_POLICY, NONE, type Model, type Retry } from "../model.ts";
import { Random } from "../random.ts";
import { compileTable } from "../route/table.ts";
import type { Downstream } from "../streams.ts";
import { tallied } from "../tally.ts";
import { Timers } from "../timers.ts";
import type { UpstreamConnection, UpstreamSocket } from "../upstream/connection.ts";
import type { Endpoint } from "../upstream/endpoint.ts";
import { Endpoints } from "../upstream/endpoints.ts";

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const POST = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody";
const PUT = POST.replace("POST", "PUT");
const OK_EMPTY = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
const TICK_MS = 250;
/** Beyond every limit of a connection: what idles and what waits is given up. */
const LONG_MS = 120_000;

/** Dials in order; each waits for the test to open or refuse it. */
type Dial = Readonly<{
  connection: UpstreamConnection;
  socket: FakeSocket;
  port: number;
  open: () => void;
  refuse: () => void;
  receive: (bytes: string) => void;
}>;

type Way = Pick<Downstream, "secure" | "policy">;

const CLEAR: Way = { secure: false, policy: "" };

class World {
  readonly dials: Dial[] = [];
  readonly told: string[] = [];
  readonly timers = new Timers();
  readonly endpoints: readonly Endpoint[];
  readonly #dispatch: Dispatch;

  constructor(ports: number, limits: Partial<Limits> = {}, retry: Partial<Retry> = {}) {
    const site = {
      timers: this.timers,
      limits: limitsOf({ slowStartMs: 0, ...limits }),
      random: new Random(7),
      connect: (connection: UpstreamConnection) => this.#dialled(connection),
      knock: () => {},
    };
    const registry = new Endpoints(site);
    const model = modelOf(ports, retry);
    for (const backend of model.backends) registry.put(backend);
    this.#dispatch = new Dispatch(compileTable(model, registry.indexOf), registry, site);
    this.endpoints = registry.at(registry.indexOf("b"))!.endpoints;
  }

  #dialled(connection: UpstreamConnection): void {
    const socket = new FakeSocket();
    this.dials.push({
      connection,
      socket,
      port: connection.endpoint.port,
      open: () => connection.opened(socket as unknown as UpstreamSocket),
      refuse: () => connection.refused(),
      receive: (bytes) => connection.received(Buffer.from(bytes, "latin1")),
    });
  }

  /** Sends a request as a client's connection would; what its client is told goes to `told`. */
  ask(request: string, idempotent = !request.startsWith("POST"), way: Way = CLEAR): Exchange {
    const exchange = new Exchange({ ...downOf(this.told), ...way }, this.#dispatch);
    const bytes = Buffer.from(request, "latin1");
    const head = new Head();
    head.reset(bytes, 0);
    parseRequest(head, bytes.length);
    exchange.reset();
    exchange.replay = bytes;
    exchange.idempotent = idempotent;
    exchange.begin(head);
    if (head.end < bytes.length) exchange.requestBody(bytes, head.end, bytes.length);
    if (head.length <= 0 || bytes.length - head.end === head.length) exchange.requestEnd();
    exchange.requestFlush();
    return exchange;
  }

  /** One request that is answered, so that its connection idles and can be taken. */
  warm(): Dial {
    this.ask(GET);
    const dial = this.dials.at(-1)!;
    dial.open();
    dial.receive(OK_EMPTY);
    this.settle();
    this.told.length = 0;
    return dial;
  }

  settle(): void {
    for (const endpoint of this.endpoints) for (let i = 0; i < 2; i++) endpoint.settle();
  }

  pass(ms: number): void {
    for (let at = 0; at < ms; at += TICK_MS) this.timers.tick();
  }

  /** Nothing is left over of anything: to be asserted when all exchanges are over. */
  expectClean(): void {
    this.pass(LONG_MS);
    for (const { connection } of this.dials) connection.refused();
    for (const endpoint of this.endpoints) {
      assert.is(endpoint.active, 0, "exchanges in flight");
      assert.is(endpoint.pending, 0, "exchanges that wait");
      assert.is(endpoint.connections, 0, "connections");
    }
  }
}

function modelOf(ports: number, retry: Partial<Retry>): Model {
  const endpoints = Array.from({ length: ports }, (_, i) => ({
    address: "192.0.2.1",
    port: i + 1,
    uid: "",
  }));
  const path = { kind: "prefix", value: "/" } as const;
  const route = {
    id: "r",
    origin: { kind: "", namespace: "", name: "", field: "" },
    match: { path, methods: [], headers: [], cookies: [], queries: [] },
    action: { kind: "forward", split: [{ backend: "b", weight: 1 }], cursor: NONE },
    policy: { ...DEFAULT_POLICY, retry: { ...DEFAULT_POLICY.retry, ...retry } },
  } as const;
  return {
    version: 1,
    hosts: [{ name: "*", policy: "", routes: [route] }],
    backends: [{ id: "b", endpoints, reason: "", balance: "roundRobin", tls: null }],
    certificates: [],
    secure: [],
  };
}

function downOf(told: string[]): Downstream {
  return {
    forwarded: Buffer.alloc(0),
    forwardedHost: false,
    secure: false,
    policy: "",
    sendHead: (head) => told.push(`${head.status}`),
    sendInterim: () => {},
    sendContinue: () => told.push("continue"),
    sendSwitch: () => {},
    sendBody: () => true,
    sendEnd: () => {},
    flush: () => {},
    answer: (status) => told.push(`${status} by rind`),
    abort: () => told.push("cut"),
    hold: () => {},
    resume: () => {},
    over: () => {},
  };
}

/** Rows: how a connection came, and whether the routes of everybody answer it. */
const WAYS: readonly (readonly [Way, string])[] = [
  [CLEAR, "200"],
  [{ secure: true, policy: "" }, "200"],
  [{ secure: true, policy: "p" }, "421 by rind"],
  [{ secure: false, policy: "p" }, "421 by rind"],
];

for (const [way, told] of WAYS) {
  test(`a connection that came ${JSON.stringify(way)}: ${told}`, () => {
    const world = new World(1);
    const misdirected = tallied(MISDIRECTED);
    world.ask(GET, true, way);
    assert.is(world.dials.length, told === "200" ? 1 : 0, "a stray request dials nobody");
    for (const dial of world.dials) {
      dial.open();
      dial.receive(OK_EMPTY);
    }
    assert.equal(world.told, [told]);
    assert.is(tallied(MISDIRECTED) - misdirected, told === "200" ? 0 : 1);
    world.expectClean();
  });
}

test("a refused request goes to each endpoint once, whole, until one takes it", () => {
  const world = new World(3);
  world.ask(POST);
  world.dials[0]!.refuse();
  world.dials[1]!.refuse();
  const last = world.dials[2]!;
  last.open();
  assert.equal(new Set(world.dials.map(({ port }) => port)).size, 3, "each in its turn");
  assert.match(last.socket.written, /^POST .*body$/s);
  last.receive(OK_EMPTY);
  assert.equal(world.told, ["200"]);
  world.expectClean();
});

test("attempts are bounded: after three refusals it is 502", () => {
  const world = new World(5);
  world.ask(GET);
  for (let i = 0; i < world.dials.length; i++) world.dials[i]!.refuse();
  assert.is(world.dials.length, 3);
  assert.equal(world.told, ["502 by rind"]);
  world.expectClean();
});

test("a dial that takes too long is left, and closed when it opens late", () => {
  const world = new World(2);
  world.ask(POST);
  world.pass(DEFAULT_POLICY.timeouts.connectMs + 2_000);
  assert.is(world.dials.length, 2, "the other endpoint is asked");
  world.dials[1]!.open();
  world.dials[1]!.receive(OK_EMPTY);
  const late = world.dials[0]!;
  assert.is(late.connection.endpoint.connections, 1, "a dial cannot be cancelled, so it counts");
  late.open();
  assert.equal(late.socket.done, ["reset"]);
  assert.is(late.socket.written, "");
  assert.is(late.connection.endpoint.connections, 0);
  assert.equal(world.told, ["200"]);
  world.expectClean();
});

test("what a dead connection never took moves on, a POST too, if only to the same endpoint", () => {
  const world = new World(1);
  const dead = world.warm();
  dead.socket.written = "";
  dead.socket.room = -1;
  world.ask(POST);
  assert.is(dead.socket.written, "");
  dead.connection.closed();
  const next = world.dials[1]!;
  next.open();
  assert.match(next.socket.written, /^POST .*body$/s);
  next.receive(OK_EMPTY);
  assert.equal(world.told, ["200"]);
  world.expectClean();
});

test("one byte in the kernel's hands is enough: a POST does not move any more", () => {
  const world = new World(2);
  const dying = world.warm();
  const other = world.warm();
  for (const dial of [dying, other]) dial.socket.room = 1;
  world.ask(POST);
  const used = dying.socket.room === 0 ? dying : other;
  used.connection.closed();
  assert.equal(world.told, ["502 by rind"]);
  assert.is(world.dials.length, 2);
  world.expectClean();
});

test("a body that is kept is sent again behind its head, once", () => {
  const world = new World(1);
  const dying = world.warm();
  world.ask(PUT);
  dying.connection.ended();
  const next = world.dials[1]!;
  next.open();
  assert.match(next.socket.written, /^PUT .*Content-Length: 4\r\n.*\r\n\r\nbody$/s);
  next.connection.ended();
  assert.equal(world.told, ["502 by rind"], "a fresh connection is not tried again");
  world.expectClean();
});

test("what is sent again is a share of what is in flight", () => {
  const world = new World(1, { retriesMin: 2, retryBudget: 20 });
  const dying = Array.from({ length: 5 }, () => world.ask(GET)).map((_, i) => world.dials[i]!);
  for (const dial of dying) dial.open();
  for (const dial of dying) dial.receive(OK_EMPTY);
  world.settle();
  world.told.length = 0;
  for (let i = 0; i < 5; i++) world.ask(GET);
  const full = tallied(RETRIES_FULL);
  for (const dial of dying) dial.connection.ended();
  assert.equal(world.told, Array(3).fill("502 by rind"));
  assert.is(tallied(RETRIES_FULL), full + 3);
  const again = world.dials.slice(5);
  assert.is(again.length, 2);
  for (const dial of again) {
    dial.open();
    dial.receive(OK_EMPTY);
  }
  assert.equal(world.told.slice(3), ["200", "200"]);
  // Their answers are here: the budget is whole again.
  world.settle();
  world.ask(GET);
  again.find(({ socket }) => socket.written.split("GET").length > 2)!.connection.ended();
  assert.is(world.dials.length, 8);
  world.dials[7]!.refuse();
  world.expectClean();
});

test("who waits gets the connection that comes free, with all it has to send, in turn", () => {
  const world = new World(1, { upstreamConnections: 1 });
  world.ask(GET);
  const only = world.dials[0]!;
  only.open();
  world.ask(POST);
  world.ask(PUT);
  assert.is(world.endpoints[0]!.pending, 2);
  for (const [next, left] of [
    ["POST", 1],
    ["PUT", 0],
  ] as const) {
    only.socket.written = "";
    only.receive(OK_EMPTY);
    world.settle();
    assert.ok(only.socket.written.startsWith(next), only.socket.written);
    assert.ok(only.socket.written.endsWith("\r\n\r\nbody"), only.socket.written);
    assert.is(world.endpoints[0]!.pending, left);
  }
  only.receive(OK_EMPTY);
  assert.is(world.dials.length, 1);
  assert.equal(world.told, ["200", "200", "200"]);
  world.expectClean();
});

test("who waits may open a connection when another one is gone", () => {
  const world = new World(1, { upstreamConnections: 1 });
  world.ask(GET);
  world.dials[0]!.open();
  world.ask(POST);
  world.dials[0]!.receive(OK_EMPTY.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"));
  const next = world.dials[1]!;
  next.open();
  assert.match(next.socket.written, /^POST .*body$/s);
  next.receive(OK_EMPTY);
  assert.equal(world.told, ["200", "200"]);
  world.expectClean();
});

test("who waits for room in the worker gets it when another endpoint's connection idles", () => {
  const world = new World(2, { upstreamTotal: 1 });
  world.ask(GET);
  const first = world.dials[0]!;
  first.open();
  world.ask(POST);
  assert.is(world.dials.length, 1);
  first.receive(OK_EMPTY);
  // Only where something was given back, as the loop does.
  for (let i = 0; i < 2; i++) first.connection.endpoint.settle();
  assert.equal(first.socket.done, ["fin", "end"]);
  const second = world.dials[1]!;
  assert.is.not(second.port, first.port);
  second.open();
  assert.match(second.socket.written, /^POST .*body$/s);
  second.receive(OK_EMPTY);
  assert.equal(world.told, ["200", "200"]);
  world.expectClean();
});

test("nobody waits beside an idle connection: it makes room for one that is needed", () => {
  // Refused elsewhere; and lost here, where what is sent again needs a connection of its own.
  for (const [ports, idle] of [
    [2, 1],
    [1, 2],
  ] as const) {
    const world = new World(ports, { upstreamConnections: idle });
    for (let i = 0; i < idle; i++) world.ask(GET);
    const kept = world.dials.slice();
    for (const dial of kept) dial.open();
    for (const dial of kept) dial.receive(OK_EMPTY);
    world.settle();
    world.told.length = 0;
    for (const { socket } of kept) socket.written = "";
    world.ask(GET);
    if (ports === 2) world.dials[1]!.refuse();
    else kept.find(({ socket }) => socket.written !== "")!.connection.ended();
    assert.is(kept.filter(({ socket }) => socket.done.includes("end")).length, 1);
    const last = world.dials.at(-1)!;
    assert.is(world.dials.length, 3);
    assert.is(last.connection.endpoint.pending, 0);
    last.open();
    last.receive(OK_EMPTY);
    assert.equal(world.told, ["200"]);
    world.expectClean();
  }
});

test("waiting has an end: 503 after its time, and at once when the queue is full", () => {
  const world = new World(1, { upstreamConnections: 1, pending: 2, pendingMs: 5_000 });
  world.ask(GET);
  world.dials[0]!.open();
  const left = world.ask(GET);
  world.ask(GET);
  world.ask(GET);
  assert.equal(world.told, ["503 by rind"], "the third that waits");
  left.requestCut();
  assert.is(world.endpoints[0]!.pending, 1);
  world.pass(4_000);
  assert.is(world.told.filter((what) => what === "503 by rind").length, 1);
  world.pass(3_000);
  assert.is(world.told.filter((what) => what === "503 by rind").length, 2);
  assert.is(world.endpoints[0]!.pending, 0);
  world.dials[0]!.receive(OK_EMPTY);
  world.expectClean();
});

test("a full endpoint sends requests to one that is not", () => {
  const world = new World(2, { upstreamConnections: 1, pending: 0 });
  for (let i = 0; i < 4; i++) world.ask(GET);
  assert.is(world.dials.length, 2);
  assert.equal(new Set(world.dials.map(({ port }) => port)).size, 2);
  assert.equal(world.told, ["503 by rind", "503 by rind"]);
  for (const dial of world.dials) {
    dial.open();
    dial.receive(OK_EMPTY);
  }
  world.expectClean();
});

test("an idle connection is not used in its last second, as its backend told it", () => {
  for (const [seconds, used] of [
    [1, false],
    [5, true],
  ] as const) {
    const world = new World(1);
    world.ask(GET);
    const dial = world.dials[0]!;
    dial.open();
    const fields = `\r\nKeep-Alive: timeout=${seconds}\r\n\r\n`;
    dial.receive(OK_EMPTY.replace("\r\n\r\n", fields));
    world.settle();
    world.pass(3_000);
    world.ask(GET);
    assert.is(world.dials.length, used ? 1 : 2, `${seconds} s`);
    const current = world.dials.at(-1)!;
    if (!used) current.open();
    current.receive(OK_EMPTY.replace("\r\n\r\n", fields));
    world.settle();
    world.pass(4_500);
    world.ask(GET);
    assert.is(world.dials.length, used ? 2 : 3, `${seconds} s, too late`);
    world.dials.at(-1)!.refuse();
    world.expectClean();
  }
});

/** What happens to requests of one endpoint among two, and whether that speaks against it. */
const NEWS: readonly (readonly [string, (dial: Dial, exchange: Exchange) => void, boolean])[] = [
  ["refused", (dial) => dial.refuse(), true],
  ["lost before an answer", (dial) => (dial.open(), dial.connection.ended()), true],
  ["an answer that is none", (dial) => (dial.open(), dial.receive("nonsense\r\n\r\n")), true],
  [
    "an answer of 500",
    (dial) => (dial.open(), dial.receive(OK_EMPTY.replace("200", "500"))),
    false,
  ],
  ["a client that leaves", (dial, exchange) => (dial.open(), exchange.requestCut()), false],
  ["a client that leaves early", (_, exchange) => exchange.requestCut(), false],
];

for (const [name, happens, bad] of NEWS) {
  test(`${name}: ${bad ? "speaks" : "does not speak"} against an endpoint`, () => {
    const world = new World(2, { ejectAfter: 3 });
    const suspect = world.endpoints[0]!;
    for (let i = 0; i < 20; i++) {
      const before = world.dials.length;
      const exchange = world.ask(GET);
      for (let at = before; at < world.dials.length; at++) {
        const dial = world.dials[at]!;
        if (dial.connection.endpoint === suspect) happens(dial, exchange);
        else {
          dial.open();
          dial.receive(OK_EMPTY.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"));
        }
      }
      world.settle();
      if (suspect.idle > 0) suspect.take()!.shut();
    }
    assert.is(suspect.health.available(world.timers.now), !bad);
    world.expectClean();
  });
}

test.run();
