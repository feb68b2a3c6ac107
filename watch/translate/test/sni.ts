/** What hosts get by SNI: the same whatever the order in which the claims came. */
import { test } from "uvu";
import * as assert from "uvu/assert";

import { DEFAULT_POLICY, NONE } from "../../../core/model.ts";
import { openAuthority } from "../../../test/pki.ts";
import { Store } from "../../store.ts";
import { object } from "../../test/fixture/objects.ts";
import type { Pair } from "../certificates.ts";
import { type Claim, type PolicyAsk, RULE, type TlsClaim } from "../draft.ts";
import type { TranslateOptions, Translation } from "../draft.ts";
import { type SniSettled, ownerOf, policyOf, settleSni } from "../sni.ts";
import { Translator } from "../translator.ts";
import { OPTIONS } from "./fixture/manifests.ts";

const HOST = "a.example";

type Kind =
  | Readonly<{ kind: "certificate" | "default"; secret: string }>
  | Readonly<{ kind: "policy"; ask: PolicyAsk }>
  | Readonly<{ kind: "passthrough"; backend: string }>;

/** `owner`: namespace/name; `at`: how old, smaller is older. */
function claim(owner: string, at: number, kind: Kind): TlsClaim {
  const [namespace = "", name = ""] = owner.split("/");
  const origin = { kind: "Ingress", namespace, name, field: "spec.tls[0]" };
  return { host: HOST, origin, age: { createdMs: at, owner, uid: "", order: 0 }, ...kind };
}

function wants(owner: string, at: number, secret: string): TlsClaim {
  return claim(owner, at, { kind: "certificate", secret });
}

function through(owner: string, at: number, backend: string): TlsClaim {
  return claim(owner, at, { kind: "passthrough", backend });
}

function routed(owner: string, at: number, path = "/"): Claim {
  const [namespace = "", name = ""] = owner.split("/");
  return {
    host: HOST,
    rank: RULE,
    age: { createdMs: at, owner, uid: "", order: 0 },
    secured: DEFAULT_POLICY,
    route: {
      id: owner,
      origin: { kind: "Ingress", namespace, name, field: "" },
      match: {
        path: { kind: "prefix", value: path },
        methods: [],
        headers: [],
        cookies: [],
        queries: [],
      },
      action: { kind: "forward", split: [], cursor: NONE },
      policy: DEFAULT_POLICY,
    },
  };
}

/** Pairs by the last part of the name of their Secret: its kind of key, and which it is. */
function pair(secret: string): Pair | null {
  const [, key, serial] = /-(ec|rsa)(\d)$/.exec(secret) ?? [];
  if (key === undefined) return secret === "" ? null : { good: null, problem: "x", missing: false };
  const certificate = { id: secret, chain: `${key} ${serial}`, key: "" };
  const facts = { id: secret, key, names: [], notBeforeMs: 0, notAfterMs: 0 };
  return { good: { certificate, facts }, problem: "", missing: false };
}

const SITE = { name: HOST, spare: "", pair };

/** In every order that turning gives. */
function settleAll(claims: readonly TlsClaim[], routes: readonly Claim[]): SniSettled {
  const owner = ownerOf(claims, routes);
  const first = settleSni({ ...SITE, claims, routes, owner });
  for (let start = 0; start < claims.length; start++) {
    const turned = [...claims.slice(start), ...claims.slice(0, start)];
    for (const order of [turned, turned.toReversed()]) {
      const site = { claims: order, routes: routes.toReversed() };
      assert.is(ownerOf(site.claims, site.routes), owner);
      assert.equal(settleSni({ ...SITE, ...site, owner }), first);
    }
  }
  return first;
}

type Row = readonly [
  what: string,
  claims: readonly TlsClaim[],
  secrets: readonly string[],
  findings: readonly string[],
  routes?: readonly Claim[],
];

