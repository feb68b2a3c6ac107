/** A plane that looks into connections first: when it does, and what only that makes possible. */
import { connect as connectTcp } from "node:net";
import { connect as connectTls } from "node:tls";
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  BAD_PROXY_HEADER,
  FALLBACK_SHOWN,
  HANDSHAKE_FAILED,
  HANDSHAKE_TIMEOUT,
} from "../../core/fault.ts";
import { DEFAULT_POLICY, type Delta, type SecureHost, type TlsPolicy } from "../../core/model.ts";
import { tallied } from "../../core/tally.ts";
import { message, NAME, records } from "../../core/tls/test/made.ts";
import { metName, visit } from "../handshake.ts";
import { statusOf, valuesOf } from "../message.ts";
import { echo, type Script } from "../origin.ts";
import { dial, turnsUntil } from "../peer.ts";
import { openAuthority } from "../pki.ts";
import { deltaOf, type Rig, type RigOptions, withRig } from "../rig.ts";

const CA = openAuthority();
const ME = CA.issue({ names: ["me"], use: "client" });
const V1 = "PROXY TCP4 192.0.2.9 192.0.2.1 5555 443\r\n";
const LOCK: TlsPolicy = {
  id: "lock",
  minVersion: null,
  ciphers: "",
  client: { authorities: CA.certificate, verify: "required", depth: 1, forward: false },
};
const CERTIFICATE = { id: "a", ...CA.issue({ names: ["a.test"] }) };

const hostOf = (name: string, more: Partial<SecureHost> = {}): SecureHost => ({
  name,
  certificates: ["a"],
  policy: null,
  passthrough: "",
  ...more,
});

const SECURE: RigOptions = {
  secure: {
    fallback: CA.issue({ names: ["fallback.test"] }),
    certificates: [CERTIFICATE],
    hosts: [hostOf("a.test")],
  },
};

const get = (host: string): string => `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`;

/** What is changed in the model with this number. */
function change(base: number, more: Partial<Delta>): Delta {
  const none = deltaOf([], DEFAULT_POLICY);
  return { ...none, hosts: [], backends: [], ...more, base, version: base + 1 };
}

/** Clients of `lock.test` have to be somebody. */
function lock(base: number): Delta {
  const [route] = deltaOf([], DEFAULT_POLICY).hosts;
  const host = { ...route!, name: "lock.test", policy: "lock" };
  return change(base, { hosts: [host], secure: [hostOf("lock.test", { policy: LOCK })] });
}

test("a host that wants to know its clients changes nothing for those that are there", () =>
  withRig(
    echo,
    async (rig) => {
      const named = { ca: CA.certificate, serverName: "a.test" };
      const before = await rig.client(named);
      const stray = await rig.client(named);
      const ask = async (host: string): Promise<number> => {
        before.send(get(host));
        return statusOf(await before.response());
      };
      assert.is(await ask("a.test"), 200);
      // By the listener as it was: nobody asks for a certificate yet.
      assert.is(metName(await visit({ port: rig.securePort, name: "lock.test" })), "fallback.test");
      rig.plane.apply(lock(1));
      assert.is(await ask("a.test"), 200);
      // Not on a connection that proved nothing; the client's pool has to let go of it.
      stray.send(get("lock.test"));
      assert.is(statusOf(await stray.response()), 421);
      assert.is(await stray.left(), "fin");
      const failed = tallied(HANDSHAKE_FAILED);
      const nobody = await visit({ port: rig.securePort, name: "lock.test", version: "1.2" });
      assert.is(nobody.met, null);
      assert.is(tallied(HANDSHAKE_FAILED), failed + 1);
      const me = await visit({ port: rig.securePort, name: "lock.test", identity: ME });
      assert.is(metName(me), "a.test");
      me.socket.write(get("lock.test"));
      await me.until(() => me.heard.includes("ssl-client-verify"), "an answer");
      assert.match(me.heard, "HTTP/1.1 200");
      me.heard = "";
      me.socket.write(get("a.test"));
      await me.until(() => me.heard.includes("HTTP/1.1 "), "an answer");
      assert.match(me.heard, "HTTP/1.1 421");
      rig.plane.apply(change(2, { hostsGone: ["lock.test"], secureGone: ["lock.test"] }));
      assert.is(await ask("a.test"), 200);
      assert.is(metName(await visit({ port: rig.securePort, name: "lock.test" })), "fallback.test");
      await me.leave();
    },
    SECURE,
  ));

test("clients that wait in the queue meanwhile are served", () =>
  withRig(
    echo,
    async (rig) => {
      for (let i = 0; i < 6; i++) {
        const clients = Array.from({ length: 30 }, () =>
          rig.client({ ca: CA.certificate, serverName: "a.test" }),
        );
        const back = { hostsGone: ["lock.test"], secureGone: ["lock.test"] };
        rig.plane.apply(i % 2 === 0 ? lock(i + 1) : change(i + 1, back));
        for (const client of await Promise.all(clients)) {
          client.send(get("a.test"));
          assert.is(statusOf(await client.response()), 200);
        }
      }
    },
    SECURE,
  ));

