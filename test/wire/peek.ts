/** TLS by the host that is asked for: what each one gets, and who its clients have to be. */
import tls from "node:tls";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Handshakes } from "../../core/downstream/handshake.ts";
import { listenPeeking } from "../../core/downstream/listen.ts";
import { beginSecure } from "../../core/downstream/peek.ts";
import type { SecureSite } from "../../core/downstream/secure.ts";
import { openSite } from "../../core/downstream/site.ts";
import type { DownstreamSocket } from "../../core/downstream/socket.ts";
import { Vault } from "../../core/downstream/vault.ts";
import type { Exchange, Router } from "../../core/exchange.ts";
import { HANDSHAKE_FAILED, SNI_UNKNOWN } from "../../core/fault.ts";
import { limitsOf, type Limits } from "../../core/limits.ts";
import type { ClientAuth, SecureHost, TlsPolicy } from "../../core/model.ts";
import { PLAIN_EDGE } from "../../core/protocol.ts";
import { Random } from "../../core/random.ts";
import { tallied } from "../../core/tally.ts";
import { Timers } from "../../core/timers.ts";
import { Hello, HELLO_BYTES_MAX } from "../../core/tls/hello.ts";
import { turnsUntil } from "../peer.ts";
import { openAuthority } from "../pki.ts";
import { FakeSocket } from "../socket.ts";

const ROOT = openAuthority("rind test root");
const MIDDLE = ROOT.intermediate("rind test middle");
const LOWER = MIDDLE.intermediate("rind test lower");
const STRANGER = openAuthority("rind test root");
const ANY_PORT = { address: { host: "127.0.0.1", port: 0 }, fd: null, reusePort: false };
const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

const CERTIFICATES = ["a.example", "b.example", "any.example"].map((name) => ({
  id: name,
  ...ROOT.issue({ names: [name] }),
}));

const CLIENTS = {
  none: null,
  good: ROOT.issue({ names: ["good"], use: "client" }),
  middle: MIDDLE.issue({ names: ["middle"], use: "client" }),
  lower: LOWER.issue({ names: ["lower"], use: "client" }),
  expired: ROOT.issue({ names: ["expired"], use: "client", fromDays: -9, untilDays: -1 }),
  foreign: STRANGER.issue({ names: ["foreign"], use: "client" }),
  server: ROOT.issue({ names: ["server"], use: "server" }),
} as const;

type Client = keyof typeof CLIENTS;

function policy(
  id: string,
  given: Partial<TlsPolicy>,
  auth: Partial<ClientAuth> | null,
): TlsPolicy {
  const client: ClientAuth | null = auth && {
    authorities: ROOT.certificate,
    verify: "required",
    depth: 1,
    forward: false,
    ...auth,
  };
  return { id, minVersion: null, ciphers: "", ...given, client };
}

function host(
  name: string,
  certificates: readonly string[],
  more: TlsPolicy | null = null,
): SecureHost {
  return { name, certificates, policy: more, passthrough: "" };
}

const HOSTS: readonly SecureHost[] = [
  host("*", ["any.example"]),
  host("*.wild.example", ["b.example"]),
  host("a.example", ["a.example"]),
  host("new.example", ["a.example"], policy("new", { minVersion: "1.3" }, null)),
  host("required.example", ["a.example"], policy("required", {}, {})),
  host("optional.example", ["a.example"], policy("optional", {}, { verify: "optional" })),
  host("unchecked.example", ["a.example"], policy("unchecked", {}, { verify: "unchecked" })),
  host("near.example", ["a.example"], policy("near", {}, { depth: 0 })),
  host("forward.example", ["a.example"], policy("forward", {}, { forward: true })),
];

type Rig = Readonly<{ site: SecureSite; port: number; policies: string[] }>;
type Options = Readonly<{ unknown?: "refuse"; limits?: Partial<Limits> }>;

async function withRig(body: (rig: Rig) => Promise<void>, options: Options = {}): Promise<void> {
  const policies: string[] = [];
  const router: Router = {
    route: (exchange: Exchange) => {
      policies.push(exchange.down.policy);
      exchange.answer(200, Buffer.from(exchange.down.forwarded), "");
    },
    retry: () => false,
    replayMax: () => 0,
    answered: () => {},
    over: () => {},
  };
  const timers = new Timers();
  const limits = limitsOf(options.limits ?? {});
  const plain = openSite({ router, timers, limits, random: new Random(1), unacked: () => 0 });
  const vault = new Vault({ ...PLAIN_EDGE.tls, fallback: ROOT.issue({ names: ["fallback"] }) });
  vault.patch({ certificates: CERTIFICATES, certificatesGone: [], secure: HOSTS, secureGone: [] });
  const site: SecureSite = Object.assign(plain, {
    vault,
    handshakes: new Handshakes(plain),
    serves: () => false,
    unknown: options.unknown ?? ("default" as const),
    port: 0,
    wallMs: () => Date.now(),
  });
  timers.start();
  const listener = listenPeeking(ANY_PORT, site, (it, _site, opening) =>
    beginSecure(it, site, opening),
  );
  try {
    await body({ site, port: listener.address.port, policies });
    await turnsUntil(() => site.connections.size === 0);
    assert.is(site.admission.open, 0);
  } finally {
    for (const connection of site.connections) connection.abort();
    listener.stop();
    timers.stop();
  }
}

