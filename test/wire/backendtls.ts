/** Backends over TLS: who is asked, who is believed, and that nothing is said to anybody else. */
import { test } from "uvu";
import * as assert from "uvu/assert";

import { UPSTREAM_TLS_FAILED } from "../../core/fault.ts";
import type { Endpoint, KeyPair, UpstreamTls } from "../../core/model.ts";
import { tallied } from "../../core/tally.ts";
import { statusOf } from "../message.ts";
import { answering, echo, openOrigin, respond, sawField, type Script } from "../origin.ts";
import type { Peer } from "../peer.ts";
import { openAuthority } from "../pki.ts";
import { deltaOf, type RigOptions, withRig } from "../rig.ts";
import { DEFAULT_POLICY } from "../../core/model.ts";
import { NOTHING } from "../delta.ts";

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const NAME = "web.shop.svc";

const authority = openAuthority();
const stranger = openAuthority("somebody else");
const good = authority.issue({ names: [NAME, "*.pods.shop.svc"] });
const byAddress = authority.issue({ names: ["127.0.0.1"] });
const expired = authority.issue({ names: [NAME], fromDays: -9, untilDays: -2 });
const early = authority.issue({ names: [NAME], fromDays: 2, untilDays: 9 });
const other = authority.issue({ names: ["other.shop.svc"] });
const foreign = stranger.issue({ names: [NAME] });
const below = authority.intermediate("between").issue({ names: [NAME] });
const rsa = authority.issue({ names: [NAME], kind: "rsa" });
const client = authority.issue({ names: ["edge"], use: "client" });

const keyed = ({ chain, key }: KeyPair): Bun.TLSOptions => ({ cert: chain, key });
const settings = (more: Partial<UpstreamTls> = {}): UpstreamTls => ({
  name: NAME,
  sni: true,
  verify: true,
  authorities: authority.certificate,
  identity: null,
  ...more,
});
const options = (pair: KeyPair, more: Partial<UpstreamTls> = {}): RigOptions => ({
  originTls: keyed(pair),
  tls: settings(more),
});

const ask = async (peer: Peer): Promise<number> => {
  peer.send(GET);
  return statusOf(await peer.response());
};

const PEERS: readonly (readonly [string, KeyPair, Partial<UpstreamTls>, status: number])[] = [
  ["its name from our authority", good, {}, 200],
  ["an RSA key", rsa, {}, 200],
  ["an intermediate in its chain", below, {}, 200],
  ["a wildcard that covers the name", good, { name: "a.pods.shop.svc" }, 200],
  ["a wildcard, for two labels", good, { name: "a.b.pods.shop.svc" }, 502],
  ["another name", other, {}, 502],
  ["another name, and no server name is sent", other, { sni: false }, 502],
  ["its name, and no server name is sent", good, { sni: false }, 200],
  ["its address, where that is the name", byAddress, { name: "127.0.0.1" }, 200],
  ["its address, where no name is known", byAddress, { name: "" }, 200],
  ["a name, where no name is known", good, { name: "" }, 502],
  ["its address, where a name is wanted", byAddress, {}, 502],
  ["an authority that nobody trusts", foreign, {}, 502],
  ["our authority, which the system does not know", good, { authorities: "" }, 502],
  ["a time that is over", expired, {}, 502],
  ["a time that has not come", early, {}, 502],
  ["an authority that nobody trusts, unverified", foreign, { verify: false }, 200],
  ["another name, unverified", other, { verify: false }, 200],
  ["a time that is over, unverified", expired, { verify: false, name: "", authorities: "" }, 200],
  ["another name and a foreign authority, unverified", foreign, { verify: false, name: "x" }, 200],
];

for (const [what, pair, more, status] of PEERS) {
  test(`a backend with ${what}: ${status}`, () =>
    withRig(
      echo,
      async (rig) => {
        const failed = tallied(UPSTREAM_TLS_FAILED);
        assert.is(await ask(await rig.client()), status);
        assert.is(tallied(UPSTREAM_TLS_FAILED) - failed, status === 200 ? 0 : 1);
        if (status === 200) return;
        for (const peer of rig.origin.peers) {
          await peer.until(() => peer.ending !== "open" || peer.closed, "leaving");
          assert.is(peer.received, 0, "not a byte of the request was sent");
        }
      },
      options(pair, more),
    ));
}

test("a connection over TLS is used again, and says nothing of TLS to the backend", () =>
  withRig(
    echo,
    async (rig) => {
      const peer = await rig.client();
      for (let i = 0; i < 3; i++) {
        peer.send(GET);
        const response = await peer.response();
        assert.is(statusOf(response), 200);
        assert.equal(sawField(response, "x-forwarded-proto"), ["http"]);
      }
      assert.is(rig.origin.peers.length, 1);
    },
    options(good),
  ));

test("an IPv6 endpoint without a name is checked by its address", () => {
  const own = authority.issue({ names: ["::1"] });
  const more = { originAddress: "::1", listen: "127.0.0.1" };
  return withRig(echo, async (rig) => assert.is(await ask(await rig.client()), 200), {
    ...options(own, { name: "" }),
    ...more,
  });
});

