/** TLS that is handed on unopened: between real clients and backends, and whatever they do. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { listenPeeking } from "../../core/downstream/listen.ts";
import { passThrough } from "../../core/downstream/passthrough.ts";
import { openSite, type Site } from "../../core/downstream/site.ts";
import { PASSTHROUGH_FAILED, TUNNEL_IDLE } from "../../core/fault.ts";
import { limitsOf, type Limits } from "../../core/limits.ts";
import { Random } from "../../core/random.ts";
import { tallied } from "../../core/tally.ts";
import { Timers } from "../../core/timers.ts";
import { message, NAME, records } from "../../core/tls/test/made.ts";
import { connect, connectRaw, knock } from "../../core/upstream/connect.ts";
import { Endpoints } from "../../core/upstream/endpoints.ts";
import { passagesTo } from "../../core/upstream/passage.ts";
import { openOrigin, type Origin, type Script } from "../origin.ts";
import { dial, freePort, type Peer, standstill, turnsUntil } from "../peer.ts";
import { openAuthority } from "../pki.ts";

const HELLO = records(message([NAME("a.example")])).toString("latin1");
const MIB = 1_048_576;
const ANY_PORT = { address: { host: "127.0.0.1", port: 0 }, fd: null, reusePort: false };
const DEAD = freePort();

type Rig = Readonly<{
  site: Site;
  timers: Timers;
  endpoints: Endpoints;
  port: number;
  origin: Origin;
  client: () => Promise<Peer>;
}>;

type Options = Readonly<{ limits?: Partial<Limits>; ports?: (own: number) => readonly number[] }>;

/** A listener that hands every connection on to one backend, behind its ClientHello. */
async function withRig(
  script: Script,
  body: (rig: Rig) => Promise<void>,
  options: Options = {},
): Promise<void> {
  const origin = openOrigin(script);
  const timers = new Timers();
  const limits = limitsOf(options.limits ?? {});
  const upstream = { timers, limits, random: new Random(1), connect, knock };
  const endpoints = new Endpoints(upstream);
  const ports = options.ports?.(origin.port) ?? [origin.port];
  endpoints.put({
    id: "b",
    endpoints: ports.map((port, i) => ({ address: "127.0.0.1", port, uid: `${i}` })),
    reason: "",
    balance: "roundRobin",
    tls: null,
  });
  const router = null as never;
  const parts = { router, timers, limits, random: new Random(1), unacked: () => 0 };
  const site = openSite(parts, undefined, passagesTo(endpoints, upstream, connectRaw));
  timers.start();
  const listener = listenPeeking(ANY_PORT, site, (it, _site, opening) =>
    passThrough(it, site, opening, "b"),
  );
  const { port } = listener.address;
  const clients: Peer[] = [];
  const client = async (): Promise<Peer> => {
    const peer = await dial(port);
    clients.push(peer);
    return peer;
  };
  try {
    await body({ site, timers, endpoints, port, origin, client });
    for (const peer of clients) if (!peer.closed) peer.reset();
    await turnsUntil(() => site.connections.size === 0 && endpoints.connections === 0);
    assert.is(site.admission.open, 0);
    assert.is(site.waiting.total, 0);
    assert.equal(origin.failures, []);
  } finally {
    for (const connection of site.connections) connection.abort();
    listener.stop();
    origin.stop();
    timers.stop();
  }
}

/** Sends back what comes, until the other end leaves. */
const mirror: Script = async (peer) => {
  while (peer.ending === "open") {
    if (peer.unread.length > 0) peer.send(peer.take(peer.unread.length));
    await peer.until(() => peer.unread.length > 0 || peer.ending !== "open", "bytes");
  }
  if (peer.unread.length > 0) peer.send(peer.take(peer.unread.length));
  peer.shut();
};

const taken = async (peer: Peer, size: number): Promise<string> => {
  await peer.until(() => peer.unread.length >= size || peer.ending !== "open", `${size} bytes`);
  return peer.take(size).toString("latin1");
};

