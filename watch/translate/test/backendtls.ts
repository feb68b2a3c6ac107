/** TLS to backends: what is asked, by whom, what comes of it, and what stays when a Secret goes. */
import { test } from "uvu";
import * as assert from "uvu/assert";

import type { Backend, KeyPair, UpstreamTls } from "../../../core/model.ts";
import { openAuthority } from "../../../test/pki.ts";
import type { KubeObject } from "../../objects.ts";
import { Store } from "../../store.ts";
import { ingress, object, service, slice } from "../../test/fixture/objects.ts";
import type { TranslateOptions, Translation } from "../draft.ts";
import { Translator } from "../translator.ts";
import { OPTIONS } from "./fixture/manifests.ts";

const NGINX = "nginx.ingress.kubernetes.io/";
const RIND = "rind.dev/";

const authority = openAuthority();
const other = openAuthority("other");
const pair = authority.issue({ names: ["edge"], use: "client" });
const later = authority.issue({ names: ["edge"], use: "client" });
/** The control plane writes bundles in one spelling. */
const CA = `${authority.certificate.trim()}\n`;

type Texts = Readonly<Record<string, string>>;
type Values = Texts | null;

const full = ({ chain, key }: KeyPair): Texts => {
  return { "ca.crt": authority.certificate, "tls.crt": chain, "tls.key": key };
};

/** A cluster with a Service, and Ingresses that lead to it. */
class Case {
  readonly #store = new Store();
  readonly #translator: Translator;

  constructor(options: Partial<TranslateOptions> = {}) {
    this.#translator = new Translator({ ...OPTIONS, ...options });
    const ready = slice("web-1", "web", ["10.0.0.1"]);
    this.#store.apply({ type: "put", object: { ...ready, ports: [{ name: "", port: 8443 }] } });
    this.service({});
  }

  service(annotations: Texts, port: Readonly<Record<string, unknown>> = {}): this {
    const metadata = { name: "web", annotations };
    const spec = { ports: [{ port: 443, ...port }] };
    this.#store.apply({ type: "put", object: service("web", { metadata, spec }) });
    return this;
  }

  ingress(annotations: Texts, name = "one"): this {
    const backend = { service: { name: "web", port: { number: 443 } } };
    const paths = [{ path: "/", pathType: "Prefix", backend }];
    const spec = { rules: [{ host: `${name}.example`, http: { paths } }] };
    this.#store.apply({
      type: "put",
      object: ingress(name, { metadata: { annotations }, spec }),
    });
    return this;
  }

  put(object: KubeObject): this {
    this.#store.apply({ type: "put", object });
    return this;
  }

  /** null deletes it. */
  secret(values: Values): this {
    const head = { apiVersion: "v1", kind: "Secret", metadata: { name: "mtls" } };
    const secret = object({ ...head, stringData: values ?? {} });
    this.#store.apply({ type: values === null ? "gone" : "put", object: secret });
    return this;
  }

  absent(known: boolean): this {
    this.#store.apply({ type: "absent", kind: "Secret", key: "default/mtls", known });
    return this;
  }

  translate(): Translation {
    return this.#translator.translate(this.#store.snapshot([]), this.#store.changes());
  }

  /** The only backend. */
  backend(): Backend {
    const { backends } = this.translate().model;
    assert.is(backends.length, 1);
    return backends[0]!;
  }
}

const DEFAULT: UpstreamTls = {
  name: "web.default.svc",
  sni: true,
  verify: true,
  authorities: "",
  identity: null,
};
const identity = { chain: pair.chain, key: pair.key };
const https = { [`${NGINX}backend-protocol`]: "HTTPS" };

type Row = readonly [
  what: string,
  ingress: Texts,
  service: Texts,
  appProtocol: string,
  tls: Partial<UpstreamTls> | null | string,
];