type Asked = Readonly<{
  name?: string;
  client?: Client;
  max?: "TLSv1.2";
  alpn?: readonly string[];
  session?: Buffer;
}>;

/** What came of it. `error` is the client's; `answer` the body, with what a backend is told. */
type Got = Readonly<{
  certificate: string;
  answer: string;
  error: string;
  resumed: boolean;
  session: Buffer | null;
  protocol: string | false | null;
}>;

/** One request of one client. */
function ask(port: number, asked: Asked): Promise<Got> {
  const pair = CLIENTS[asked.client ?? "none"];
  return new Promise((resolve) => {
    let answer = "";
    let certificate = "";
    let session: Buffer | null = null;
    let protocol: string | false | null = null;
    let resumed = false;
    const socket = tls.connect({
      port,
      host: "127.0.0.1",
      ca: ROOT.certificate,
      checkServerIdentity: () => undefined,
      ...(asked.name !== undefined && { servername: asked.name }),
      ...(pair !== null && { cert: pair.chain, key: pair.key }),
      ...(asked.max !== undefined && { maxVersion: asked.max }),
      ...(asked.alpn !== undefined && { ALPNProtocols: [...asked.alpn] }),
      ...(asked.session !== undefined && { session: asked.session }),
    });
    const done = (error: string): void => {
      socket.destroy();
      resolve({ certificate, answer, error, resumed, session, protocol });
    };
    socket.on("session", (it: Buffer) => (session = it));
    socket.on("secureConnect", () => {
      certificate = String(socket.getPeerCertificate().subject?.CN ?? "");
      protocol = socket.alpnProtocol;
      resumed = socket.isSessionReused();
      socket.write(GET);
    });
    socket.on("data", (bytes: Buffer) => {
      answer += bytes.toString("latin1");
      if (answer.includes("X-Forwarded-Port")) done("");
    });
    socket.on("error", (error: Error & { code?: string }) => done(error.code ?? error.message));
    socket.on("close", () => done("closed"));
  });
}

test("each name gets its certificate", () =>
  withRig(async ({ port, policies }) => {
    const cases: readonly (readonly [string | undefined, string])[] = [
      ["a.example", "a.example"],
      ["A.EXAMPLE", "a.example"],
      ["x.wild.example", "b.example"],
      ["x.y.wild.example", "any.example"],
      ["nobody.example", "any.example"],
      [undefined, "any.example"],
    ];
    for (const [name, certificate] of cases) {
      for (const max of [undefined, "TLSv1.2"] as const) {
        const got = await ask(port, { ...(name && { name }), ...(max && { max }) });
        assert.is(got.error, "", `${name}`);
        assert.is(got.certificate, certificate, `${name}`);
        assert.match(got.answer, "X-Forwarded-Proto: https");
      }
    }
    assert.equal(new Set(policies), new Set([""]));
  }));

test("a name that nobody has is refused where that is asked for, no name is not", () =>
  withRig(
    async ({ port }) => {
      const before = tallied(SNI_UNKNOWN);
      assert.is.not((await ask(port, { name: "nobody.example" })).error, "");
      assert.is(tallied(SNI_UNKNOWN), before + 1);
      assert.is((await ask(port, {})).certificate, "any.example");
      assert.is((await ask(port, { name: "a.example" })).certificate, "a.example");
    },
    { unknown: "refuse" },
  ));

test("a host may ask for a newer version of TLS", () =>
  withRig(async ({ port, policies }) => {
    const before = tallied(HANDSHAKE_FAILED);
    assert.is.not((await ask(port, { name: "new.example", max: "TLSv1.2" })).error, "");
    assert.is(tallied(HANDSHAKE_FAILED), before + 1);
    assert.is((await ask(port, { name: "new.example" })).error, "");
    assert.equal(policies, ["new"]);
  }));

test("protocols: HTTP/1.1, or what says nothing; nothing else", () =>
  withRig(async ({ port }) => {
    const name = "a.example";
    assert.is((await ask(port, { name, alpn: ["h2", "http/1.1"] })).protocol, "http/1.1");
    assert.is((await ask(port, { name })).error, "");
    assert.is.not((await ask(port, { name, alpn: ["acme-tls/1"] })).error, "");
    assert.is.not((await ask(port, { name, alpn: ["h2"] })).error, "");
  }));

