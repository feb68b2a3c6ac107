/** What annotations about TLS towards clients ask for, and what bad values of them mean. */
import { test } from "uvu";
import * as assert from "uvu/assert";

import type { Finding } from "../../finding.ts";
import { readObject } from "../../objects.ts";
import { readAnnotations } from "../annotations.ts";
import { type Asked, BLOCKED, askedOf } from "../dialects/dialect.ts";
import { policiesOf } from "../https.ts";
import { whole } from "../read.ts";
import { OPTIONS } from "./fixture/manifests.ts";

const NGINX = "nginx.ingress.kubernetes.io";
const TRAEFIK = "traefik.ingress.kubernetes.io";
const OLD = "ingress.kubernetes.io";
const RIND = "rind.dev";

type Read = Readonly<{ asked: Readonly<Asked>; findings: readonly Finding[] }>;

function read(annotations: Readonly<Record<string, string>>): Read {
  const metadata = { name: "web", annotations };
  const { object } = readObject(
    { apiVersion: "networking.k8s.io/v1", kind: "Ingress", metadata },
    "test",
  );
  if (object === null) throw new Error("the Ingress of the test cannot be read");
  const findings: Finding[] = [];
  const field = whole(object, (finding) => findings.push(finding));
  return { asked: readAnnotations(field, object.metadata.annotations), findings };
}

/** The annotation under its key, and what it asks for beyond what is asked without any. */
type Row = readonly [key: string, value: string, asks: Readonly<Partial<Asks>>];
type Asks = Asked["tls"] &
  Readonly<{ secret: string; verify: string; depth: number; forward: boolean }>;

const GOOD: readonly Row[] = [
  [`${NGINX}/ssl-redirect`, "true", { redirect: true }],
  [`${NGINX}/ssl-redirect`, "false", { redirect: false }],
  [`${NGINX}/ssl-redirect`, " False ", { redirect: false }],
  [`${NGINX}/force-ssl-redirect`, "true", { force: true }],
  [`${NGINX}/force-ssl-redirect`, "false", {}],
  [`${OLD}/ssl-redirect`, "true", { redirect: true, force: true }],
  [`${TRAEFIK}/ssl-redirect`, "false", { redirect: false }],
  [`${RIND}/ssl-redirect`, "true", { redirect: true }],
  [`${RIND}/ssl-redirect`, "false", { redirect: false }],
  [`${RIND}/ssl-redirect`, "always", { redirect: true, force: true }],
  [`${RIND}/hsts`, "off", { hsts: "" }],
  [`${RIND}/hsts`, "max-age=60", { hsts: "max-age=60" }],
  [
    `${RIND}/hsts`,
    'preload ;includesubdomains; MAX-AGE="60";',
    { hsts: "max-age=60; includeSubDomains; preload" },
  ],
  [`${RIND}/tls-min-version`, "1.3", { minVersion: "1.3" }],
  [`${RIND}/tls-min-version`, "1.2", { minVersion: "1.2" }],
  [`${RIND}/tls-ciphers`, "ECDHE+AESGCM:!AES128", { ciphers: "ECDHE+AESGCM:!AES128" }],
  [
    `${NGINX}/ssl-ciphers`,
    "ECDHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES128-GCM-SHA256",
    { ciphers: "ECDHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES128-GCM-SHA256" },
  ],
  [`${RIND}/passthrough`, "true", { passthrough: true }],
  [`${NGINX}/ssl-passthrough`, "true", { passthrough: true }],
  [`${NGINX}/ssl-passthrough`, "false", {}],
  [`${NGINX}/ssl-passthrough`, "", {}],
  [`${TRAEFIK}/router.tls`, "true", { secured: true }],
  [`${TRAEFIK}/router.tls`, "false", {}],
  [`${NGINX}/auth-tls-secret`, "shop/ca", { secret: "shop/ca" }],
  [`${NGINX}/auth-tls-secret`, "", {}],
  [`${RIND}/client-ca`, "ca", { secret: "ca" }],
  [`${NGINX}/auth-tls-verify-client`, "on", { verify: "required" }],
  [`${NGINX}/auth-tls-verify-client`, "off", { verify: "off" }],
  [`${NGINX}/auth-tls-verify-client`, "optional", { verify: "optional" }],
  [`${NGINX}/auth-tls-verify-client`, "optional_no_ca", { verify: "unchecked" }],
  [`${RIND}/client-verify`, "required", { verify: "required" }],
  [`${RIND}/client-verify`, "optional", { verify: "optional" }],
  [`${RIND}/client-verify`, "unchecked", { verify: "unchecked" }],
  [`${RIND}/client-verify`, "off", { verify: "off" }],
  [`${NGINX}/auth-tls-verify-depth`, "3", { depth: 3 }],
  [`${RIND}/client-depth`, "0", { depth: 0 }],
  [`${NGINX}/auth-tls-pass-certificate-to-upstream`, "true", { forward: true }],
  [`${RIND}/client-forward`, "true", { forward: true }],
];