const ROWS: readonly Row[] = [
  ["nothing", {}, {}, "", null],
  ["nginx's protocol", https, {}, "", {}],
  ["in small letters", { [`${NGINX}backend-protocol`]: "https" }, {}, "", {}],
  ["nginx's HTTP", { [`${NGINX}backend-protocol`]: "HTTP" }, {}, "", null],
  [
    "nginx's AUTO_HTTP",
    { [`${NGINX}backend-protocol`]: "AUTO_HTTP" },
    {},
    "",
    /not supported/.source,
  ],
  ["nginx's FCGI", { [`${NGINX}backend-protocol`]: "FCGI" }, {}, "", /not supported/.source],
  ["rind's protocol", { [`${RIND}backend-protocol`]: "https" }, {}, "", {}],
  ["rind's, after nginx's", { ...https, [`${RIND}backend-protocol`]: "http" }, {}, "", null],
  ["Traefik 1.7's", { "ingress.kubernetes.io/protocol": "https" }, {}, "", {}],
  ["the other prefix", { "traefik.ingress.kubernetes.io/protocol": "https" }, {}, "", {}],
  [
    "Traefik 1.7's h2c",
    { "ingress.kubernetes.io/protocol": "h2c" },
    {},
    "",
    /not supported/.source,
  ],
  ["appProtocol", {}, {}, "https", {}],
  ["appProtocol of KEP-3726", {}, {}, "kubernetes.io/wss", {}],
  ["appProtocol, plain", {}, {}, "http", null],
  ["appProtocol of gRPC", {}, {}, "kubernetes.io/h2c", null],
  [
    "appProtocol, and HTTP by the Ingress",
    { [`${NGINX}backend-protocol`]: "HTTP" },
    {},
    "https",
    null,
  ],
  ["the Service", {}, { [`${RIND}backend-protocol`]: "https" }, "", {}],
  [
    "Traefik's scheme",
    {},
    { "traefik.ingress.kubernetes.io/service.serversscheme": "https" },
    "",
    {},
  ],
  [
    "not checked, and named",
    { ...https, [`${NGINX}proxy-ssl-verify`]: "off", [`${NGINX}proxy-ssl-name`]: "a.internal" },
    {},
    "",
    { verify: false, name: "a.internal" },
  ],
  [
    "not checked, and told its name",
    { ...https, [`${NGINX}proxy-ssl-verify`]: "off", [`${NGINX}proxy-ssl-server-name`]: "on" },
    {},
    "",
    { verify: false },
  ],
  [
    "not checked",
    { ...https, [`${NGINX}proxy-ssl-verify`]: "off" },
    {},
    "",
    { verify: false, sni: false },
  ],
  ["checked", { ...https, [`${NGINX}proxy-ssl-verify`]: "on" }, {}, "", { verify: true }],
  [
    "checked or not",
    { ...https, [`${NGINX}proxy-ssl-verify`]: "maybe" },
    {},
    "",
    /found "maybe"/.source,
  ],
  [
    "not checked, says the Service",
    https,
    { [`${RIND}backend-tls-verify`]: "false" },
    "",
    { verify: false, sni: false },
  ],
  [
    "not checked, in rind's words",
    { [`${RIND}backend-protocol`]: "HTTPS", [`${RIND}backend-tls-verify`]: "off" },
    {},
    "",
    { verify: false, sni: false },
  ],
  [
    "the Ingress has the last word",
    { ...https, [`${NGINX}proxy-ssl-verify`]: "on" },
    { [`${RIND}backend-tls-verify`]: "false" },
    "https",
    {},
  ],
  [
    "a name",
    { ...https, [`${NGINX}proxy-ssl-name`]: "Web.Internal." },
    {},
    "",
    { name: "web.internal" },
  ],
  ["no name", { ...https, [`${NGINX}proxy-ssl-name`]: "a b" }, {}, "", /neither a DNS name/.source],
  [
    "an address",
    { ...https, [`${NGINX}proxy-ssl-name`]: "10.0.0.1" },
    {},
    "",
    { name: "10.0.0.1", sni: false },
  ],
  [
    "no server name",
    { ...https, [`${NGINX}proxy-ssl-server-name`]: "off" },
    {},
    "",
    { sni: false },
  ],
  [
    "a Secret",
    { ...https, [`${NGINX}proxy-ssl-secret`]: "default/mtls" },
    {},
    "",
    { authorities: CA, identity },
  ],
  [
    "a Secret of the Service",
    {},
    { [`${RIND}backend-tls-secret`]: "mtls" },
    "https",
    { authorities: CA, identity },
  ],
  [
    "a misspelled lock on the Service",
    {},
    { [`${RIND}backend-tls-verfy`]: "on" },
    "https",
    /verfy is unknown/.source,
  ],
  [
    "a Secret elsewhere",
    { ...https, [`${NGINX}proxy-ssl-secret`]: "shop/mtls" },
    {},
    "",
    /another namespace/.source,
  ],
  ["a Secret, in clear", { [`${NGINX}proxy-ssl-secret`]: "mtls" }, {}, "", null],
];

