/**
 * The oracle: after any edit, what the translator that has seen all edits says must equal what a
 * new one says of the same cluster. SEED repeats a run, STEPS makes it longer.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";

import { Random } from "../../../core/random.ts";
import { openAuthority } from "../../../test/pki.ts";
import { type KubeObject, type Kind, readObject } from "../../objects.ts";
import { RESOURCES } from "../../resources.ts";
import type { Snapshot } from "../../snapshot.ts";
import { Store, type StoreEvent } from "../../store.ts";
import type { TranslateOptions, Translation } from "../draft.ts";
import { parseSelector } from "../selector.ts";
import { translate } from "../translate.ts";
import { Translator } from "../translator.ts";
import { OPTIONS } from "./fixture/manifests.ts";

const STEPS = Number(process.env["STEPS"] ?? 1_500);
const SEED = Number(process.env["SEED"] ?? crypto.getRandomValues(new Int32Array(1))[0]!);
console.log(`seed ${SEED} (SEED=… repeats it)`);

type Raw = Record<string, unknown>;

const authority = openAuthority("servers");
const CLIENTS = openAuthority("clients").certificate;
/** Mostly the same: what changes all the time is agreed on by no two Ingresses. */
const AUTHORITIES = [CLIENTS, CLIENTS, CLIENTS, authority.certificate, "junk"];
const PAIRS: readonly Raw[] = [
  authority.issue({ names: ["a.example"] }),
  authority.issue({ names: ["a.example", "b.example"] }),
  authority.issue({ names: ["a.example"], kind: "rsa" }),
  authority.issue({ names: ["*.example"] }),
].map(({ chain, key }, i) => ({
  "tls.crt": btoa(chain),
  "tls.key": btoa(key),
  ...(i % 2 === 0 ? { "ca.crt": btoa(authority.certificate) } : {}),
}));

class Maker {
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  below(bound: number): number {
    return this.#random.below(bound);
  }

  one<T>(...choices: readonly T[]): T {
    return choices[this.below(choices.length)]!;
  }

  /** A choice that is there in one of `of` cases. */
  rarely(of: number, raw: Raw): Raw {
    return this.below(of) === 0 ? raw : {};
  }

  namespace(): string {
    return this.one("shop", "shop", "default");
  }

  service(): string {
    return this.one("web", "web", "wed", "wed", "api", "alias", "constructor", "kubernetes");
  }

  port(): Raw {
    return this.one<Raw>(
      { number: 80 },
      { number: 80 },
      { name: "http" },
      { number: 81 },
      { name: "81" },
    );
  }

  event(): StoreEvent {
    const kind = this.one<Kind | "Name">(
      "Ingress",
      "Ingress",
      "Ingress",
      "IngressClass",
      "Service",
      "Service",
      "EndpointSlice",
      "EndpointSlice",
      "EndpointSlice",
      "EndpointSlice",
      "EndpointSlice",
      "Endpoints",
      "Secret",
      "Namespace",
      "Name",
    );
    if (kind === "Name") {
      const addresses = this.one([], ["10.3.0.1"], ["10.3.0.1", "127.0.0.1"]);
      const resolved = this.one(null, { addresses, problem: this.one("", "it timed out") });
      return { type: "name", name: this.one("api.example", "db.example"), resolved };
    }
    if (kind === "Secret") return this.secretEvent();
    if (this.below(25) > 0) {
      return { type: this.one("put", "put", "put", "put", "gone"), object: this.object(kind) };
    }
    const objects = Array.from({ length: this.below(4) }, () => this.object(kind));
    return { type: "replace", kind, objects };
  }

  object(kind: Kind): KubeObject {
    const { object } = readObject(this.raw(kind), "oracle");
    if (object === null) throw new Error(`seed ${SEED} makes no ${kind}`);
    return object;
  }

  raw(kind: Kind): Raw {
    switch (kind) {
      case "Ingress":
        return this.ingress();
      case "IngressClass":
        return this.ingressClass();
      case "Service":
        return this.serviceObject();
      case "EndpointSlice":
        return this.slice();
      case "Endpoints":
        return this.endpoints();
      case "Secret":
        throw new Error("secretEvent makes those");
      case "Namespace":
        return {
          apiVersion: "v1",
          kind,
          metadata: {
            name: this.namespace(),
            labels: { team: this.one("a", "a", "b") },
          },
        };
    }
  }

