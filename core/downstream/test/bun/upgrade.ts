/** What Bun does when an accepted connection becomes TLS after its first bytes were read. */
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { metName, visit, type Visit } from "../../../../test/handshake.ts";
import { turnsUntil } from "../../../../test/peer.ts";
import { openAuthority } from "../../../../test/pki.ts";
import type { KeyPair } from "../../../model.ts";
import { chainOf } from "../../../tls/session.ts";
import { contextOf, HTTP1, openByPeek, type Native, type Stand, type Told } from "./fixture.ts";

const root = openAuthority();
const A = root.issue({ names: ["a.test"] });
const B = root.issue({ names: ["b.test"] });
const VERSIONS = ["1.2", "1.3"] as const;

type Choice = Readonly<{ secureContext: Native } & Record<string, unknown>>;

async function withChoice(
  choose: () => Choice,
  body: (stand: Stand, guest: (asks?: Partial<Asks>) => Promise<Visit>) => Promise<void>,
  hold = 1,
): Promise<void> {
  const stand = openByPeek({ choose, hold });
  try {
    const own = { port: stand.port, authority: root.certificate, name: "a.test" };
    await body(stand, (asks = {}) => visit({ ...own, ...asks }));
  } finally {
    stand.stop();
  }
}
type Asks = Parameters<typeof visit>[0];

/** Whether a connection carries bytes both ways; in 1.3 a client learns late that it does not. */
async function works(visitor: Visit): Promise<boolean> {
  return (await visitor.echo("hello")) === "hello";
}

/** Passes on what a client sends in pieces of `size`, a turn of the loop each. */
function openRelay(port: number, size: number): Readonly<{ port: number; stop: () => void }> {
  const server = createServer((client) => {
    const inner = connect(port, "127.0.0.1").setNoDelay(true);
    let before = Promise.resolve();
    client.on("data", (bytes) => {
      before = before.then(() => sendPieces(inner, Buffer.from(bytes), size));
    });
    inner.on("data", (bytes) => client.write(bytes));
    for (const [one, other] of [
      [client, inner],
      [inner, client],
    ] as const) {
      one.on("close", () => other.destroy()).on("error", () => other.destroy());
    }
  });
  server.listen(0, "127.0.0.1");
  return { port: (server.address() as AddressInfo).port, stop: () => void server.close() };
}

async function sendPieces(to: Socket, bytes: Buffer, size: number): Promise<void> {
  for (let at = 0; at < bytes.length; at += size) {
    to.write(bytes.subarray(at, at + size));
    await new Promise((resolve) => setImmediate(resolve));
  }
}

for (const hold of [1, 6, 100]) {
  test(`${hold} bytes were read before, or no host has a policy`, async () => {
    const secureContext = contextOf([A]);
    await withChoice(
      () => ({ secureContext }),
      async (stand) => {
        const relay = openRelay(stand.port, 37);
        for (const version of VERSIONS) {
          const met = await visit({ port: relay.port, name: "a.test", version });
          assert.is(metName(met), "a.test");
          assert.ok(await works(met));
          assert.is(stand.told.at(-1)?.version, version);
          await met.leave();
        }
        relay.stop();
      },
      hold,
    );
  });
}

test("each handshake has a context of its own, or hosts get each other's certificate", async () => {
  const contexts = [contextOf([A]), contextOf([B])];
  let turn = 0;
  await withChoice(
    () => ({ secureContext: contexts[turn++ % 2]! }),
    async (_stand, guest) => {
      const met = await Promise.all([guest(), guest(), guest(), guest()]);
      assert.equal(met.map(metName).sort(), ["a.test", "a.test", "b.test", "b.test"]);
    },
  );
});

for (const version of VERSIONS) {
  test(`ALPN: the list given is what is spoken, else clients of h2 fail (${version})`, async () => {
    const choice = { secureContext: contextOf([A]), ALPNProtocols: HTTP1 };
    await withChoice(
      () => choice,
      async (stand, guest) => {
        const both = await guest({ version, alpn: ["h2", "http/1.1"] });
        assert.is(both.met?.alpn, "http/1.1");
        assert.ok(await works(both));
        assert.is(stand.told.at(-1)?.alpn, "http/1.1");
        assert.is((await guest({ version })).met?.alpn, "");
        const other = await guest({ version, alpn: ["acme-tls/1"] });
        assert.is(other.refusal, "ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL");
      },
    );
  });

  test(`two kinds of keys: clients get the one they can check (${version})`, async () => {
    const secureContext = contextOf([A, root.issue({ names: ["a.test"], kind: "rsa" })]);
    await withChoice(
      () => ({ secureContext }),
      async (_stand, guest) => {
        for (const kind of ["ec", "rsa"] as const) {
          assert.is((await guest({ version, kind })).met?.kind, kind);
        }
      },
    );
  });

  test(`tickets are for their own context, or they cross policies (${version})`, async () => {
    const contexts = [contextOf([A]), contextOf([A])];
    let current = 0;
    await withChoice(
      () => ({ secureContext: contexts[current]! }),
      async (_stand, guest) => {
        const first = await guest({ version });
        await works(first);
        await first.until(() => first.session !== undefined, "a ticket");
        const session = first.session!;
        assert.ok((await guest({ version, session })).met?.resumed);
        current = 1;
        const elsewhere = await guest({ version, session });
        assert.not.ok(elsewhere.met?.resumed);
        assert.ok(await works(elsewhere));
      },
    );
  });
}

