/** What is sent again when a backend's connection fails, over sockets: nothing is done twice. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { seeded, seedOfRun } from "../../core/http1/test/cuts.cases.ts";
import { CLIENT_GONE, CONNECTION_LOST } from "../../core/fault.ts";
import { DEFAULT_POLICY, type Retry, type RoutePolicy } from "../../core/model.ts";
import { tallied } from "../../core/tally.ts";
import { statusOf } from "../message.ts";
import { answering, openOrigin, respond, type Script } from "../origin.ts";
import { standstill, turnsUntil, type Peer } from "../peer.ts";
import { withRig, type Rig } from "../rig.ts";

const seed = seedOfRun();
console.log(`seed ${seed} (RIND_SEED=${seed} runs it again)`);

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const put = (body: string): string =>
  `PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
const post = (id: string): string =>
  `POST /${id} HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi`;

const policyOf = (retry: Partial<Retry>): RoutePolicy => ({
  ...DEFAULT_POLICY,
  retry: { ...DEFAULT_POLICY.retry, ...retry },
});

const ask = async (client: Peer, request: string): Promise<number> => {
  client.send(request);
  return statusOf(await client.response());
};

/** Answers `count` requests of a connection, takes one more and leaves without an answer. */
const leavesAfter =
  (count: number, leave: "shut" | "reset", seen: string[]): Script =>
  async (peer, index) => {
    for (let i = 0; ; i++) {
      const request = await peer.request();
      if (request === null) return peer.shut();
      seen.push(`${index} ${request.first.split(" ")[0]} ${request.body.toString()}`);
      if (index === 0 && i >= count) return peer[leave]();
      peer.send(respond(200, "ok"));
    }
  };

for (const leave of ["shut", "reset"] as const) {
  test(`an idempotent request with a short body is sent again, all of it (${leave})`, () => {
    const seen: string[] = [];
    return withRig(leavesAfter(1, leave, seen), async (rig) => {
      const client = await rig.client();
      assert.is(await ask(client, GET), 200);
      assert.is(await ask(client, put("whole body")), 200);
      assert.equal(seen, ["0 GET ", "0 PUT whole body", "1 PUT whole body"]);
      const chunks = "5\r\nwhole\r\n5\r\n body\r\n0\r\n\r\n";
      const chunked = `DELETE / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}`;
      assert.is(await ask(client, chunked), 200);
      assert.is(seen.at(-1), "1 DELETE whole body");
    });
  });
}

test("a body that comes in pieces is sent again as far as it came, and then goes on", () => {
  const bodies: string[] = [];
  let left = (): void => {};
  const gone = new Promise<void>((resolve) => (left = resolve));
  return withRig(
    async (peer, index) => {
      if (index > 0) {
        const request = await peer.request();
        bodies.push(request?.body.toString() ?? "none");
        peer.send(respond(200, "ok"));
        return;
      }
      await peer.request();
      peer.send(respond(200, "ok"));
      await peer.head();
      await peer.until(() => peer.unread.length >= 4, "half of it");
      peer.reset();
      left();
    },
    async (rig) => {
      const client = await rig.client();
      assert.is(await ask(client, GET), 200);
      client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\nhalf");
      await gone;
      await turnsUntil(() => rig.origin.peers.length === 2);
      client.send("rest");
      assert.is(statusOf(await client.response()), 200);
      assert.equal(bodies, ["halfrest"]);
    },
  );
});

test("a body beyond the replay limit is not sent again", () =>
  withRig(
    leavesAfter(1, "reset", []),
    async (rig) => {
      const client = await rig.client();
      assert.is(await ask(client, GET), 200);
      assert.is(await ask(client, put("x".repeat(101))), 502);
      assert.is(rig.origin.peers.length, 1);
    },
    { limits: { replayBytes: 100 } },
  ));

/** What the options of a route change: what meets a failure, and whether it is saved. */
const OPTIONS: readonly (readonly [string, Partial<Retry>, number, string, number])[] = [
  ["POST on a reused connection", {}, 1, post("a"), 502],
  ["POST on a reused connection, allowed", { nonIdempotent: true }, 1, post("a"), 200],
  ["GET on a fresh connection", {}, 0, GET, 502],
  ["GET on a fresh connection, allowed", { fresh: true }, 0, GET, 200],
  ["PUT on a fresh connection, allowed", { fresh: true }, 0, put("x"), 200],
  ["POST on a fresh connection", { fresh: true, nonIdempotent: true }, 0, post("a"), 502],
  ["GET on a reused connection, without retries", { max: 0 }, 1, GET, 502],
];

for (const [name, retry, count, request, status] of OPTIONS) {
  test(`${name}: ${status}`, () =>
    withRig(
      leavesAfter(count, "shut", []),
      async (rig) => {
        const client = await rig.client();
        for (let i = 0; i < count; i++) assert.is(await ask(client, GET), 200);
        assert.is(await ask(client, request), status);
        assert.is(rig.origin.peers.length, status === 200 ? 2 : 1);
      },
      { policy: policyOf(retry) },
    ));
}

/** Answers, and closes a connection that was idle for `turns()` turns of the loop. */
const impatient =
  (turns: () => number, seen: Map<string, number>): Script =>
  async (peer) => {
    for (;;) {
      const request = await peer.request();
      if (request === null) return peer.shut();
      const id = request.first.split(" ")[1]!;
      seen.set(id, (seen.get(id) ?? 0) + 1);
      peer.send(respond(200, id));
      const before = peer.received;
      for (let i = turns(); i > 0 && peer.received === before; i--) {
        await new Promise((resolve) => setImmediate(resolve));
      }
      // Now and then without looking whether a request has come in meanwhile.
      if (peer.received === before || turns() === 0) return peer.shut();
    }
  };

