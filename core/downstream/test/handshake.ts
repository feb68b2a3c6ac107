/** A client until TLS is there, without sockets: every way out of it leaves nothing behind. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { FakeSocket } from "../../../test/socket.ts";
import {
  HANDSHAKE_FAILED,
  HANDSHAKE_TIMEOUT,
  HANDSHAKES_FULL,
  NO_ROUTE,
  SNI_UNKNOWN,
} from "../../fault.ts";
import { limitsOf } from "../../limits.ts";
import { Random } from "../../random.ts";
import { tallied } from "../../tally.ts";
import { Timers } from "../../timers.ts";
import { type Caller, Handshake, Handshakes, type Way } from "../handshake.ts";
import { openSite } from "../site.ts";
import { type Attached, type DownstreamSocket, SECURE } from "../socket.ts";

const TICK_MS = 250;
const SECOND = 1_000;
const CLIENT = "192.0.2.1";
const FAULTS_HERE = [HANDSHAKE_FAILED, HANDSHAKE_TIMEOUT, HANDSHAKES_FULL, SNI_UNKNOWN, NO_ROUTE];

type Client = Readonly<{
  socket: FakeSocket & { data: Attached | null };
  handshake: Handshake;
  /** What its callbacks have for TLS. */
  secured: DownstreamSocket;
}>;

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function setup(handshakes = 10) {
  const timers = new Timers();
  const limits = limitsOf({ handshakes, handshakeMs: 5 * SECOND });
  const parts = { router: null as never, timers, limits, random: new Random(1) };
  const open = openSite({ ...parts, unacked: () => 0 });
  const site = Object.assign(open, { handshakes: new Handshakes(open), port: 443 });
  const begun: Handshake[] = [];
  /** `came` is what the handshake comes to. */
  const arrive = (came: ReturnType<Way["verdict"]> = SECURE): Client => {
    const socket = Object.assign(new FakeSocket(), { data: null as Attached | null });
    const secured = socket as unknown as DownstreamSocket;
    const caller: Caller = { client: CLIENT, deadline: timers.after(limits.handshakeMs) };
    const begin: Way["begin"] = (handshake, it) => {
      begun.push(handshake);
      return it;
    };
    const handshake = new Handshake(secured, site, caller, { begin, verdict: () => came });
    socket.data = handshake;
    handshake.start();
    return { socket, handshake, secured };
  };
  const pass = (ms: number): void => {
    for (let i = 0; i < ms / TICK_MS; i++) timers.tick();
  };
  return { site, begun, arrive, pass };
}

type Setup = ReturnType<typeof setup>;

function isGone({ site }: Setup): boolean {
  const { admission, connections } = site;
  return connections.size === 0 && admission.open === 0 && admission.connectionsOf(CLIENT) === 0;
}

/** Rows: what happens, how, the fault that is counted or 0, and what is done to the socket. */
const ENDS: readonly (readonly [string, (it: Setup, client: Client) => void, number, string[]])[] =
  [
    ["the client leaves", (_it, { handshake }) => handshake.closed(), 0, []],
    [
      "TLS fails, and the library closes",
      (_it, { handshake, secured }) => {
        handshake.finished(secured, false, "EPROTO");
        handshake.closed();
      },
      HANDSHAKE_FAILED,
      [],
    ],
    [
      "TLS fails, and the library does not close",
      (it, { handshake, secured }) => {
        handshake.finished(secured, false, "EPROTO");
        it.pass(7 * SECOND);
      },
      HANDSHAKE_FAILED,
      ["reset"],
    ],
    [
      "the client resets in the middle",
      (_it, { handshake, secured }) => {
        handshake.finished(secured, false, "ECONNRESET");
        handshake.closed();
      },
      0,
      [],
    ],
    ["its time is up", (it) => it.pass(7 * SECOND), HANDSHAKE_TIMEOUT, ["reset"]],
    ["it makes room", (_it, { handshake }) => handshake.shed(), 0, ["reset"]],
    ["its code fails", (_it, { handshake }) => handshake.broken(), 0, ["reset"]],
    ["the drain is over", (_it, { handshake }) => handshake.farewell(), 0, ["reset"]],
    ["the worker stops", (_it, { handshake }) => handshake.abort(), 0, ["reset"]],
    [
      "the worker drains",
      (it, { handshake }) => {
        it.site.draining = true;
        handshake.drain();
        it.pass(0.75 * SECOND);
        assert.ok(!isGone(it), "it may be about to ask");
        it.pass(3 * SECOND);
      },
      0,
      ["reset"],
    ],
  ];

for (const [what, how, fault, done] of ENDS) {
  test(`${what}: it is gone once, with all that it held`, () => {
    const it = setup();
    const client = it.arrive();
    assert.is(it.site.admission.connectionsOf(CLIENT), 1);
    const before = FAULTS_HERE.map(tallied);
    how(it, client);
    assert.ok(isGone(it));
    const told = FAULTS_HERE.filter((id, i) => tallied(id) > before[i]!);
    assert.equal(told, fault === 0 ? [] : [fault]);
    assert.equal(client.socket.done, done);
    // What comes late meets nobody.
    client.handshake.finished(client.secured, true, "");
    client.handshake.closed();
    client.handshake.expire();
    it.pass(10 * SECOND);
    assert.ok(isGone(it));
    assert.equal(client.socket.done, done);
  });
}

test("who may not stay is closed when TLS is there, and not before", () => {
  const it = setup();
  const { handshake, secured, socket } = it.arrive(SNI_UNKNOWN);
  assert.equal(socket.done, []);
  handshake.finished(secured, true, "");
  assert.equal(socket.done, ["reset"]);
  assert.ok(isGone(it));
});

test("TLS is there: a connection takes its place, counted once", () => {
  const it = setup();
  const { handshake, secured, socket } = it.arrive();
  handshake.finished(secured, true, "");
  assert.is.not(socket.data, handshake);
  assert.is(it.site.connections.size, 1);
  assert.is(it.site.admission.connectionsOf(CLIENT), 1);
  handshake.closed();
  it.pass(SECOND);
  assert.is(it.site.admission.open, 1, "it is nobody's any more");
  socket.data!.closed(true);
  assert.ok(isGone(it));
});

test("for one too many the oldest goes", () => {
  const it = setup(2);
  const before = tallied(HANDSHAKES_FULL);
  const clients = [it.arrive(), it.arrive(), it.arrive()];
  assert.equal(
    clients.map(({ socket }) => socket.done.includes("reset")),
    [true, false, false],
  );
  assert.is(tallied(HANDSHAKES_FULL), before + 1);
  assert.is(it.site.admission.open, 2);
});

test("who waits for its turn is not read, and reads on in its turn, unless it left", async () => {
  const it = setup();
  const clients = [it.arrive(), it.arrive(), it.arrive()];
  assert.equal(it.begun, [clients[0]!.handshake]);
  assert.equal(
    clients.map(({ socket }) => socket.done),
    [[], ["pause"], ["pause"]],
  );
  clients[1]!.handshake.closed();
  while (it.begun.length < 2) await nextTurn();
  assert.equal(it.begun, [clients[0]!.handshake, clients[2]!.handshake]);
  assert.equal(clients[1]!.socket.done, ["pause"]);
  assert.equal(clients[2]!.socket.done, ["pause", "resume"]);
});

test.run();
