/** Bytes, half-closed connections and ends over TLS, on both ways to listen for it. */
import { readdirSync } from "node:fs";
import { connect } from "node:net";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { visit } from "../../../../test/handshake.ts";
import { turnsUntil } from "../../../../test/peer.ts";
import { openAuthority } from "../../../../test/pki.ts";
import { contextOf, openByPeek, openBySni, send, type Events, type Stand } from "./fixture.ts";

const pair = openAuthority().issue({ names: ["a.test"] });
const secureContext = contextOf([pair]);
/** More than the buffers of the kernel take. */
const MUCH = Buffer.alloc(16 * 1_024 * 1_024, "0123456789abcdef");

const WAYS: readonly (readonly [string, (events: Events) => Stand])[] = [
  ["serverName", (events) => openBySni({ context: secureContext, events })],
  ["upgradeTLS", (events) => openByPeek({ choose: () => ({ secureContext }), events })],
];

for (const [way, open] of WAYS) {
  const withStand = async (events: Events, body: (stand: Stand) => Promise<void>) => {
    const stand = open(events);
    try {
      await body(stand);
    } finally {
      stand.stop();
    }
  };

  test(`${way}: one open and one handshake come before the first byte, or it is lost`, async () => {
    await withStand({}, async (stand) => {
      for (const version of ["1.2", "1.3"] as const) {
        stand.events.length = 0;
        const met = await visit({ port: stand.port, version });
        assert.is(await met.echo("hello"), "hello");
        const first = stand.events.filter((event) => !event.startsWith("raw data"));
        assert.equal(first.slice(-3).join(), `${first[0]},handshake,data`);
        await met.leave();
        await turnsUntil(() => stand.events.includes("close"));
      }
    });
  });

  test(`${way}: after a client's last byte the answer still reaches it`, async () => {
    const seen: string[] = [];
    const events: Events = {
      data: (_socket, bytes) => void seen.push(bytes.toString("latin1")),
      end: (socket) => {
        seen.push("end");
        send(socket, Buffer.from("late answer"));
        socket.shutdown();
      },
    };
    await withStand(events, async (stand) => {
      const met = await visit({ port: stand.port });
      met.socket.allowHalfOpen = true;
      met.socket.end("question");
      await met.until(() => met.heard === "late answer", "the answer");
      assert.equal(seen, ["question", "end"]);
      await met.until(() => met.ended, "its end");
    });
  });

  test(`${way}: after our last byte the client's still come, or lingering is a reset`, async () => {
    let told = "";
    const events: Events = {
      data: (socket, bytes) => {
        told += bytes.toString("latin1");
        if (told === "go") socket.shutdown();
      },
    };
    await withStand(events, async (stand) => {
      const met = await visit({ port: stand.port });
      met.socket.allowHalfOpen = true;
      met.socket.write("go");
      await met.until(() => met.ended, "the end");
      met.socket.write("more");
      await turnsUntil(() => told === "gomore");
      await met.leave();
    });
  });

  test(`${way}: write takes what fits and drain asks for the rest, to the last byte`, async () => {
    const events: Events = { data: (socket) => send(socket, MUCH) };
    await withStand(events, async (stand) => {
      const met = await visit({ port: stand.port });
      const hash = new Bun.CryptoHasher("sha256");
      let size = 0;
      met.socket.removeAllListeners("data");
      met.socket.pause().write("go");
      await turnsUntil(() => (stand.sockets[0]?.data.queue.length ?? 0) > 0);
      const left = stand.sockets[0]!.data.queue[0]!.length;
      assert.ok(left > 0 && left < MUCH.length, `${left} did not fit`);
      met.socket.on("data", (bytes) => {
        size += bytes.length;
        hash.update(bytes);
      });
      met.socket.resume();
      await turnsUntil(() => size === MUCH.length);
      assert.is(hash.digest("hex"), new Bun.CryptoHasher("sha256").update(MUCH).digest("hex"));
      await met.leave();
    });
  });

  test(`${way}: paused is not read, so that a client waits for its backend`, async () => {
    let taken = 0;
    const events: Events = {
      data: (socket, bytes) => {
        taken += bytes.length;
        if (taken === 2) socket.pause();
      },
    };
    await withStand(events, async (stand) => {
      const met = await visit({ port: stand.port });
      met.socket.write("go");
      await turnsUntil(() => taken === 2);
      met.socket.write(MUCH);
      // What the kernel holds for both does not grow any more: nobody reads.
      await turnsUntil(() => met.socket.writableLength > 0);
      assert.is(taken, 2);
      stand.sockets[0]!.resume();
      await turnsUntil(() => taken === 2 + MUCH.length);
      await met.leave();
    });
  });

  test(`${way}: terminate is a reset, which is how a hostile client is left`, async () => {
    await withStand({ data: (socket) => socket.terminate() }, async (stand) => {
      const met = await visit({ port: stand.port });
      met.socket.write("go");
      await met.until(() => met.closed, "the end");
      assert.is(met.refusal, "ECONNRESET");
      await turnsUntil(() => stand.events.includes("close"));
    });
  });

  test(`${way}: a client that leaves inside its handshake is closed, once`, async () => {
    await withStand({}, async (stand) => {
      const half = connect(stand.port, "127.0.0.1");
      // The head of a record of 512 bytes that never come.
      half.write(Buffer.from("160301020001000000", "hex"));
      const side = way === "serverName" ? "open" : "raw open";
      await turnsUntil(() => stand.events.includes(side));
      await turnsUntil(() => stand.sockets.length === 1);
      half.destroy();
      await turnsUntil(() => stand.events.includes("close"));
      await turnsUntil(() => stand.told.length === 1);
      assert.not.ok(stand.told[0]!.ok);
      assert.is(stand.events.filter((event) => event === "close").length, 1);
      assert.not.ok(stand.events.includes("data"));
    });
  });

  test(`${way}: descriptor and address are told, for what was acknowledged`, async () => {
    await withStand({}, async (stand) => {
      const met = await visit({ port: stand.port });
      await met.echo("hello");
      const socket = stand.sockets[0]!;
      assert.ok(socket.fd > 2, `${socket.fd}`);
      assert.is(socket.remoteAddress, "127.0.0.1");
      assert.is(socket.localPort, stand.port);
      await met.leave();
      await turnsUntil(() => stand.events.includes("close"));
      assert.is(socket.fd, -1);
    });
  });

  test(`${way}: end waits for a client that does not answer; shutdown before it does not`, () =>
    withStand({}, async (stand) => {
      const clients = [await openMute(stand.port), await openMute(stand.port)];
      await turnsUntil(() => stand.told.length === clients.length);
      const [waiting, closed] = stand.sockets;
      const open = files();
      waiting!.end();
      assert.is(files(), open);
      closed!.shutdown();
      closed!.end();
      assert.is(files(), open - 1);
      waiting!.terminate();
      assert.is(files(), open - 1, "it waits for 10 s, and terminate comes too late");
      for (const client of clients) client.terminate();
    }));
}