  ingress(): Raw {
    const rules = Array.from({ length: this.below(3) }, () => this.rule());
    const backend = { service: { name: this.service(), port: this.port() } };
    return {
      apiVersion: "networking.k8s.io/v1",
      kind: "Ingress",
      metadata: {
        name: this.one("one", "two", "three", "four"),
        namespace: this.namespace(),
        creationTimestamp: this.one("", "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"),
        annotations: {
          ...this.rarely(2, {
            "rind.dev/service-weights": this.one(
              "{web: 30%}",
              "{}",
              "{}",
              "{wed: 1%}",
              "{web: 5%, wed: 5%}",
              "{web: 99%, api: 1%}",
              "{",
              "{api: 200%}",
            ),
          }),
          ...this.rarely(8, { "nginx.ingress.kubernetes.io/whitelist-source-range": "10.0.0.0/8" }),
          ...this.rarely(8, { "nginx.ingress.kubernetes.io/auth-secret": this.one("tls", "a/b") }),
          ...this.rarely(8, { "rind.dev/unheard-of": "1" }),
          ...this.handshake(),
          ...this.rarely(3, this.backend("nginx.ingress.kubernetes.io/", "proxy-ssl-")),
        },
      },
      spec: {
        rules,
        ...this.rarely(5, { ingressClassName: this.one("rind", "ours", "theirs") }),
        ...this.rarely(3, { defaultBackend: backend }),
        ...this.rarely(2, { tls: Array.from({ length: 1 + this.below(2) }, () => this.tls()) }),
        ...this.rarely(30, { rules: "junk" }),
      },
    };
  }

  /** What is asked of TLS towards clients. */
  handshake(): Raw {
    const key = "rind.dev/client-ca";
    return {
      ...this.rarely(3, { [key]: this.one("ca", "ca", "other-ca", "gone", "a/b", "!") }),
      ...this.rarely(6, { "rind.dev/client-verify": this.one("optional", "off", "odd") }),
      ...this.rarely(8, { "rind.dev/tls-min-version": this.one("1.2", "1.3", "1.4") }),
      ...this.rarely(8, { "rind.dev/passthrough": this.one("true", "false") }),
      ...this.rarely(8, { "rind.dev/ssl-redirect": this.one("always", "false") }),
      ...this.rarely(8, { "traefik.ingress.kubernetes.io/router.tls": "true" }),
    };
  }

  /** What is asked of TLS to backends, in a dialect. */
  backend(prefix: string, tls: string): Raw {
    return {
      [`${prefix}backend-protocol`]: this.one("HTTPS", "https", "HTTP", "GRPC"),
      ...this.rarely(2, { [`${prefix}${tls}secret`]: this.one("one", "two") }),
      ...this.rarely(3, { [`${prefix}${tls}verify`]: this.one("off", "false", "odd") }),
      ...this.rarely(4, { [`${prefix}${tls}name`]: this.one("web.internal", "10.0.0.1", "!") }),
    };
  }

  tls(): Raw {
    const host = this.one("a.example", "a.example", "b.example", "*.example", "c.example", "*");
    return {
      secretName: this.one("one", "one", "two", "bad", "gone", ""),
      ...this.rarely(2, { hosts: [host] }),
    };
  }

  rule(): Raw {
    const paths = Array.from({ length: 1 + this.below(4) }, () => ({
      path: this.one("/", "/", "/", "/a", "/a/", "/x/../a", "nonsense"),
      pathType: this.one("Prefix", "Prefix", "Prefix", "Prefix", "Exact", "Odd"),
      backend: this.one<Raw>(
        { service: { name: this.service(), port: this.port() } },
        { service: { name: this.service(), port: this.port() } },
        { service: { name: this.service(), port: this.port() } },
        { resource: { kind: "Bucket", name: "files" } },
      ),
    }));
    const host = this.one("a.example", "a.example", "b.example", "*.example", "");
    return { ...(host === "" ? {} : { host }), http: { paths } };
  }

  ingressClass(): Raw {
    const name = this.one("ours", "theirs");
    const key = "ingressclass.kubernetes.io/is-default-class";
    return {
      apiVersion: "networking.k8s.io/v1",
      kind: "IngressClass",
      metadata: { name, annotations: this.rarely(3, { [key]: "true" }) },
      spec: { controller: this.one("rind.dev/ingress-controller", "other.example/controller") },
    };
  }