const CERTIFICATES: readonly Row[] = [
  ["one", [wants("a/x", 1, "a/s-ec1")], ["a/s-ec1"], []],
  [
    "two kinds of one Ingress",
    [wants("a/x", 1, "a/s-rsa1"), wants("a/x", 1, "a/s-ec1")],
    ["a/s-ec1", "a/s-rsa1"],
    [],
  ],
  [
    "two kinds of two Ingresses of one namespace",
    [wants("a/x", 1, "a/s-rsa1"), wants("a/y", 2, "a/s-ec1")],
    ["a/s-ec1", "a/s-rsa1"],
    [],
  ],
  [
    "one kind twice: the older one",
    [wants("a/x", 1, "a/s-ec1"), wants("a/y", 2, "a/s-ec2")],
    ["a/s-ec1"],
    ["a/y a.example has the EC certificate of Secret s-ec1 already"],
  ],
  ["the same again", [wants("a/x", 1, "a/s-ec1"), wants("a/y", 2, "a/s-ec1")], ["a/s-ec1"], []],
  [
    "another namespace replaces nothing",
    [wants("b/x", 2, "b/s-ec2"), wants("a/x", 1, "a/s-ec1")],
    ["a/s-ec1"],
    ["b/x the certificate of a.example is that of Ingress a/x, which claimed it first"],
  ],
  [
    "nor adds a kind",
    [wants("b/x", 2, "b/s-rsa2"), wants("a/x", 1, "a/s-ec1")],
    ["a/s-ec1"],
    ["b/x the certificate of a.example is that of Ingress a/x, which claimed it first"],
  ],
  [
    "a copy of the same certificate is no quarrel",
    [wants("b/x", 2, "b/s-ec1"), wants("a/x", 1, "a/s-ec1")],
    ["a/s-ec1"],
    [],
  ],
  [
    "nor does another namespace step in for a broken one",
    [wants("b/x", 2, "b/s-ec2"), wants("a/x", 1, "a/broken")],
    [],
    ["b/x the certificate of a.example is that of Ingress a/x, which claimed it first"],
  ],
  [
    "nor for one that is content with that of everybody",
    [wants("b/x", 2, "b/s-ec2"), wants("a/x", 1, "")],
    [],
    ["b/x the certificate of a.example is that of Ingress a/x, which claimed it first"],
  ],
  [
    "the same namespace does",
    [wants("a/y", 2, "a/s-ec2"), wants("a/x", 1, "a/broken"), wants("a/z", 3, "")],
    ["a/s-ec2"],
    [],
  ],
  [
    "the operator has the last word",
    [
      claim("", Number.NEGATIVE_INFINITY, { kind: "default", secret: "o/s-ec9" }),
      wants("a/x", 1, "a/s-ec1"),
    ],
    ["o/s-ec9"],
    ["a/x the certificate of any host is that of --default-certificate"],
  ],
  [
    "a host without any belongs to the namespace of its oldest path",
    [wants("b/x", 2, "b/s-ec1")],
    [],
    ["b/x a.example belongs to namespace a, which claimed it first"],
    [routed("b/x", 2), routed("a/y", 1)],
  ],
  [
    "who has no path there was not first",
    [wants("b/x", 1, "b/s-ec1"), wants("a/y", 2, "a/s-ec2")],
    ["a/s-ec2"],
    ["b/x the certificate of a.example is that of Ingress a/y, which claimed it first"],
    [routed("a/y", 2)],
  ],
  [
    "nor who answers challenges for others",
    [wants("b/x", 1, "b/s-ec1")],
    ["b/s-ec1"],
    [],
    [routed("a/y", 1, "/.well-known/acme-challenge/token"), routed("b/x", 2)],
  ],
  [
    "nobody minds who asks for that of everybody",
    [wants("b/x", 2, "")],
    [],
    [],
    [routed("a/y", 1)],
  ],
];

for (const [what, claims, secrets, findings, routes = []] of CERTIFICATES) {
  test(`certificates: ${what}`, () => {
    const settled = settleAll(claims, routes);
    assert.equal(settled.host.certificates, secrets);
    const said = [...settled.findings.values()].map((finding) => {
      return `${finding.namespace}/${finding.name} ${finding.reason}`;
    });
    assert.equal(said, findings);
  });
}

