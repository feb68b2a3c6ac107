/** Methods that only look like those a proxy knows: case and every byte count (RFC 9110 §9.1). */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { statusOf } from "../message.ts";
import { answering, respond } from "../origin.ts";
import { withRig } from "../rig.ts";

for (const method of ["HALT", "Head", "HEAD-", "HEA"]) {
  test(`${method} is not HEAD: its answer has its body`, () =>
    withRig(
      answering(() => respond(200, "body")),
      async (rig) => {
        const client = await rig.client();
        client.send(`${method} / HTTP/1.1\r\nHost: a\r\n\r\n`);
        const response = await client.response();
        assert.is(statusOf(response), 200);
        assert.is(response.body.toString(), "body");
      },
    ));
}

for (const [method, status] of [
  ["GET", 200],
  ["PUT", 200],
  ["DELETE", 200],
  ["GIT", 502],
  ["PUSH", 502],
  ["DEPLOY", 502],
  ["OBSERVE", 502],
] as const) {
  test(`${method} on a pooled connection that closes: ${status}`, () =>
    withRig(
      async (peer) => {
        await peer.request();
        peer.send(respond(200, ""));
        await peer.request();
        peer.shut();
      },
      async (rig) => {
        const client = await rig.client();
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert.is(statusOf(await client.response()), 200);
        // A connection settles for two turns of the loop before it is used again.
        for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
        client.send(`${method} / HTTP/1.1\r\nHost: a\r\n\r\n`);
        assert.is(statusOf(await client.response()), status);
      },
    ));
}

test.run();