for (const [what, annotations, onService, appProtocol, wanted] of ROWS) {
  const outcome = typeof wanted === "string" ? "503" : wanted === null ? "in clear" : "TLS";
  test(`what is asked: ${what}: ${outcome}`, () => {
    const it = new Case().secret(full(pair)).ingress(annotations);
    const { tls, reason, endpoints } = it.service(onService, { appProtocol }).backend();
    if (typeof wanted === "string") {
      assert.match(reason, new RegExp(wanted));
      assert.is(endpoints.length, 0);
    } else {
      assert.equal(tls, wanted === null ? null : { ...DEFAULT, ...wanted });
      assert.is(endpoints.length, 1);
    }
  });
}

test("a Service that is an alias for a DNS name is asked for by that name", () => {
  const it = new Case({ externalNames: ["api.example"] }).ingress(https);
  const spec = { type: "ExternalName", externalName: "API.example." };
  it.put(service("web", { spec }));
  assert.equal(it.backend().tls, { ...DEFAULT, name: "api.example" });
});

const NAMED = { ...https, [`${NGINX}proxy-ssl-secret`]: "mtls" };
const REFUSED: readonly (readonly [string, Values, RegExp])[] = [
  ["is not there", null, /is not there/],
  ["is empty", {}, /neither ca\.crt nor tls\.crt/],
  ["has authorities that are none", { "ca.crt": "junk" }, /no certificate in PEM/],
  ["has a certificate of no authority", { "ca.crt": pair.chain }, /not that of an authority/],
  ["has a pair without a key", { "ca.crt": CA, "tls.crt": pair.chain }, /tls\.key is missing/],
  ["has another one's key", { ...full(pair), "tls.key": later.key }, /no pair/],
];

for (const [what, values, reason] of REFUSED) {
  test(`a Secret that ${what} closes the backend, and a finding says why`, () => {
    const it = new Case().ingress(NAMED);
    if (values !== null) it.secret(values);
    const { model, findings } = it.translate();
    assert.is(model.backends[0]!.endpoints.length, 0);
    assert.match(model.backends[0]!.reason, reason);
    assert.ok(
      findings.some((finding) => finding.kind === "Service" && reason.test(finding.reason)),
    );
    assert.not.match(JSON.stringify(findings), /BEGIN|MII/);
  });

  test(`a Secret that was good and then ${what} leaves what it held, and a finding says so`, () => {
    const it = new Case().ingress(NAMED).secret(full(pair));
    const { tls } = it.backend();
    assert.equal(tls, { ...DEFAULT, authorities: CA, identity });
    it.secret(values);
    const { model, findings } = it.translate();
    assert.equal(model.backends[0]!.tls, tls);
    assert.is(model.backends[0]!.endpoints.length, 1);
    assert.ok(findings.some(({ kind }) => kind === "Service" || kind === "Secret"));
    it.secret(full(later));
    assert.is(it.backend().tls?.identity?.chain, later.chain);
    assert.equal(it.translate().findings, []);
  });
}

