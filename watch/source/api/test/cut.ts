/**
 * A connection may break at any byte. Whatever it was in the middle of: nothing is lost, and
 * nothing is told that was not so.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type ApiServerDouble, startApiServer } from "../../../../test/apiserver.ts";
import { RESOURCES } from "../../../resources.ts";
import { Feed } from "../feeds.ts";
import { serviceOf, termsFor, until } from "./fixture/cluster.ts";

const test = suite("cut connections");

/** Cuts that are tried at once. */
const TOGETHER = 80;

const [SERVICE] = RESOURCES.filter(({ kind }) => kind === "Service");

type Way = Readonly<{ stream: boolean; verb: "watch" | "list" }>;

/** Follows the Services of a namespace through one cut; the answer is all that was told. */
async function through(
  server: ApiServerDouble,
  way: Way,
  bytes: number,
): Promise<readonly string[]> {
  const namespace = `cut-${String(bytes).padStart(4, "0")}`;
  const told: string[] = [];
  const ports = new Map<string, unknown>();
  for (const name of ["a", "b"]) server.put(serviceOf(namespace, name, 80));
  const mend = server.disturb({ kind: "cut", bytes }, { verb: way.verb, namespace, times: 1 });
  const scope = { resource: SERVICE!, namespace, name: "", optional: false };
  const feed = new Feed(termsFor(server, { stream: way.stream, seed: bytes + 1 }), scope, {
    tell: (event) => {
      if (event.type !== "put" && event.type !== "gone") throw new Error(event.type);
      const { name } = event.object.metadata;
      const { ports: [port] = [] } = event.object["spec"] as { ports?: { port: number }[] };
      if (event.type === "put") ports.set(name, port?.port);
      else ports.delete(name);
      told.push(event.type === "put" ? `put ${name} ${port?.port}` : `gone ${name}`);
    },
    found: () => {},
    saw: () => {},
    moved: () => {},
  });
  feed.start();
  try {
    await until(() => feed.state().synced, `synced, cut at ${bytes}`);
    edit(server, namespace);
    const right = (): boolean =>
      Bun.deepEquals([...ports].sort(), [
        ["a", 81],
        ["c", 80],
        ["d", 80],
      ]);
    await until(right, `the state of the server, cut at ${bytes}, told ${told}`);
    return told;
  } finally {
    feed.stop();
    mend();
  }
}

/** a moves from 80 to 81, b goes, c comes, d comes and goes and comes. */
function edit(server: ApiServerDouble, namespace: string): void {
  server.put(serviceOf(namespace, "a", 81));
  server.put(serviceOf(namespace, "c", 80));
  server.put(serviceOf(namespace, "d", 79));
  server.remove("Service", namespace, "b");
  server.remove("Service", namespace, "d");
  server.put(serviceOf(namespace, "d", 80));
}

/** All that may be told, and what may not come before what. */
function judge(told: readonly string[], about: string): void {
  const possible = ["put a 80", "put b 80", "put a 81", "put c 80", "put d 79", "put d 80"];
  for (const text of told) {
    assert.ok([...possible, "gone b", "gone d"].includes(text), `${about}: ${text} never was`);
  }
  assert.is(new Set(told).size, told.length, `${about}: told twice: ${told}`);
  const before = (first: string, then: string): boolean =>
    !told.includes(first) || told.indexOf(first) < told.indexOf(then);
  assert.ok(before("put a 80", "put a 81"), `${about}: back in time: ${told}`);
  assert.ok(before("put d 79", "put d 80"), `${about}: back in time: ${told}`);
  assert.ok(before("put b 80", "gone b"), `${about}: back in time: ${told}`);
}

async function everywhere(way: Way, length: number, stride: number): Promise<void> {
  const server = startApiServer({ bookmarkMs: 20 });
  const places = Array.from({ length: Math.ceil(length / stride) }, (_, i) => i * stride);
  for (let from = 0; from < places.length; from += TOGETHER) {
    const cuts = places.slice(from, from + TOGETHER);
    const all = await Promise.all(cuts.map((bytes) => through(server, way, bytes)));
    all.forEach((told, i) => judge(told, `${way.verb} cut at byte ${cuts[i]}`));
  }
  server.stop();
}

/** How long the answer to `verb` gets, without a cut. */
async function lengthOf(way: Way): Promise<number> {
  const server = startApiServer({ bookmarkMs: 1_000_000 });
  try {
    for (const name of ["a", "b"]) server.put(serviceOf("cut-0000", name, 80));
    const initial = "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan";
    const query = way.verb === "list" ? "" : `?watch=true${way.stream ? initial : ""}`;
    const abort = new AbortController();
    const response = await fetch(`${server.url}/api/v1/namespaces/cut-0000/services${query}`, {
      signal: abort.signal,
    });
    if (way.verb === "list") return (await response.text()).length;
    edit(server, "cut-0000");
    let text = "";
    for await (const chunk of response.body ?? []) {
      text += Buffer.from(chunk).toString();
      // The last of the edits.
      if (/"port":80/.test(text.split('"name":"d"').at(-1) ?? "") && text.includes("DELETED"))
        break;
    }
    abort.abort();
    return text.length;
  } finally {
    server.stop();
  }
}

for (const [way, stride] of [
  [{ stream: true, verb: "watch" }, 1],
  [{ stream: false, verb: "list" }, 1],
  // What comes after a list is read by the same code as what comes after a streamed one.
  [{ stream: false, verb: "watch" }, 3],
] as const) {
  const how = `${way.stream ? "streamed" : "paged"}: the ${way.verb} is cut at every`;
  test(`${how} ${stride === 1 ? "byte" : "third byte"}`, async () => {
    const length = await lengthOf(way);
    assert.ok(length > 300, `only ${length} bytes`);
    await everywhere(way, length + 1, stride);
  });
}

test.run();
