/** Backends whose address the kernel refuses at once, before a connection is even attempted. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { statusOf } from "../message.ts";
import { echo } from "../origin.ts";
import { withRig } from "../rig.ts";

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const POST = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody";

/** A link-local address without an interface: connect(2) fails inside the call. */
const NOWHERE = { address: "fe80::1", port: 80, uid: "" };

for (const request of [GET, POST]) {
  const method = request.slice(0, request.indexOf(" "));

  test(`${method}: an endpoint that fails at once is 502, and the client stays`, () =>
    withRig(
      echo,
      async (rig) => {
        const client = await rig.client();
        for (let i = 0; i < 2; i++) {
          client.send(request);
          assert.is(statusOf(await client.response()), 502);
        }
        assert.is(client.ending, "open");
      },
      { endpoints: () => [NOWHERE] },
    ));

  test(`${method}: the next endpoint gets the whole request`, () =>
    withRig(
      echo,
      async (rig) => {
        const client = await rig.client();
        for (let i = 0; i < 4; i++) {
          client.send(request);
          assert.is(statusOf(await client.response()), 200);
        }
      },
      { endpoints: ({ address, port }) => [NOWHERE, { address, port, uid: "" }] },
    ));
}

test.run();
