/** Pairs in Secrets: which are taken, which are refused and why, and what stays of the last one. */
import {
  type KeyObject,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
} from "node:crypto";

import { test } from "uvu";
import * as assert from "uvu/assert";

import type { KeyPair } from "../../../core/model.ts";
import { writeCertificate } from "../../../core/x509.ts";
import { openAuthority } from "../../../test/pki.ts";
import { Store } from "../../store.ts";
import { object } from "../../test/fixture/objects.ts";
import { above, covers } from "../certificates.ts";
import type { TranslateOptions, Translation } from "../draft.ts";
import { Translator } from "../translator.ts";
import { OPTIONS } from "./fixture/manifests.ts";

const DAY_MS = 86_400_000;

const root = openAuthority();
const EC = root.issue({ names: ["a.example", "*.b.example"] });
const RSA = root.issue({ names: ["a.example"], kind: "rsa" });
const LONG = root
  .intermediate("one")
  .intermediate("two")
  .issue({ names: ["a.example"] });

const INGRESS = object({
  apiVersion: "networking.k8s.io/v1",
  kind: "Ingress",
  metadata: { name: "web" },
  spec: {
    tls: [{ hosts: ["a.example"], secretName: "tls" }],
    rules: [{ host: "a.example", http: { paths: [{ path: "/", pathType: "Prefix" }] } }],
  },
});

/** A cluster with an Ingress that names the Secret `tls`, which can be put, changed and deleted. */
class Case {
  readonly #store = new Store();
  readonly #translator: Translator;

  constructor(options: Partial<TranslateOptions> = {}) {
    this.#translator = new Translator({ ...OPTIONS, ...options });
    this.#store.apply({ type: "put", object: INGRESS });
  }

  ingress(type: "put" | "gone"): Translation {
    this.#store.apply({ type, object: INGRESS });
    return this.#translate();
  }

  /** null deletes it. */
  secret(values: Readonly<Record<string, string>> | null): Translation {
    const head = { apiVersion: "v1", kind: "Secret", metadata: { name: "tls" } };
    const secret = object({ ...head, stringData: values ?? {} });
    this.#store.apply({ type: values === null ? "gone" : "put", object: secret });
    return this.#translate();
  }

  #translate(): Translation {
    return this.#translator.translate(this.#store.snapshot([]), this.#store.changes());
  }
}

function holding({ chain, key }: KeyPair): Readonly<Record<string, string>> {
  return { "tls.crt": chain, "tls.key": key };
}

function blocksOf(chain: string): readonly string[] {
  return chain.match(/-----BEGIN[^-]*-----[^-]*-----END[^-]*-----\n/g) ?? [];
}

/** What is said about the Secret itself. */
function told({ findings }: Translation): readonly string[] {
  return findings.filter(({ kind }) => kind === "Secret").map(({ reason }) => reason);
}

function selfSigned(keys: Readonly<{ publicKey: KeyObject; privateKey: KeyObject }>): KeyPair {
  const subject = { commonName: "a.example", publicKey: keys.publicKey };
  const times = { notBeforeMs: Date.now(), notAfterMs: Date.now() + DAY_MS };
  const contents = { subject, ...times, names: [{ dns: "a.example" }], use: "server" } as const;
  const chain = writeCertificate(contents, subject, keys.privateKey);
  return { chain, key: String(keys.privateKey.export({ type: "pkcs8", format: "pem" })) };
}

/** Signed by somebody else, as not every kind of key can sign here. */
function certified(publicKey: KeyObject, privateKey: KeyObject): KeyPair {
  const signer = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const subject = { commonName: "a.example", publicKey };
  const times = { notBeforeMs: Date.now(), notAfterMs: Date.now() + DAY_MS };
  const issuer = { commonName: "test", publicKey: signer.publicKey };
  const contents = { subject, ...times, names: [{ dns: "a.example" }], use: "server" } as const;
  const chain = writeCertificate(contents, issuer, signer.privateKey);
  return { chain, key: String(privateKey.export({ type: "pkcs8", format: "pem" })) };
}

function rsa(modulusLength: number): KeyPair {
  return selfSigned(generateKeyPairSync("rsa", { modulusLength }));
}

const odd = generateKeyPairSync("ec", { namedCurve: "secp224r1" });
const ecKey = createPrivateKey(EC.key);
const locked = String(
  ecKey.export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "hunter2" }),
);
const sec1 = String(ecKey.export({ type: "sec1", format: "pem" }));
const pkcs1 = String(createPrivateKey(RSA.key).export({ type: "pkcs1", format: "pem" }));
const parameters = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
const publicPem = String(createPublicKey(ecKey).export({ type: "spki", format: "pem" }));

