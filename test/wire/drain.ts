/** The end of a worker, as its clients see it. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { statusOf, valuesOf } from "../message.ts";
import { respond } from "../origin.ts";
import { dial, type Peer } from "../peer.ts";
import { withRig } from "../rig.ts";

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const HANDSHAKE =
  "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
  "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
const SWITCH =
  "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
  "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
/** Long enough for the kernel to shake hands on the loopback. */
const HANDSHAKE_MS = 50;
const FOR_EVER_MS = 60_000;

const answering = async (peer: Peer): Promise<void> => {
  for (;;) peer.send(respond(200, await peer.head()));
};

test("connections that wait to be accepted are answered, and told that it is the last time", () =>
  withRig(answering, async (rig) => {
    const dialled = Array.from({ length: 20 }, () => dial(rig.port, "127.0.0.1"));
    // They connect while this process, and so the plane, accepts nothing.
    Bun.sleepSync(HANDSHAKE_MS);
    const drained = rig.plane.drain(FOR_EVER_MS);
    for (const client of await Promise.all(dialled)) {
      client.send(GET);
      const response = await client.response();
      assert.is(statusOf(response), 200);
      assert.equal(valuesOf(response.fields, "connection"), ["close"]);
      assert.is(await client.left(), "fin");
      client.shut();
    }
    await drained;
  }));

test("after that nobody is let in", () =>
  withRig(answering, async (rig) => {
    await rig.plane.drain(FOR_EVER_MS);
    const refused = await dial(rig.port, "127.0.0.1").then(
      () => false,
      () => true,
    );
    assert.ok(refused);
  }));

test("a tunnel ends by FIN on both sides when the time is up, and loses nothing before", () => {
  let heard = "";
  let left = "";
  const accepting = async (peer: Peer): Promise<void> => {
    await peer.head();
    peer.send(SWITCH);
    left = await peer.left();
    heard = peer.take(peer.unread.length).toString();
    peer.send("bye");
    peer.shut();
  };
  return withRig(accepting, async (rig) => {
    const client = await rig.client();
    client.send(HANDSHAKE);
    assert.is(statusOf(await client.response()), 101);
    client.send("last words");
    const drained = rig.plane.drain(0);
    await client.until(() => client.unread.length >= 3 || client.ending !== "open", "bye");
    assert.is(client.take(3).toString(), "bye");
    assert.is(await client.left(), "fin");
    client.shut();
    await drained;
    assert.is(heard, "last words");
    assert.is(left, "fin");
  });
});

test("an exchange that does not end in time is cut", () => {
  const { promise: asked, resolve } = Promise.withResolvers<void>();
  return withRig(
    async (peer) => {
      await peer.head();
      resolve();
      await peer.left();
    },
    async (rig) => {
      const client = await rig.client();
      client.send(GET);
      await asked;
      await rig.plane.drain(0);
      assert.is.not(await client.left(), "open");
      assert.is(client.unread.length, 0);
    },
  );
});

test.run();
