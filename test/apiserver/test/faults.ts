/** Each fault of the API server for tests does what its name says; the contract is tested apart. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type ApiServerDouble, type ApiServerOptions, startApiServer } from "../../apiserver.ts";
import { dial } from "../../peer.ts";
import type { Fault } from "../faults.ts";
import { rowOf } from "../kinds.ts";

const LIST = "/api/v1/services";
const WATCH = `${LIST}?watch=1&allowWatchBookmarks=true&timeoutSeconds=30`;
/** Long enough that what would come has come. */
const QUIET_MS = 150;
/** A guard: nothing is measured with it. */
const HANG_MS = 15_000;

function service(name: string, port = 80) {
  const spec = { ports: [{ port }] };
  return { apiVersion: "v1", kind: "Service", metadata: { name, namespace: "shop" }, spec };
}

async function withServer(
  options: ApiServerOptions,
  body: (server: ApiServerDouble) => Promise<void>,
): Promise<void> {
  const server = startApiServer(options);
  try {
    for (const name of ["a", "b"]) server.put(service(name));
    await body(server);
  } finally {
    server.stop();
  }
}

type Ended = Readonly<{ status: number; body: string; end: "clean" | "cut" | "quiet" }>;

/**
 * What came of an answer's body until it ended: cleanly, cut, or given up, a quiet time after so
 * many `lines` have come. `then` is called when the head is there; -1 lines: it never will be.
 */
async function ended(
  server: ApiServerDouble,
  path: string,
  { then = () => {}, lines = Number.POSITIVE_INFINITY }: { then?: () => void; lines?: number } = {},
): Promise<Ended> {
  let body = "";
  let status = 0;
  const abort = new AbortController();
  let timer = setTimeout(() => abort.abort(), lines < 0 ? QUIET_MS : HANG_MS);
  const look = (): void => {
    if (body.split("\n").length <= lines) return;
    clearTimeout(timer);
    timer = setTimeout(() => abort.abort(), QUIET_MS);
  };
  try {
    const response = await fetch(server.url + path, { signal: abort.signal });
    status = response.status;
    then();
    if (lines === 0) look();
    const decoder = new TextDecoder();
    for await (const chunk of response.body!) {
      body += decoder.decode(chunk, { stream: true });
      if (lines !== Number.POSITIVE_INFINITY) look();
    }
    return { status, body, end: "clean" };
  } catch {
    return { status, body, end: abort.signal.aborted ? "quiet" : "cut" };
  } finally {
    clearTimeout(timer);
  }
}

/** The bytes of a body that is cut, all of them: fetch keeps those that come with the end. */
async function cutBody(server: ApiServerDouble, path: string): Promise<string> {
  const peer = await dial(server.port);
  peer.send(`GET ${path} HTTP/1.1\r\nHost: api\r\n\r\n`);
  const head = await peer.head();
  assert.is(await peer.left(), "fin");
  peer.reset();
  const text = peer.unread.toString();
  // The lines of this test have no CR, so that what has one is framing.
  return head.includes("chunked") ? text.replace(/[0-9a-f]+\r\n([^\r]*)\r\n/g, "$1") : text;
}

/** The first lines of a watch, after an edit. */
async function first(server: ApiServerDouble, path: string, count: number): Promise<string[]> {
  const abort = new AbortController();
  const response = await fetch(server.url + path, { signal: abort.signal });
  server.put(service("a", 90));
  let text = "";
  for await (const chunk of response.body!) {
    text += Buffer.from(chunk).toString();
    if (text.split("\n").length > count) break;
  }
  abort.abort();
  return text.split("\n").slice(0, count);
}

/** The types of the events in a body, by their names. */
function events(body: string): string[] {
  const lines = body.split("\n").filter((line) => line !== "");
  return lines.map((line) => {
    const { type, object } = JSON.parse(line);
    return `${type} ${object.metadata.name ?? object.code ?? ""}`.trim();
  });
}

/** A fault, and how a list of two objects ends with it. */
const LISTS: readonly (readonly [Fault, status: number, end: string])[] = [
  [{ kind: "blackhole" }, 0, "quiet"],
  [{ kind: "reset" }, 0, "cut"],
  [{ kind: "delay", ms: 20 }, 200, "clean"],
  [{ kind: "answer", status: 429, retryAfterSeconds: 3 }, 429, "clean"],
  [{ kind: "answer", status: 500 }, 500, "clean"],
  [{ kind: "answer", status: 401 }, 401, "clean"],
  [{ kind: "drip", bytes: 400, ms: 1 }, 200, "clean"],
  [{ kind: "cut", bytes: 100 }, 200, "cut"],
];

