/** Clients that are slow on purpose, or too fast: each costs little and ends; nobody notices. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  BODY_TIMEOUT,
  BODY_TOO_SLOW,
  CLIENT_STALLED,
  FIRST_BYTE_TIMEOUT,
  REQUEST_TIMEOUT,
  WAITING_FULL,
} from "../../core/fault.ts";
import { tallied } from "../../core/tally.ts";
import { statusOf } from "../message.ts";
import { answering, echo, respond } from "../origin.ts";
import { turnsUntil, type Peer } from "../peer.ts";
import { withRig, type Rig } from "../rig.ts";

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const MIB = 1_048_576;

/** One request on a connection of its own must be answered. */
async function visit(rig: Rig): Promise<void> {
  const client = await rig.client();
  client.send(GET);
  assert.is(statusOf(await client.response()), 200);
  client.reset();
}

/** Visits now and then while `busy` holds; returns how many were answered, which all must be. */
async function visitWhile(rig: Rig, busy: () => boolean): Promise<number> {
  let visits = 0;
  for (; busy(); visits++) {
    await visit(rig);
    await Bun.sleep(10);
  }
  return visits;
}

function crowd(rig: Rig, size: number): Promise<Peer[]> {
  return Promise.all(Array.from({ length: size }, () => rig.client()));
}

test("1000 clients that drip heads are gone at their deadline; others are served meanwhile", () =>
  withRig(
    echo,
    async (rig) => {
      const before = tallied(REQUEST_TIMEOUT);
      const slow = await crowd(rig, 1_000);
      for (const client of slow) client.send("G");
      const there = (): boolean => slow.some((client) => client.ending === "open");
      const drip = async (): Promise<void> => {
        for (let i = 0; there(); i += 50) {
          for (const client of slow.slice(i % slow.length).slice(0, 50)) {
            if (!client.closed) client.send("x");
          }
          await Bun.sleep(20);
        }
      };
      const [visits] = await Promise.all([visitWhile(rig, there), drip()]);
      assert.ok(visits > 10, `${visits} visits`);
      for (const client of slow) assert.match(client.unread.toString("latin1"), /^HTTP\/1\.1 408 /);
      assert.is(tallied(REQUEST_TIMEOUT), before + slow.length);
      assert.ok(rig.origin.peers.every((peer) => peer.unread.length === 0));
    },
    { limits: { headMs: 1_000 } },
  ));

test("clients that say nothing are gone at their deadline, without an answer", () =>
  withRig(
    echo,
    async (rig) => {
      const before = tallied(FIRST_BYTE_TIMEOUT);
      const silent = await crowd(rig, 100);
      await visitWhile(rig, () => silent.some((client) => client.ending === "open"));
      assert.ok(silent.every((client) => client.ending === "fin" && client.received === 0));
      assert.is(tallied(FIRST_BYTE_TIMEOUT), before + 100);
    },
    { limits: { firstByteMs: 500 } },
  ));

test("a body that drips ends at both sides: 408, and the backend's connection is free", () =>
  withRig(
    async (peer) => {
      await peer.head();
      await peer.left();
    },
    async (rig) => {
      const before = tallied(BODY_TOO_SLOW);
      const client = await rig.client();
      client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
      for (; client.ending === "open"; await Bun.sleep(20)) if (!client.closed) client.send("x");
      assert.is(statusOf(await client.response()), 408);
      assert.is(tallied(BODY_TOO_SLOW), before + 1);
      await rig.origin.peers[0]!.left();
    },
    { limits: { bodyGraceMs: 500, bodyIdleMs: 5_000, bodyRateMin: 10_000 } },
  ));

test("a body that stands still is 408", () =>
  withRig(
    async (peer) => {
      await peer.head();
      await peer.left();
    },
    async (rig) => {
      const before = tallied(BODY_TIMEOUT);
      const client = await rig.client();
      client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nsome");
      assert.is(statusOf(await client.response()), 408);
      assert.is(tallied(BODY_TIMEOUT), before + 1);
    },
    { limits: { bodyIdleMs: 500 } },
  ));

