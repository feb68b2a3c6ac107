/** Upstream connections: pooled while they are provably in step, dropped when they are not. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Endpoint } from "../../core/model.ts";
import { statusOf } from "../message.ts";
import { answering, echo, respond } from "../origin.ts";
import { dial, freePort, turnsUntil, type Peer } from "../peer.ts";
import { withRig } from "../rig.ts";

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const POST = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";

/** The first connection answers once and then does what the test says; later ones echo. */
const onceThen =
  (then: (peer: Peer) => Promise<void> | void) => async (peer: Peer, index: number) => {
    if (index > 0) return echo(peer, index);
    await peer.request();
    peer.send(respond(200, "first"));
    await then(peer);
  };

/** Sends a request and gets its status. */
const ask = async (client: Peer, request: string): Promise<number> => {
  client.send(request);
  return statusOf(await client.response());
};

test("2.6 a byte on an idle connection drops it, and the next request is fine", () =>
  withRig(
    onceThen(async (peer) => {
      await peer.sentAll();
      await new Promise((resolve) => setTimeout(resolve, 30));
      peer.send(respond(200, "for nobody"));
      await peer.left();
    }),
    async (rig) => {
      const client = await rig.client();
      assert.is(await ask(client, GET), 200);
      await rig.origin.peers[0]!.left();
      client.send(GET);
      assert.not.match((await client.response()).body.toString(), /nobody/);
      assert.is(rig.origin.peers.length, 2);
    },
  ));

test("2.6 bytes behind a response never answer another request", () =>
  withRig(
    answering((request, index) =>
      index === 0 ? respond(200, "first") + respond(200, "stale") : respond(200, request.first),
    ),
    async (rig) => {
      const client = await rig.client();
      client.send(GET + GET);
      assert.is((await client.response()).body.toString(), "first");
      assert.is((await client.response()).body.toString(), "GET / HTTP/1.1");
      assert.is(rig.origin.peers.length, 2);
    },
  ));

