/** What comes before HTTP or TLS, without sockets: time passes when the test says so. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { FakeSocket } from "../../../test/socket.ts";
import { cidrsOf } from "../../cidr.ts";
import type { Exchange, Router } from "../../exchange.ts";
import {
  BAD_PROXY_HEADER,
  CLIENT_FULL,
  FAULTS,
  HANDSHAKE_FAILED,
  HANDSHAKE_TIMEOUT,
  NO_ROUTE,
} from "../../fault.ts";
import { type Limits, limitsOf } from "../../limits.ts";
import { Random } from "../../random.ts";
import { tallied } from "../../tally.ts";
import { Timers } from "../../timers.ts";
import { message, NAME, records } from "../../tls/test/made.ts";
import { type Opening, Preface } from "../preface.ts";
import { openSite, type Site } from "../site.ts";
import type { DownstreamSocket } from "../socket.ts";

const TICK_MS = 250;
const SECOND = 1_000;
const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const HEADER = "PROXY TCP4 192.0.2.9 192.0.2.1 5555 443\r\n";
const HELLO = records(message([NAME("a.example")])).toString("latin1");
/** The address of a FakeSocket. */
const PEER = "192.0.2.1";

type Setup = Readonly<{
  socket: FakeSocket & { data: Preface | null };
  preface: Preface;
  site: Site;
  /** What was handed over for TLS. */
  openings: Opening[];
  /** What backends are told of who asked, of each request. */
  told: string[];
  receive: (bytes: string) => void;
  pass: (ms: number) => void;
}>;

/** `secure`: TLS comes next; `proxied`: the peer is a proxy. */
function setup(
  kind: Readonly<{ secure?: boolean; proxied?: boolean; trusted?: readonly string[] }>,
  given: Partial<Limits> = {},
): Setup {
  const told: string[] = [];
  const router: Router = {
    route: (exchange: Exchange) => {
      told.push(Buffer.from(exchange.down.forwarded).toString("latin1"));
      exchange.fail(NO_ROUTE);
    },
    retry: () => false,
    replayMax: () => 0,
    answered: () => {},
    over: () => {},
  };
  const timers = new Timers();
  const parts = { router, timers, limits: limitsOf(given), random: new Random(1) };
  const proxies = cidrsOf(kind.proxied === true ? [PEER] : []);
  const peers = { proxies, trusted: cidrsOf(kind.trusted ?? []) };
  const site = openSite({ ...parts, unacked: () => 0 }, peers);
  const openings: Opening[] = [];
  const begin =
    kind.secure === true ? (...all: unknown[]) => openings.push(all[2] as Opening) : null;
  const socket = Object.assign(new FakeSocket(), { data: null as Preface | null });
  const client = kind.proxied === true ? null : PEER;
  const preface = new Preface(socket as unknown as DownstreamSocket, site, client, begin);
  socket.data = preface;
  return {
    socket,
    preface,
    site,
    openings,
    told,
    receive: (bytes) => socket.data?.received(Buffer.from(bytes, "latin1")),
    pass: (ms) => {
      for (let i = 0; i < ms / TICK_MS; i++) timers.tick();
    },
  };
}

/** Nothing is left of it. */
function isGone({ site, socket }: Setup): boolean {
  const none = site.connections.size === 0 && site.admission.open === 0;
  return none && socket.done.join() === "end";
}

test("behind a PROXY header comes a request of its client, however both are cut", () => {
  const stream = HEADER + GET;
  for (let cut = 0; cut < stream.length; cut++) {
    const it = setup({ proxied: true });
    for (const piece of [stream.slice(0, cut), stream.slice(cut)]) if (piece) it.receive(piece);
    const where = `cut at ${cut}`;
    assert.ok(it.socket.written.startsWith("HTTP/1.1 404 "), where);
    assert.match(it.told[0]!, "X-Forwarded-For: 192.0.2.9\r\n", where);
    assert.match(it.told[0]!, "X-Forwarded-Port: 443\r\n", where);
    assert.is(it.site.admission.connectionsOf("192.0.2.9"), 1, where);
    assert.is(it.site.admission.open, 1, where);
    assert.is(it.site.connections.size, 1, where);
    assert.ok(it.socket.data !== it.preface, where);
  }
});