function asksOf({ tls, client }: Readonly<Asked>): Asks {
  const { authorities, verify, depth, forward } = client;
  return { ...tls, secret: authorities?.secret ?? "", verify: verify?.as ?? "", depth, forward };
}

for (const [key, value, asks] of GOOD) {
  test(`${key}: ${value}`, () => {
    const { asked, findings } = read({ [key]: value });
    assert.equal(asksOf(asked), { ...asksOf(askedOf()), ...asks });
    assert.equal([findings, asked.blocked], [[], ""]);
  });
}

/** Values that cannot be what they ask to be: with the first the Ingress is closed, else served. */
const BAD: readonly (readonly [closes: boolean, key: string, ...values: string[]])[] = [
  [false, `${NGINX}/ssl-redirect`, "yes", "", "tRue"],
  [false, `${NGINX}/force-ssl-redirect`, "always"],
  [false, `${OLD}/ssl-redirect`, "301"],
  [false, `${RIND}/ssl-redirect`, "on", "308"],
  [false, `${RIND}/hsts`, "", "on", "max-age", "max-age=x", "max-age=-1", "preload", "31536000"],
  [false, `${RIND}/hsts`, "max-age=1; max-age=2", "max-age=1; preload=1", "max-age=1; x"],
  [false, `${RIND}/hsts`, "max-age=1\r\nx: y", "max-age=99999999999", "max-age=1=1"],
  [false, `${OLD}/hsts-max-age`, "x", "-1", "1.5"],
  [false, `${NGINX}/ssl-ciphers`, "NOPE", "!ALL", "A B", "@SECLEVEL=0:ALL", "A:".repeat(600)],
  [false, `${TRAEFIK}/router.tls`, "yes"],
  [true, `${RIND}/tls-ciphers`, "NOPE", "\u0000"],
  [true, `${RIND}/tls-min-version`, "1.1", "1.0", "TLSv1.3", "13", "constructor"],
  [true, `${RIND}/passthrough`, "yes"],
  [true, `${NGINX}/auth-tls-secret`, "a/b/c", "A B", "/ca", "hunter2!"],
  [true, `${RIND}/client-ca`, "../ca"],
  [true, `${NGINX}/auth-tls-verify-client`, "On", "required", "true", "__proto__"],
  [true, `${RIND}/client-verify`, "on", "none"],
  [true, `${RIND}/client-depth`, "-1", "101", "x", "1e1"],
  [true, `${RIND}/client-forward`, "maybe"],
  [true, `${RIND}/client-certificate`, "required"],
  [true, `${NGINX}/auth-tls-verify-clients`, "on"],
  [true, `${NGINX}/auth-tls-match-cn`, "CN=web"],
  [true, `${NGINX}/auth-tls-error-page`, "https://a.example"],
  [true, `${TRAEFIK}/router.tls.options`, "shop-mtls@kubernetescrd"],
];

for (const [closes, key, ...values] of BAD) {
  for (const value of values) {
    test(`${key}: ${value.slice(0, 20)} is found, and ${closes ? "closes" : "ignored"}`, () => {
      const { asked, findings } = read({ [key]: value });
      assert.equal(asksOf(asked), asksOf(askedOf()));
      assert.is(asked.blocked !== "", closes);
      assert.is(findings.length, 1);
      assert.is(findings[0]!.effect, closes ? BLOCKED : "ignored");
      assert.is(findings[0]!.field, `metadata.annotations[${key}]`);
    });
  }
}

test("an unreadable name of a Secret still asks for certificates", () => {
  for (const key of [`${RIND}/client-ca`, `${NGINX}/auth-tls-secret`]) {
    assert.equal(read({ [key]: "a b" }).asked.client.authorities, { key, secret: "" });
  }
});

test("what might be a password is not in the finding about the name of a Secret", () => {
  const { findings } = read({ [`${RIND}/client-ca`]: "user:hunter2" });
  assert.not.match(JSON.stringify(findings), /hunter2/);
});