/** How many descriptors are open. */
function files(): number {
  return readdirSync("/proc/self/fd").length;
}

/** A client that reads nothing behind its handshake. */
async function openMute(port: number): Promise<Bun.Socket<undefined>> {
  const { promise, resolve, reject } = Promise.withResolvers<Bun.Socket<undefined>>();
  await Bun.connect<undefined>({
    hostname: "127.0.0.1",
    port,
    tls: { serverName: "a.test", rejectUnauthorized: false },
    socket: {
      data() {},
      handshake(socket) {
        socket.pause();
        resolve(socket);
      },
      error: (_socket, error) => reject(error),
    },
  });
  return promise;
}

test("serverName: paused when it is accepted, a client waits for its handshake", async () => {
  const stand = openBySni({ context: secureContext, events: { open: (socket) => socket.pause() } });
  const first = visit({ port: stand.port, name: "a.test" });
  await turnsUntil(() => stand.sockets.length === 1);
  // Whoever is not paused and comes later is served before.
  const second = visit({ port: stand.port, name: "b.test" });
  await turnsUntil(() => stand.sockets.length === 2);
  stand.sockets[1]!.resume();
  assert.is(await (await second).echo("hello"), "hello");
  assert.not.ok(stand.events.includes("name a.test"));
  stand.sockets[0]!.resume();
  assert.is(await (await first).echo("hello"), "hello");
  stand.stop();
});

test.run();