for (const [fault, status, end] of LISTS) {
  test(`a list with ${JSON.stringify(fault)} is ${status}, ${end}, and whole after it`, () =>
    withServer({}, async (server) => {
      const heal = server.disturb(fault, { resource: "services" });
      const answer = await ended(server, LIST, end === "quiet" ? { lines: -1 } : {});
      assert.is(answer.status, status);
      assert.is(answer.end, end);
      if (fault.kind === "cut") assert.is((await cutBody(server, LIST)).length, fault.bytes);
      if (status === 200 && end === "clean") assert.is(JSON.parse(answer.body).items.length, 2);
      heal();
      assert.is(JSON.parse((await ended(server, LIST)).body).items.length, 2);
    }));
}

/** A fault, what a watch from now tells of an edit of `a` and one of `b`, and how it ends. */
const WATCHES: readonly (readonly [Fault, readonly string[], end: string])[] = [
  [{ kind: "stall" }, [], "quiet"],
  [{ kind: "blackhole" }, [], "quiet"],
  [{ kind: "twice" }, ["MODIFIED a", "MODIFIED a", "MODIFIED b", "MODIFIED b"], "quiet"],
  [{ kind: "end" }, ["MODIFIED a"], "clean"],
  [{ kind: "expired" }, ["ERROR 410"], "clean"],
  [
    { kind: "mutate", mutate: () => ({ kind: "Service", metadata: { name: 7 } }) },
    ["MODIFIED 7", "MODIFIED 7"],
    "quiet",
  ],
];

for (const [fault, told, end] of WATCHES) {
  test(`a watch with ${fault.kind} tells ${told.join(", ") || "nothing"}, then ${end}`, () =>
    withServer({}, async (server) => {
      const path = `${WATCH}&resourceVersion=${server.objects.version}`;
      const then = (): void => {
        server.disturb(fault, { resource: "services" });
        server.put(service("a", 81));
        server.put(service("b", 81));
      };
      const answer = await ended(
        server,
        path,
        end === "quiet" ? { then, lines: told.length } : { then },
      );
      assert.equal(events(answer.body), told);
      assert.is(answer.end, end);
    }));
}

test("a watch is cut after exactly as many bytes as asked, wherever that is", () =>
  withServer({}, async (server) => {
    const whole = (await ended(server, `${WATCH}&resourceVersion=0`, { lines: 2 })).body;
    for (const bytes of [1, 40, whole.indexOf("\n"), whole.indexOf("\n") + 1, whole.length]) {
      const heal = server.disturb({ kind: "cut", bytes }, { verb: "watch" });
      assert.is(await cutBody(server, `${WATCH}&resourceVersion=0`), whole.slice(0, bytes));
      heal();
    }
  }));

test("a fault hits what it names, as often as it says", () =>
  withServer({}, async (server) => {
    server.disturb({ kind: "answer", status: 503 }, { verb: "list", namespace: "shop", times: 2 });
    const shop = "/api/v1/namespaces/shop/services";
    const statuses: number[] = [];
    for (const path of [LIST, shop, `${shop}/a`, shop, shop]) {
      statuses.push((await ended(server, path)).status);
    }
    assert.equal(statuses, [200, 503, 200, 503, 200]);
  }));

test("down resets what is there and what comes, up goes on with the same objects", () =>
  withServer({}, async (server) => {
    const { port } = server;
    const path = `${WATCH}&resourceVersion=${server.objects.version}`;
    const watch = await ended(server, path, { then: () => server.down() });
    assert.is(watch.end, "cut");
    assert.is((await ended(server, LIST)).end, "cut");
    server.up();
    assert.is(server.port, port);
    assert.is(JSON.parse((await ended(server, LIST)).body).items.length, 2);
    assert.is(server.watches().length, 0);
  }));

test("an open watch can be ended, cut, reset, stalled, failed and told nonsense", () =>
  withServer({}, async (server) => {
    const path = `${WATCH}&resourceVersion=${server.objects.version}`;
    const watching = (then: (watch: ReturnType<typeof server.watches>[0]) => void, more = {}) =>
      ended(server, path, { then: () => then(server.watches("services")[0]!), ...more });
    assert.equal(await watching((watch) => watch.end()), { status: 200, body: "", end: "clean" });
    const cut = await watching((watch) => watch.cut());
    assert.is(cut.end, "cut");
    assert.not.match(cut.body, "\n");
    assert.is((await watching((watch) => watch.reset())).end, "cut");
    const stalled = await watching(
      (watch) => {
        watch.stall();
        server.put(service("a", 99));
      },
      { lines: 0 },
    );
    assert.equal(stalled, { status: 200, body: "", end: "quiet" });
    server.compact();
    const now = `${WATCH}&resourceVersion=${server.objects.version}`;
    const nonsense = await ended(server, now, {
      then: () => server.watches("services")[0]!.line("{nonsense"),
      lines: 1,
    });
    assert.is(nonsense.body, "{nonsense\n");
  }));

