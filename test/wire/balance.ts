/** Over sockets: which endpoint gets a request, who is left alone for failing, who comes back. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Delta, Endpoint } from "../../core/model.ts";
import { statusOf } from "../message.ts";
import { answering, openOrigin, respond, type Origin, type Script } from "../origin.ts";
import { freePort, type Peer } from "../peer.ts";
import { withRig, type Rig } from "../rig.ts";
import { NOTHING } from "../delta.ts";

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const POST = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody";
const HOUR_MS = 3_600_000;

const endpointOf = ({ address, port }: Origin): Endpoint => ({ address, port, uid: "" });
const named = (name: string): Script => answering(() => respond(200, name));

/** Reads a request and closes the connection instead of an answer. */
const rude: Script = async (peer) => {
  await peer.request();
  peer.reset();
};

/** Status and body of the answer to one request. */
async function ask(client: Peer, request = GET): Promise<string> {
  client.send(request);
  const response = await client.response();
  return `${statusOf(response)} ${response.body.toString("latin1").trim()}`;
}

test("requests one after the other go to each endpoint in its turn", () => {
  const others = [openOrigin(named("two")), openOrigin(named("three"))];
  const endpoints = (first: Origin): Endpoint[] => [first, ...others].map(endpointOf);
  return withRig(
    named("one"),
    async (rig) => {
      const client = await rig.client();
      const counts = new Map<string, number>();
      for (let i = 0; i < 30; i++) {
        const answer = await ask(client);
        counts.set(answer, (counts.get(answer) ?? 0) + 1);
      }
      assert.equal([...counts].sort(), [
        ["200 one", 10],
        ["200 three", 10],
        ["200 two", 10],
      ]);
    },
    { endpoints },
  ).finally(() => others.forEach(({ stop }) => stop()));
});

test("an endpoint that fails three requests gets no more", () => {
  const bad = openOrigin(rude);
  return withRig(
    named("good"),
    async (rig) => {
      const client = await rig.client();
      const answers: string[] = [];
      for (let i = 0; i < 40; i++) answers.push(await ask(client, POST));
      const failed = answers.filter((answer) => answer.startsWith("502"));
      assert.is(failed.length, 3);
      assert.is(bad.peers.length, 3);
      assert.is(answers.filter((answer) => answer === "200 good").length, 37);
    },
    {
      endpoints: (good) => [endpointOf(good), endpointOf(bad)],
      limits: { ejectMs: HOUR_MS, ejectMaxMs: HOUR_MS },
    },
  ).finally(bad.stop);
});

test("nobody notices an endpoint that is down, and it is used again when it is back", () => {
  const port = freePort();
  let back: Origin | null = null;
  return withRig(
    named("up"),
    async (rig) => {
      const client = await rig.client();
      for (let i = 0; i < 50; i++) assert.is(await ask(client, POST), "200 up");
      back = openOrigin(named("back"), "127.0.0.1", port);
      let answer = "";
      while (answer !== "200 back") {
        answer = await ask(client, POST);
        assert.match(answer, /^200 (up|back)$/);
      }
      const answers = new Set<string>();
      for (let i = 0; i < 4; i++) answers.add(await ask(client, POST));
      assert.is(answers.size, 2);
    },
    {
      endpoints: (up) => [endpointOf(up), { address: "127.0.0.1", port, uid: "" }],
      // A fast machine asks more often than a connection lives, until the knock.
      limits: { ejectMs: HOUR_MS, ejectMaxMs: HOUR_MS, knockMs: 1, keepAliveRequests: 0 },
    },
  ).finally(() => back?.stop());
});

test("the only endpoint is asked each time, however often it failed", () => {
  const port = freePort();
  let back: Origin | null = null;
  return withRig(
    rude,
    async (rig) => {
      const client = await rig.client();
      for (let i = 0; i < 10; i++) assert.match(await ask(client), /^502/);
      back = openOrigin(named("back"), "127.0.0.1", port);
      assert.is(await ask(client), "200 back");
    },
    {
      endpoints: () => [{ address: "127.0.0.1", port, uid: "" }],
      limits: { ejectMs: HOUR_MS, ejectMaxMs: HOUR_MS },
    },
  ).finally(() => back?.stop());
});

/** A change of the rig's only backend, and of another one behind it. */
function change(rig: Rig, endpoint: Endpoint, other: Endpoint): Delta {
  const base = rig.plane.version;
  const shape = { reason: "", balance: "roundRobin", tls: null } as const;
  return {
    ...NOTHING,
    base,
    version: base + 1,
    backends: [
      { ...shape, id: "wire", endpoints: [endpoint] },
      { ...shape, id: "other", endpoints: [other] },
    ],
  };
}

test("a change with one bad backend is refused, and the good one in it does not apply", () => {
  const next = openOrigin(named("new"));
  return withRig(named("old"), async (rig) => {
    const client = await rig.client();
    const good = endpointOf(next);
    for (const bad of [
      { ...good, port: 65_536 },
      { ...good, address: "a.test" },
    ]) {
      assert.throws(() => rig.plane.apply(change(rig, good, bad)), /backend other/);
      assert.is(await ask(client), "200 old");
    }
    rig.plane.apply(change(rig, good, good));
    assert.is(await ask(client), "200 new");
  }).finally(next.stop);
});

test.run();
