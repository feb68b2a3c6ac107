/** HTTP over TLS: who is shown what, and what becomes of clients that do not get that far. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  BUG,
  FALLBACK_SHOWN,
  HANDSHAKES_FULL,
  HANDSHAKE_FAILED,
  HANDSHAKE_TIMEOUT,
} from "../../core/fault.ts";
import type { Certificate, SecureHost } from "../../core/model.ts";
import { tallied } from "../../core/tally.ts";
import { statusOf } from "../message.ts";
import { answering, echo, echoed, respond } from "../origin.ts";
import { dial, turnsUntil } from "../peer.ts";
import { openAuthority } from "../pki.ts";
import { type Rig, type RigOptions, withRig } from "../rig.ts";
import { NOTHING } from "../delta.ts";

const CA = openAuthority();
const FALLBACK = CA.issue({ names: ["fallback.test"] });
const GET = "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n";

const certificateOf = (id: string, name: string): Certificate => ({
  id,
  ...CA.issue({ names: [name] }),
});

const hostOf = (name: string, ...certificates: string[]): SecureHost => ({
  name,
  certificates,
  policy: null,
  passthrough: "",
});

const OPTIONS: RigOptions = {
  secure: {
    fallback: FALLBACK,
    certificates: [certificateOf("a", "a.test"), certificateOf("w", "*.w.test")],
    hosts: [hostOf("*.w.test", "w"), hostOf("a.test", "a"), hostOf("bare.test")],
  },
};

/** The name on the certificate that a client is shown that asks for `serverName`, "" for none. */
async function shownTo(rig: Rig, serverName: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const name = serverName === "" ? {} : { serverName };
  const socket = await Bun.connect({
    hostname: "127.0.0.1",
    port: rig.securePort,
    tls: { rejectUnauthorized: false, ...name },
    socket: {
      data() {},
      handshake: (opened) => resolve(String(opened.getPeerCertificate()?.subject?.CN)),
      close: () => reject(new Error("closed")),
    },
  });
  const shown = await promise;
  socket.end();
  return shown;
}

/** A test with the rig of OPTIONS. */
function secured(name: string, body: (rig: Rig) => Promise<void>): void {
  test(name, () => withRig(echo, body, OPTIONS));
}

/** Rows: the name that is asked for, that of the certificate shown, how often it is nobody's. */
const SHOWN: readonly (readonly [string, string, number])[] = [
  ["a.test", "a.test", 0],
  ["A.Test", "a.test", 0],
  ["x.w.test", "*.w.test", 0],
  ["w.test", "fallback.test", 0],
  ["x.y.w.test", "fallback.test", 0],
  ["", "fallback.test", 0],
  ["nobody.test", "fallback.test", 0],
  ["bare.test", "fallback.test", 1],
];

secured("clients are shown the certificate for the name that they ask for", async (rig) => {
  for (const [asked, shown, nobodys] of SHOWN) {
    const before = tallied(FALLBACK_SHOWN);
    assert.is(await shownTo(rig, asked), shown, asked);
    assert.is(tallied(FALLBACK_SHOWN) - before, nobodys, asked);
  }
});

for (const [port, shown] of [
  [0, "its own"],
  [443, "443"],
] as const) {
  test(`a backend is told that its request came over TLS, and to which port: ${shown}`, () =>
    withRig(
      echo,
      async (rig) => {
        const client = await rig.client({ ca: CA.certificate, serverName: "a.test" });
        client.send(GET);
        const fields = new Map(echoed(await client.response()).fields);
        assert.is(fields.get("X-Forwarded-Proto"), "https");
        assert.is(fields.get("X-Forwarded-Port"), `${port || rig.securePort}`);
      },
      { secure: { ...OPTIONS.secure!, settings: { port } } },
    ));
}

