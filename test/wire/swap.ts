/** Changes under running requests: what runs ends where it began, what follows goes elsewhere. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { DEFAULT_POLICY, NONE, type Delta, type Endpoint, type Route } from "../../core/model.ts";
import { statusOf, valuesOf } from "../message.ts";
import { answering, openOrigin, respond, type Origin } from "../origin.ts";
import { dial, turnsUntil } from "../peer.ts";
import { openRig, withRig, type Rig } from "../rig.ts";
import { NOTHING } from "../delta.ts";

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

const endpointOf = (origin: Origin, uid = ""): Endpoint => {
  const { address, port } = origin;
  return { address, port, uid };
};

/** A change of the rig's model from its version to the next; the rig's only backend is `wire`. */
const delta = (rig: Rig, change: Partial<Delta>): Delta => ({
  ...NOTHING,
  base: rig.plane.version,
  version: rig.plane.version + 1,
  ...change,
});

const move = (rig: Rig, ...endpoints: Endpoint[]): void =>
  rig.plane.apply(
    delta(rig, {
      backends: [{ id: "wire", endpoints, reason: "", balance: "leastRequest", tls: null }],
    }),
  );

test("a request in flight ends at the removed endpoint; the next goes to the new one", () => {
  let release = (): void => {};
  const slow = new Promise<void>((resolve) => (release = resolve));
  const next = openOrigin(answering(() => respond(200, "new")));
  return withRig(
    async (peer) => {
      if ((await peer.request()) === null) return;
      await slow;
      peer.send(respond(200, "old"));
      await peer.left();
      peer.shut();
    },
    async (rig) => {
      const [one, two] = [await rig.client(), await rig.client()];
      one.send(GET);
      await turnsUntil(() => rig.origin.peers.length > 0 && rig.origin.peers[0]!.received > 0);
      move(rig, endpointOf(next));
      two.send(GET);
      assert.is((await two.response()).body.toString(), "new");
      release();
      assert.is((await one.response()).body.toString(), "old");
      assert.is.not(await rig.origin.peers[0]!.left(), "open", "its connection is not kept");
      one.send(GET);
      assert.is((await one.response()).body.toString(), "new");
    },
  ).finally(next.stop);
});

test("idle connections to an endpoint that goes are closed, others are kept", () => {
  const other = openOrigin(answering(() => respond(200, "other")));
  return withRig(
    answering(() => respond(200, "first")),
    async (rig) => {
      const client = await rig.client();
      move(rig, endpointOf(rig.origin), endpointOf(other));
      for (let i = 0; i < 4; i++) {
        client.send(GET);
        await client.response();
      }
      assert.equal([rig.origin.peers.length, other.peers.length], [1, 1]);
      move(rig, endpointOf(other));
      await rig.origin.peers[0]!.left();
      client.send(GET);
      assert.is((await client.response()).body.toString(), "other");
      assert.is(other.peers.length, 1);
      assert.is(other.peers[0]!.ending, "open");
    },
  ).finally(other.stop);
});

test("the same address of another pod gets connections of its own", () =>
  withRig(
    answering(() => respond(200, "x")),
    async (rig) => {
      const client = await rig.client();
      client.send(GET);
      await client.response();
      move(rig, endpointOf(rig.origin, "another pod"));
      await rig.origin.peers[0]!.left();
      client.send(GET);
      assert.is(statusOf(await client.response()), 200);
      assert.is(rig.origin.peers.length, 2);
    },
  ));

test("all endpoints go: 503; they come back: 200, on the same client connection", () =>
  withRig(
    answering(() => respond(200, "x")),
    async (rig) => {
      const client = await rig.client();
      for (const endpoints of [[], [endpointOf(rig.origin)], [], [endpointOf(rig.origin)]]) {
        move(rig, ...endpoints);
        client.send(GET);
        assert.is(statusOf(await client.response()), endpoints.length === 0 ? 503 : 200);
      }
    },
  ));