  serviceObject(): Raw {
    const http = { name: "http", port: 80, targetPort: this.one<unknown>(8080, "web") };
    const ports = this.one<unknown>(
      [http],
      [http],
      [http],
      [http],
      [{ port: 80 }],
      [{ ...http, appProtocol: this.one("https", "http") }],
      [http, { port: 81, name: "x" }],
      7,
    );
    const name = this.service();
    const alias = { type: "ExternalName", externalName: this.one("api.example", "db.example") };
    return {
      apiVersion: "v1",
      kind: "Service",
      metadata: {
        name,
        namespace: this.namespace(),
        annotations: {
          ...this.rarely(4, { "rind.dev/load-balance": this.one("round-robin", "odd") }),
          ...this.rarely(3, this.backend("rind.dev/", "backend-tls-")),
        },
      },
      spec: name === "alias" ? { ...alias, ...this.rarely(2, { ports }) } : { ports },
    };
  }

  slice(): Raw {
    const stray = this.below(12) === 0;
    const api = this.below(12) === 0;
    const service = api ? "kubernetes" : this.service();
    return {
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: {
        name: api ? "kubernetes" : this.one("s-1", "s-2", "s-3"),
        namespace: api ? "default" : this.namespace(),
        labels: stray ? {} : { "kubernetes.io/service-name": service },
      },
      addressType: "IPv4",
      ports: [
        {
          name: this.one("http", "http", ""),
          port: this.one<unknown>(8080, 8080, 8080, 8080, 0, "x"),
        },
      ],
      endpoints: Array.from({ length: this.below(4) }, () => ({
        addresses: [this.one("10.0.0.1", "10.0.0.2", "10.0.0.3", "127.0.0.1", "odd")],
        conditions: {
          ready: this.one<unknown>(true, true, true, false, "yes"),
          ...this.rarely(4, { terminating: true, serving: this.one(true, true, false) }),
        },
        ...this.rarely(2, { targetRef: { kind: "Pod", uid: this.one("pod-1", "pod-2") } }),
      })),
    };
  }

  endpoints(): Raw {
    return {
      apiVersion: "v1",
      kind: "Endpoints",
      metadata: { name: this.service(), namespace: this.namespace() },
      subsets: [
        {
          addresses: [{ ip: this.one("10.1.0.1", "10.1.0.2") }],
          ports: [{ port: 8080, name: "http" }],
        },
      ],
    };
  }

  /**
   * Those with a good pair keep having one, and the others never have any: a translator remembers
   * the last good pair, and one that starts anew cannot (certificates.ts tests that).
   */
  secretEvent(): StoreEvent {
    const namespace = this.namespace();
    const name = this.one("one", "two", "ca", "ca", "ca", "other-ca", "bad");
    const lasting = name === "one" || name === "two";
    if (!lasting && this.below(6) === 0) {
      const key = `${namespace}/${name}`;
      return { type: "absent", kind: "Secret", key, known: this.below(2) === 0 };
    }
    const values = lasting
      ? this.one(...PAIRS)
      : name === "bad"
        ? this.one<Raw>({}, { "tls.crt": "AAAA", "tls.key": "AAAA" }, { "tls.crt": "§" })
        : { "ca.crt": btoa(this.one(...AUTHORITIES)) };
    const raw = { apiVersion: "v1", kind: "Secret", metadata: { name, namespace }, data: values };
    const { object } = readObject(raw, "oracle");
    if (object === null) throw new Error(`seed ${SEED} makes no Secret`);
    return { type: lasting ? "put" : this.one("put", "put", "put", "put", "gone"), object };
  }
}

const selector = parseSelector("team=a");
const STRICT: TranslateOptions = {
  ...OPTIONS,
  namespaceSelector: selector.ok ? selector.value : null,
  addresses: { allowed: [], admin: [], apiServer: [] },
  externalNames: ["api.example"],
  allSecrets: false,
  defaultCertificate: "default/two",
  hsts: "max-age=1",
};

/** What nobody may tell apart: everything but which findings are fresh. */
function comparable({ model, certificates, findings, ours, wants }: Translation): unknown {
  const { secrets, names } = wants;
  return {
    model,
    certificates,
    findings,
    ours: [...ours].sort(),
    wants: [[...secrets].sort(), [...names].sort()],
  };
}