const MUTUAL = { requestCert: true, rejectUnauthorized: true, ca: authority.certificate };

test("a backend that wants a certificate gets ours", () =>
  withRig(echo, async (rig) => assert.is(await ask(await rig.client()), 200), {
    originTls: { ...keyed(good), ...MUTUAL },
    tls: settings({ identity: client }),
  }));

test("a backend that wants a certificate and gets none: 502, and rind goes on", () =>
  withRig(
    echo,
    async (rig) => {
      assert.is(await ask(await rig.client()), 502);
      assert.is(await ask(await rig.client()), 502);
    },
    { originTls: { ...keyed(good), ...MUTUAL }, tls: settings() },
  ));

/** Says it before the handshake, in clear, as somebody in between could (CVE-2026-1642). */
const speaksFirst: Script = async (peer) => {
  peer.send(respond(200, "forged"));
  await peer.left();
  peer.shut();
};
const answersInClear: Script = async (peer) => {
  await peer.until(() => peer.received > 0, "a hello");
  peer.send(respond(200, "clear"));
};
const mute: Script = async (peer) => {
  await peer.left();
  peer.shut();
};
const PLAIN: readonly (readonly [string, Script, status: number])[] = [
  ["answers in clear", answersInClear, 502],
  ["speaks first, in clear", speaksFirst, 502],
  ["resets the connection", async (peer) => peer.reset(), 502],
  ["ends the connection", async (peer) => peer.shut(), 502],
  ["says nothing", mute, 504],
];

for (const [what, script, status] of PLAIN) {
  const timeouts = { ...DEFAULT_POLICY.timeouts, connectMs: 1_000 };
  test(`a backend that does not speak TLS and ${what}: ${status}`, () =>
    withRig(
      script,
      async (rig) => {
        const peer = await rig.client();
        peer.send(GET);
        const response = await peer.response();
        assert.is(statusOf(response), status);
        assert.not.match(response.body.toString(), /forged|clear/);
        assert.not.match(rig.origin.peers[0]!.unread.toString("latin1"), /GET/);
        await rig.origin.peers[0]!.until(() => rig.origin.peers[0]!.closed, "closing");
      },
      { tls: settings(), policy: { ...DEFAULT_POLICY, timeouts } },
    ));
}

test("a request moves from an endpoint that fails the handshake to one that does not", async () => {
  const bad = openOrigin(echo, "127.0.0.2", 0, keyed(foreign));
  const endpoints = (origin: { address: string; port: number }): Endpoint[] => [
    { address: bad.address, port: bad.port, uid: "" },
    { address: origin.address, port: origin.port, uid: "" },
  ];
  const post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi";
  try {
    await withRig(
      echo,
      async (rig) => {
        const failed = tallied(UPSTREAM_TLS_FAILED);
        for (let i = 0; i < 6; i++) {
          const peer = await rig.client();
          peer.send(post);
          assert.is(statusOf(await peer.response()), 200);
        }
        assert.ok(tallied(UPSTREAM_TLS_FAILED) > failed);
        assert.is(
          bad.peers.every((peer) => peer.received === 0),
          true,
        );
      },
      { ...options(good), endpoints },
    );
  } finally {
    bad.stop();
  }
});

test("connections are not shared between settings, and a change of them makes new ones", () =>
  withRig(
    echo,
    async (rig) => {
      const { address, port, peers } = rig.origin;
      const peer = await rig.client();
      assert.is(await ask(peer), 200);
      const turn = (base: number, tls: UpstreamTls): void => {
        const { backends } = deltaOf([{ address, port, uid: "" }], DEFAULT_POLICY, tls);
        rig.plane.apply({ ...NOTHING, base, version: base + 1, backends });
      };
      turn(1, settings({ verify: false }));
      assert.is(await ask(peer), 200);
      assert.is(peers.length, 2, "what was not verified is another connection");
      await peers[0]!.until(() => peers[0]!.closed, "the old one closes");
      turn(2, settings({ authorities: stranger.certificate }));
      assert.is(await ask(peer), 502, "no connection of before is used");
      turn(3, settings());
      assert.is(await ask(peer), 200);
    },
    options(good),
  ));

test("large bodies go both ways with backpressure, and arrive whole", () => {
  const size = 8 * 1024 * 1024;
  const bytes = Buffer.alloc(size, "0123456789abcdef");
  const sum = new Bun.CryptoHasher("sha256").update(bytes).digest("hex");
  return withRig(
    answering(({ body }) => {
      const head = `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`;
      return Buffer.concat([Buffer.from(head), body]);
    }),
    async (rig) => {
      const peer = await rig.client();
      peer.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${size}\r\n\r\n`);
      peer.send(bytes);
      const { body } = await peer.response();
      assert.is(new Bun.CryptoHasher("sha256").update(body).digest("hex"), sum);
    },
    options(good),
  );
});

test("material that is no certificate reaches nobody: 502", () =>
  withRig(
    echo,
    async (rig) => {
      assert.is(await ask(await rig.client()), 502);
      assert.is(rig.origin.peers.length, 0);
    },
    options(good, { authorities: "nonsense" }),
  ));

test.run();
