import { suite } from "uvu";
import * as assert from "uvu/assert";
import { fakeClock, systemClock } from "../../../../core/clock.ts";
import { startApiServer } from "../../../../test/apiserver.ts";
import { makeAuthority } from "../../../../test/apiserver/authority.ts";
import type { Access, ApiFailure, Credentials } from "../api.ts";
import { openClient } from "../client.ts";
import { LINE_MAX } from "../lines.ts";
import { serviceOf, until } from "./fixture/cluster.ts";

const test = suite("client");

const NOBODY: Credentials = {
  headers: {},
  ca: null,
  cert: null,
  key: null,
  serverName: null,
  verify: true,
};
const LIST = { method: "GET", path: "/api/v1/services" } as const;

function accessTo(server: string, credentials: Partial<Credentials> = {}): Access {
  return {
    server,
    from: "a test",
    namespace: "default",
    credentials: () => Promise.resolve({ ...NOBODY, ...credentials }),
    renew: () => {},
  };
}

/** Answers each request alike. */
function answering(answer: () => Response | Promise<Response>): Bun.Server<undefined> {
  return Bun.serve({ port: 0, hostname: "127.0.0.1", idleTimeout: 0, fetch: answer });
}

/** How a list of this server ends. */
async function listOf(answer: () => Response | Promise<Response>): Promise<unknown> {
  const server = answering(answer);
  const result = await openClient(accessTo(`http://127.0.0.1:${server.port}`), systemClock).ask(
    LIST,
  );
  await server.stop(true);
  if (result.ok) return result.body;
  return `${result.status} ${result.retryAfterMs} ${result.reason}`.replace(/:\d+/g, "");
}

const status = (code: number, message: string): Response =>
  Response.json({ kind: "Status", code, message }, { status: code });

const JSON_TYPE = { "content-type": "application/json" };

const ANSWERS: readonly [name: string, answer: () => Response, result: unknown][] = [
  ["JSON", () => Response.json({ a: 1 }), { a: 1 }],
  [
    "no JSON",
    () => new Response("<html>", { headers: { "content-type": "text/html" } }),
    "0 null cannot reach http://127.0.0.1: its answer is not JSON, but 6 characters of text/html",
  ],
  [
    "the beginning of a Secret, of which nothing is told",
    () => new Response('{"data":{"tls.key":"c2Vjc', { headers: JSON_TYPE }),
    "0 null cannot reach http://127.0.0.1: its answer is not JSON, but 25 characters of " +
      "application/json",
  ],
  [
    "nothing",
    () => new Response(""),
    "0 null cannot reach http://127.0.0.1: its answer is not JSON, but 0 characters of no type",
  ],
  ["a denial", () => status(403, "no services"), "403 null RBAC denies it: no services"],
  [
    "401",
    () => status(401, "x"),
    "401 null http://127.0.0.1 refuses our credentials (a test): " +
      "expired, or of an account that is gone",
  ],
  [
    "a failure without a Status",
    () => new Response("oh", { status: 500 }),
    "500 null http://127.0.0.1 answers 500: oh",
  ],
  [
    "Retry-After",
    () => new Response("", { status: 429, headers: { "retry-after": "7" } }),
    "429 7000 http://127.0.0.1 answers 429",
  ],
  [
    "a Retry-After of years",
    () => new Response("", { status: 429, headers: { "retry-after": "999999999" } }),
    "429 300000 http://127.0.0.1 answers 429",
  ],
  [
    "a Retry-After that is none",
    () => new Response("", { status: 503, headers: { "retry-after": "soon" } }),
    "503 null http://127.0.0.1 answers 503",
  ],
  [
    "a redirect, which no API server sends",
    () => new Response("", { status: 302, headers: { location: "http://127.0.0.1:1/" } }),
    "302 null http://127.0.0.1 answers 302",
  ],
];

for (const [name, answer, result] of ANSWERS) {
  test(`an answer: ${name}`, async () => assert.equal(await listOf(answer), result));
}

test("what cannot be reached is a failure that says why", async () => {
  const server = answering(() => new Response(""));
  const url = `http://127.0.0.1:${server.port}`;
  await server.stop(true);
  const result = await openClient(accessTo(url), systemClock).ask(LIST);
  assert.is(result.ok ? "" : result.reason, `cannot reach ${url}: connection refused`);
});

test("no answer in time is a failure, and so are credentials that never come", async () => {
  let asked = 0;
  const server = answering(() => {
    asked += 1;
    return new Promise<Response>(() => {});
  });
  const url = `http://127.0.0.1:${server.port}`;
  const hanging = { ...accessTo(url), credentials: () => new Promise<Credentials>(() => {}) };
  for (const access of [accessTo(url), hanging]) {
    const clock = fakeClock();
    const result = openClient(access, clock).ask(LIST, 5_000);
    if (access !== hanging) await until(() => asked === 1, "the request");
    clock.advance(5_000);
    const answer = await result;
    assert.is(answer.ok ? "" : answer.reason, `cannot reach ${url}: no answer within 5 s`);
    const ends: (ApiFailure | null)[] = [];
    openClient(access, clock).stream(LIST, {
      opened: () => {},
      line: () => {},
      closed: (failure) => ends.push(failure),
    });
    if (access !== hanging) await until(() => asked === 2, "the request for a stream");
    clock.advance(60_000);
    await until(() => ends.length === 1, "the end of the stream");
    assert.is(ends[0]?.reason, `cannot reach ${url}: no answer within 60 s`);
  }
  await server.stop(true);
});