test("a connection of the proxy itself keeps the proxy's address", () => {
  const v2 = Buffer.from("0d0a0d0a000d0a515549540a20000000", "hex").toString("latin1");
  for (const header of ["PROXY UNKNOWN\r\n", v2]) {
    const it = setup({ proxied: true });
    it.receive(header + GET);
    assert.match(it.told[0]!, `X-Forwarded-For: ${PEER}\r\n`);
    assert.match(it.told[0]!, "X-Forwarded-Port: 8000\r\n");
    assert.is(it.site.admission.connectionsOf(PEER), 0);
  }
});

test("the ClientHello is handed over with all that came behind it, however it is cut", () => {
  for (const header of ["", HEADER]) {
    const stream = `${header}${HELLO}\x14\x03\x03 and more`;
    for (let cut = 0; cut < header.length + HELLO.length; cut++) {
      const it = setup({ secure: true, proxied: header !== "" });
      it.pass(SECOND);
      for (const piece of [stream.slice(0, cut), stream.slice(cut)]) if (piece) it.receive(piece);
      const [opening] = it.openings;
      const where = `cut at ${cut}`;
      assert.is(it.openings.length, 1, where);
      assert.is(opening!.bytes.toString("latin1"), stream.slice(header.length), where);
      assert.is(opening!.hello.name, "a.example", where);
      assert.is(opening!.address, header === "" ? "" : "192.0.2.9", where);
      assert.is(opening!.port, header === "" ? 0 : 443, where);
      assert.is(opening!.client, header === "" ? PEER : "192.0.2.9", where);
      // Ten seconds from accept, whatever has come since.
      assert.is(opening!.deadline, 1 + 1 + 10_000 / TICK_MS, where);
      assert.is(it.site.admission.open, 0, where);
      assert.is(it.site.connections.size, 0, where);
      assert.equal(it.socket.done, [], where);
    }
  }
});

test("what should not come closes the connection and is counted", () => {
  const cases: readonly (readonly [string, Parameters<typeof setup>[0], string, number])[] = [
    ["a request of a proxy", { proxied: true }, GET, BAD_PROXY_HEADER],
    ["TLS of a proxy", { proxied: true, secure: true }, HELLO, BAD_PROXY_HEADER],
    ["HTTP where TLS is spoken", { secure: true }, GET, HANDSHAKE_FAILED],
    ["a PROXY header of a client", { secure: true }, HEADER, HANDSHAKE_FAILED],
    ["two headers", { proxied: true, secure: true }, HEADER + HEADER, HANDSHAKE_FAILED],
    ["broken TLS", { secure: true }, HELLO.replace("a.example", "a\0example"), HANDSHAKE_FAILED],
  ];
  for (const [what, kind, bytes, fault] of cases) {
    const it = setup(kind);
    const before = tallied(fault);
    it.receive(bytes);
    assert.ok(isGone(it), what);
    assert.is(tallied(fault), before + 1, what);
    const alert = what === "broken TLS" ? "\x15\x03\x01\x00\x02\x02\x32" : "";
    assert.is(it.socket.written, alert, what);
    it.receive(bytes);
    assert.is(tallied(fault), before + 1, `${what}, and more of it`);
  }
});

test("there is one deadline for all of it, however it drips", () => {
  const cases: readonly (readonly [string, Parameters<typeof setup>[0], string, number])[] = [
    ["nothing", { secure: true }, "", HANDSHAKE_TIMEOUT],
    ["half a hello", { secure: true }, HELLO.slice(0, 60), HANDSHAKE_TIMEOUT],
    ["a header and no hello", { secure: true, proxied: true }, HEADER, HANDSHAKE_TIMEOUT],
    ["half a header", { proxied: true }, HEADER.slice(0, 30), BAD_PROXY_HEADER],
  ];
  for (const [what, kind, bytes, fault] of cases) {
    const it = setup(kind, { handshakeMs: 4_000 });
    const before = tallied(fault);
    const pieces = 3_500 / TICK_MS;
    const size = Math.ceil(bytes.length / pieces);
    for (let i = 0; i < pieces; i++) {
      const piece = bytes.slice(i * size, (i + 1) * size);
      if (piece !== "") it.receive(piece);
      it.pass(TICK_MS);
    }
    assert.ok(!isGone(it), `${what}: it has its time`);
    it.pass(5_000);
    assert.ok(isGone(it), what);
    assert.is(tallied(fault), before + 1, what);
  }
});