test("rind's own annotations have the last word", () => {
  const { asked } = read({
    [`${RIND}/ssl-redirect`]: "false",
    [`${RIND}/client-ca`]: "mine",
    [`${RIND}/client-verify`]: "optional",
    [`${NGINX}/ssl-redirect`]: "true",
    [`${NGINX}/force-ssl-redirect`]: "true",
    [`${NGINX}/auth-tls-secret`]: "theirs",
    [`${NGINX}/auth-tls-verify-client`]: "on",
  });
  assert.equal([asked.tls.redirect, asked.tls.force], [false, false]);
  assert.equal([asked.client.authorities?.secret, asked.client.verify?.as], ["mine", "optional"]);
});

// === ranges of addresses that let everybody in ===

const RANGES: readonly (readonly [value: string, open: boolean])[] = [
  ["0.0.0.0/0,::/0", true],
  [" ::/0 , 0.0.0.0/0 ", true],
  ["10.0.0.0/8,0.0.0.0/0,::/0", true],
  ["0.0.0.0/0", false],
  ["::/0", false],
  ["0.0.0.0/1,128.0.0.0/1,::/0", false],
  ["0.0.0.0/0,::/0,", false],
  ["0.0.0.0/0,::/0,nonsense", false],
  ["0.0.0.0/0,::ffff:0.0.0.0/96", false],
  ["10.0.0.0/8", false],
];

for (const key of [
  `${NGINX}/whitelist-source-range`,
  `${NGINX}/allowlist-source-range`,
  `${OLD}/whitelist-source-range`,
]) {
  for (const [value, open] of RANGES) {
    test(`${key}: ${value} ${open ? "protects nothing" : "closes"}`, () => {
      const { asked, findings } = read({ [key]: value });
      assert.equal([asked.blocked === "", findings.length], [open, open ? 0 : 1]);
    });
  }
}

test("ranges that are kept out are never harmless", () => {
  const { asked } = read({ [`${NGINX}/denylist-source-range`]: "0.0.0.0/0,::/0" });
  assert.is.not(asked.blocked, "");
});

// === redirects and HSTS ===

const H = "max-age=9";

type Way = Readonly<{ open: boolean; secured: boolean; hsts: string }>;

const WAYS: readonly (readonly [annotations: Readonly<Record<string, string>>, way: Way])[] = [
  [{}, { open: false, secured: true, hsts: H }],
  [{ [`${NGINX}/ssl-redirect`]: "false" }, { open: false, secured: false, hsts: H }],
  [{ [`${NGINX}/force-ssl-redirect`]: "true" }, { open: true, secured: true, hsts: H }],
  [
    { [`${NGINX}/ssl-redirect`]: "false", [`${NGINX}/force-ssl-redirect`]: "true" },
    { open: true, secured: true, hsts: H },
  ],
  [
    { [`${OLD}/ssl-redirect`]: "false", [`${NGINX}/force-ssl-redirect`]: "true" },
    { open: true, secured: true, hsts: H },
  ],
  [{ [`${RIND}/ssl-redirect`]: "always" }, { open: true, secured: true, hsts: H }],
  [{ [`${RIND}/hsts`]: "off" }, { open: false, secured: true, hsts: "" }],
  [{ [`${RIND}/hsts`]: "max-age=0" }, { open: false, secured: true, hsts: "max-age=0" }],
  [{ [`${OLD}/hsts-max-age`]: "5" }, { open: false, secured: true, hsts: "max-age=5" }],
  [{ [`${OLD}/hsts-max-age`]: "0" }, { open: false, secured: true, hsts: "" }],
  [{ [`${OLD}/hsts-preload`]: "true" }, { open: false, secured: true, hsts: H }],
  [
    {
      [`${OLD}/hsts-max-age`]: "5",
      [`${OLD}/hsts-preload`]: "true",
      [`${OLD}/hsts-include-subdomains`]: "true",
    },
    { open: false, secured: true, hsts: "max-age=5; includeSubDomains; preload" },
  ],
];

for (const [annotations, way] of WAYS) {
  test(`redirect and HSTS with ${JSON.stringify(annotations)}`, () => {
    const { open, secured } = policiesOf(read(annotations).asked, { ...OPTIONS, hsts: H });
    assert.equal({ open: open.redirect, secured: secured.redirect, hsts: secured.hsts }, way);
    assert.is(open.hsts, "", "a host without TLS never says HSTS");
  });
}

test("with --ssl-redirect off only those redirect that ask for it", () => {
  const options = { ...OPTIONS, sslRedirect: false };
  assert.is(policiesOf(read({}).asked, options).secured.redirect, false);
  const asking = read({ [`${NGINX}/ssl-redirect`]: "true" });
  assert.is(policiesOf(asking.asked, options).secured.redirect, true);
});

test.run();