test("TLS is between the client and the backend, and both are sure of it", async () => {
  const authority = openAuthority();
  const pair = authority.issue({ names: ["a.example"] });
  const server = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    tls: { cert: pair.chain, key: pair.key },
    socket: { data: (socket, bytes) => void socket.write(bytes) },
  });
  const own = { ports: () => [server.port] };
  await withRig(
    mirror,
    async ({ port }) => {
      const heard: Buffer[] = [];
      const { promise, resolve } = Promise.withResolvers<boolean>();
      const { promise: closed, resolve: close } = Promise.withResolvers<void>();
      const socket = await Bun.connect({
        hostname: "127.0.0.1",
        port,
        tls: { ca: authority.certificate, serverName: "a.example" },
        socket: {
          handshake: (it, ok) => {
            resolve(ok);
            it.write("hello");
          },
          data: (it, bytes) => {
            heard.push(Buffer.from(bytes));
            it.end();
          },
          close: () => close(),
        },
      });
      assert.ok(await promise, "the certificate is the backend's");
      await closed;
      assert.is(Buffer.concat(heard).toString(), "hello");
      socket.terminate();
    },
    own,
  );
  server.stop(true);
});

test("what is said goes on as it is, from the first byte to the last of each side", () =>
  withRig(mirror, async (rig) => {
    const client = await rig.client();
    await client.sendPieces(HELLO, 10);
    client.send("\x14\x03\x03 whatever");
    assert.is(await taken(client, HELLO.length + 12), `${HELLO}\x14\x03\x03 whatever`);
    assert.is(rig.site.connections.size, 1);
    assert.is(rig.site.admission.open, 1);
    assert.is(rig.endpoints.connections, 1);
    client.send("the last words");
    client.shut();
    assert.is(await taken(client, 14), "the last words");
    assert.is(await client.left(), "fin");
    assert.is(await rig.origin.peers[0]!.left(), "fin");
  }));

test("the backend may end first, and the client goes on", () =>
  withRig(
    async (peer) => {
      await taken(peer, HELLO.length);
      peer.send("bye");
      peer.shut();
      assert.is(await taken(peer, 4), "more");
      assert.is(await peer.left(), "fin");
    },
    async (rig) => {
      const client = await rig.client();
      client.send(HELLO);
      assert.is(await client.left(), "fin");
      assert.is(client.unread.toString("latin1"), "bye");
      client.send("more");
      client.shut();
      await turnsUntil(() => rig.site.connections.size === 0);
      assert.is(await rig.origin.peers[0]!.left(), "fin");
    },
  ));

test("much goes both ways at once, whole, and little of it waits here", () =>
  withRig(
    async (peer) => {
      await taken(peer, HELLO.length);
      peer.count();
      peer.send(Buffer.alloc(32 * MIB, "down"));
      await peer.until(() => peer.ending !== "open", "all");
      await peer.sentAll();
      peer.shut();
    },
    async (rig) => {
      const client = await rig.client();
      client.send(HELLO);
      client.count();
      client.pause();
      client.send(Buffer.alloc(24 * MIB, "up"));
      await client.sentAll();
      // Nobody reads: what waits here is one read at most, the rest is with the kernel.
      await standstill(() => rig.origin.peers[0]!.sent);
      assert.ok(rig.site.waiting.total > 0 && rig.site.waiting.total <= MIB / 2);
      client.resume();
      client.shut();
      await client.until(() => client.ending !== "open", "all");
      const sha = (text: string, size: number): string =>
        new Bun.CryptoHasher("sha256").update(Buffer.alloc(size * MIB, text)).digest("hex");
      assert.is(client.received, 32 * MIB);
      assert.is(client.digest(), sha("down", 32));
      assert.is(rig.origin.peers[0]!.received, 24 * MIB + HELLO.length);
      assert.is(rig.origin.peers[0]!.digest(), sha("up", 24));
    },
  ));

