/** Pipelined requests, of which one fails: the answers before it are the client's all the same. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { statusOf } from "../message.ts";
import { respond, type Script } from "../origin.ts";
import { turnsUntil } from "../peer.ts";
import { withRig } from "../rig.ts";

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
/** More than the client's kernel takes while it does not read, less than ours takes for it. */
const LARGE = "x".repeat(1_500_000);

/** What a backend leaves unfinished, and what the client then has of it. */
const CUTS: readonly [string, string, RegExp][] = [
  ["of a known length", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nsome", /\r\n\r\nsome$/],
  [
    "in chunks",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nsome\r\n",
    /\r\n\r\n4\r\nsome\r\n$/,
  ],
];

for (const [name, cut, rest] of CUTS) {
  for (const leave of ["FIN", "RST"] as const) {
    test(`the backend cuts the second answer, ${name}, by ${leave}: the first stays whole`, () => {
      let left = false;
      const script: Script = async (peer, index) => {
        if (index === 0) {
          await peer.request();
          peer.send(respond(200, LARGE, "Connection: close\r\n"));
          return peer.shut();
        }
        await peer.request();
        peer.send(cut);
        await peer.sentAll();
        // A reset may overtake what was sent before it; this one must not.
        await Bun.sleep(50);
        if (leave === "FIN") peer.shut();
        else peer.reset();
        left = true;
      };
      return withRig(script, async (rig) => {
        const client = await rig.client();
        client.pause();
        client.send(GET + GET);
        await turnsUntil(() => left);
        await turnsUntil(() => rig.origin.peers.every((peer) => peer.closed));
        client.resume();
        const first = await client.response();
        assert.is(statusOf(first), 200);
        assert.is(first.body.length, LARGE.length);
        await client.left();
        assert.is(client.ending, "fin");
        assert.match(client.unread.toString("latin1"), rest);
      });
    });
  }
}

test("an answer that ends with the connection is cut by a reset, and by nothing else", () =>
  withRig(
    async (peer) => {
      await peer.request();
      peer.send("HTTP/1.1 200 OK\r\n\r\nsome");
      await peer.sentAll();
      await Bun.sleep(50);
      peer.reset();
    },
    async (rig) => {
      const client = await rig.client();
      client.send("GET / HTTP/1.0\r\n\r\n");
      await client.left();
      assert.is(client.ending, "reset");
    },
  ));

test.run();