test("after a compaction, an old watch is 410: as an event, or as a status", async () => {
  for (const gone of ["event", "status"] as const) {
    await withServer({ gone }, async (server) => {
      const { version } = server.objects;
      server.compact();
      const answer = await ended(server, `${WATCH}&resourceVersion=${version}`);
      assert.is(answer.status, gone === "status" ? 410 : 200);
      assert.match(answer.body, '"reason":"Expired"');
    });
  }
});

test("the window of changes is as long as it was said", () =>
  withServer({ window: 10 }, async (server) => {
    const { version } = server.objects;
    for (let port = 1; port <= 30; port++) server.put(service("a", port));
    assert.match((await ended(server, `${WATCH}&resourceVersion=${version}`)).body, "Expired");
    const recent = server.objects.version - 5;
    const { body } = await ended(server, `${WATCH}&resourceVersion=${recent}`, { lines: 5 });
    assert.is(events(body).length, 5);
  }));

test("a list of pages from a version is of exactly that version, unless it may be newer", () =>
  withServer({}, async (server) => {
    const { version } = server.objects;
    server.put(service("a", 81));
    server.put(service("c"));
    server.remove("Service", "shop", "b");
    const list = async (query: string) => {
      const { body, status } = await ended(server, `${LIST}?resourceVersion=${version}&${query}`);
      if (status !== 200) return String(status);
      const { items } = JSON.parse(body);
      return items
        .map(({ metadata, spec }: ReturnType<typeof service>) => {
          return `${metadata.name}:${spec.ports[0]!.port}`;
        })
        .join(" ");
    };
    assert.is(await list("limit=10"), "a:80 b:80");
    assert.is(await list("resourceVersionMatch=Exact"), "a:80 b:80");
    assert.is(await list("limit=10&resourceVersionMatch=NotOlderThan"), "a:81 c:80");
    assert.is(await list(""), "a:81 c:80");
    server.compact();
    assert.is(await list("limit=10"), "410");
    assert.is(await list("limit=10&resourceVersionMatch=NotOlderThan"), "a:81 c:80");
  }));

test("a watch by label hears when an object enters and leaves its selection", () =>
  withServer({}, async (server) => {
    const path = `${WATCH}&labelSelector=tier%3Dweb&resourceVersion=${server.objects.version}`;
    const labelled = (labels: Record<string, string>) => {
      const { metadata, ...rest } = service("a");
      server.put({ ...rest, metadata: { ...metadata, labels } });
    };
    const then = (): void => {
      for (const tier of ["db", "web", "web", "db"]) labelled({ tier });
    };
    const { body } = await ended(server, path, { then, lines: 3 });
    assert.equal(events(body), ["ADDED a", "MODIFIED a", "DELETED a"]);
  }));

test("bookmarks come when something was new, and say up to where nothing is missed", () =>
  withServer({ bookmarkMs: 20 }, async (server) => {
    const path = `${WATCH}&resourceVersion=${server.objects.version}`;
    assert.is((await ended(server, path, { lines: 0 })).body, "");
    const [edit, bookmark, ...more] = (await first(server, path, 3)).map(
      (line) => JSON.parse(line).object.metadata.resourceVersion,
    );
    assert.is(bookmark, edit);
    assert.is(more[0], edit);
  }));

test("a kind that is not installed is 404, and is served once it is", () =>
  withServer({}, async (server) => {
    const path = "/apis/example.dev/v1/widgets";
    assert.is((await ended(server, path)).status, 404);
    const widget = { plural: "widgets", kind: "Widget", namespaced: true };
    server.kinds.push(rowOf("example.dev/v1", widget));
    assert.is((await ended(server, path)).status, 200);
  }));

test("requests are counted, and an unchanged write is none", () =>
  withServer({}, async (server) => {
    const path = `${server.url}/api/v1/namespaces/shop/services/a`;
    const headers = { "Content-Type": "application/merge-patch+json" };
    const patch = (ports: unknown) =>
      fetch(path, { method: "PATCH", headers, body: JSON.stringify({ spec: { ports } }) });
    const { version } = server.objects;
    await patch([{ port: 80 }]);
    assert.is(server.objects.version, version);
    await patch([{ port: 81 }]);
    assert.is(server.objects.version, version + 1);
    assert.is(server.count({ verb: "patch", resource: "services", name: "a" }), 2);
    assert.is(server.count({ verb: "list" }), 0);
  }));

test.run();
