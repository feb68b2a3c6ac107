/**
 * The request table over real sockets, cut into writes in every way: the answer, what the upstream
 * sees and what becomes of the connection depend on the bytes alone.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { seeded, seedOfRun } from "../../core/http1/test/cuts.cases.ts";
import { REQUEST_CASES, type Facts } from "../../core/http1/test/request.cases.ts";
import { statusOf, valuesOf, type Message } from "../message.ts";
import type { Peer } from "../peer.ts";
import { replays, sendCut, showCut, type Cut } from "../replay.ts";
import { openRig, type Rig } from "../rig.ts";

const OK = "HTTP/1.1 200 OK\r\nX-Upstream: 1\r\nContent-Length: 0\r\n\r\n";

/** What is the same however the bytes were cut. `head`: as the upstream saw it, "" when not. */
type Outcome = Readonly<{ first: string; body: string; stays: boolean; head: string }>;

const seed = seedOfRun();
console.log(`seed ${seed} (RIND_SEED=${seed} runs it again)`);
const random = seeded(seed);

let heads: string[] = [];
let rig: Rig;

test.before(() => {
  rig = openRig(async (peer: Peer) => {
    for (;;) {
      const head = await peer.head().catch(() => "");
      if (head === "") return;
      heads.push(head);
      peer.send(OK);
      // The body, of which little is ever sent, or more of it than ever comes.
      const length = Number(/\r\nContent-Length: (\d+)/.exec(head)?.[1] ?? 0);
      const size = head.includes("\r\nTransfer-Encoding:") ? Infinity : length;
      await peer.until(() => peer.unread.length >= size || peer.ending !== "open", "a body");
      if (peer.ending !== "open") break;
      peer.take(size);
    }
    await peer.left();
    peer.shut();
  });
});

test.after(() => rig.stop());

for (const [name, bytes, expected] of REQUEST_CASES) {
  test(name, async () => {
    const cuts = replays(bytes.length, random);
    const whole = await play(bytes, cuts[0]!);
    const status = Number(whole.first.slice(9, 12));
    if (typeof expected === "number" || Array.isArray(expected)) {
      const statuses: readonly number[] = typeof expected === "number" ? [expected] : expected;
      assert.ok(statuses.includes(status), `${whole.first}, not ${statuses.join(" or ")}`);
      assert.is(whole.head, "", "what is refused never reaches the upstream");
      assert.not.ok(whole.stays, "a refusal ends the connection");
    } else {
      assert.is(status, 200, whole.first + whole.body);
      expectHead(whole.head, expected as Facts);
    }
    for (const cut of cuts.slice(1)) assert.equal(await play(bytes, cut), whole, showCut(cut));
  });
}

/** Sends a request in pieces and collects what became of it. */
async function play(bytes: string, cut: Cut): Promise<Outcome> {
  heads = [];
  const before = new Map(rig.origin.peers.map((peer) => [peer, peer.received]));
  const client = await rig.client();
  await sendCut(client, bytes, cut);
  const response = await final(client, bytes.startsWith("HEAD") ? "HEAD" : "GET");
  const stays = !valuesOf(response.fields, "connection").includes("close");
  if (statusOf(response) >= 400) {
    assert.is(await client.left(), "fin", "a refusal ends the connection without a reset");
    assert.is(client.unread.length, 0, "one answer");
    const saw = rig.origin.peers.some((peer) => peer.received > (before.get(peer) ?? 0));
    assert.not.ok(saw, "a byte of a refused head reached the upstream");
  }
  client.reset();
  const head = heads.join("");
  return { first: response.first, body: response.body.toString(), stays, head };
}

/** The final response; whether a 100 comes before it depends on when the body came. */
async function final(client: Peer, method: string): Promise<Message> {
  for (;;) {
    const response = await client.response(method);
    if (statusOf(response) >= 200) return response;
  }
}
/** The head the upstream saw says what the facts say, in canonical form. */
function expectHead(head: string, facts: Facts): void {
  const [first = "", ...lines] = head.slice(0, -4).split("\r\n");
  const [method, target = "", version] = first.split(" ");
  const [path, ...queries] = target.split("?");
  assert.is(version, "HTTP/1.1");
  if (facts.method !== undefined) assert.is(method, facts.method);
  if (facts.path !== undefined) assert.is(path, facts.path);
  const query = queries.length === 0 ? null : queries.join("?");
  if (facts.query !== undefined) assert.is(query, facts.query);
  const named = (name: string): string[] =>
    lines.filter((line) => line.toLowerCase().startsWith(`${name}: `));
  if (facts.length !== undefined) {
    const lengths = facts.length < 0 ? [] : [`content-length: ${facts.length}`];
    assert.equal(
      named("content-length").map((line) => line.toLowerCase()),
      lengths,
    );
  }
  if (facts.chunked !== undefined) {
    const codings = facts.chunked ? ["transfer-encoding: chunked"] : [];
    assert.equal(
      named("transfer-encoding").map((line) => line.toLowerCase()),
      codings,
    );
  }
  const seen = lines.map((line) => line.replace(/^([^:]*):[ \t]*(.*?)[ \t]*$/, "$1: $2"));
  for (const field of facts.fields ?? []) {
    // Names that two implementations may read differently are not passed on.
    if (/^[A-Za-z0-9-]+:/.test(field)) assert.ok(seen.includes(field), field);
  }
  assert.is(named("expect").length, 0, "Expect is ours to answer");
}

test.run();
