/** Tunnels to backends over TLS, and what the other side of TLS may try in the middle of it. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";

import { statusOf } from "../message.ts";
import { openOrigin, type Script } from "../origin.ts";
import { turnsUntil, type Peer } from "../peer.ts";
import { openAuthority } from "../pki.ts";
import { type RigOptions, withRig } from "../rig.ts";

const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
/** RFC 6455 §1.3: the accept value of that key. */
const SWITCH =
  "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
  "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
const HANDSHAKE =
  "GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
  `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${KEY}\r\n\r\n`;

const NAME = "web.shop.svc";
const authority = openAuthority();
const server = authority.issue({ names: [NAME] });
const OPTIONS: RigOptions = {
  originTls: { cert: server.chain, key: server.key },
  tls: {
    name: NAME,
    sni: true,
    verify: true,
    authorities: authority.certificate,
    identity: null,
  },
};

const open = async (client: Peer): Promise<void> => {
  client.send(HANDSHAKE);
  assert.is(statusOf(await client.response()), 101);
};

/** Accepts; says `late` when the client has ended its side. */
const saysLate: Script = async (peer) => {
  await peer.head();
  peer.send(SWITCH);
  await peer.left();
  peer.send(`late ${peer.unread.toString("latin1")}`);
  peer.shut();
};

test("each side of a tunnel ends by itself, and what is said after that arrives", () =>
  withRig(
    saysLate,
    async (rig) => {
      const client = await rig.client();
      await open(client);
      client.send("early");
      client.shut();
      assert.is(await client.left(), "fin");
      assert.is(client.unread.toString("latin1"), "late early");
    },
    OPTIONS,
  ));

test("a backend that ends its side still gets what the client says", () =>
  withRig(
    async (peer) => {
      await peer.head();
      peer.send(SWITCH);
      peer.send("bye");
      peer.shut();
      await peer.left();
      if (!peer.unread.toString("latin1").endsWith("still here")) throw new Error("it was lost");
    },
    async (rig) => {
      const client = await rig.client();
      await open(client);
      assert.is(await client.left(), "fin");
      assert.is(client.unread.toString("latin1"), "bye");
      client.send("still here");
      client.shut();
      const peer = rig.origin.peers[0]!;
      await peer.left();
      assert.is(peer.unread.toString("latin1"), "still here");
    },
    OPTIONS,
  ));

const SIZE = 16 * 1024 * 1024;
const PIECE = Buffer.alloc(64 * 1024, "x");

test("a client that does not read holds the backend, and gets all of it afterwards", () =>
  withRig(
    async (peer) => {
      await peer.head();
      peer.send(SWITCH);
      for (let at = 0; at < SIZE; at += PIECE.length) peer.send(PIECE);
      await peer.sentAll();
      peer.shut();
    },
    async (rig) => {
      const client = await rig.client();
      client.pause();
      client.send(HANDSHAKE);
      await turnsUntil(() => (rig.origin.peers[0]?.sent ?? 0) > 0);
      client.resume();
      assert.is(statusOf(await client.response()), 101);
      client.count();
      await client.left();
      // The head came before the count began, and so did what was read together with it.
      assert.ok(client.received >= SIZE, `${client.received}`);
    },
    OPTIONS,
  ));

const openssl = Bun.which("openssl");
if (openssl === null) console.log("skip: no openssl here");

/** An `openssl s_server` of TLS 1.2 that says what its standard input says; `R` renegotiates. */
async function withServer(
  body: (port: number, type: (text: string) => void) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "rind-wire-"));
  // A port that was free a moment ago: s_server takes no 0 that it would tell.
  const free = openOrigin(async () => {});
  const { port } = free;
  free.stop();
  writeFileSync(join(folder, "chain"), server.chain);
  writeFileSync(join(folder, "key"), server.key);
  const pair = ["-cert", join(folder, "chain"), "-key", join(folder, "key")];
  const child = Bun.spawn(
    [openssl!, "s_server", "-accept", `127.0.0.1:${port}`, ...pair, "-tls1_2", "-crlf"],
    { stdin: "pipe", stdout: "pipe", stderr: "ignore" },
  );
  let said = "";
  const read = async (): Promise<void> => {
    const decoder = new TextDecoder();
    for await (const chunk of child.stdout) said += decoder.decode(chunk, { stream: true });
  };
  void read();
  const type = (text: string): void => {
    child.stdin.write(text);
    void child.stdin.flush();
  };
  try {
    await turnsUntil(() => said.includes("ACCEPT"));
    await body(port, type);
  } finally {
    child.kill("SIGKILL");
    await child.exited;
    rmSync(folder, { recursive: true });
  }
}

(openssl === null ? test.skip : test)(
  "a backend that wants a new handshake in the middle is cut off",
  () =>
    withServer((port, type) =>
      withRig(
        async () => {},
        async (rig) => {
          const client = await rig.client();
          client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
          type("HTTP/1.1 200 OK\nContent-Length: 100\n\nbefore\n");
          await client.until(() => client.unread.includes("before"), "the first piece");
          type("R\n");
          assert.is.not(await client.left(), "open");
          assert.not.match(client.unread.toString("latin1"), /after/);
        },
        { ...OPTIONS, endpoints: () => [{ address: "127.0.0.1", port, uid: "" }] },
      ),
    ),
);

test.run();
