/** Certificates that we write are what others read: node:crypto, TLS itself, and openssl. */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createSecureContext } from "node:tls";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { openAuthority, type Leaf } from "../../test/pki.ts";
import { integer, objectId, octets, time } from "../der.ts";
import { selfSigned } from "../selfsigned.ts";

const DAY_MS = 24 * 60 * 60 * 1_000;
const NOW_MS = Date.UTC(2026, 4, 9, 8, 7, 6, 5);
const authority = openAuthority();

const ENCODINGS: readonly (readonly [string, Uint8Array, string])[] = [
  ["zero", integer(Uint8Array.of(0, 0)), "020100"],
  ["a number without its leading zeros", integer(Uint8Array.of(0, 0, 0x7f)), "02017f"],
  ["a number that must not look negative", integer(Uint8Array.of(0x80)), "02020080"],
  ["a short arc", objectId("2.5.4.3"), "0603550403"],
  ["long arcs", objectId("1.2.840.113549.1.1.11"), "06092a864886f70d01010b"],
  ["127 bytes", octets(new Uint8Array(127)).subarray(0, 2), "047f"],
  ["128 bytes", octets(new Uint8Array(128)).subarray(0, 3), "048180"],
  ["256 bytes", octets(new Uint8Array(256)).subarray(0, 4), "04820100"],
  ["a time of this century", time(NOW_MS), "170d3236303530393038303730365a"],
  ["the last short year", time(Date.UTC(2049, 11, 31)).subarray(0, 2), "170d"],
  ["the first long year", time(Date.UTC(2050, 0, 1)), "180f32303530303130313030303030305a"],
];

for (const [name, bytes, hex] of ENCODINGS) {
  test(`DER: ${name}`, () => assert.is(Buffer.from(bytes).toString("hex"), hex));
}

test("the default certificate is its key's, signs itself, and is nobody's", () => {
  const { chain, key } = selfSigned(NOW_MS);
  const certificate = new X509Certificate(chain);
  assert.ok(certificate.checkPrivateKey(createPrivateKey(key)));
  assert.ok(certificate.verify(certificate.publicKey));
  assert.is(certificate.subject, "CN=rind default certificate");
  assert.is(certificate.subjectAltName, "DNS:rind.invalid");
  assert.is(certificate.checkHost("shop.example"), undefined);
  assert.not.ok(certificate.ca);
  assert.is(Date.parse(certificate.validFrom), NOW_MS - DAY_MS - 5);
  assert.is(Date.parse(certificate.validTo), NOW_MS + 364 * DAY_MS - 5);
  assert.ok(createSecureContext({ cert: chain, key }));
});

test("each default certificate has a serial number and a key of its own", () => {
  const certificates = [1, 2, 3].map(() => new X509Certificate(selfSigned(NOW_MS).chain));
  assert.is(new Set(certificates.map(({ serialNumber }) => serialNumber)).size, 3);
  assert.is(new Set(certificates.map(({ fingerprint256 }) => fingerprint256)).size, 3);
});

const LEAVES: readonly (readonly [string, Leaf])[] = [
  ["EC", { names: ["a.test", "*.b.test", "127.0.0.1", "::1"] }],
  ["RSA", { names: ["a.test"], kind: "rsa" }],
  ["a client's", { names: ["robot"], use: "client" }],
];

for (const [name, leaf] of LEAVES) {
  test(`test certificates: ${name} verifies against its authority only`, () => {
    const { chain, key } = authority.issue(leaf);
    const certificate = new X509Certificate(chain);
    assert.ok(certificate.checkPrivateKey(createPrivateKey(key)));
    const issuer = new X509Certificate(authority.certificate);
    assert.ok(issuer.ca);
    assert.ok(certificate.checkIssued(issuer));
    assert.ok(certificate.verify(issuer.publicKey));
    const other = new X509Certificate(openAuthority().certificate);
    assert.not.ok(certificate.verify(other.publicKey));
  });
}

test("test certificates: names of every kind are read back", () => {
  const { chain } = authority.issue(LEAVES[0]![1]);
  const certificate = new X509Certificate(chain);
  assert.is(certificate.checkHost("a.test"), "a.test");
  assert.ok(certificate.checkHost("x.b.test"));
  assert.is(certificate.checkHost("x.y.b.test"), undefined);
  assert.ok(certificate.checkIP("127.0.0.1"));
  assert.ok(certificate.checkIP("::1"));
});

const JUDGED: readonly (readonly [string, Leaf, string])[] = [
  ["valid", { names: ["a.test"] }, ""],
  ["valid, RSA", { names: ["a.test"], kind: "rsa" }, ""],
  ["expired", { names: ["a.test"], fromDays: -9, untilDays: -1 }, "certificate has expired"],
  ["not yet valid", { names: ["a.test"], fromDays: 2 }, "certificate is not yet valid"],
];

for (const [name, leaf, reason] of JUDGED) {
  test(`openssl verify says the same: ${name}`, () => {
    if (Bun.which("openssl") === null) return console.log("skip: no openssl here");
    const middle = authority.intermediate("between");
    for (const by of [authority, middle]) {
      assert.is(verify(authority.certificate, by.issue(leaf).chain), reason);
    }
    assert.not.equal(verify(openAuthority("other").certificate, middle.issue(leaf).chain), "");
  });
}

/** The reason openssl refuses a chain for, or "". */
function verify(root: string, chain: string): string {
  const folder = mkdtempSync(join(tmpdir(), "rind-pki-"));
  const [roots, file] = [join(folder, "root.pem"), join(folder, "chain.pem")];
  writeFileSync(roots, root);
  writeFileSync(file, chain);
  const strict = ["-x509_strict", "-CAfile", roots, "-untrusted", file, file];
  const { exitCode, stderr } = Bun.spawnSync(["openssl", "verify", ...strict]);
  rmSync(folder, { recursive: true });
  if (exitCode === 0) return "";
  return /lookup: (.*)/.exec(stderr.toString())?.[1] ?? stderr.toString();
}

test.run();