const TAKEN: readonly (readonly [string, Readonly<Record<string, string>>, KeyPair])[] = [
  ["EC", holding(EC), EC],
  ["RSA", holding(RSA), RSA],
  ["a chain", holding(LONG), LONG],
  ["text around it", { "tls.crt": `# mine\n${EC.chain}bye`, "tls.key": `x\n${EC.key}` }, EC],
  ["line ends of Windows", holding({ ...EC, chain: EC.chain.replaceAll("\n", "\r\n") }), EC],
  ["an EC key with its parameters", holding({ ...EC, key: parameters + sec1 }), EC],
  ["an RSA key of old", holding({ ...RSA, key: pkcs1 }), RSA],
  ["the key beside the certificate", holding({ ...EC, chain: EC.key + EC.chain }), EC],
];

for (const [what, values, { chain }] of TAKEN) {
  test(`${what} is taken`, () => {
    const translation = new Case().secret(values);
    assert.equal(told(translation), []);
    const [certificate] = translation.model.certificates;
    assert.is(certificate?.id, "default/tls");
    assert.is(certificate?.chain.replaceAll("\r", ""), chain);
    assert.equal(translation.model.secure[0]?.certificates, ["default/tls"]);
  });
}

const mixed = blocksOf(LONG.chain);
const noLeaf = { "tls.crt": mixed.slice(1).join(""), "tls.key": LONG.key };
const crowd = { "tls.crt": EC.chain + EC.chain.repeat(20), "tls.key": EC.key };
const garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

const many = Array.from({ length: 2_001 }, (_, i) => `n${i}.example`);

const REFUSED: readonly (readonly [string, Readonly<Record<string, string>>])[] = [
  ["tls.crt is missing, tls.key is missing", {}],
  ["tls.crt is empty", { ...holding(EC), "tls.crt": "" }],
  ["tls.key is missing", { "tls.crt": EC.chain }],
  ["tls.crt is longer than 262144 bytes", { ...holding(EC), "tls.crt": "x".repeat(262_145) }],
  ["tls.crt is not a certificate in PEM", { ...holding(EC), "tls.crt": EC.key }],
  ["tls.key is not a private key in PEM", { ...holding(EC), "tls.key": EC.chain }],
  ["tls.key is not a private key in PEM", { ...holding(EC), "tls.key": publicPem }],
  ["tls.key is not a private key in PEM", { ...holding(EC), "tls.key": EC.key.slice(0, -30) }],
  ["tls.key cannot be read", { ...holding(EC), "tls.key": EC.key.replace("M", "") }],
  ["tls.key has a passphrase, which rind is not told", { ...holding(EC), "tls.key": locked }],
  ["tls.key does not belong to the certificate in tls.crt", { ...holding(EC), "tls.key": RSA.key }],
  ["tls.key does not belong to the certificate in tls.crt", noLeaf],
  ["certificate 1 of tls.crt cannot be read", { ...holding(EC), "tls.crt": garbage }],
  ["certificate 2 of tls.crt cannot be read", { ...holding(EC), "tls.crt": EC.chain + garbage }],
  ["tls.crt has more than 20 certificates", crowd],
  ["its RSA key has 512 bits, not 1024 to 4096", holding(rsa(512))],
  ["its certificate is for more than 2000 names", holding(root.issue({ names: many }))],
  ["its RSA key has 4224 bits, not 1024 to 4096", holding(rsa(4_224))],
  ["keys of its kind are not supported", holding(certified(odd.publicKey, odd.privateKey))],
];

for (const [why, values] of REFUSED) {
  test(`refused: ${why}`, () => {
    const translation = new Case().secret(values);
    assert.equal(told(translation), [`is no certificate: ${why}`]);
    const { certificates, secure } = translation.model;
    assert.equal(certificates, []);
    assert.equal(secure, [{ name: "a.example", certificates: [], policy: null, passthrough: "" }]);
    const named = translation.findings.find(({ field }) => field === "spec.tls[0].secretName");
    assert.match(named?.reason ?? "", why);
    // Base64 of the key in a finding would be in the log, in Events and on the admin address.
    const text = JSON.stringify(translation.findings);
    for (const line of (values["tls.key"] ?? "").split("\n")) {
      if (line !== "" && !line.startsWith("-")) assert.not.ok(text.includes(line.slice(0, 16)));
    }
  });
}

