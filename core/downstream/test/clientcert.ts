/** What a client is worth to a host, and how that is told; real handshakes: test/wire/peek. */
import { X509Certificate } from "node:crypto";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { openAuthority } from "../../../test/pki.ts";
import type { ClientAuth, KeyPair } from "../../model.ts";
import { type Credentials, judge } from "../clientcert.ts";

const DAY_MS = 86_400_000;
const ROOT = openAuthority("root");
const FIRST = ROOT.intermediate("first");
const SECOND = FIRST.intermediate("second");
const OTHER = openAuthority("other");
/** The same name, another key. */
const FALSE_ROOT = openAuthority("root");

function auth(given: Partial<ClientAuth> = {}): ClientAuth {
  return { authorities: ROOT.certificate, verify: "required", depth: 1, forward: false, ...given };
}

/** What a client shows with this pair; the library believed it unless there is a `doubt`. */
function showing({ chain }: KeyPair, doubt = ""): Credentials {
  const blocks = chain.match(/-----BEGIN[^]+?END CERTIFICATE-----/g) ?? [];
  const [certificate, ...rest] = blocks.map((pem) => new X509Certificate(pem).raw);
  return { certificate: certificate!, chain: rest, doubt };
}

const client = (by: typeof ROOT, name = "me"): KeyPair =>
  by.issue({ names: [name], use: "client" });

function lines(asked: ClientAuth, shown: Credentials, nowMs = Date.now()): string | null {
  const judgement = judge(asked, shown, nowMs);
  if (!judgement.ok) assert.is.not(judgement.reason, "");
  return judgement.ok ? judgement.lines : null;
}

test("how far a certificate may be from an authority", () => {
  const cases: readonly (readonly [typeof ROOT, string, number, boolean])[] = [
    [ROOT, ROOT.certificate, 0, true],
    [FIRST, ROOT.certificate, 0, false],
    [FIRST, ROOT.certificate, 1, true],
    [SECOND, ROOT.certificate, 1, false],
    [SECOND, ROOT.certificate, 2, true],
    [SECOND, ROOT.certificate + FIRST.certificate, 1, true],
    [SECOND, OTHER.certificate + ROOT.certificate, 2, true],
    [SECOND, OTHER.certificate, 100, false],
    [FALSE_ROOT, ROOT.certificate, 100, false],
  ];
  for (const [by, authorities, depth, good] of cases) {
    const found = lines(auth({ authorities, depth }), showing(client(by)));
    assert.is(found !== null, good, `${depth}`);
  }
});

test("certificates that a client adds make its way no shorter, nor do unreadable ones", () => {
  const { chain, ...rest } = showing(client(SECOND));
  // By its name it is the issuer of what is second, and issued by the root.
  const impostor = new X509Certificate(ROOT.intermediate("second").certificate).raw;
  for (const added of [
    [impostor, ...chain!],
    [Buffer.from("junk"), ...chain!],
  ]) {
    assert.is(lines(auth({ depth: 1 }), { ...rest, chain: added }), null);
    assert.is.not(lines(auth({ depth: 2 }), { ...rest, chain: added }), null);
  }
  assert.is(lines(auth({ depth: 9 }), { ...rest, chain: null }), null, "nobody knows the chain");
  assert.is.not(lines(auth(), { ...showing(client(ROOT)), chain: null }), null, "nor needs it");
});

test("a refusal says why, for the log", () => {
  const none: Credentials = { certificate: null, chain: [], doubt: "" };
  const far = { ...showing(client(FIRST)), doubt: "" };
  const cases: readonly (readonly [Credentials, number, string])[] = [
    [none, 0, "no certificate"],
    [
      showing(client(OTHER), "unable to get issuer certificate"),
      0,
      "unable to get issuer certificate",
    ],
    [far, 0, "certificate chain too long"],
    [showing(client(ROOT)), 400 * DAY_MS, "certificate has expired"],
  ];
  for (const [shown, later, reason] of cases) {
    const judgement = judge(auth({ depth: 0 }), shown, Date.now() + later);
    assert.equal(judgement, { ok: false, reason });
  }
});

test("each way to verify, by what is shown", () => {
  const none: Credentials = { certificate: null, chain: [], doubt: "" };
  const good = showing(client(ROOT));
  const bad = showing(client(OTHER), "unable to get issuer certificate");
  const cases: readonly (readonly [ClientAuth["verify"], Credentials, string | null])[] = [
    ["required", none, null],
    ["required", good, "SUCCESS"],
    ["required", bad, null],
    ["optional", none, "NONE"],
    ["optional", good, "SUCCESS"],
    ["optional", bad, null],
    ["unchecked", none, "NONE"],
    ["unchecked", good, "SUCCESS"],
    ["unchecked", bad, "FAILED:unable to get issuer certificate"],
  ];
  for (const [verify, shown, expected] of cases) {
    const found = lines(auth({ verify, forward: true }), shown);
    if (expected === null) assert.is(found, null, verify);
    else assert.ok(found!.startsWith(`ssl-client-verify: ${expected}\r\n`), `${verify}: ${found}`);
    assert.is(found?.includes("Client-Cert: ") ?? false, expected !== null && expected !== "NONE");
  }
});

test("a session that outlives its certificate is worth nothing any more", () => {
  const shown = showing(client(ROOT));
  assert.is.not(lines(auth(), shown), null);
  assert.is(lines(auth(), shown, Date.now() + 31 * DAY_MS), null);
  const found = lines(auth({ verify: "unchecked" }), shown, Date.now() + 31 * DAY_MS);
  assert.match(found!, "FAILED:certificate has expired\r\n");
});

test("names are told as nginx tells them, whatever is in them", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["plain", "CN=plain"],
    ["a, b", "CN=a\\, b"],
    ["J\u00fcrgen", "CN=J\\C3\\BCrgen"],
    ["\u65e5", "CN=\\E6\\97\\A5"],
    ["a\r\nX-Evil: 1", "CN=a\\0D\\0AX-Evil: 1"],
    ["a\nO=root", "CN=a\\0AO=root"],
    ["a + b", "CN=a \\+ b"],
    ["", ""],
  ];
  for (const [name, expected] of cases) {
    const found = lines(auth(), showing(client(ROOT, name)))!;
    const issuer = "ssl-client-issuer-dn: CN=root\r\n";
    const subject = `ssl-client-subject-dn: ${expected}\r\n`;
    assert.is(found, `ssl-client-verify: SUCCESS\r\n${subject}${issuer}`);
  }
});

test("what is too large for a head, or no certificate, is refused however little is asked", () => {
  const huge = showing(client(ROOT, "x".repeat(9_000)));
  assert.is(lines(auth({ verify: "unchecked" }), huge), null);
  const junk = { certificate: Buffer.from("junk"), chain: [], doubt: "" };
  assert.is(lines(auth({ verify: "unchecked" }), junk), null);
});

test.run();
