/**
 * Requests that came the wrong way, over sockets: from HTTP to HTTPS, to the connection of another
 * policy, and the header that keeps clients from coming so again.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  DEFAULT_POLICY,
  NONE,
  type Action,
  type Route,
  type VirtualHost,
} from "../../core/model.ts";
import { PLAIN_EDGE } from "../../core/protocol.ts";
import { selfSigned } from "../../core/selfsigned.ts";
import { statusOf, valuesOf, type Message } from "../message.ts";
import { answering, respond } from "../origin.ts";
import { openRig, withRig, type Rig, type RigOptions } from "../rig.ts";
import { NOTHING } from "../delta.ts";

const CHALLENGE = "/.well-known/acme-challenge/";
const HSTS = "max-age=63072000; includeSubDomains";
const FALLBACK = selfSigned(1_800_000_000_000);

const FORWARD: Action = { kind: "forward", split: [{ backend: "wire", weight: 1 }], cursor: NONE };
const NOWHERE: Action = { kind: "forward", split: [], cursor: NONE };
const REPLY: Action = { kind: "respond", status: 418, body: "teapot" };
const AWAY: Action = { kind: "redirect", status: 302, location: "https://b.example/" };

/** An edge that speaks HTTPS as well, which clients find at `port`. */
const edgeOf = (port: number): RigOptions["edge"] => ({
  https: [{ host: "127.0.0.1", port: 0 }],
  tls: { ...PLAIN_EDGE.tls, fallback: FALLBACK, port },
});

const routeOf = (path: string, action: Action, policy = DEFAULT_POLICY): Route => ({
  id: path,
  origin: { kind: "Test", namespace: "wire", name: path, field: "" },
  match: {
    path: { kind: "prefix", value: path },
    methods: [],
    headers: [],
    cookies: [],
    queries: [],
  },
  action,
  policy,
});

const STRICT = { ...DEFAULT_POLICY, redirect: true, hsts: HSTS };

/** Beside the rig's own `*`, whose only route asks for HTTPS. */
const HOSTS: readonly VirtualHost[] = [
  {
    name: "free.example",
    policy: "",
    routes: [routeOf("/", FORWARD)],
  },
  {
    name: "own.example",
    policy: "",
    routes: [
      routeOf("/reply", REPLY, STRICT),
      routeOf("/away", AWAY, STRICT),
      routeOf("/nowhere", NOWHERE, STRICT),
      routeOf("/small", FORWARD, { ...STRICT, bodyBytesMax: 3 }),
    ],
  },
  {
    name: "client.example",
    policy: "p",
    routes: [routeOf("/", FORWARD), routeOf(`${CHALLENGE}token`, FORWARD)],
  },
];

const origin = answering(({ first }) => {
  const [, target] = first.split(" ");
  if (target === "/hsts") {
    const own = "Strict-Transport-Security: max-age=0\r\nA: b\r\nstrict-transport-security: x\r\n";
    return respond(200, "body", own);
  }
  if (target === "/chunks") {
    return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n";
  }
  if (target === "/hints") return `HTTP/1.1 103 X\r\nLink: a\r\n\r\n${respond(200, "body")}`;
  if (target === "/none") return "HTTP/1.1 204 X\r\n\r\n";
  return respond(200, `saw ${target}`);
});

const open = (port: number, trusted: readonly string[] = [], edge = edgeOf(port)): Rig => {
  const rig = openRig(origin, { policy: STRICT, trusted, ...(edge === undefined ? {} : { edge }) });
  rig.plane.apply({ ...NOTHING, base: 1, version: 2, hosts: HOSTS });
  return rig;
};

let rig: Rig;
test.before(() => {
  rig = open(443);
});
test.after(() => rig.stop());

const GET = (target: string, host = "a.example", lines = ""): string =>
  `GET ${target} HTTP/1.1\r\nHost: ${host}\r\n${lines}\r\n`;

const over = async (own: Rig, request: string): Promise<Message> => {
  const client = await own.client();
  client.send(request);
  const response = await client.response(request.startsWith("HEAD") ? "HEAD" : "GET");
  client.reset();
  return response;
};

const shown = (message: Message): string =>
  [statusOf(message), ...valuesOf(message.fields, "location")].join(" ");

const LONG = `/${"l".repeat(8_000)}`;
const WEBSOCKET =
  "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/** Rows: a request over plain HTTP, and its answer. */
