/**
 * Response splitting: whatever a backend sends, a strict reader at the client's end finds one
 * response for one request, or a connection that broke; never two, and never somebody else's.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { CHUNKED_CASES } from "../../core/http1/test/body.cases.ts";
import { seeded, seedOfRun, type Random } from "../../core/http1/test/cuts.cases.ts";
import { RESPONSE_CASES } from "../../core/http1/test/response.cases.ts";
import { readMessage, statusOf, valuesOf } from "../message.ts";
import { respond } from "../origin.ts";
import type { Peer } from "../peer.ts";
import { openRig, type Rig } from "../rig.ts";

const MUTATIONS = 500;
const READING = { response: true, bodiless: false };

const seed = seedOfRun();
console.log(`seed ${seed} (RIND_SEED=${seed} runs it again)`);
const random = seeded(seed);

/** What the next request that is not for `/good` is answered, and how the backend leaves then. */
let answer = "";
let leave: "shut" | "reset" | "stay" = "shut";
let rig: Rig;

test.before(() => {
  rig = openRig(async (peer: Peer) => {
    for (;;) {
      const head = await peer.head().catch(() => "");
      if (head === "") return;
      if (head.startsWith("GET /good ")) peer.send(respond(200, "good", "X-Good: 1\r\n"));
      else {
        peer.send(answer);
        if (leave !== "stay") return peer[leave]();
      }
    }
  });
});

test.after(() => rig.stop());

for (const [name, bytes, expected] of RESPONSE_CASES) {
  test(name, async () => {
    answer = bytes;
    leave = "shut";
    const status = await expectOne(name);
    if (expected === false) assert.is(status, 502);
    else if ((expected.status ?? 200) >= 200 && expected.length === undefined) {
      // A length that is not followed by so many bytes is a cut: then there is no whole response.
      assert.ok(status === (expected.status ?? 200) || status === null, `${status}`);
    }
  });
}

test("chunked bodies of every kind", async () => {
  for (const [name, bytes, , expected] of CHUNKED_CASES) {
    answer = `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${bytes}`;
    leave = "shut";
    const status = await expectOne(name);
    if (typeof expected === "object") assert.is(status, 200, name);
    else assert.ok(status === null || status === 502, `${name}: ${status}`);
  }
});

test("mutated responses, and backends that leave in every way", async () => {
  for (let i = 0; i < MUTATIONS; i++) {
    answer = seedResponse(random);
    for (let times = random(4); times > 0; times--) answer = mutate(answer, random);
    leave = (["shut", "reset", "stay"] as const)[random(3)]!;
    await expectOne(`mutation ${i}: ${leave} ${JSON.stringify(answer.slice(0, 300))}`);
  }
});

/**
 * One client asks twice: for the bad, then for the good. The second answer, when there is one, is
 * the good one. Then another client asks for the good. Returns the status of the first answer that
 * is whole.
 */
async function expectOne(name: string): Promise<number | null> {
  const client = await rig.client();
  client.send("GET /bad HTTP/1.1\r\nHost: a\r\n\r\n");
  client.send("GET /good HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  await quiet(client);
  const statuses = finals(client, name);
  client.reset();
  const other = await rig.client();
  other.send("GET /good HTTP/1.1\r\nHost: a\r\n\r\n");
  const good = await other.response();
  assert.equal(valuesOf(good.fields, "x-good"), ["1"], name);
  assert.is(good.body.toString(), "good", name);
  other.reset();
  return statuses;
}

/** The status of the first response; checks that the second is the good one, and the last. */
function finals(client: Peer, name: string): number | null {
  const ended = client.ending === "fin";
  let first: number | null = null;
  for (let count = 0; client.unread.length > 0;) {
    const message = readMessage(client.unread, { ...READING, ended });
    if (message === null) break;
    client.take(message.size);
    if (statusOf(message) < 200) continue;
    count++;
    if (count === 1) first = statusOf(message);
    else assert.equal([count, valuesOf(message.fields, "x-good")], [2, ["1"]], name);
  }
  return first;
}

/** The client's connection ended, or nothing moved for a while: the plane waits for more. */
async function quiet(client: Peer): Promise<void> {
  let seen = -1;
  for (let still = 0; still < 200 && client.ending === "open"; still++) {
    await new Promise((resolve) => setImmediate(resolve));
    if (client.received === seen) continue;
    seen = client.received;
    still = 0;
  }
}

// === mutations ===

const BYTES = ["\r", "\n", "\r\n", "\0", ":", "\t", " ", ";", ",", "\x0b", "\x85", "0", "+", "x"];
const EVIL = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nX-Evil: 1\r\n\r\nevil";
const LINES = [
  "Content-Length: 0",
  "Content-Length: 5",
  "Transfer-Encoding: chunked",
  "Transfer-Encoding: identity",
  "Connection: close",
  "Connection: Content-Length",
  " folded",
  "HTTP/1.1 200 OK",
  "",
];

function seedResponse(pick: Random): string {
  switch (pick(5)) {
    case 0:
      return `HTTP/1.1 200 OK\r\nContent-Length: ${EVIL.length}\r\n\r\n${EVIL}`;
    case 1: {
      const size = EVIL.length.toString(16);
      return `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${size}\r\n${EVIL}\r\n0\r\n\r\n`;
    }
    case 2:
      return `HTTP/1.1 103 X\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok`;
    case 3:
      return `HTTP/1.1 204 No Content\r\n\r\n${EVIL}`;
    default:
      return `HTTP/1.1 200 OK\r\nA: b\r\n\r\n${EVIL}`;
  }
}

/** One change: a byte dropped, doubled, replaced or put in; a line put in or moved. */
function mutate(bytes: string, pick: Random): string {
  const at = pick(bytes.length + 1);
  const special = BYTES[pick(BYTES.length)]!;
  switch (pick(6)) {
    case 0:
      return bytes.slice(0, at) + bytes.slice(at + 1);
    case 1:
      return bytes.slice(0, at) + bytes.slice(at, at + 1) + bytes.slice(at);
    case 2:
      return bytes.slice(0, at) + special + bytes.slice(at + 1);
    case 3:
      return bytes.slice(0, at) + special + bytes.slice(at);
  }
  const lines = bytes.split("\r\n");
  const taken = pick(2) === 0 ? LINES[pick(LINES.length)]! : lines[pick(lines.length)]!;
  lines.splice(pick(lines.length + 1), 0, taken);
  return lines.join("\r\n");
}

test.run();