test("routes: a host goes and comes, redirects, responds", () =>
  withRig(
    answering(() => respond(200, "forwarded")),
    async (rig) => {
      const client = await rig.client();
      const ask = async (path: string): Promise<string> => {
        client.send(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
        const response = await client.response();
        const [location = ""] = valuesOf(response.fields, "location");
        return `${statusOf(response)} ${location || response.body.toString("latin1")}`;
      };
      assert.is(await ask("/"), "200 forwarded");
      rig.plane.apply(delta(rig, { hostsGone: ["*"] }));
      assert.is(await ask("/"), "404 404 page not found\n");
      const route = (value: string, action: Route["action"]): Route => ({
        id: value,
        origin: { kind: "Test", namespace: "wire", name: value, field: "" },
        match: {
          path: { kind: "prefix", value },
          methods: [],
          headers: [],
          cookies: [],
          queries: [],
        },
        action,
        policy: DEFAULT_POLICY,
      });
      const routes = [
        route("/away", { kind: "redirect", status: 308, location: "https://b/" }),
        route("/said", { kind: "respond", status: 418, body: "teapot" }),
        route("/sent", { kind: "forward", split: [{ backend: "wire", weight: 1 }], cursor: NONE }),
      ];
      rig.plane.apply(delta(rig, { hosts: [{ name: "a", policy: "", routes }] }));
      assert.is(await ask("/away"), "308 https://b/");
      assert.is(await ask("/said"), "418 teapot");
      assert.is(await ask("/sent"), "200 forwarded");
      assert.is(await ask("/saidx"), "404 404 page not found\n");
    },
  ));

test("hundreds of changes under requests lose none", () => {
  const other = openOrigin(answering(() => respond(200, "x")));
  return withRig(
    answering(() => respond(200, "x")),
    async (rig) => {
      let running = true;
      let answers = 0;
      const load = async (): Promise<void> => {
        const client = await rig.client();
        while (running) {
          client.send(GET);
          assert.is(statusOf(await client.response()), 200);
          answers++;
        }
      };
      const loads = [load(), load(), load(), load()];
      for (let i = 0; i < 300; i++) {
        const endpoints = [endpointOf(rig.origin, `${i % 3}`), endpointOf(other)];
        move(rig, ...(i % 5 === 0 ? endpoints.slice(0, 1) : endpoints));
        for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
      }
      running = false;
      await Promise.all(loads);
      assert.ok(answers > 100, `${answers} answers`);
      const counts = rig.plane.counts();
      assert.is(counts.connections, 4);
    },
  ).finally(other.stop);
});

test("drain: what runs ends, what is idle closes, nobody new gets in", async () => {
  let release = (): void => {};
  const slow = new Promise<void>((resolve) => (release = resolve));
  const rig = openRig(async (peer) => {
    if ((await peer.request()) === null) return;
    await slow;
    peer.send(respond(200, "done"));
  });
  try {
    const [busy, idle] = [await rig.client(), await rig.client()];
    busy.send(GET);
    await turnsUntil(() => rig.origin.peers.length > 0 && rig.origin.peers[0]!.received > 0);
    const drained = rig.plane.drain(10_000);
    await idle.left();
    assert.is(busy.ending, "open");
    const late = await dial(rig.port).then(
      (peer) => peer.left().then(() => "closed"),
      () => "refused",
    );
    assert.is(late, "refused");
    release();
    const response = await busy.response();
    assert.is(response.body.toString(), "done");
    assert.equal(valuesOf(response.fields, "connection"), ["close"]);
    assert.is(await busy.left(), "fin");
    busy.shut();
    await drained;
    assert.is(rig.plane.counts().connections, 0);
  } finally {
    rig.stop();
  }
});

/** Short deadlines, so that real time may pass; what is asserted is the outcome, not when. */
const HASTY = { ...DEFAULT_POLICY, timeouts: { connectMs: 5_000, headMs: 100, idleMs: 100 } };

test("a backend that never answers is 504, and the client's connection goes on", () =>
  withRig(
    async (peer, index) => {
      await peer.request();
      if (index > 0) peer.send(respond(200, "x"));
      await peer.left();
    },
    async (rig) => {
      const client = await rig.client();
      client.send(GET + GET);
      assert.is(statusOf(await client.response()), 504);
      assert.is(statusOf(await client.response()), 200);
      assert.is.not(await rig.origin.peers[0]!.left(), "open");
    },
    { policy: HASTY },
  ));

test("a backend that stops in the middle is cut for the client as well", () =>
  withRig(
    async (peer) => {
      await peer.request();
      peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
      await peer.left();
    },
    async (rig) => {
      const client = await rig.client();
      client.send(GET);
      await client.left();
      const text = client.unread.toString("latin1");
      assert.match(text, /\r\n3\r\nabc\r\n$/, "what came, and no end");
    },
    { policy: HASTY },
  ));

test.run();
