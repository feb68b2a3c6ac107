/** Bundles of authorities: what is taken, and that what is not is refused whole. */
import { test } from "uvu";
import * as assert from "uvu/assert";

import { openAuthority } from "../../../test/pki.ts";
import { type KubeObject, readObject } from "../../objects.ts";
import { readAuthorities } from "../authorities.ts";

const A = openAuthority("a");
const B = openAuthority("b");
const LEAF = A.issue({ names: ["leaf.example"] });
const BEGIN = "-----BEGIN CERTIFICATE-----";
const END = "-----END CERTIFICATE-----";

function secretOf(stringData: unknown, data: unknown = {}): KubeObject {
  const raw = { apiVersion: "v1", kind: "Secret", metadata: { name: "ca" }, data, stringData };
  const { object } = readObject(raw, "test");
  if (object === null) throw new Error("the Secret of the test cannot be read");
  return object;
}

function pemOf(bundle: string): string {
  const read = readAuthorities(secretOf({ "ca.crt": bundle }));
  if (!read.ok) throw new Error(read.reason);
  return read.value;
}

test("the same authorities are the same text, however they are written", () => {
  const expected = pemOf(A.certificate + B.certificate);
  for (const bundle of [
    B.certificate + A.certificate,
    `# our authorities\n${A.certificate}\nhello\n${B.certificate}${A.certificate}`,
    (A.certificate + B.certificate).replaceAll("\n", "\r\n"),
  ]) {
    assert.is(pemOf(bundle), expected);
  }
  const coded = secretOf(
    {},
    { "ca.crt": Buffer.from(B.certificate + A.certificate).toString("base64") },
  );
  assert.equal(readAuthorities(coded), { ok: true, value: expected });
  assert.is.not(pemOf(A.certificate), expected);
});

/** Made by `openssl x509 -req -signkey`, as people do: of version 1, without extensions. */
const OLD = `${BEGIN}
MIIBGjCBwQIUZpRo1f7blaUDsCzosoXlQ4zlDmUwCgYIKoZIzj0EAwIwDzENMAsG
A1UEAwwEdjFjYTAgFw0yNjExMjUyMTA4NDZaGA8yMTI2MTEwMTIxMDg0NlowDzEN
MAsGA1UEAwwEdjFjYTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABPcKILutORPs
Ip1CLe/aj+nFCb7AMTWgGjpJt8K6oX/XWJLB0sIBYzDaff3gGdcbaTWd5ceLMMgy
vtnwE4Y/iZgwCgYIKoZIzj0EAwIDSAAwRQIgbTDfBrKFFhAd3TzpIpe1UO9ZPpnE
x7uMC2s3eg8CbT0CIQC63+v62juxToErvvqN+Q7Bdej7ZDGw6ACABmwmALxDVg==
${END}
`;

test("an authority of version 1 is one", () => {
  assert.is(pemOf(OLD), OLD);
});

const REFUSED: readonly (readonly [
  title: string,
  values: Readonly<Record<string, unknown>>,
  reason: RegExp,
])[] = [
  ["nothing", {}, /ca\.crt is missing/],
  ["an empty text", { "ca.crt": "" }, /ca\.crt is empty/],
  ["another key", { "tls.crt": A.certificate }, /ca\.crt is missing/],
  ["no PEM", { "ca.crt": "hunter2" }, /no certificate/],
  ["a key", { "ca.crt": LEAF.key }, /no certificate/],
  ["a leaf", { "ca.crt": LEAF.chain }, /certificate 1 .* authority/],
  ["a leaf beside one", { "ca.crt": A.certificate + LEAF.chain }, /certificate 2 .* authority/],
  ["rubbish in PEM", { "ca.crt": `${BEGIN}\nAAAA\n${END}\n` }, /certificate 1 .* read/],
  ["half of one beside one", { "ca.crt": `${A.certificate}${BEGIN}\nAAAA\n${END}` }, /2 .* read/],
  ["too many", { "ca.crt": A.certificate.repeat(101) }, /more than 100/],
  ["a list of revoked ones", { "ca.crt": A.certificate, "ca.crl": "x" }, /ca\.crl.* not supported/],
];

for (const [title, values, reason] of REFUSED) {
  test(`${title} is refused, and not quoted`, () => {
    const read = readAuthorities(secretOf(values));
    assert.is(read.ok, false);
    if (read.ok) return;
    assert.match(read.reason, reason);
    assert.not.match(read.reason, /hunter2|AAAA/);
  });
}

test("authorities that are too long are refused", () => {
  const many = Array.from({ length: 100 }, (_, i) =>
    openAuthority(`authority ${i} ${"x".repeat(40)}`),
  );
  const bundle = many.map(({ certificate }) => certificate).join("");
  assert.ok(bundle.length > 65_536, `${bundle.length}`);
  const read = readAuthorities(secretOf({ "ca.crt": bundle }));
  assert.match(read.ok ? "" : read.reason, /more than 65536 characters/);
});

test("a list of revoked ones in data is refused, whatever it is", () => {
  const data = { "ca.crt": Buffer.from(A.certificate).toString("base64"), "ca.crl": "§" };
  assert.is(readAuthorities(secretOf({}, data)).ok, false);
});

test("an empty list of revoked ones revokes nothing", () => {
  assert.ok(readAuthorities(secretOf({ "ca.crt": A.certificate, "ca.crl": "" })).ok);
});

test.run();