const CASES: readonly (readonly [name: string, request: string, answer: string])[] = [
  ["a target", GET("/"), "308 https://a.example/"],
  ["a query", GET("/b?c=d&e"), "308 https://a.example/b?c=d&e"],
  ["an empty query", GET("/b?"), "308 https://a.example/b?"],
  ["a port of HTTP", GET("/b", "a.example:8080"), "308 https://a.example/b"],
  ["a dot at the end", GET("/b", "a.example."), "308 https://a.example/b"],
  ["an address", GET("/b", "192.0.2.1:80"), "308 https://192.0.2.1/b"],
  ["an IPv6 address", GET("/b", "[2001:db8::1]:80"), "308 https://[2001:db8::1]/b"],
  ["a path that is not canonical", GET("/x/../%62/./c"), "308 https://a.example/b/c"],
  ["a path like a host", GET("//evil.example/b"), "308 https://a.example//evil.example/b"],
  ["a long target", GET(LONG), `308 https://a.example${LONG}`],
  ["an absolute target", GET("http://a.example/b?c"), "308 https://a.example/b?c"],
  ["an absolute target without a path", GET("http://a.example"), "308 https://a.example/"],
  ["HTTP/1.0", GET("/b").replace("1.1", "1.0"), "308 https://a.example/b"],
  ["HTTP/1.0 without Host", "GET /b HTTP/1.0\r\n\r\n", "400"],
  ["HEAD", GET("/b").replace("GET", "HEAD"), "308 https://a.example/b"],
  ["a handshake of WebSocket", GET("/b", "a.example", WEBSOCKET), "308 https://a.example/b"],
  [
    "a host that only a proxy could name",
    GET("/b", "a.example", "X-Forwarded-Host: evil.example\r\n"),
    "308 https://a.example/b",
  ],
  [
    "a scheme that only a proxy could name",
    GET("/b", "a.example", "X-Forwarded-Proto: https\r\n"),
    "308 https://a.example/b",
  ],
  ["a target of https", GET("https://a.example/b"), "421"],
  ["a target of https at a free host", GET("https://free.example/", "free.example"), "421"],
  ["a host in front of another", GET("/", "a.example@evil.example"), "400"],
  ["a host with a path", GET("/", "evil.example/"), "400"],
  ["a challenge", GET(`${CHALLENGE}token`), "200"],
  ["a challenge of another spelling", GET("/.well-known/./acme-challeng%65/token"), "200"],
  ["what hides behind one", GET(`${CHALLENGE}../admin`), "308 https://a.example/.well-known/admin"],
  ["what hides better", GET(`${CHALLENGE}..%2fadmin`), "400"],
  ["a free host", GET("/", "free.example"), "200"],
  ["a reply of its own", GET("/reply", "own.example"), "308 https://own.example/reply"],
  ["a redirect of its own", GET("/away", "own.example"), "308 https://own.example/away"],
  ["no route", GET("/none", "own.example"), "404"],
  ["a host with a policy", GET("/b", "client.example"), "308 https://client.example/b"],
  ["its solver", GET(`${CHALLENGE}token`, "client.example"), "200"],
  [
    "another challenge there",
    GET(`${CHALLENGE}other`, "client.example"),
    `308 https://client.example${CHALLENGE}other`,
  ],
];

for (const [name, request, answer] of CASES) {
  test(`${name}: ${answer.slice(0, 60)}`, async () => {
    const message = await over(rig, request);
    assert.is(shown(message), answer);
    assert.equal(valuesOf(message.fields, "strict-transport-security"), [], "not over HTTP");
  });
}

test("HTTPS at another port is told with it", async () => {
  const own = open(8443);
  try {
    assert.is(shown(await over(own, GET("/b"))), "308 https://a.example:8443/b");
    const literal = await over(own, GET("/b", "[::1]:8080"));
    assert.is(shown(literal), "308 https://[::1]:8443/b");
  } finally {
    own.stop();
  }
});

test("without HTTPS of its own who must is sent in front, and a policy is not served", async () => {
  const own = open(443, ["127.0.0.0/8"], {});
  try {
    assert.is(shown(await over(own, GET("/b"))), "308 https://a.example/b");
    assert.is(shown(await over(own, GET("/b", "a.example", SAID))), "200");
    assert.is(shown(await over(own, GET("/b", "client.example"))), "421");
    assert.is(shown(await over(own, GET(`${CHALLENGE}token`, "client.example"))), "200");
  } finally {
    own.stop();
  }
});

test("a body goes to nobody, and the connection goes on behind it", async () => {
  const client = await rig.client();
  const post = GET("/b", "a.example", "Content-Length: 5\r\n").replace("GET", "POST");
  client.send(`${post}first${post}other${GET("/", "free.example")}`);
  for (const answer of ["308 https://a.example/b", "308 https://a.example/b", "200"]) {
    assert.is(shown(await client.response()), answer);
  }
  client.reset();
  const before = rig.origin.peers.reduce((sum, peer) => sum + peer.received, 0);
  const chunks = GET("/b", "a.example", "Transfer-Encoding: chunked\r\n").replace("GET", "PUT");
  const response = await over(rig, `${chunks}3\r\nabc\r\n0\r\n\r\n`);
  assert.is(shown(response), "308 https://a.example/b");
  const after = rig.origin.peers.reduce((sum, peer) => sum + peer.received, 0);
  assert.is(after, before, "the backend saw none of it");
});