test("credentials that fail are a failure that says why", async () => {
  const access = {
    ...accessTo("http://127.0.0.1:1"),
    credentials: () => Promise.reject(new Error("no file")),
  };
  const result = await openClient(access, systemClock).ask(LIST);
  assert.is(result.ok ? "" : result.reason, "cannot reach http://127.0.0.1:1: no file");
});

test("credentials are asked for each time, and renewed after a 401", async () => {
  let asked = 0;
  let renewed = 0;
  const server = answering(() => status(401, ""));
  const access: Access = {
    ...accessTo(`http://127.0.0.1:${server.port}`),
    credentials: () => {
      asked += 1;
      return Promise.resolve(NOBODY);
    },
    renew: () => void (renewed += 1),
  };
  const client = openClient(access, systemClock);
  for (let i = 1; i <= 3; i++) {
    await client.ask(LIST);
    assert.equal([asked, renewed], [i, i]);
  }
  await server.stop(true);
});

test("a body is sent as JSON of its type", async () => {
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: async (request) =>
      Response.json([
        request.method,
        request.headers.get("content-type"),
        new URL(request.url).search,
        await request.text(),
      ]),
  });
  const client = openClient(accessTo(`http://127.0.0.1:${server.port}`), systemClock);
  const contentType = "application/merge-patch+json";
  const query = { fieldManager: "rind & co" };
  const patch = { method: "PATCH", path: "/x", query, body: { a: "ž" }, contentType } as const;
  const answer = await client.ask(patch);
  await server.stop(true);
  assert.equal(answer.ok && answer.body, [
    "PATCH",
    contentType,
    "?fieldManager=rind+%26+co",
    '{"a":"ž"}',
  ]);
});

test("a line longer than LINE_MAX ends a stream with a failure", async () => {
  const server = answering(() => new Response("x".repeat(LINE_MAX + 1)));
  const lines: string[] = [];
  const reason = await new Promise<string>((resolve) => {
    openClient(accessTo(`http://127.0.0.1:${server.port}`), systemClock).stream(LIST, {
      opened: () => {},
      line: (line) => lines.push(line),
      closed: (failure) => resolve(failure?.reason ?? ""),
    });
  });
  await server.stop(true);
  assert.match(reason, /a line exceeds 8388608 bytes$/);
  assert.equal(lines, []);
});

test("who ends a stream hears nothing more of it, and the server sees the end", async () => {
  const server = startApiServer({ bookmarkMs: 5 });
  let heard = 0;
  const watch = { ...LIST, query: { watch: "true", allowWatchBookmarks: "true" } };
  const stop = openClient(accessTo(server.url), systemClock).stream(watch, {
    opened: () => (heard += 1),
    line: () => (heard += 1),
    closed: () => (heard += 1),
  });
  await until(() => heard > 0, "opened");
  stop();
  const before = heard;
  await until(() => server.watches().length === 0, "the end of the watch");
  assert.is(heard, before);
  server.stop();
});

test("a bug of who hears a stream ends it, and is not blamed on the server", async () => {
  const server = startApiServer();
  server.put(serviceOf("shop", "a", 80));
  const bug = new TypeError("thrown by this test");
  const bugs: unknown[] = [];
  const note = (error: unknown): void => void bugs.push(error);
  process.on("unhandledRejection", note);
  const watch = { ...LIST, query: { watch: "true" } };
  for (const at of ["opened", "line"] as const) {
    const ends: (ApiFailure | null)[] = [];
    const hear = (what: string) => (): void => {
      if (what === at) throw bug;
    };
    openClient(accessTo(server.url), systemClock).stream(watch, {
      opened: hear("opened"),
      line: hear("line"),
      closed: (failure) => ends.push(failure),
    });
    await until(() => ends.length > 0 && server.watches().length === 0, "the end");
    const reason = "a bug of rind (TypeError): please report it, with its stack from the log";
    assert.is(ends.map((failure) => failure?.reason).join(), reason);
  }
  await until(() => bugs.length === 2, "what the log says");
  assert.equal(bugs, [bug, bug]);
  process.off("unhandledRejection", note);
  server.stop();
});

test("over TLS the authority counts, and the name, and the certificate of the client", async () => {
  const authority = makeAuthority();
  const other = makeAuthority();
  // Without openssl there is nobody to make certificates.
  if (authority === null || other === null) return;
  const server = startApiServer({ authority });
  server.guard.tokens.set("secret", "somebody");
  const { ca, clientCert: cert, clientKey: key } = authority;
  const token = { headers: { authorization: "Bearer secret" } };
  const rows: readonly [Partial<Credentials>, RegExp][] = [
    [{ ca, ...token }, /^200$/],
    [{ ca, cert, key }, /^200$/],
    [{ ca, ...token, serverName: "kubernetes.default.svc" }, /^200$/],
    [{ ...token, verify: false }, /^200$/],
    [{ ca }, /^401 /],
    [{ ca: other.ca, ...token }, /^0 .*its certificate is signed by an unknown authority$/],
    [{ ...token }, /^0 .*its certificate is signed by an unknown authority$/],
    [
      { ca, ...token, serverName: "elsewhere.example" },
      /^0 .*its certificate is for another name$/,
    ],
    [{ ca, cert: other.clientCert, key: other.clientKey }, /^(401|0) /],
  ];
  // Forth and back: no connection is shared between credentials.
  for (const [credentials, wanted] of [...rows, ...rows.toReversed()]) {
    const answer = await openClient(accessTo(server.url, credentials), systemClock).ask(LIST);
    const shown = answer.ok ? String(answer.status) : `${answer.status} ${answer.reason}`;
    assert.match(shown, wanted, JSON.stringify(Object.keys(credentials)));
  }
  server.stop();
});

test.run();