/** What equals its counterpart of before is its counterpart. */
function checkIdentity(before: Translation, after: Translation): void {
  const pairs = [
    [before.model.hosts, after.model.hosts],
    [before.model.backends, after.model.backends],
    [before.model.certificates, after.model.certificates],
    [before.model.secure, after.model.secure],
    [before.certificates, after.certificates],
    [before.findings, after.findings],
  ] as const;
  for (const [old, next] of pairs) {
    assert.is(old === next, Bun.deepEquals(old, next), "equal lists are the same list");
    const known = new Map(old.map((item) => [JSON.stringify(item), item]));
    for (const item of next) {
      const same = known.get(JSON.stringify(item));
      if (same !== undefined) assert.is(item, same, "equal things are the same thing");
    }
  }
  assert.is(before.ours === after.ours, Bun.deepEquals(before.ours, after.ours), "ours");
  assert.is(before.wants === after.wants, Bun.deepEquals(before.wants, after.wants), "wants");
}

function checkFresh(before: Translation, after: Translation): void {
  const known = new Set(before.findings.map((finding) => JSON.stringify(finding)));
  const fresh = after.findings.filter((finding) => !known.has(JSON.stringify(finding)));
  assert.equal(after.fresh, fresh);
}

/**
 * The same cluster, told to a new store the other way round: neither the indices of the old one nor
 * the order in which things came may matter.
 */
function snapshotAnew(store: Store, { names, absent }: Snapshot): Snapshot {
  const anew = new Store();
  for (const { kind } of RESOURCES.toReversed()) {
    anew.apply({ type: "replace", kind, objects: [...store.objects(kind).values()].reverse() });
  }
  for (const [name, resolved] of names) anew.apply({ type: "name", name, resolved });
  for (const key of absent) anew.apply({ type: "absent", kind: "Secret", key, known: true });
  return anew.snapshot([]);
}

function policiesIn({ model }: Translation): number {
  return model.secure.filter(({ policy }) => policy !== null && policy.client !== null).length;
}

function splitsIn({ model }: Translation): number {
  const routes = model.hosts.flatMap((host) => host.routes);
  return routes.filter(({ action }) => action.kind === "forward" && action.split.length > 1).length;
}

/** Hosts with two certificates, with authorities of clients, or that are not opened. */
function secureIn({ model }: Translation): number {
  return model.secure.filter(({ certificates, policy, passthrough }) => {
    return certificates.length > 1 || (policy?.client ?? null) !== null || passthrough !== "";
  }).length;
}

for (const [name, options] of [
  ["a folder", OPTIONS],
  ["a strict cluster", STRICT],
] as const) {
  test(`${name}: every edit gives what a new translator gives, and keeps the rest`, () => {
    const maker = new Maker(new Random(SEED));
    const store = new Store();
    const translator = new Translator(options);
    let before = translator.translate(store.snapshot([]), null);
    const said = new Set<string>();
    let splits = 0;
    let policies = 0;
    let secure = 0;
    for (let step = 0; step < STEPS; step++) {
      for (let edits = 1 + maker.below(3); edits > 0; edits--) store.apply(maker.event());
      const changes = store.changes();
      const snapshot = store.snapshot([]);
      const after = translator.translate(snapshot, maker.below(50) === 0 ? null : changes);
      const expected = translate(snapshotAnew(store, snapshot), options);
      const where = `seed ${SEED}, step ${step}`;
      if (!Bun.deepEquals(comparable(after), comparable(expected))) {
        assert.equal(comparable(after), comparable(expected), where);
      }
      assert.ok(Bun.deepEquals(JSON.parse(JSON.stringify(after.model)), after.model, true), where);
      checkIdentity(before, after);
      checkFresh(before, after);
      for (const { reason } of after.fresh) said.add(reason);
      splits += splitsIn(after);
      policies += policiesIn(after);
      secure += secureIn(after);
      before = after;
    }
    // Most things that can happen should: else this looks at nothing.
    const told = `${said.size} findings, ${splits} splits, ${secure} secure hosts`;
    assert.ok(policies > STEPS / 300, `${policies} policies`);
    assert.ok(said.size > 80 && splits > STEPS / 60 && secure > STEPS / 60, told);
  });
}

test("when everything is gone nothing is left", () => {
  const maker = new Maker(new Random(SEED));
  const store = new Store();
  const translator = new Translator({ ...STRICT, defaultCertificate: "" });
  for (let i = 0; i < 200; i++) store.apply(maker.event());
  translator.translate(store.snapshot([]), null);
  for (const kind of ["Ingress", "Service", "EndpointSlice"] as const) {
    store.apply({ type: "replace", kind, objects: [] });
  }
  const left = translator.translate(store.snapshot([]), store.changes());
  const nothing = {
    model: { version: 1, hosts: [], backends: [], certificates: [], secure: [] },
    certificates: [],
    findings: [],
    ours: [],
  };
  assert.equal(comparable(left), { ...nothing, wants: [[], []] });
});

test.run();