/** Answers ClientHellos by what they are. */
const mirror: Script = async (peer) => {
  await peer.until(() => peer.unread.length > 0 || peer.ending !== "open", "bytes");
  peer.send(peer.take(peer.unread.length));
  await peer.left();
  peer.shut();
};

test("a host can be handed on unopened, next to others that are not", () =>
  withRig(
    mirror,
    async (rig) => {
      const hello = records(message([NAME("through.test")])).toString("latin1");
      const shown = tallied(FALLBACK_SHOWN);
      const client = await dial(rig.securePort);
      client.send(hello);
      await client.until(() => client.unread.length >= hello.length, "an echo");
      assert.is(tallied(FALLBACK_SHOWN), shown, "it was shown nothing");
      assert.is(client.unread.toString("latin1"), hello);
      const other = await visit({ port: rig.securePort, name: "a.test" });
      assert.is(metName(other), "a.test");
      const drained = rig.plane.drain(2_000);
      await turnsUntil(() => rig.origin.peers[0]!.ending !== "open");
      assert.is(await client.left(), "fin");
      client.shut();
      await other.leave();
      await drained;
      assert.is(rig.plane.counts().connections, 0);
    },
    {
      secure: {
        ...SECURE.secure!,
        hosts: [
          hostOf("a.test"),
          hostOf("through.test", { certificates: [], passthrough: "wire" }),
        ],
      },
    },
  ));

test("a PROXY header before TLS says who the client is", () =>
  withRig(
    echo,
    async (rig) => {
      const tcp = connectTcp(rig.securePort, "127.0.0.1");
      tcp.write(V1);
      const socket = connectTls({ socket: tcp, servername: "a.test", ca: CA.certificate });
      let heard = "";
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      socket.on("error", reject);
      socket.on("data", (bytes: Buffer) => {
        heard += bytes.toString("latin1");
        if (heard.includes("X-Forwarded-Port")) resolve();
      });
      socket.write(get("a.test"));
      await promise;
      const body = JSON.parse(heard.slice(heard.indexOf("\r\n\r\n") + 4));
      assert.equal(valuesOf(body.fields, "x-forwarded-for"), ["192.0.2.9"]);
      assert.equal(valuesOf(body.fields, "x-forwarded-port"), ["443"]);
      assert.equal(valuesOf(body.fields, "x-forwarded-proto"), ["https"]);
      socket.destroy();
      const before = tallied(BAD_PROXY_HEADER);
      assert.is((await visit({ port: rig.securePort, name: "a.test" })).met, null);
      assert.is(tallied(BAD_PROXY_HEADER), before + 1);
      await turnsUntil(() => rig.plane.counts().connections === 0);
    },
    { ...SECURE, proxies: ["127.0.0.1"] },
  ));

test("who begins TLS and stops is closed at the deadline, in every state of it", () =>
  withRig(
    echo,
    async (rig) => {
      const hello = records(message([NAME("a.test")])).toString("latin1");
      const before = tallied(HANDSHAKE_TIMEOUT);
      const silent = await dial(rig.securePort);
      const half = await dial(rig.securePort);
      half.send(hello.slice(0, 40));
      // Its own certificates are of no use to it, but it stays.
      const met = await realHello(rig);
      for (const peer of [silent, half]) assert.is.not(await peer.left(), "open");
      await turnsUntil(() => rig.plane.counts().connections === 0);
      assert.is(tallied(HANDSHAKE_TIMEOUT), before + 3);
      assert.ok(met.received > 0, "it was answered, and never went on");
      for (const peer of [silent, half, met]) if (!peer.closed) peer.reset();
    },
    {
      secure: { ...SECURE.secure!, settings: { unknown: "refuse" } },
      limits: { handshakeMs: 1_000 },
    },
  ));

/** A client that sends a real ClientHello and nothing after it. */
async function realHello(rig: Rig): Promise<Awaited<ReturnType<typeof dial>>> {
  const { promise, resolve } = Promise.withResolvers<Buffer>();
  const trap = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      data(socket, bytes) {
        resolve(Buffer.from(bytes));
        socket.end();
      },
    },
  });
  const tls = { serverName: "a.test", rejectUnauthorized: false };
  const socket = { data() {}, error() {}, connectError() {} };
  await Bun.connect({ hostname: "127.0.0.1", port: trap.port, tls, socket });
  const hello = await promise;
  trap.stop(true);
  const peer = await dial(rig.securePort);
  peer.send(hello);
  await peer.until(() => peer.received > 0, "an answer");
  return peer;
}

test.run();