test("a Secret may have authorities alone, or a pair alone; a new one takes effect at once", () => {
  const it = new Case().ingress(NAMED).secret({ "ca.crt": authority.certificate });
  assert.equal(it.backend().tls, { ...DEFAULT, authorities: CA });
  it.secret({ "tls.crt": pair.chain, "tls.key": pair.key });
  assert.equal(it.backend().tls, { ...DEFAULT, identity });
  it.secret({ "ca.crt": other.certificate });
  assert.equal(it.backend().tls, { ...DEFAULT, authorities: `${other.certificate.trim()}\n` });
});

test("what one Secret held is not used for another one, nor for none", () => {
  const secret = `${RIND}backend-tls-secret`;
  const it = new Case().ingress({}).secret(full(pair));
  it.service({ [secret]: "mtls" }, { appProtocol: "https" });
  assert.equal(it.backend().tls?.identity, identity);
  it.service({ [secret]: "elsewhere" }, { appProtocol: "https" });
  assert.is(it.translate().model.backends[0]!.endpoints.length, 0);
  it.service({}, { appProtocol: "https" });
  assert.equal(it.backend().tls, DEFAULT);
  it.service({ [secret]: "elsewhere" }, { appProtocol: "https" });
  assert.match(it.translate().model.backends[0]!.reason, /is not there/);
});

test("a Secret that nobody told of yet is wanted, closes the backend, and is no finding", () => {
  const it = new Case({ allSecrets: false })
    .ingress({})
    .service({ [`${RIND}backend-tls-secret`]: "mtls" }, { appProtocol: "https" });
  const first = it.translate();
  assert.ok(first.wants.secrets.has("default/mtls"));
  assert.is(first.model.backends[0]!.endpoints.length, 0);
  assert.equal(first.findings, []);
  const { findings } = it.absent(true).translate();
  assert.match(findings.map(({ reason }) => reason).join(), /default\/mtls.* is not there/);
  assert.is(it.secret(full(pair)).backend().endpoints.length, 1);
});

test("Ingresses that ask for the same share a backend, and others have their own", () => {
  const it = new Case();
  for (const name of ["one", "two"]) it.ingress({ ...https, ...{} }, name);
  it.ingress({ ...https, [`${NGINX}proxy-ssl-verify`]: "off" }, "three").ingress({}, "four");
  const { backends } = it.translate().model;
  assert.equal(
    backends.map(({ id, tls }) => [id, tls?.verify ?? null]),
    [
      ["default/web:443", null],
      ["default/web:443 over https", true],
      ["default/web:443 over https verify=false", false],
    ],
  );
  it.service({}, { appProtocol: "https" });
  assert.equal(
    it.translate().model.backends.map(({ id }) => id),
    ["default/web:443", "default/web:443 over https verify=false"],
    "what the Service says by itself is not said over it",
  );
});

test("a connection that is handed on unopened has nothing of it", () => {
  const it = new Case().ingress({ ...https, [`${NGINX}ssl-passthrough`]: "true" });
  const { model, findings } = it.translate();
  assert.equal(
    model.backends.map(({ id, tls }) => [id, tls]),
    [["default/web:443", null]],
  );
  assert.is(
    model.secure.some(({ passthrough }) => passthrough === "default/web:443"),
    true,
  );
  assert.equal(findings, []);
});

const HINTED: readonly (readonly [string, Texts, Texts, doubted: boolean])[] = [
  ["nothing more", https, {}, true],
  ["that nothing is checked", { ...https, [`${NGINX}proxy-ssl-verify`]: "off" }, {}, false],
  ["that all is checked", { ...https, [`${NGINX}proxy-ssl-verify`]: "on" }, {}, false],
  ["a Secret", NAMED, {}, false],
  ["no more, but the Service does", https, { [`${RIND}backend-tls-secret`]: "mtls" }, false],
];

for (const [what, annotations, onService, doubted] of HINTED) {
  test(`HTTPS, and ${what}: ${doubted ? "a finding names the annotation" : "no finding"}`, () => {
    const it = new Case().secret(full(pair)).ingress(annotations).service(onService);
    const hints = it.translate().findings.map(({ hint }) => hint);
    assert.is(
      hints.some((hint) => hint.includes("proxy-ssl-secret")),
      doubted,
    );
  });
}

test.run();
