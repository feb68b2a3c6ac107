/** The request table over real sockets: what is refused never reaches the upstream. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { REQUEST_CASES, type Facts } from "../../core/http1/test/request.cases.ts";
import { statusOf } from "../message.ts";
import { turnsUntil, type Peer } from "../peer.ts";
import { openRig, type Rig } from "../rig.ts";

let heads: string[] = [];
let rig: Rig;

test.before(() => {
  rig = openRig(async (peer: Peer) => {
    heads.push(await peer.head());
    await peer.left();
    peer.shut();
  });
});

test.after(() => rig.stop());

for (const [name, bytes, expected] of REQUEST_CASES) {
  test(name, async () => {
    heads = [];
    const before = rig.origin.peers.length;
    const client = await rig.client();
    client.send(bytes);
    if (typeof expected === "number" || Array.isArray(expected)) {
      const statuses: readonly number[] = typeof expected === "number" ? [expected] : expected;
      const response = await client.response(bytes.startsWith("HEAD") ? "HEAD" : "GET");
      const shown = `${response.first}, not ${statuses.join(" or ")}`;
      assert.ok(statuses.includes(statusOf(response)), shown);
      assert.is(await client.left(), "fin", "a refusal ends the connection without a reset");
      assert.is(client.unread.length, 0, "one answer");
      const seen = rig.origin.peers.slice(before).map((peer) => peer.received);
      assert.ok(seen.every((received) => received === 0) && heads.length === 0, "upstream saw it");
    } else {
      const upstream = (): boolean => rig.origin.peers.slice(before).some((it) => it.received > 0);
      await Promise.race([
        client.until(() => client.received > 0 || client.ending !== "open", "an answer"),
        turnsUntil(() => upstream() && heads.length > 0),
      ]);
      assert.is(heads.length, 1, `answered ${JSON.stringify(client.unread.toString("latin1"))}`);
      expectHead(heads[0]!, expected as Facts);
    }
    client.reset();
  });
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