test("connections are handed on for the namespace that had the host first", () => {
  const own = settleAll([through("a/x", 2, "a/tls:443")], [routed("a/y", 1), routed("b/y", 3)]);
  assert.equal([own.host.passthrough, [...own.refused]], ["a/tls:443", []]);
  assert.is(policyOf(own.host), "passthrough");
  assert.equal(own.spaces, ["a"]);
  for (const [claims, routes] of [
    [[through("b/x", 2, "b/tls:443")], [routed("a/y", 1)]],
    [[through("b/x", 2, "b/tls:443"), wants("a/x", 1, "a/s-ec1")], []],
  ] as const) {
    const { host, refused, findings, spaces } = settleAll(claims, routes);
    assert.equal([host.passthrough, [...refused]], ["", ["b/x"]]);
    assert.not.ok(spaces.includes("b"));
    const [finding] = findings.values();
    assert.is(finding?.reason, "a.example belongs to namespace a, which claimed it first");
  }
});

test("connections of one host go to one backend, and certificates do not matter to them", () => {
  const claims = [
    through("a/x", 1, "a/one:443"),
    through("a/y", 2, "a/two:443"),
    through("a/z", 3, "a/one:443"),
    wants("a/z", 3, "a/s-ec1"),
  ];
  const { host, refused } = settleAll(claims, []);
  const expected = { name: HOST, certificates: [], policy: null, passthrough: "a/one:443" };
  assert.equal([host, [...refused]], [expected, ["a/y"]]);
});

test("who counts on rind to look into connections is told when it does not", () => {
  const ask = { minVersion: null, ciphers: "", client: null, broken: "" };
  const client = { authorities: "x", verify: "required", depth: 1, forward: false } as const;
  const policy = (owner: string, asks: Partial<PolicyAsk>): TlsClaim =>
    claim(owner, 2, { kind: "policy", ask: { ...ask, ...asks } });
  const claims = [
    through("a/x", 1, "a/tls:443"),
    policy("a/x", { ciphers: "A" }),
    policy("a/floor", { minVersion: "1.3" }),
    policy("a/clients", { client }),
  ];
  const { host, refused, findings } = settleAll(claims, [routed("a/x", 1), routed("a/path", 2)]);
  assert.equal([host.passthrough, host.policy, [...refused]], ["a/tls:443", null, ["a/clients"]]);
  const said = [...findings.values()].map(
    ({ level, name, reason }) => `${level} ${name} ${reason}`,
  );
  const reason = "connections for a.example are not opened, as Ingress a/x asks";
  for (const who of ["error clients", "warning floor", "warning path"]) {
    assert.ok(said.includes(`${who} ${reason}`), who);
  }
  assert.not.ok(said.some((text) => text.includes(` x ${reason}`)));
});

test("what leads nowhere hands nothing on, and is not opened either", () => {
  const { host, refused } = settleAll([through("a/x", 1, "")], []);
  assert.equal([host.passthrough, [...refused]], ["", ["a/x"]]);
});

// === over time ===

const authority = openAuthority("clients");

class Story {
  readonly #store = new Store();
  readonly #translator: Translator;

  constructor(options: TranslateOptions = OPTIONS) {
    this.#translator = new Translator(options);
    const data = { "ca.crt": authority.certificate };
    this.#put({ apiVersion: "v1", kind: "Secret", metadata: meta("top", "ca"), stringData: data });
  }

  /** The Secret of a certificate for these names. */
  pair(key: string, names: readonly string[]): Translation {
    const [namespace = "", name = ""] = key.split("/");
    const pair = authority.issue({ names });
    const data = { "tls.crt": pair.chain, "tls.key": pair.key };
    const metadata = meta(namespace, name);
    return this.#put({ apiVersion: "v1", kind: "Secret", metadata, stringData: data });
  }

  /** `keys` are annotations of nginx; `secret` is that of its certificate. */
  ingress(
    owner: string,
    host: string,
    keys: Readonly<Record<string, string>> = {},
    secret = "",
  ): Translation {
    const [namespace = "", name = ""] = owner.split("/");
    const annotations = Object.fromEntries(
      Object.entries(keys).map(([key, value]) => [`nginx.ingress.kubernetes.io/${key}`, value]),
    );
    const backend = { service: { name: "web", port: { number: 80 } } };
    const paths = [{ path: "/", pathType: "Prefix", backend }];
    return this.#put({
      apiVersion: "networking.k8s.io/v1",
      kind: "Ingress",
      metadata: { ...meta(namespace, name), annotations },
      spec: {
        rules: [{ host, http: { paths } }],
        ...(secret === "" ? {} : { tls: [{ hosts: [host], secretName: secret }] }),
      },
    });
  }

  gone(owner: string): Translation {
    const [namespace = "", name = ""] = owner.split("/");
    const head = { apiVersion: "networking.k8s.io/v1", kind: "Ingress" };
    this.#store.apply({
      type: "gone",
      object: object({ ...head, metadata: meta(namespace, name) }),
    });
    return this.#translate();
  }

  #put(raw: Readonly<Record<string, unknown>>): Translation {
    this.#store.apply({ type: "put", object: object(raw) });
    return this.#translate();
  }

  #translate(): Translation {
    return this.#translator.translate(this.#store.snapshot([]), this.#store.changes());
  }
}