/** `clients` send `count` requests each; returns how often each status came. */
async function flood(rig: Rig, clients: number, count: number, request: (id: string) => string) {
  const statuses = new Map<number, number>();
  const visit = async (name: number): Promise<void> => {
    const client = await rig.client();
    for (let i = 0; i < count; i++) {
      const id = `c${name}-${i}`;
      client.send(request(id));
      const response = await client.response();
      const status = statusOf(response);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      if (status === 200) assert.is(response.body.toString(), `/${id}`);
    }
  };
  await Promise.all(Array.from({ length: clients }, (_, name) => visit(name)));
  return statuses;
}

test("1000 GETs to a backend that closes idle connections at once: no error", () => {
  const random = seeded(seed);
  const script = impatient(() => random(4), new Map());
  return withRig(script, async (rig) => {
    const get = (id: string): string => `GET /${id} HTTP/1.1\r\nHost: a\r\n\r\n`;
    const lost = tallied(CONNECTION_LOST);
    const statuses = await flood(rig, 5, 200, get);
    assert.equal([...statuses], [[200, 1_000]]);
    assert.ok(tallied(CONNECTION_LOST) > lost, "nothing raced");
  });
});

test("POSTs to the same backend are never done twice", () => {
  const random = seeded(seed + 1);
  const seen = new Map<string, number>();
  return withRig(
    impatient(() => random(4), seen),
    async (rig) => {
      const statuses = await flood(rig, 5, 100, post);
      const twice = [...seen].filter(([, times]) => times > 1);
      assert.equal(twice, []);
      for (const status of statuses.keys())
        assert.ok(status === 200 || status === 502, `${status}`);
    },
  );
});

test("requests wait for a connection when there may be no more, and all are answered", () =>
  withRig(
    answering((request) => respond(200, request.first.split(" ")[1]!)),
    async (rig) => {
      const get = (id: string): string => `GET /${id} HTTP/1.1\r\nHost: a\r\n\r\n`;
      const statuses = await flood(rig, 20, 20, get);
      assert.equal([...statuses], [[200, 400]]);
      const open = rig.origin.peers.filter((peer) => !peer.closed).length;
      assert.ok(open <= 2, `${open} connections to the backend`);
      assert.ok(rig.origin.peers.length <= 2, `${rig.origin.peers.length} in all`);
    },
    { limits: { upstreamConnections: 2 } },
  ));

test("a body waits with its request, and the client is held meanwhile", () => {
  let release = (): void => {};
  const slow = new Promise<void>((resolve) => (release = resolve));
  return withRig(
    async (peer) => {
      for (let i = 0; ; i++) {
        const request = await peer.request();
        if (request === null) return peer.shut();
        if (i === 0) await slow;
        peer.send(respond(200, String(request.body.length)));
      }
    },
    async (rig) => {
      const first = await rig.client();
      first.send(GET);
      await turnsUntil(() => (rig.origin.peers[0]?.received ?? 0) > 0);
      const second = await rig.client();
      second.send(put("y".repeat(20_000_000)));
      const sent = await standstill(() => second.sent);
      assert.ok(sent < 12 * 1024 * 1024, `the plane took ${sent} bytes`);
      assert.is(rig.origin.peers.length, 1);
      release();
      assert.is(statusOf(await first.response()), 200);
      assert.is((await second.response()).body.toString(), "20000000");
      assert.is(rig.origin.peers.length, 1);
    },
    { limits: { upstreamConnections: 1 } },
  );
});

const HANG: Script = async (peer) => {
  await peer.request();
  await peer.left();
};

test("a queue that is full is 503 with Retry-After at once", () =>
  withRig(
    HANG,
    async (rig) => {
      const waiting = [await rig.client(), await rig.client()];
      for (const client of waiting) client.send(GET);
      await turnsUntil(() => rig.origin.peers.length === 1);
      const gone = tallied(CLIENT_GONE);
      const client = await rig.client();
      client.send(GET);
      const response = await client.response();
      assert.is(statusOf(response), 503);
      assert.equal(
        response.fields.filter(([name]) => name.toLowerCase() === "retry-after").length,
        1,
      );
      assert.is(client.ending, "open");
      // Who waits has the same right to leave as everybody.
      waiting[1]!.reset();
      await turnsUntil(() => tallied(CLIENT_GONE) > gone);
      const next = await rig.client();
      next.send(GET);
      waiting[0]!.reset();
      await turnsUntil(() => rig.origin.peers.length === 2);
      assert.is(rig.origin.peers.length, 2, "its turn came when the first one left");
    },
    { limits: { upstreamConnections: 1, pending: 1 } },
  ));

test("an endpoint whose queue is full leaves requests to one that has room", () => {
  const other = openOrigin(answering(() => respond(200, "other")));
  return withRig(
    HANG,
    async (rig) => {
      const statuses: number[] = [];
      for (let i = 0; i < 12; i++) {
        const client = await rig.client();
        client.send(GET);
        void client.response().then(
          (response) => statuses.push(statusOf(response)),
          () => {},
        );
        await turnsUntil(() => statuses.length >= i - 1);
      }
      // Two at most are stuck at the endpoint that hangs: the busy one and the one behind it.
      assert.equal(statuses.slice(0, 10), Array(10).fill(200));
    },
    {
      limits: { upstreamConnections: 1, pending: 1 },
      endpoints: ({ address, port }) => [
        { address, port, uid: "" },
        { address, port: other.port, uid: "" },
      ],
    },
  ).finally(() => other.stop());
});

test.run();