/** By host and client: what backends are told; "" is no request at all. */
const VERDICTS: Readonly<Record<string, Readonly<Record<Client, string>>>> = {
  "required.example": {
    none: "",
    good: "SUCCESS",
    middle: "SUCCESS",
    lower: "",
    expired: "",
    foreign: "",
    server: "",
  },
  "optional.example": {
    none: "NONE",
    good: "SUCCESS",
    middle: "SUCCESS",
    lower: "",
    expired: "",
    foreign: "",
    server: "",
  },
  "unchecked.example": {
    none: "NONE",
    good: "SUCCESS",
    middle: "SUCCESS",
    lower: "FAILED:certificate chain too long",
    expired: "FAILED:certificate has expired",
    foreign: "FAILED:unable to verify the first certificate",
    server: "FAILED:unsupported certificate purpose",
  },
  "near.example": {
    none: "",
    good: "SUCCESS",
    middle: "",
    lower: "",
    expired: "",
    foreign: "",
    server: "",
  },
};

for (const [name, verdicts] of Object.entries(VERDICTS)) {
  test(`who gets in at ${name}, and what backends are told`, () =>
    withRig(async ({ port, policies }) => {
      for (const [client, verdict] of Object.entries(verdicts) as [Client, string][]) {
        for (const max of [undefined, "TLSv1.2"] as const) {
          const before = tallied(HANDSHAKE_FAILED);
          const got = await ask(port, { name, client, ...(max && { max }) });
          const what = `${client} ${max ?? ""}: ${got.error} ${got.answer}`;
          if (verdict === "") {
            assert.is.not(got.error, "", what);
            assert.is(got.answer, "", what);
            await turnsUntil(() => tallied(HANDSHAKE_FAILED) > before);
            continue;
          }
          assert.is(got.error, "", what);
          assert.match(got.answer, `ssl-client-verify: ${verdict}\r\n`, what);
          const subject = verdict === "NONE" ? "" : `ssl-client-subject-dn: CN=${client}\r\n`;
          assert.match(got.answer, subject, what);
          assert.not.match(got.answer, "ssl-client-cert");
        }
      }
      assert.equal(new Set(policies), new Set([name.split(".")[0]!]));
    }));
}

test("a certificate is handed on where that is asked for", () =>
  withRig(async ({ port }) => {
    const got = await ask(port, { name: "forward.example", client: "good" });
    const [, pem] = /ssl-client-cert: (\S+)\r\n/.exec(got.answer) ?? [];
    const [, base64] = /Client-Cert: :(\S+):\r\n/.exec(got.answer) ?? [];
    const sent = CLIENTS.good.chain.replaceAll("\r", "");
    assert.is(decodeURIComponent(pem ?? "").trim(), sent.trim());
    assert.ok(sent.replaceAll("\n", "").includes(base64 ?? "none"));
  }));

test("a session goes on at its own host, and nowhere else", () =>
  withRig(async ({ port }) => {
    for (const max of [undefined, "TLSv1.2"] as const) {
      const more = max === undefined ? {} : { max };
      const first = await ask(port, { name: "required.example", client: "good", ...more });
      assert.ok(first.session !== null);
      const session = first.session!;
      const again = await ask(port, { name: "required.example", client: "good", session, ...more });
      assert.is(again.resumed, true, `${max}`);
      assert.match(again.answer, "ssl-client-verify: SUCCESS\r\n");
      // CVE-2025-23419: what was proved to one host is nothing to another.
      for (const name of ["near.example", "optional.example", "a.example"]) {
        const other = await ask(port, { name, session, ...more });
        assert.is(other.resumed, false, `${name} ${max}`);
        assert.not.match(other.answer, "SUCCESS");
      }
      const open = await ask(port, { name: "a.example", ...more });
      const stolen = { session: open.session!, ...more };
      const got = await ask(port, { name: "required.example", ...stolen });
      assert.is.not(got.error, "");
      assert.is(got.answer, "");
    }
  }));

test("more than a ClientHello and early data is not kept until its turn", () =>
  withRig(async ({ site }) => {
    const failed = tallied(HANDSHAKE_FAILED);
    const socket = new FakeSocket();
    const opening = { address: "", port: 0, client: null, hello: new Hello(), deadline: 1 };
    const bytes = Buffer.alloc(2 * HELLO_BYTES_MAX + 1);
    beginSecure(socket as unknown as DownstreamSocket, site, { ...opening, bytes });
    assert.is(socket.written, "\x15\x03\x01\x00\x02\x02\x0a");
    assert.equal(socket.done, ["end"]);
    assert.is(tallied(HANDSHAKE_FAILED), failed + 1);
  }));

test("many at once have their turns, and all succeed", () =>
  withRig(async ({ port, policies }) => {
    const all = await Promise.all(
      Array.from({ length: 100 }, (_, i) =>
        ask(
          port,
          i % 2 === 0 ? { name: "a.example" } : { name: "required.example", client: "good" },
        ),
      ),
    );
    for (const { error } of all) assert.is(error, "");
    assert.is(policies.length, 100);
  }));

test.run();
