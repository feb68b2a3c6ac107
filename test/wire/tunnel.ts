/** WebSocket: a tunnel after a verified 101, and after nothing else. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { statusOf, valuesOf, type Message } from "../message.ts";
import { echo, echoed, respond } from "../origin.ts";
import { standstill, turnsUntil, type Peer } from "../peer.ts";
import { withRig } from "../rig.ts";
import { NOTHING } from "../delta.ts";

const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
/** RFC 6455 §1.3: the accept value of that key. */
const ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

const SWITCH =
  `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
  `Sec-WebSocket-Accept: ${ACCEPT}\r\n\r\n`;

/** A handshake; `changed` replaces or, with "", removes lines by name. */
const handshake = (changed: Readonly<Record<string, string>> = {}): string => {
  const lines = {
    Host: "a",
    Upgrade: "websocket",
    Connection: "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": KEY,
    ...changed,
  };
  const kept = Object.entries(lines).filter(([, value]) => value !== "");
  const fields = kept.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  return `GET /chat HTTP/1.1\r\n${fields}\r\n`;
};

/** Accepts, then sends back what comes, until the other end leaves. */
const accepting = async (peer: Peer): Promise<void> => {
  await peer.head();
  peer.send(SWITCH);
  for (;;) {
    await peer.until(() => peer.unread.length > 0 || peer.ending !== "open", "bytes");
    if (peer.unread.length === 0) break;
    peer.send(peer.take(peer.unread.length));
  }
  peer.shut();
};

const bytesOf = async (peer: Peer, size: number): Promise<string> => {
  await peer.until(() => peer.unread.length >= size || peer.ending !== "open", `${size} bytes`);
  return peer.take(size).toString("latin1");
};

test("bytes go through both ways after 101, whatever they look like", () =>
  withRig(accepting, async (rig) => {
    const client = await rig.client();
    client.send(handshake());
    const response = await client.response();
    assert.is(statusOf(response), 101);
    assert.equal(valuesOf(response.fields, "upgrade"), ["websocket"]);
    assert.equal(valuesOf(response.fields, "sec-websocket-accept"), [ACCEPT]);
    assert.equal(
      valuesOf(response.fields, "connection").map((it) => it.toLowerCase()),
      ["upgrade"],
    );
    for (const bytes of ["\x81\x05hello", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "\0\xff\r\n\r\n"]) {
      client.send(bytes);
      assert.is(await bytesOf(client, bytes.length), bytes);
    }
    client.shut();
    assert.is(await client.left(), "fin");
    assert.is.not(await rig.origin.peers[0]!.left(), "open");
  }));

test("the handshake arrives upstream, written by us", () =>
  withRig(
    async (peer) => {
      const head = await peer.head();
      peer.send(respond(200, head));
      await peer.left();
      peer.shut();
    },
    async (rig) => {
      const client = await rig.client();
      client.send(handshake({ Connection: "keep-alive, Upgrade", Upgrade: "WebSocket" }));
      const lines = (await client.response()).body.toString().toLowerCase().split("\r\n");
      const named = (name: string): string[] =>
        lines.filter((line) => line.startsWith(`${name}: `));
      assert.equal(named("upgrade"), ["upgrade: websocket"]);
      assert.equal(named("connection"), ["connection: upgrade"]);
      assert.equal(named("sec-websocket-key"), [`sec-websocket-key: ${KEY.toLowerCase()}`]);
      assert.equal(named("sec-websocket-version"), ["sec-websocket-version: 13"]);
    },
  ));

test("a subprotocol is agreed end to end", () =>
  withRig(
    async (peer) => {
      assert.match(await peer.head(), /Sec-WebSocket-Protocol: chat/);
      peer.send(SWITCH.replace("\r\n\r\n", "\r\nSec-WebSocket-Protocol: chat\r\n\r\n"));
      await peer.left();
      peer.shut();
    },
    async (rig) => {
      const client = await rig.client();
      client.send(handshake({ "Sec-WebSocket-Protocol": "chat, other" }));
      assert.equal(valuesOf((await client.response()).fields, "sec-websocket-protocol"), ["chat"]);
    },
  ));

const ANSWERS: readonly (readonly [string, string])[] = [
  ["wrong accept", SWITCH.replace(ACCEPT, "AAAAAAAAAAAAAAAAAAAAAAAAAAA=")],
  ["no accept", SWITCH.replace(/Sec-.*\r\n/, "")],
  ["accept twice", SWITCH.replace("\r\n\r\n", `\r\nSec-WebSocket-Accept: ${ACCEPT}\r\n\r\n`)],
  ["no Upgrade", SWITCH.replace("Upgrade: websocket\r\n", "")],
  ["no Connection", SWITCH.replace("Connection: Upgrade\r\n", "")],
  ["other protocol", SWITCH.replace("websocket", "h2c")],
  ["two protocols", SWITCH.replace("websocket", "websocket, h2c")],
];

for (const [name, answer] of ANSWERS) {
  test(`101 with ${name} is 502, and nothing goes through`, () =>
    withRig(
      async (peer) => {
        await peer.head();
        peer.send(`${answer}evil`);
        await peer.left();
        peer.shut();
      },
      async (rig) => {
        const client = await rig.client();
        client.send(handshake());
        const response = await client.response();
        assert.is(statusOf(response), 502, JSON.stringify(response.fields));
        assert.is(await client.left(), "fin");
        assert.not.match(client.unread.toString(), /evil/);
        assert.is.not(await rig.origin.peers[0]!.left(), "open", "not pooled");
      },
    ));
}

test("101 that nobody asked for is 502", () =>
  withRig(
    async (peer) => {
      await peer.head();
      peer.send(`${SWITCH}evil`);
      await peer.left();
      peer.shut();
    },
    async (rig) => {
      for (const request of [
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        handshake({ Connection: "close" }),
      ]) {
        const client = await rig.client();
        client.send(request);
        assert.is(statusOf(await client.response()), 502);
        await client.left();
        assert.not.match(client.unread.toString(), /evil/);
      }
    },
  ));

test("bytes behind the handshake wait for the 101", () => {
  let release = (): void => {};
  const decided = new Promise<void>((resolve) => (release = resolve));
  return withRig(
    async (peer) => {
      const head = await peer.head();
      await decided;
      const early = peer.received - head.length;
      peer.send(SWITCH);
      await peer.until(() => peer.unread.length >= 5, "the held bytes");
      peer.send(`${early} ${peer.take(5).toString()}`);
      await peer.left();
      peer.shut();
    },
    async (rig) => {
      const client = await rig.client();
      client.send(`${handshake()}early`);
      for (let turn = 0; turn < 2_000; turn++) await new Promise((done) => setImmediate(done));
      release();
      assert.is(statusOf(await client.response()), 101);
      assert.is(await bytesOf(client, 7), "0 early");
    },
  );
});

test("bytes behind the handshake are bounded", () =>
  withRig(
    async (peer) => {
      await peer.head();
      await peer.left();
    },
    async (rig) => {
      const client = await rig.client();
      client.send(handshake());
      client.send(Buffer.alloc(30 * 1024 * 1024));
      const sent = await standstill(() => client.sent);
      assert.ok(sent < 12 * 1024 * 1024, `the plane took ${sent} bytes`);
      client.reset();
      assert.is.not(await rig.origin.peers[0]!.left(), "open");
    },
  ));

test("a refused handshake is relayed, closes, and what was held is thrown away", () =>
  withRig(
    async (peer) => {
      await peer.head();
      peer.send(respond(403, "no"));
      await peer.left();
      peer.shut();
    },
    async (rig) => {
      const client = await rig.client();
      client.send(`${handshake()}GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n`);
      const response = await client.response();
      assert.equal([statusOf(response), response.body.toString()], [403, "no"]);
      assert.equal(valuesOf(response.fields, "connection"), ["close"]);
      assert.is(await client.left(), "fin");
      assert.is.not(await rig.origin.peers[0]!.left(), "open", "not pooled");
      assert.not.match(rig.origin.peers[0]!.unread.toString(), /smuggled/);
      assert.is(rig.origin.peers.length, 1);
    },
  ));

/** Handshakes that are refused here: status and what is sent. */
const REFUSED: readonly (readonly [number, string, string])[] = [
  [426, "version 8", handshake({ "Sec-WebSocket-Version": "8" })],
  [426, "no version", handshake({ "Sec-WebSocket-Version": "" })],
  [400, "a body by length", `${handshake({ "Content-Length": "3" })}abc`],
  [400, "a chunked body", `${handshake({ "Transfer-Encoding": "chunked" })}0\r\n\r\n`],
  [400, "no key", handshake({ "Sec-WebSocket-Key": "" })],
  [400, "a short key", handshake({ "Sec-WebSocket-Key": "c2hvcnQ=" })],
  [400, "a key of other bytes", handshake({ "Sec-WebSocket-Key": `${"!".repeat(22)}==` })],
];

for (const [status, name, bytes] of REFUSED) {
  test(`a handshake with ${name} is ${status}`, () =>
    withRig(echo, async (rig) => {
      const client = await rig.client();
      client.send(bytes);
      const response = await client.response();
      assert.is(statusOf(response), status);
      if (status === 426) {
        assert.equal(valuesOf(response.fields, "sec-websocket-version"), ["13"]);
      }
      assert.is(
        rig.origin.peers.reduce((sum, peer) => sum + peer.received, 0),
        0,
      );
    }));
}

/** Requests that only look like handshakes go on as ordinary ones, without their Upgrade. */
const ORDINARY: readonly (readonly [string, string])[] = [
  ["POST", handshake().replace("GET", "POST")],
  ["1.0", handshake().replace("HTTP/1.1", "HTTP/1.0")],
  ["h2c beside it", handshake({ Upgrade: "websocket, h2c" })],
  ["h2c alone", handshake({ Upgrade: "h2c", "HTTP2-Settings": "AAMAAABk" })],
  ["no Connection: upgrade", handshake({ Connection: "keep-alive" })],
  ["another protocol", handshake({ Upgrade: "websocket2" })],
];

for (const [name, bytes] of ORDINARY) {
  test(`no handshake, but a request: ${name}`, () =>
    withRig(echo, async (rig) => {
      const client = await rig.client();
      client.send(bytes);
      const seen: { fields: Message["fields"] } = echoed(await client.response());
      assert.equal(valuesOf(seen.fields, "upgrade"), []);
      assert.equal(valuesOf(seen.fields, "http2-settings"), []);
      const connection = valuesOf(seen.fields, "connection").join();
      assert.not.match(connection, /upgrade/i);
    }));
}

for (const leave of ["shut", "reset"] as const) {
  test(`a tunnel ends on both sides when upstream leaves by ${leave}`, () =>
    withRig(
      async (peer) => {
        await peer.head();
        peer.send(`${SWITCH}bye`);
        await peer.until(() => peer.unread.length > 0, "a byte");
        peer[leave]();
      },
      async (rig) => {
        const client = await rig.client();
        client.send(handshake());
        assert.is(statusOf(await client.response()), 101);
        assert.is(await bytesOf(client, 3), "bye");
        client.send("x");
        assert.is.not(await client.left(), "open");
      },
    ));
}

test("a tunnel holds a sender back whose receiver does not read, and loses nothing", () => {
  const size = 30 * 1024 * 1024;
  const block = Buffer.alloc(size, "0123456789abcdefghijklmnopqrstuvw");
  const whole = new Bun.CryptoHasher("sha256").update(block).digest("hex");
  return withRig(
    async (peer) => {
      await peer.head();
      peer.send(SWITCH);
      peer.pause();
      await peer.left();
    },
    async (rig) => {
      const client = await rig.client();
      client.send(handshake());
      assert.is(statusOf(await client.response()), 101);
      const upstream = rig.origin.peers[0]!;
      const before = upstream.received;
      upstream.count();
      client.send(block);
      await standstill(() => client.sent);
      assert.ok(client.sent < size, `${client.sent} bytes went into the plane`);
      upstream.resume();
      await upstream.until(() => upstream.received === before + size, "all of it");
      assert.is(upstream.digest(), whole);
    },
  );
});

test("a client that ends its side still gets all that the backend sends, however slowly", () => {
  const size = 8 * 1024 * 1024;
  return withRig(
    async (peer) => {
      await peer.head();
      peer.send(SWITCH);
      assert.is(await peer.left(), "fin", "the end of the client's side came through");
      peer.send(Buffer.alloc(size, "x"));
      peer.shut();
    },
    async (rig) => {
      const client = await rig.client();
      client.send(handshake());
      assert.is(statusOf(await client.response()), 101);
      client.count();
      client.pause();
      client.shut();
      const upstream = rig.origin.peers[0]!;
      await standstill(() => upstream.sent);
      const before = client.received;
      client.resume();
      await client.until(() => client.received - before === size, "all of it");
      assert.is(await client.left(), "fin");
    },
  );
});

test("a backend that ends its side still gets all that the client sends", () => {
  const size = 8 * 1024 * 1024;
  return withRig(
    async (peer) => {
      await peer.head();
      peer.send(`${SWITCH}bye`);
      peer.shut();
      await peer.until(() => peer.unread.length === size, "all of it");
      assert.is(await peer.left(), "fin");
    },
    async (rig) => {
      const client = await rig.client();
      client.send(handshake());
      assert.is(statusOf(await client.response()), 101);
      assert.is(await client.left(), "fin");
      assert.is(await bytesOf(client, 3), "bye");
      client.send(Buffer.alloc(size, "x"));
      client.shut();
      await turnsUntil(() => rig.origin.peers[0]!.unread.length === size);
      await client.until(() => client.closed, "the connection to close");
    },
  );
});

test("a tunnel lives on when its endpoint is removed and nobody else gets there", () =>
  withRig(accepting, async (rig) => {
    const client = await rig.client();
    client.send(handshake());
    assert.is(statusOf(await client.response()), 101);
    const backend = {
      id: "wire",
      endpoints: [],
      reason: "",
      balance: "leastRequest",
      tls: null,
    } as const;
    rig.plane.apply({ ...NOTHING, base: 1, version: 2, backends: [backend] });
    const other = await rig.client();
    other.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert.is(statusOf(await other.response()), 503);
    for (const bytes of ["still", "here"]) {
      client.send(bytes);
      assert.is(await bytesOf(client, bytes.length), bytes);
    }
    client.shut();
    assert.is(await client.left(), "fin");
  }));

test.run();