test("floor of a host: minVersion of its context is held, or 1.2 gets in", async () => {
  const secureContext = contextOf([A], { minVersion: "TLSv1.3" });
  await withChoice(
    () => ({ secureContext }),
    async (_stand, guest) => {
      const old = await guest({ version: "1.2" });
      assert.is(old.refusal, "ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION");
      assert.ok(await works(await guest({ version: "1.3" })));
    },
  );
});

test("floor: 1.1 is refused by an alert without being told to", async () => {
  const secureContext = contextOf([A]);
  await withChoice(
    () => ({ secureContext }),
    async (_stand, guest) => {
      const old = await guest({ version: "1.1" });
      assert.is(old.refusal, "ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION");
    },
  );
});

test("ciphers of a host: those of its context are held", async () => {
  const secureContext = contextOf([A], { ciphers: "ECDHE-ECDSA-AES256-GCM-SHA384" });
  await withChoice(
    () => ({ secureContext }),
    async (_stand, guest) => {
      const asks = { version: "1.2" } as const;
      const weak = await guest({ ...asks, cipher: "ECDHE-ECDSA-AES128-GCM-SHA256" });
      assert.is(weak.refusal, "ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE");
      assert.ok(await works(await guest({ ...asks, cipher: "ECDHE-ECDSA-AES256-GCM-SHA384" })));
    },
  );
});

// --- client certificates ---

const CLIENT = { names: ["robot"], use: "client" } as const;
const CLIENTS: Readonly<Record<string, KeyPair | null>> = {
  none: null,
  good: root.issue(CLIENT),
  below: root.intermediate("between").issue(CLIENT),
  "far below": root.intermediate("between").intermediate("and").issue(CLIENT),
  expired: root.issue({ ...CLIENT, fromDays: -9, untilDays: -1 }),
  early: root.issue({ ...CLIENT, fromDays: 2 }),
  foreign: openAuthority("other").issue(CLIENT),
  "a server's": root.issue({ names: ["robot"] }),
};

/**
 * `required`: rejectUnauthorized. `let in`: the bytes of the client arrive. What Bun says is `ok`
 * also of certificates that are no good: whoever lets in by `ok` alone lets in everybody.
 */
const MEETINGS: readonly (readonly [string, Partial<Told>, "let in" | "shut out" | "asked"])[] = [
  ["none", { ok: true, code: "UNABLE_TO_GET_ISSUER_CERT", authorized: false }, "asked"],
  ["good", { ok: true, code: "", authorized: true, client: "robot" }, "let in"],
  ["below", { ok: true, code: "", authorized: true, client: "robot" }, "let in"],
  ["expired", { ok: true, code: "CERT_HAS_EXPIRED", authorized: false }, "shut out"],
  ["early", { ok: true, code: "CERT_NOT_YET_VALID", authorized: false }, "shut out"],
  ["foreign", { ok: true, code: "UNABLE_TO_VERIFY_LEAF_SIGNATURE", authorized: false }, "shut out"],
  ["a server's", { ok: true, code: "INVALID_PURPOSE", authorized: false }, "shut out"],
];