secured("certificates come, change and go, and live connections stay", async (rig) => {
  const client = await rig.client({ ca: CA.certificate, serverName: "a.test" });
  const steps = [
    { certificates: [certificateOf("a", "new.test")] },
    { secure: [hostOf("b.test", "a")] },
    { secure: [hostOf("*", "w")] },
    { secureGone: ["a.test"] },
    { secureGone: ["*"] },
  ];
  const seen: string[][] = [];
  for (const [i, step] of steps.entries()) {
    rig.plane.apply({ ...NOTHING, ...step, base: i + 1, version: i + 2 });
    const names = ["a.test", "b.test", ""];
    seen.push(await Promise.all(names.map((name) => shownTo(rig, name))));
    client.send(GET);
    assert.is(statusOf(await client.response()), 200);
  }
  assert.equal(seen, [
    ["new.test", "fallback.test", "fallback.test"],
    ["new.test", "new.test", "fallback.test"],
    ["new.test", "new.test", "*.w.test"],
    ["*.w.test", "new.test", "*.w.test"],
    ["fallback.test", "new.test", "fallback.test"],
  ]);
});

secured(
  "clients that wait in the queue while a listener is renewed are served by the next one",
  async (rig) => {
    const clients = Array.from({ length: 50 }, () => rig.client());
    rig.plane.apply({ ...NOTHING, base: 1, version: 2, secure: [hostOf("*", "w")] });
    for (const client of await Promise.all(clients)) {
      client.send(GET);
      assert.is(statusOf(await client.response()), 200);
    }
  },
);

secured("who was accepted before a listener is renewed is shown what it asks for", async (rig) => {
  const { port, go, stop } = openPause(rig.securePort);
  const shown = shownTo({ ...rig, securePort: port }, "a.test");
  await turnsUntil(() => rig.plane.counts().connections === 1);
  rig.plane.apply({ ...NOTHING, base: 1, version: 2, secure: [hostOf("*", "w")] });
  go();
  assert.is(await shown, "a.test");
  stop();
});

test("16 MiB go each way, whole", () => {
  const size = 16 * 1024 * 1024;
  const body = Buffer.alloc(size, "0123456789abcdef");
  const head = `POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: ${size}\r\n\r\n`;
  return withRig(
    answering((request) => respond(200, request.body.toString("latin1"))),
    async (rig) => {
      const client = await rig.client();
      client.send(head);
      client.send(body);
      const response = await client.response();
      assert.is(Bun.hash(response.body), Bun.hash(body));
    },
    OPTIONS,
  );
});

/** Rows: what is not TLS, or not yet. */
const JUNK: readonly (readonly [string, string])[] = [
  ["HTTP", GET],
  ["a record of junk", `\x16\x03\x01\x40\x00${"A".repeat(16_384)}`],
  ["zeros", "\0".repeat(1_000)],
  ["TLS 1.0 in SSL 2", `\x80\x2e\x01\x03\x01\x00\x15\x00\x00\x00\x10${"\0".repeat(40)}`],
];

for (const [what, bytes] of JUNK) {
  secured(`no handshake: ${what}`, async (rig) => {
    const before = tallied(HANDSHAKE_FAILED);
    const client = await dial(rig.securePort);
    client.send(bytes);
    await client.left();
    client.shut();
    await turnsUntil(() => rig.plane.counts().connections === 0);
    assert.is(tallied(HANDSHAKE_FAILED), before + 1);
    assert.is(rig.origin.peers.length, 0);
  });
}

secured("a client that leaves before TLS is forgotten, and is no failure", async (rig) => {
  const before = tallied(HANDSHAKE_FAILED);
  const clients = await Promise.all(Array.from({ length: 20 }, () => dial(rig.securePort)));
  await turnsUntil(() => rig.plane.counts().connections === clients.length);
  clients.forEach((client, i) => (i % 2 === 0 ? client.reset() : client.shut()));
  await turnsUntil(() => rig.plane.counts().connections === 0);
  assert.is(tallied(HANDSHAKE_FAILED), before);
});

test("a handshake that drips is over at its deadline", () =>
  withRig(
    echo,
    async (rig) => {
      const before = tallied(HANDSHAKE_TIMEOUT);
      const client = await dial(rig.securePort);
      const hello = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
      for (let i = 0; client.ending === "open"; i++) {
        if (i < hello.length) client.send(hello[i]!);
        await Bun.sleep(20);
      }
      assert.is(tallied(HANDSHAKE_TIMEOUT), before + 1);
      assert.is(rig.plane.counts().connections, 0);
    },
    { ...OPTIONS, limits: { handshakeMs: 500 } },
  ));