/** The kernel's buffers of one connection over loopback, both ends, and what we hold of it. */
const HELD_MAX = 16 * MIB;

test("clients that do not read hold their backends back, and are gone at their deadline", () => {
  const body = Buffer.alloc(64 * MIB);
  const large = Buffer.concat([
    Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`),
    body,
  ]);
  return withRig(
    async (peer) => {
      await peer.head();
      peer.send(large);
      await peer.left();
    },
    async (rig) => {
      const before = tallied(CLIENT_STALLED);
      const clients = await crowd(rig, 20);
      for (const client of clients) {
        client.pause();
        client.send(GET);
      }
      await turnsUntil(() => tallied(CLIENT_STALLED) === before + clients.length);
      assert.is(tallied(CLIENT_STALLED), before + clients.length);
      for (const peer of rig.origin.peers) {
        assert.ok(peer.sent < HELD_MAX, `${peer.sent} bytes were taken from the backend`);
      }
      await turnsUntil(() => rig.origin.peers.every((peer) => peer.closed));
      assert.is(rig.plane.counts().connections, 0);
    },
    { limits: { clientStallMs: 1_000 } },
  );
});

test("clients that do not read hold no more memory than there is; who reads is served", () => {
  const body = Buffer.alloc(64 * MIB);
  const large = Buffer.concat([
    Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`),
    body,
  ]);
  return withRig(
    async (peer) => {
      const head = await peer.head();
      if (head.startsWith("GET / ")) return peer.send(respond(200, "x"));
      peer.send(large);
      await peer.left();
    },
    async (rig) => {
      const before = tallied(WAITING_FULL);
      const clients = await crowd(rig, 20);
      for (const client of clients) {
        client.pause();
        client.send(GET.replace("/", "/large"));
      }
      await turnsUntil(() => tallied(WAITING_FULL) > before);
      assert.ok(tallied(WAITING_FULL) > before, "some go");
      await visit(rig);
      for (const client of clients) client.resume();
      await turnsUntil(() => clients.some((client) => client.closed));
      const cut = clients.filter((client) => client.closed).length;
      assert.ok(cut > 0 && cut < clients.length, `${cut} of ${clients.length} are cut`);
    },
    { limits: { waitingBytes: 2 * MIB } },
  );
});

test("a flood of header lines is refused early, and read no further", () =>
  withRig(
    echo,
    async (rig) => {
      const client = await rig.client();
      const lines = "x-flood: 0123456789\r\n".repeat(50_000);
      client.send(`GET / HTTP/1.1\r\nHost: a\r\n${lines.repeat(10)}`);
      await client.until(() => client.received > 0 || client.closed, "an answer");
      assert.match(client.unread.toString("latin1"), /^HTTP\/1\.1 431 /);
      await client.until(() => client.closed, "the end");
      assert.is(rig.origin.peers.length, 0);
      await visit(rig);
    },
    { limits: { lingerMs: 200 } },
  ));

test("20 000 pipelined requests wait their turn, others do not wait for them", () =>
  withRig(
    answering(() => respond(200, "x")),
    async (rig) => {
      const count = 20_000;
      const greedy = await rig.client();
      greedy.send(GET);
      await greedy.response();
      const size = greedy.received;
      greedy.count();
      greedy.send(GET.repeat(count - 1));
      let answers = 0;
      const busy = (): boolean => {
        answers = Math.floor(greedy.received / size);
        return answers < count && greedy.ending === "open";
      };
      const visits = await visitWhile(rig, busy);
      assert.is(answers, count);
      assert.ok(visits > 10, `${visits} visits meanwhile`);
    },
    { limits: { keepAliveRequests: 0 } },
  ));

test.run();