function meta(namespace: string, name: string): Readonly<Record<string, unknown>> {
  return { namespace, name, creationTimestamp: "2026-01-01T00:00:00Z" };
}

function secureOf({ model }: Translation): readonly string[] {
  return model.secure.map(({ name, policy }) => `${name} ${policy?.client?.verify ?? "anybody"}`);
}

function policiesOf({ model }: Translation): readonly string[] {
  return model.hosts.map(({ name, policy }) => `${name} ${policy === "" ? "none" : "own"}`);
}

test("what a wildcard asks of clients is not asked of those of a host below it", () => {
  const story = new Story();
  const asks = { "auth-tls-secret": "top/ca" };
  const plain = story.ingress("below/one", "one.b.example");
  assert.equal([secureOf(plain), policiesOf(plain)], [[], ["one.b.example none"]]);
  const guarded = story.ingress("top/all", "*.b.example", asks);
  assert.equal(secureOf(guarded), ["*.b.example required", "one.b.example anybody"]);
  assert.equal(policiesOf(guarded), ["*.b.example own", "one.b.example none"]);
  const another = story.ingress("below/two", "two.b.example");
  assert.ok(secureOf(another).includes("two.b.example anybody"), "one that comes later");
  const own = story.ingress("below/one", "one.b.example", { "ssl-passthrough": "true" });
  assert.is(own.model.hosts.find(({ name }) => name === "one.b.example")?.policy, "passthrough");
  const one = own.model.secure.find(({ name }) => name === "one.b.example");
  assert.is(
    own.model.backends.some(({ id }) => id === one?.passthrough),
    true,
    "it is led to",
  );
  story.ingress("below/one", "one.b.example");
  assert.not.ok(secureOf(story.gone("below/two")).includes("two.b.example anybody"));
  const open = story.ingress("top/all", "*.b.example");
  assert.equal([secureOf(open), policiesOf(open).includes("*.b.example none")], [[], true]);
});

test("a foreign wildcard does not stand before the operator's certificate", () => {
  const options = { ...OPTIONS, defaultCertificate: "rind/all" };
  const story = new Story(options);
  const shown = (translation: Translation): readonly string[] =>
    translation.model.secure.map(({ name, certificates }) => `${name} ${certificates.join()}`);
  story.ingress("below/one", "one.b.example");
  story.pair("rind/all", ["*.b.example"]);
  story.pair("top/all", ["other.example"]);
  const all = ["* rind/all", "*.b.example top/all"];
  const wild = story.ingress("top/all", "*.b.example", {}, "all");
  assert.equal(shown(wild), [...all, "one.b.example rind/all"]);
  assert.equal(shown(story.ingress("below/two", "two.c.example")), shown(wild));
  const asking = story.ingress("below/one", "one.b.example", {}, "gone");
  assert.equal(shown(asking), [...all, "one.b.example rind/all"], "one that has none yet");
  assert.is(asking.model.secure[2], wild.model.secure[2]);
  const own = story.ingress("top/own", "own.b.example");
  assert.not.ok(shown(own).join().includes("own"), "it is for hosts of its own namespace");
  assert.equal(shown(story.gone("top/own")), shown(wild));
  const other = story.pair("rind/all", ["*.d.example"]);
  assert.equal(shown(other), [...all, "one.b.example "], "the operator's is for others now");
  assert.equal(shown(story.pair("rind/all", ["one.b.example"])), shown(wild));
  assert.equal(shown(story.gone("top/all")), ["* rind/all", "one.b.example "]);
});

test.run();