test("who says nothing and leaves is no fault; who leaves in the middle is one", () => {
  const cases: readonly (readonly [Parameters<typeof setup>[0], string, number])[] = [
    [{ secure: true }, "", 0],
    [{ proxied: true }, "", 0],
    [{ proxied: true, secure: true }, HEADER, 0],
    [{ secure: true }, HELLO.slice(0, 9), 1],
    [{ proxied: true }, HEADER.slice(0, 9), 1],
  ];
  const sum = (): number => tallied(HANDSHAKE_FAILED) + tallied(BAD_PROXY_HEADER);
  for (const [kind, bytes, faults] of cases) {
    for (const leave of ["ended", "closed"] as const) {
      const it = setup(kind);
      const before = sum();
      if (bytes !== "") it.receive(bytes);
      it.preface[leave]();
      assert.is(sum(), before + faults, `${JSON.stringify(bytes)}, ${leave}`);
      assert.is(it.site.admission.open, 0);
      assert.is(it.site.connections.size, 0);
    }
  }
});

test("the client of the header needs room of its own", () => {
  const it = setup({ proxied: true }, { connectionsPerClient: 1 });
  it.site.admission.enter("192.0.2.9");
  const before = tallied(CLIENT_FULL);
  it.receive(HEADER + GET);
  assert.ok(it.socket.written.startsWith("HTTP/1.1 503 "));
  assert.match(it.socket.written, FAULTS[CLIENT_FULL]!.text);
  assert.is(tallied(CLIENT_FULL), before + 1);
  assert.is(it.site.admission.open, 1, "that of the other one");
  assert.is(it.site.admission.connectionsOf("192.0.2.9"), 1);
  const secure = setup({ proxied: true, secure: true }, { connectionsPerClient: 1 });
  secure.site.admission.enter("192.0.2.9");
  secure.receive(HEADER + HELLO);
  assert.equal(secure.openings, []);
  assert.is(secure.socket.written, "");
  assert.equal(secure.socket.done, ["end"]);
});

test("a trusted proxy behind the load balancer has no share", () => {
  const it = setup({ proxied: true, trusted: ["192.0.2.9"] });
  it.receive(HEADER + GET.replace("\r\n\r\n", "\r\nX-Forwarded-For: 198.51.100.7\r\n\r\n"));
  assert.match(it.told[0]!, "X-Forwarded-For: 198.51.100.7, 192.0.2.9\r\n");
  assert.is(it.site.admission.connectionsOf("192.0.2.9"), 0);
});

test("it does not make room for the client that it turns out to be", () => {
  for (const secure of [false, true]) {
    const it = setup({ proxied: true, secure }, { connections: 1 });
    it.pass(2 * SECOND);
    it.receive(HEADER);
    assert.equal(it.socket.done, []);
    assert.is(it.site.admission.open, 1);
    it.receive(secure ? HELLO : GET);
    assert.is(secure ? it.openings.length : it.told.length, 1);
    assert.is(it.site.admission.open, secure ? 0 : 1);
  }
});

test("it makes room, and leaves soon when the worker drains", () => {
  const crowd = setup({ secure: true }, { connections: 1 });
  crowd.pass(2 * SECOND);
  assert.is(crowd.site.admission.admit("198.51.100.7"), 0);
  assert.ok(isGone(crowd));
  const drain = setup({ proxied: true });
  drain.site.draining = true;
  drain.preface.drain();
  drain.receive(HEADER.slice(0, 9));
  assert.ok(!isGone(drain));
  drain.receive(HEADER.slice(9) + GET);
  assert.match(drain.socket.written, "Connection: close\r\n");
  const faults = [HANDSHAKE_TIMEOUT, BAD_PROXY_HEADER];
  const before = faults.map(tallied);
  for (const proxied of [true, false]) {
    const silent = setup({ secure: true, proxied });
    silent.site.draining = true;
    silent.preface.drain();
    silent.pass(4 * SECOND);
    assert.ok(isGone(silent));
  }
  assert.equal(faults.map(tallied), before, "it was hurried, and did nothing wrong");
});

test.run();