test("a chain in any order is put right, with a word about it", () => {
  const [leaf = "", two = "", one = ""] = mixed;
  for (const order of [
    [two, one, leaf],
    [leaf, one, two],
    [one, leaf, two],
  ]) {
    const values = { "tls.crt": order.join(""), "tls.key": LONG.key };
    const translation = new Case().secret(values);
    assert.is(translation.model.certificates[0]?.chain, LONG.chain);
    assert.equal(told(translation), [
      "tls.crt is out of order, and is shown as it should be: the leaf goes first",
    ]);
  }
});

test("a short RSA key is served, with a word about it", () => {
  const translation = new Case().secret(holding(rsa(1_024)));
  assert.is(translation.model.certificates.length, 1);
  assert.equal(told(translation), ["its RSA key has only 1024 bits: many peers refuse it"]);
});

test("what is said of a certificate has no key in it", () => {
  const { certificates } = new Case().secret(holding(EC));
  const [{ notBeforeMs, notAfterMs, ...rest } = certificates[0]!] = certificates;
  assert.equal(rest, { id: "default/tls", key: "ec", names: ["a.example", "*.b.example"] });
  const days = (notAfterMs - Date.now()) / DAY_MS;
  assert.ok(days > 29 && days < 31 && notBeforeMs < Date.now(), `${days} days`);
});

test("the last good pair stays until there is a better one, or nobody names it", () => {
  const here = new Case();
  const missing = here.secret(null);
  assert.equal(missing.model.certificates, []);
  const good = here.secret(holding(EC));
  const kept = [
    ["is no certificate", { "tls.crt": "junk", "tls.key": "junk" }],
    ["is no certificate", holding({ ...EC, key: RSA.key })],
    ["no Secret tls", null],
  ] as const;
  for (const [why, values] of kept) {
    const bad = here.secret(values);
    assert.is(bad.model, good.model, "the model is the same one");
    assert.is(bad.certificates, good.certificates);
    const finding = bad.findings.find(({ field }) => field === "spec.tls[0].secretName");
    assert.match(finding?.reason ?? "", why);
    assert.is(finding?.effect, "the certificate of before is served");
  }
  const better = here.secret(holding(RSA));
  assert.is(better.model.certificates[0]?.key, RSA.key);
  assert.is(better.model.secure, good.model.secure, "the host names the same Secret");
  assert.equal(told(better), []);
  const idle = here.ingress("gone");
  assert.equal([idle.model.certificates, idle.model.secure, idle.certificates], [[], [], []]);
  here.secret(null);
  assert.equal(here.ingress("put").model.certificates, [], "what nobody named is forgotten");
});

test("the operator's certificate is wanted, and kept, though no object names it", () => {
  const here = new Case({ defaultCertificate: "default/tls", allSecrets: false });
  const late = here.ingress("gone");
  assert.equal([...late.wants.secrets], ["default/tls"]);
  assert.is(late.findings[0]?.reason, "Secret default/tls has not been read yet");
  const good = here.secret(holding(EC));
  const any = { name: "*", certificates: ["default/tls"], policy: null, passthrough: "" };
  assert.equal(good.model.secure, [any]);
  assert.is(good.model.certificates[0]?.key, EC.key);
  const bad = here.secret({ "tls.crt": "junk", "tls.key": "junk" });
  assert.is(bad.model, good.model);
  assert.equal(
    bad.findings.map(({ kind, name, effect }) => `${kind} ${name} ${effect}`),
    [
      "Rind default-certificate the certificate of before is served",
      "Secret tls the pair of before is used",
    ],
  );
});

test("an operator's certificate that is no name of a Secret is a finding", () => {
  for (const defaultCertificate of ["tls", "a/b/c", "/tls", "a/", "A/b"]) {
    const { findings, wants } = new Case({ defaultCertificate }).ingress("gone");
    assert.is(findings[0]?.reason, "is not namespace/name of a Secret", defaultCertificate);
    assert.is(wants.secrets.size, 0);
  }
});

test("a certificate is for its names, and for one label below a wildcard", () => {
  const names = ["a.example", "*.b.example"];
  const facts = { id: "default/good", key: "ec", names, notBeforeMs: 0, notAfterMs: 1 };
  const cases: readonly (readonly [string, boolean])[] = [
    ["a.example", true],
    ["x.b.example", true],
    ["*.b.example", true],
    ["b.example", false],
    ["x.y.b.example", false],
    ["*.a.example", false],
    ["*.x.b.example", false],
    ["example", false],
    ["*", false],
  ];
  for (const [host, expected] of cases) assert.is(covers(facts, host), expected, host);
  assert.equal(["a.b.c", "*.b.c", "c", "*"].map(above), ["*.b.c", "", "", ""]);
});

test.run();