test("a reset goes through, both ways", async () => {
  await withRig(mirror, async (rig) => {
    const client = await rig.client();
    client.send(HELLO);
    await taken(client, HELLO.length);
    client.reset();
    assert.is(await rig.origin.peers[0]!.left(), "reset");
  });
  const resetting: Script = async (peer) => {
    await taken(peer, HELLO.length);
    peer.reset();
  };
  await withRig(resetting, async (rig) => {
    const client = await rig.client();
    client.send(HELLO);
    assert.is(await client.left(), "reset");
  });
});

test("a reset while much waits frees all of it", () =>
  withRig(
    async (peer) => {
      peer.send(Buffer.alloc(16 * MIB));
      await peer.until(() => peer.ending !== "open", "the end");
    },
    async (rig) => {
      const client = await rig.client();
      client.pause();
      client.send(HELLO);
      await standstill(() => rig.origin.peers[0]?.sent ?? 0);
      assert.ok(rig.site.waiting.total > 0);
      client.reset();
      await turnsUntil(() => rig.site.connections.size === 0);
    },
  ));

test("endpoints that refuse are passed over", () =>
  withRig(
    mirror,
    async (rig) => {
      for (let i = 0; i < 6; i++) {
        const client = await rig.client();
        client.send(HELLO);
        assert.is(await taken(client, HELLO.length), HELLO, `connection ${i}`);
        client.shut();
        assert.is(await client.left(), "fin");
      }
    },
    { ports: (own) => [DEAD, DEAD, own] },
  ));

test("when nobody takes it the client gets an alert, and it is counted", async () => {
  for (const ports of [[DEAD], [DEAD, DEAD, DEAD, DEAD], []]) {
    await withRig(
      mirror,
      async (rig) => {
        const before = tallied(PASSTHROUGH_FAILED);
        const client = await rig.client();
        client.send(HELLO);
        assert.is(await client.left(), "fin");
        assert.is(client.unread.toString("hex"), "15030100020250");
        assert.is(tallied(PASSTHROUGH_FAILED), before + 1);
        assert.is(rig.origin.peers.length, 0);
      },
      { ports: () => ports },
    );
  }
});

test("a client that leaves before an endpoint answers leaves nothing behind", () =>
  withRig(mirror, async (rig) => {
    for (let i = 0; i < 20; i++) {
      const client = await rig.client();
      client.send(HELLO);
      if (i % 2 === 0) client.reset();
      else client.shut();
    }
    await turnsUntil(() => rig.site.admission.open === 0);
  }));

test("a tunnel in which nothing moves is closed, and counted", () =>
  withRig(
    mirror,
    async (rig) => {
      const before = tallied(TUNNEL_IDLE);
      const client = await rig.client();
      client.send(HELLO);
      assert.is(await taken(client, HELLO.length), HELLO);
      assert.is.not(await client.left(), "open");
      assert.is(tallied(TUNNEL_IDLE), before + 1);
    },
    { limits: { tunnelIdleMs: 500 } },
  ));

test("at the end of a drain the backend has the last word", () =>
  withRig(
    async (peer) => {
      await taken(peer, HELLO.length);
      peer.send("hello");
      await peer.left();
      peer.send("close_notify");
      peer.shut();
    },
    async (rig) => {
      const client = await rig.client();
      client.send(HELLO);
      assert.is(await taken(client, 5), "hello");
      for (const connection of rig.site.connections) connection.drain();
      client.send("on");
      await rig.origin.peers[0]!.until(() => rig.origin.peers[0]!.unread.length > 0, "on");
      for (const connection of rig.site.connections) connection.farewell();
      assert.is(await taken(client, 12), "close_notify");
      assert.is(await client.left(), "fin");
    },
  ));

test("an endpoint without room is waited for", () =>
  withRig(
    mirror,
    async (rig) => {
      const first = await rig.client();
      first.send(HELLO);
      await taken(first, HELLO.length);
      const second = await rig.client();
      second.send(HELLO);
      await turnsUntil(() => rig.site.connections.size === 2);
      assert.is(rig.origin.peers.length, 1);
      first.shut();
      assert.is(await taken(second, HELLO.length), HELLO);
    },
    { limits: { upstreamConnections: 1 } },
  ));

test.run();
