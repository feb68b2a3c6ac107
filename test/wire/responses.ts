/**
 * The response table over real sockets, cut into writes in every way: what the client sees and
 * whether the backend's connection is used again depend on the bytes alone.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { seeded, seedOfRun } from "../../core/http1/test/cuts.cases.ts";
import { RESPONSE_CASES, type ResponseFacts } from "../../core/http1/test/response.cases.ts";
import { statusOf, valuesOf } from "../message.ts";
import { respond } from "../origin.ts";
import type { Peer } from "../peer.ts";
import { replays, sendCut, showCut, type Cut } from "../replay.ts";
import { openRig, type Rig } from "../rig.ts";

/** Longer bodies are announced, but not sent. */
const BODY_MAX = 100;
const EARLY = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";

/** What is the same however the bytes were cut. */
type Outcome = Readonly<{
  first: string;
  fields: readonly string[];
  body: string;
  /** The response is complete. */
  whole: boolean;
  /** The client's connection goes on. */
  stays: boolean;
  /** The backend's connection carries the next request. */
  reused: boolean;
}>;

const seed = seedOfRun();
console.log(`seed ${seed} (RIND_SEED=${seed} runs it again)`);
const random = seeded(seed);

/** The answer to the next request that is not for `/good`: its bytes, how, and whether FIN. */
let answer = "";
let cut: Cut = [];
let leaves = false;
/** The backend's connection that gave it. */
let answered = -1;
let rig: Rig;

test.before(() => {
  rig = openRig(async (peer: Peer, index) => {
    for (;;) {
      const head = await peer.head().catch(() => "");
      if (head === "") return peer.shut();
      if (head.startsWith("GET /good ")) peer.send(respond(200, `${index}`));
      else {
        answered = index;
        await sendCut(peer, answer, cut);
        if (leaves) return peer.shut();
      }
    }
  });
});

test.after(() => rig.stop());

for (const [name, bytes, expected] of RESPONSE_CASES) {
  // An interim head alone is no response: the test below has them.
  if (expected !== false && (expected.status ?? 200) < 200) continue;
  test(name, async () => {
    const { body, ends } = bodyOf(bytes, expected);
    answer = bytes + body;
    leaves = !ends;
    const cuts = replays(answer.length, random);
    cut = cuts[0]!;
    const whole = await play();
    const status = expected === false ? 502 : (expected.status ?? 200);
    assert.is(Number(whole.first.slice(9, 12)), status);
    if (expected === false) {
      assert.ok(whole.stays, "the client is not to blame");
      assert.not.ok(whole.reused, "nothing behind a bad response can be trusted");
    } else if (expected.kept !== undefined) assert.is(whole.reused, expected.kept && ends);
    for (const next of cuts.slice(1)) {
      cut = next;
      assert.equal(await play(), whole, showCut(next));
    }
  });
}

test("2.6 interim responses go to clients that know them, 100 to nobody", async () => {
  const final = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
  leaves = false;
  answer = `HTTP/1.1 100 Continue\r\n\r\n${EARLY}HTTP/1.1 102 Processing\r\n\r\n${EARLY}${final}`;
  for (const next of replays(answer.length, random)) {
    cut = next;
    for (const minor of [0, 1]) {
      const client = await rig.client();
      client.send(`GET / HTTP/1.${minor}\r\nHost: a\r\nConnection: keep-alive\r\n\r\n`);
      const seen: number[] = [];
      do seen.push(statusOf(await client.response()));
      while (seen.at(-1)! < 200);
      assert.equal(seen, minor === 0 ? [200] : [103, 102, 103, 200], showCut(next));
      client.reset();
    }
  }
});

/** Bytes of the body that a head announces, and whether they tell where it ends. */
function bodyOf(
  bytes: string,
  expected: ResponseFacts | false,
): Readonly<{ body: string; ends: boolean }> {
  if (expected === false) return { body: "", ends: false };
  const bodiless = expected.status === 204 || expected.status === 304;
  if (bodiless || expected.rest !== undefined) return { body: "", ends: bodiless };
  if (/\r\ntransfer-encoding:/i.test(bytes)) return { body: "3\r\nabc\r\n0\r\n\r\n", ends: true };
  const length = Number(/\r\ncontent-length:\s*(\d+)/i.exec(bytes)?.[1] ?? -1);
  if (length < 0 || length > BODY_MAX) return { body: "", ends: false };
  return { body: "b".repeat(length), ends: true };
}

/** Asks for the answer, then for something good, on the same connection if that goes on. */
async function play(): Promise<Outcome> {
  const client = await rig.client();
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  const seen = await answerOf(client);
  // A connection settles for two turns of the loop before it is used again.
  for (let i = 0; i < 4; i++) await new Promise((resolve) => setImmediate(resolve));
  const asker = seen.stays ? client : await rig.client();
  asker.send("GET /good HTTP/1.1\r\nHost: a\r\n\r\n");
  const good = await asker.response();
  assert.is(statusOf(good), 200, "somebody else's answer");
  client.reset();
  asker.reset();
  return { ...seen, reused: good.body.toString() === `${answered}` };
}

async function answerOf(client: Peer): Promise<Omit<Outcome, "reused">> {
  const response = await client.response().catch(() => null);
  if (response === null) {
    const [first = ""] = client.unread.toString("latin1").split("\r\n");
    return { first, fields: [], body: "", whole: false, stays: false };
  }
  const fields = response.fields.map(([name, value]) => `${name}: ${value}`);
  return {
    first: response.first,
    fields: fields.filter((line) => !line.startsWith("Date: ")),
    body: response.body.toString("latin1"),
    whole: true,
    stays: !valuesOf(response.fields, "connection").includes("close"),
  };
}

test.run();