for (const version of VERSIONS) {
  for (const [client, expected, fate] of MEETINGS) {
    const asks = { version, identity: CLIENTS[client]! };
    const secureContext = contextOf([A], { ca: root.certificate });

    test(`client certificate, optional: ${client}, told and let in (${version})`, async () => {
      const choice = { secureContext, requestCert: true, rejectUnauthorized: false };
      await withChoice(
        () => choice,
        async (stand, guest) => {
          assert.ok(await works(await guest(asks)));
          assert.equal(pick(stand.told.at(-1), expected), expected);
        },
      );
    });

    test(`client certificate, required: ${client} is ${fate} (${version})`, async () => {
      const choice = { secureContext, requestCert: true, rejectUnauthorized: true };
      await withChoice(
        () => choice,
        async (stand, guest) => {
          assert.is(await works(await guest(asks)), fate === "let in");
          const told = fate === "asked" ? { ok: false, code: "EPROTO" } : expected;
          assert.equal(pick(stand.told.at(-1), told), told);
          if (fate !== "let in") assert.not.ok(stand.events.includes("data"));
        },
      );
    });
  }

  test(`a resumed session is still its client's, or mTLS ends with it (${version})`, async () => {
    const secureContext = contextOf([A], { ca: root.certificate });
    const choice = { secureContext, requestCert: true, rejectUnauthorized: true };
    await withChoice(
      () => choice,
      async (stand, guest) => {
        const identity = CLIENTS["good"]!;
        const first = await guest({ version, identity });
        assert.ok(await works(first));
        await first.until(() => first.session !== undefined, "a ticket");
        const again = await guest({ version, identity, session: first.session! });
        assert.ok(await works(again));
        const { resumed, authorized, client, ok } = stand.told.at(-1)!;
        assert.equal([resumed, authorized, client, ok], [true, true, "robot", true]);
      },
    );
  });
}

function pick(told: Told | undefined, like: Partial<Told>): Partial<Told> {
  const keys = Object.keys(like) as (keyof Told)[];
  return Object.fromEntries(keys.map((key) => [key, told?.[key]]));
}

// --- the socket below ---

test("the raw socket goes on to hear ciphertext: whoever reads it takes it for HTTP", async () => {
  const secureContext = contextOf([A]);
  await withChoice(
    () => ({ secureContext }),
    async (stand, guest) => {
      const met = await guest();
      assert.ok(await works(met));
      stand.events.length = 0;
      assert.ok(await works(met));
      assert.equal(stand.events, ["raw data", "data"]);
      await met.leave();
    },
  );
});

test("only the TLS socket can end it: a deadline on the one below ends nothing", async () => {
  const secureContext = contextOf([A]);
  await withChoice(
    () => ({ secureContext }),
    async (stand, guest) => {
      const met = await guest();
      assert.ok(await works(met));
      stand.raw[0]!.end();
      stand.raw[0]!.terminate();
      assert.ok(await works(met));
      stand.sockets[0]!.terminate();
      await met.until(() => met.closed, "the end");
      assert.is(met.refusal, "ECONNRESET");
    },
  );
});

for (const version of VERSIONS) {
  test(`the session has the chain of a client, or its depth is unknown (${version})`, async () => {
    const secureContext = contextOf([A], { ca: root.certificate });
    const choice = { secureContext, requestCert: true, rejectUnauthorized: true };
    await withChoice(
      () => choice,
      async (stand, guest) => {
        for (const [client, behind] of [
          ["below", 1],
          ["far below", 2],
        ] as const) {
          const identity = CLIENTS[client]!;
          const first = await guest({ version, identity });
          assert.ok(await works(first));
          await first.until(() => first.session !== undefined, "a ticket");
          assert.is(chainLength(stand), behind);
          assert.ok(await works(await guest({ version, identity, session: first.session! })));
          assert.ok(stand.told.at(-1)!.resumed);
          assert.is(chainLength(stand), behind);
        }
      },
    );
  });
}

/** Certificates behind its own that the client who came last showed. */
function chainLength({ sockets }: Stand): number | undefined {
  const last = sockets.at(-1) as unknown as Readonly<{ getSession: () => Uint8Array }>;
  return chainOf(last.getSession())?.length;
}

test("the end: both sockets close, the one below first, each once", async () => {
  const secureContext = contextOf([A]);
  await withChoice(
    () => ({ secureContext }),
    async (stand, guest) => {
      const met = await guest();
      assert.ok(await works(met));
      met.socket.end();
      await met.until(() => met.closed, "the end");
      await turnsUntil(() => stand.events.includes("close"));
      const ends = stand.events.filter((event) => /close|end/.test(event));
      assert.equal(ends, ["end", "raw close", "close"]);
    },
  );
});

test("junk after the first bytes fails the handshake, and closes", async () => {
  const secureContext = contextOf([A]);
  await withChoice(
    () => ({ secureContext }),
    async (stand) => {
      const { promise: left, resolve: leave } = Promise.withResolvers<void>();
      await Bun.connect({
        hostname: "127.0.0.1",
        port: stand.port,
        socket: {
          open: (socket) => void socket.write("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"),
          data: () => {},
          close: () => leave(),
        },
      });
      await left;
      assert.is(stand.told.at(-1)?.ok, false);
      assert.ok(stand.events.includes("close"));
      assert.not.ok(stand.events.includes("data"));
    },
  );
});

test.run();