test("who waits for 100 Continue is sent to HTTPS instead", async () => {
  const client = await rig.client();
  const lines = "Content-Length: 5\r\nExpect: 100-continue\r\n";
  client.send(GET("/b", "a.example", lines).replace("GET", "POST"));
  const response = await client.response();
  assert.is(shown(response), "308 https://a.example/b");
  assert.equal(valuesOf(response.fields, "connection"), ["close"]);
  assert.is(await client.left(), "fin");
});

// === for clients of a trusted proxy that speaks TLS with them ===

const TRUSTED = ["127.0.0.0/8"];
const SAID = "X-Forwarded-Proto: https\r\n";

/** Rows: a request over TLS with the proxy, its status, and Strict-Transport-Security. */
const SECURE: readonly (readonly [string, string, number, readonly string[]])[] = [
  ["a backend's answer", GET("/b", "a.example", SAID), 200, [HSTS]],
  ["instead of the backend's own", GET("/hsts", "a.example", SAID), 200, [HSTS]],
  ["chunks", GET("/chunks", "a.example", SAID), 200, [HSTS]],
  ["chunks to HTTP/1.0", GET("/chunks", "a.example", SAID).replace("1.1", "1.0"), 200, [HSTS]],
  ["HEAD", GET("/none", "a.example", SAID).replace("GET", "HEAD"), 204, [HSTS]],
  ["nothing", GET("/none", "a.example", SAID), 204, [HSTS]],
  ["a WebSocket's proxy", GET("/b", "a.example", SAID.replace("https", "wss")), 200, [HSTS]],
  ["a target of https", GET("https://a.example/b", "a.example", SAID), 200, [HSTS]],
  ["our own answer", GET("/reply", "own.example", SAID), 418, [HSTS]],
  ["our own redirect", GET("/away", "own.example", SAID), 302, [HSTS]],
  ["a fault", GET("/nowhere", "own.example", SAID), 503, [HSTS]],
  [
    "a body that is too large",
    GET("/small", "own.example", `${SAID}Content-Length: 4\r\n`).replace("GET", "PUT"),
    413,
    [HSTS],
  ],
  ["no route", GET("/none", "own.example", SAID), 404, []],
  ["a route without", GET("/b", "free.example", SAID), 200, []],
  [
    "the backend's own where we have none",
    GET("/hsts", "free.example", SAID),
    200,
    ["max-age=0", "x"],
  ],
  ["a scheme said twice", GET("/b", "a.example", SAID + SAID), 308, []],
  ["a list of schemes", GET("/b", "a.example", "X-Forwarded-Proto: https, http\r\n"), 308, []],
  ["HTTP with the proxy", GET("/b", "a.example", "X-Forwarded-Proto: http\r\n"), 308, []],
  ["a proxy that says nothing", GET("/b"), 308, []],
  // No word of a proxy is the certificate of its client.
  ["a policy", GET("/b", "client.example", SAID), 421, []],
  ["the solver of a policy", GET(`${CHALLENGE}token`, "client.example", SAID), 200, []],
];

for (const [name, request, status, hsts] of SECURE) {
  test(`over TLS with a proxy: ${name}: ${status}`, async () => {
    const own = open(443, TRUSTED);
    try {
      const message = await over(own, request);
      assert.is(statusOf(message), status);
      assert.equal(valuesOf(message.fields, "strict-transport-security"), hsts);
      if (request.startsWith("GET /hsts")) assert.equal(valuesOf(message.fields, "a"), ["b"]);
    } finally {
      own.stop();
    }
  });
}

test("each request of a proxy's connection counts for itself", async () => {
  const own = open(443, TRUSTED);
  try {
    const client = await own.client();
    const requests = [SAID, "", SAID, "X-Forwarded-Proto: http\r\n"];
    client.send(requests.map((lines) => GET("/b", "a.example", lines)).join(""));
    const seen: string[] = [];
    for (let i = 0; i < requests.length; i++) {
      const { fields, first } = await client.response();
      const said = valuesOf(fields, "strict-transport-security").length;
      seen.push(`${first.slice(9, 12)} ${said}`);
    }
    assert.equal(seen, ["200 1", "308 0", "200 1", "308 0"]);
    client.reset();
  } finally {
    own.stop();
  }
});

test("an interim response says nothing of it", () =>
  withRig(
    origin,
    async (own) => {
      const client = await own.client();
      client.send(GET("/hints", "a.example", SAID));
      const interim = await client.response();
      assert.is(statusOf(interim), 103);
      assert.equal(valuesOf(interim.fields, "strict-transport-security"), []);
      const final = await client.response();
      assert.equal(valuesOf(final.fields, "strict-transport-security"), [HSTS]);
      client.reset();
    },
    { policy: STRICT, trusted: TRUSTED },
  ));

test.run();
