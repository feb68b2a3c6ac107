/**
 * What Bun does as a client of TLS that its documentation does not promise. The name of a test says
 * what breaks in rind when a version of Bun does it differently.
 */
import { createServer, type AddressInfo } from "node:net";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { turnsUntil } from "../../../test/peer.ts";
import { openAuthority } from "../../../test/pki.ts";
import {
  contextOf,
  HTTP1,
  openByPeek,
  openBySni,
  type Native,
  type Stand,
} from "../../downstream/test/bun/fixture.ts";

const root = openAuthority();
const others = openAuthority("others");
const A = root.issue({ names: ["a.test"] });
const context = contextOf([A]);
const trusting = contextOf([], { ca: root.certificate });

/** What was told, and in which order. */
type Told = {
  events: string[];
  ok: boolean;
  code: string;
  authorized: boolean;
  names: string;
  resumed: boolean;
  socket: Bun.Socket<undefined> | null;
};

type Dial = Readonly<{
  secureContext?: Native;
  serverName?: string;
  rejectUnauthorized?: boolean;
}>;

/** Connects as rind does to a backend, and says "hello" when the handshake is over. */
async function dial(port: number, options: Dial = {}): Promise<Told> {
  const told: Told = {
    events: [],
    ok: false,
    code: "",
    authorized: false,
    names: "",
    resumed: false,
    socket: null,
  };
  const tls = {
    secureContext: trusting,
    serverName: "a.test",
    rejectUnauthorized: true,
    ...options,
  };
  await Bun.connect<undefined>({
    hostname: "127.0.0.1",
    port,
    allowHalfOpen: true,
    tls: { ...tls, ALPNProtocols: HTTP1 } as Bun.TLSOptions,
    socket: {
      open(socket) {
        told.events.push("open");
        told.socket = socket;
      },
      handshake(socket, ok, error) {
        told.events.push("handshake");
        told.ok = ok;
        told.code = codeOf(error) || codeOf(socket.getAuthorizationError());
        told.authorized = socket.authorized;
        told.names = socket.getPeerX509Certificate()?.subjectAltName ?? "";
        told.resumed = (socket as unknown as { isSessionReused(): boolean }).isSessionReused();
        if (ok && told.code === "") socket.write("hello");
      },
      data: (_socket, bytes) => void told.events.push(bytes.toString()),
      end: (socket) => {
        told.events.push("end");
        socket.end();
      },
      close: () => void told.events.push("close"),
      error: (_socket, error) => void told.events.push(`error ${"errno" in error}`),
    },
  });
  await turnsUntil(() => /hello|close|error/.test(told.events.join()));
  return told;
}

function codeOf(error: unknown): string {
  return error instanceof Error ? ((error as NodeJS.ErrnoException).code ?? error.name) : "";
}

async function withStand(stand: Stand, body: (port: number) => Promise<void>): Promise<void> {
  try {
    await body(stand.port);
  } finally {
    stand.stop();
  }
}

test("a good backend: open, then the verdict, then bytes; or requests leak", async () => {
  await withStand(openBySni({ context }), async (port) => {
    const { events, ok, code, authorized, names } = await dial(port);
    assert.equal(events.slice(0, 3), ["open", "handshake", "hello"]);
    assert.equal([ok, code, authorized, names], [true, "", true, "DNS:a.test"]);
  });
});

const NAMES: readonly (readonly [string, string])[] = [
  ["a.test", "name a.test"],
  ["", ""],
];
for (const [serverName, seen] of NAMES) {
  test(`the name sent is the one given: "${serverName}"`, async () => {
    const stand = openBySni({ context });
    await withStand(stand, async (port) => {
      const dialling = dial(port, { serverName, rejectUnauthorized: false });
      await turnsUntil(() => stand.told.length === 1);
      stand.sockets[0]!.end();
      await dialling;
      assert.is(stand.events.find((event) => event.startsWith("name")) ?? "", seen);
    });
  });
}

type Judged = readonly [what: string, shown: Native, options: Dial, code: string];

const JUDGED: readonly Judged[] = [
  ["of another name", context, { serverName: "b.test" }, "ERR_TLS_CERT_ALTNAME_INVALID"],
  [
    "of an unknown authority",
    contextOf([others.issue({ names: ["a.test"] })]),
    {},
    "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  ],
  [
    "that expired",
    contextOf([root.issue({ names: ["a.test"], fromDays: -9, untilDays: -1 })]),
    {},
    "CERT_HAS_EXPIRED",
  ],
  [
    "of a client",
    contextOf([root.issue({ names: ["a.test"], use: "client" })]),
    {},
    "INVALID_PURPOSE",
  ],
];

for (const [what, shown, options, code] of JUDGED) {
  for (const rejectUnauthorized of [true, false]) {
    test(`a certificate ${what} is told, reject ${rejectUnauthorized}, or it counts`, async () => {
      const stand = openBySni({ context: shown });
      await withStand(stand, async (port) => {
        const dialling = dial(port, { ...options, rejectUnauthorized });
        // Who does not reject goes on, and the test ends it.
        if (!rejectUnauthorized) {
          await turnsUntil(() => stand.told.length === 1);
          stand.sockets[0]!.end();
        }
        const told = await dialling;
        assert.is(told.code, code);
        assert.not.ok(told.authorized);
        assert.not.ok(stand.events.includes("data"));
      });
    });
  }
}

test("no session of one connection is another's, or who was checked is another", async () => {
  await withStand(openBySni({ context }), async (port) => {
    for (let turn = 0; turn < 3; turn++) assert.not.ok((await dial(port)).resumed);
  });
});

test("its own certificate is shown, and only by who has one", async () => {
  const asking = contextOf([A], { ca: root.certificate });
  const choice = { secureContext: asking, requestCert: true, rejectUnauthorized: true };
  const { chain, key } = root.issue({ names: ["rind"], use: "client" });
  const own = contextOf([{ chain, key }], { ca: root.certificate });
  const stand = openByPeek({ choose: () => choice });
  await withStand(stand, async (port) => {
    const { events } = await dial(port, { secureContext: own });
    assert.equal(events.slice(0, 3), ["open", "handshake", "hello"]);
    assert.is(stand.told.at(-1)?.client, "rind");
    // In TLS 1.3 the handshake is over for a client before its backend says no.
    const refused = await dial(port);
    assert.not.ok(refused.events.includes("hello"));
    assert.ok(/error true|close/.test(refused.events.join()), refused.events.join());
  });
});

test("a backend that does not speak TLS is told, and gets nothing of a request", async () => {
  let heard = "";
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", (bytes) => {
      heard += bytes.toString("latin1");
      socket.end("HTTP/1.1 400 Bad Request\r\n\r\n");
    });
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { ok, code, events } = await dial((server.address() as AddressInfo).port);
  assert.is(ok, false);
  assert.is(code, "EPROTO");
  assert.not.ok(events.includes("HTTP"));
  assert.not.match(heard, "hello");
  server.close();
});

test("renegotiation can be forbidden, or a backend changes after it was checked", async () => {
  await withStand(openBySni({ context }), async (port) => {
    const { socket } = await dial(port);
    assert.type(socket?.disableRenegotiation, "function");
  });
});

test.run();