test("when too many handshakes are on their way, the oldest goes and the newest is served", () =>
  withRig(
    echo,
    async (rig) => {
      const before = tallied(HANDSHAKES_FULL);
      const silent = await Promise.all(Array.from({ length: 8 }, () => dial(rig.securePort)));
      await turnsUntil(() => rig.plane.counts().connections === silent.length);
      const client = await rig.client();
      client.send(GET);
      assert.is(statusOf(await client.response()), 200);
      await turnsUntil(() => silent.filter(({ closed }) => closed).length === 1);
      assert.is(tallied(HANDSHAKES_FULL), before + 1);
    },
    { ...OPTIONS, limits: { handshakes: 8 } },
  ));

type Pause = Readonly<{ port: number; go: () => void; stop: () => void }>;

/** Between a client and the plane; lets nothing through before `go`. */
function openPause(port: number): Pause {
  const { promise, resolve } = Promise.withResolvers<void>();
  const listener = Bun.listen<Bun.Socket>({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      async open(near) {
        near.pause();
        const data = (_far: Bun.Socket, bytes: Buffer): void => void near.write(bytes);
        near.data = await Bun.connect({ hostname: "127.0.0.1", port, socket: { data } });
        await promise;
        near.resume();
      },
      data: (near, bytes) => void near.data.write(bytes),
      close: (near) => void near.data?.terminate(),
    },
  });
  return { port: listener.port, go: resolve, stop: () => listener.stop(true) };
}

type Tamper = Readonly<{ port: number; tamper: () => void; stop: () => void }>;

/** Between a client and the plane; turns a bit of the last byte of what is sent from then on. */
function openTamper(port: number): Tamper {
  let tampers = false;
  const listener = Bun.listen<Bun.Socket>({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      async open(near) {
        near.pause();
        near.data = await Bun.connect({
          hostname: "127.0.0.1",
          port,
          socket: {
            data: (_far, bytes) => void near.write(bytes),
            close: () => void near.end(),
          },
        });
        near.resume();
      },
      data(near, bytes) {
        if (tampers) bytes[bytes.length - 1]! ^= 1;
        near.data.write(bytes);
      },
      close: (near) => void near.data?.end(),
    },
  });
  const tamper = (): void => void (tampers = true);
  return { port: listener.port, tamper, stop: () => listener.stop(true) };
}

/** Rows: the TLS version, and what is sent before a record is tampered with. */
const TAMPERED: readonly (readonly [number, string])[] = [
  [0x0303, ""],
  [0x0303, "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 10\r\n\r\n12345"],
  [0x0304, ""],
  [0x0304, "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 10\r\n\r\n12345"],
];

for (const [version, before] of TAMPERED) {
  test(`a record that somebody tampered with ends its connection: ${version}, "${before}"`, () =>
    withRig(
      async (peer) => {
        await peer.left();
      },
      async (rig) => {
        const bugs = tallied(BUG);
        const { port, tamper, stop } = openTamper(rig.securePort);
        const versions = { minVersion: version, maxVersion: version };
        const client = await dial(port, "127.0.0.1", undefined, {
          rejectUnauthorized: false,
          ...versions,
        });
        await turnsUntil(() => rig.plane.counts().connections === 1);
        if (before !== "") {
          client.send(before);
          await turnsUntil(() => rig.origin.peers[0]?.unread.includes("12345") === true);
        }
        tamper();
        client.send("GET / HTTP/1.1\r\n");
        await client.left();
        await turnsUntil(() => rig.plane.counts().connections === 0);
        for (const peer of rig.origin.peers) assert.is(await peer.left(), "reset");
        stop();
        assert.is(tallied(BUG), bugs);
      },
      OPTIONS,
    ));
}

secured(
  "a drain lets handshakes come to their end, and their first answer is the last",
  async (rig) => {
    const clients = Array.from({ length: 5 }, () => rig.client());
    await turnsUntil(() => rig.plane.counts().connections > 0);
    const drained = rig.plane.drain(5_000);
    for (const client of await Promise.all(clients)) {
      client.send(GET);
      const response = await client.response();
      assert.is(statusOf(response), 200);
      assert.is(await client.left(), "fin");
      client.shut();
    }
    await drained;
  },
);

test.run();