for (const [name, answer] of [
  ["a body on HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"],
  ["a body on 204", "HTTP/1.1 204 No Content\r\n\r\nhello"],
  ["a body on 304", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nhello"],
] as const) {
  test(`2.6 ${name} is dropped, and its connection with it`, () =>
    withRig(
      answering((_, index) => (index === 0 ? answer : respond(200, ""))),
      async (rig) => {
        const client = await rig.client();
        const method = name.endsWith("HEAD") ? "HEAD" : "GET";
        client.send(`${method} / HTTP/1.1\r\nHost: a\r\n\r\n`);
        await client.response(method);
        assert.is(await ask(client, GET), 200);
        assert.not.match(client.unread.toString(), /hello/);
        assert.is(rig.origin.peers.length, 2);
      },
    ));
}

test("2.6 Connection: close from upstream is honoured there, not passed on", () =>
  withRig(
    answering(() => respond(200, "x", "Connection: close\r\n")),
    async (rig) => {
      const client = await rig.client();
      for (let i = 1; i <= 3; i++) {
        assert.is(await ask(client, GET), 200);
        assert.is(rig.origin.peers.length, i);
      }
      assert.is(client.ending, "open");
    },
  ));

test("2.6 a 1.0 upstream without keep-alive is not pooled", () =>
  withRig(
    answering(() => "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx"),
    async (rig) => {
      const client = await rig.client();
      for (let i = 1; i <= 2; i++) assert.is(await ask(client, GET), 200);
      assert.is(rig.origin.peers.length, 2);
    },
  ));

/** NTLM and Negotiate authenticate a connection: who comes next on it would be somebody else. */
const CONNECTION_AUTH: readonly (readonly [string, string, string])[] = [
  ["a 401 that offers NTLM", "", "WWW-Authenticate: NTLM\r\n"],
  ["a 401 that offers Negotiate", "", "WWW-Authenticate: Basic\r\nWWW-Authenticate: negotiate\r\n"],
  ["a request with NTLM", "Authorization: NTLM TlRMTVNTUAAB\r\n", ""],
  ["a request with Negotiate", "authorization: Negotiate YIIg8gYGKwYB\r\n", ""],
];

for (const [name, asked, offered] of CONNECTION_AUTH) {
  test(`2.6 ${name} is the last of its upstream connection`, () =>
    withRig(
      answering(() => respond(offered === "" ? 200 : 401, "x", offered)),
      async (rig) => {
        const client = await rig.client();
        for (let i = 1; i <= 2; i++) {
          client.send(`GET / HTTP/1.1\r\nHost: a\r\n${asked}\r\n`);
          await client.response();
          assert.is(rig.origin.peers.length, i);
        }
      },
    ));
}

/** What the first connection does with its second request, and what two methods get. */
const RACES: readonly (readonly [string, (peer: Peer) => Promise<void> | void])[] = [
  [
    "FIN on the second request",
    async (peer) => {
      await peer.request();
      peer.shut();
    },
  ],
  [
    "RST on the second request",
    async (peer) => {
      await peer.request();
      peer.reset();
    },
  ],
];

for (const [name, then] of RACES) {
  test(`7.3 ${name}: GET is tried again on a new connection`, () =>
    withRig(onceThen(then), async (rig) => {
      const client = await rig.client();
      assert.is(await ask(client, GET), 200);
      assert.is(await ask(client, GET), 200);
      assert.is(rig.origin.peers.length, 2);
    }));

  test(`7.3 ${name}: POST is 502 and never sent twice`, () =>
    withRig(onceThen(then), async (rig) => {
      const client = await rig.client();
      assert.is(await ask(client, GET), 200);
      assert.is(await ask(client, POST), 502);
      assert.is(rig.origin.peers.length, 1);
      assert.is(await ask(client, POST), 200, "the client's connection goes on");
    }));

  test(`7.3 ${name}: a fresh connection is never tried again`, () =>
    withRig(
      (peer) => Promise.resolve(then(peer)),
      async (rig) => {
        const client = await rig.client();
        assert.is(await ask(client, GET), 502);
        assert.is(rig.origin.peers.length, 1);
      },
    ));
}

test("7.3 an idle connection that upstream closes is gone before the next POST", () =>
  withRig(
    onceThen((peer) => peer.shut()),
    async (rig) => {
      const client = await rig.client();
      assert.is(await ask(client, GET), 200);
      const first = rig.origin.peers[0]!;
      await first.until(() => first.ending !== "open", "rind to close its side");
      assert.is(await ask(client, POST), 200);
      assert.is(rig.origin.peers.length, 2);
    },
  ));

for (const [name, answer] of [
  ["nothing", ""],
  ["half a status line", "HTTP/1.1 20"],
  ["half a head", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"],
] as const) {
  for (const leave of ["shut", "reset"] as const) {
    test(`2.6 upstream sends ${name} and leaves by ${leave === "shut" ? "FIN" : "RST"}: 502`, () =>
      withRig(
        async (peer) => {
          await peer.request();
          if (answer !== "") peer.send(answer);
          peer[leave]();
        },
        async (rig) => {
          const client = await rig.client();
          assert.is(await ask(client, GET), 502);
          assert.is(await ask(client, GET), 502, "the client's connection goes on");
        },
      ));
  }
}

for (const answer of [
  "garbage\r\n\r\n",
  "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
  "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nhello",
  "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
  "HTTP/1.1 200 OK\r\nA: b\nSet-Cookie: c\r\n\r\n",
  "HTTP/2 200 OK\r\n\r\n",
  "\x15\x03\x03\0\x02\x02\x16",
]) {
  test(`2.6 an invalid response is 502: ${JSON.stringify(answer.slice(0, 60))}`, () =>
    withRig(
      async (peer) => {
        await peer.request();
        peer.send(answer);
        // The short binary one is judged when no more can come.
        if (answer.startsWith("\x15")) peer.shut();
        await peer.left();
        peer.shut();
      },
      async (rig) => {
        const client = await rig.client();
        client.send(GET);
        const response = await client.response();
        assert.is(statusOf(response), 502);
        assert.not.match(JSON.stringify(response), /hello|Set-Cookie|garbage/);
        assert.is.not(await rig.origin.peers[0]!.left(), "open", "not pooled");
        assert.is(client.ending, "open");
      },
    ));
}

test("7.3 a refused connection goes to the next endpoint, for POST as well", () => {
  const endpoints = ({ address, port }: Endpoint & object): readonly Endpoint[] => [
    { address, port: freePort(), uid: "dead" },
    { address, port, uid: "alive" },
  ];
  return withRig(
    echo,
    async (rig) => {
      for (let i = 0; i < 6; i++) {
        const client = await rig.client();
        assert.is(await ask(client, i % 2 === 0 ? POST : GET), 200, `request ${i}`);
        client.reset();
      }
    },
    { endpoints: (origin) => endpoints({ ...origin, uid: "" }) },
  );
});

test("nobody there: 502 or 503, and the client's connection goes on", () => {
  const endpoints = [{ address: "127.0.0.1", port: freePort(), uid: "" }];
  return withRig(
    echo,
    async (rig) => {
      const client = await rig.client();
      for (const request of [GET, POST, GET]) {
        assert.ok([502, 503].includes(await ask(client, request)), request);
      }
    },
    { endpoints: () => endpoints },
  );
});

test("no endpoint: 503", () =>
  withRig(
    echo,
    async (rig) => {
      const client = await rig.client();
      assert.is(await ask(client, GET), 503);
      assert.is(await ask(client, POST), 503, "the client's connection goes on");
    },
    { endpoints: () => [] },
  ));

test("IPv6 upstream and downstream", () =>
  withRig(
    echo,
    async (rig) => {
      const client = await rig.client();
      client.send("GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n");
      const response = await client.response();
      assert.is(statusOf(response), 200);
      assert.match(response.body.toString(), /"X-Forwarded-For","::1"/i);
    },
    { listen: "::1", originAddress: "::1" },
  ));

test("an IPv4 client of a listener on :: is named by its IPv4 address", () =>
  withRig(
    echo,
    async (rig) => {
      const client = await dial(rig.port, "127.0.0.1");
      client.send(GET);
      assert.match((await client.response()).body.toString(), /"X-Forwarded-For","127\.0\.0\.1"/i);
      client.reset();
    },
    { listen: "::" },
  ));

test("a client that leaves while upstream thinks takes the upstream connection along", () =>
  withRig(
    async (peer) => {
      await peer.request();
      await peer.left();
    },
    async (rig) => {
      const client = await rig.client();
      client.send(GET);
      await turnsUntil(() => (rig.origin.peers[0]?.received ?? 0) > 0);
      client.reset();
      assert.is.not(await rig.origin.peers[0]!.left(), "open");
    },
  ));

test.run();
