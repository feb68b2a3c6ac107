/** What a tenant may write without doing harm to others: limits, and what they say. */
import { test } from "uvu";
import * as assert from "uvu/assert";

import { openAuthority } from "../../../test/pki.ts";
import type { Finding } from "../../finding.ts";
import { type KubeObject, readObject } from "../../objects.ts";
import { snapshotOf } from "../../snapshot.ts";
import { Store } from "../../store.ts";
import { translate } from "../translate.ts";
import { Translator } from "../translator.ts";
import type { Translation } from "../draft.ts";
import { OPTIONS, snapshotOfRaw } from "./fixture/manifests.ts";

type Raw = Readonly<Record<string, unknown>>;

function ingress(name: string, paths: readonly Raw[], annotations: Raw = {}): Raw {
  const rules = [{ host: "shop.example", http: { paths } }];
  const metadata = { name, annotations };
  return { apiVersion: "networking.k8s.io/v1", kind: "Ingress", metadata, spec: { rules } };
}

function path(at: string, service: string, port = 80): Raw {
  const backend = { service: { name: service, port: { number: port } } };
  return { path: at, pathType: "Prefix", backend };
}

function service(name: string, ...ports: readonly number[]): Raw {
  const list = ports.map((port) => ({ name: `p${port}`, port }));
  return { apiVersion: "v1", kind: "Service", metadata: { name }, spec: { ports: list } };
}

/** A slice with endpoints 10.N.0.0 and so on, on all these ports. */
function slice(n: number, endpoints: number, ...ports: readonly number[]): Raw {
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name: `web-${n}`, labels: { "kubernetes.io/service-name": "web" } },
    addressType: "IPv4",
    ports: ports.map((port) => ({ name: `p${port}`, port })),
    endpoints: range(endpoints).map((i) => ({ addresses: [`10.${n}.${i >> 8}.${i & 255}`] })),
  };
}

function range(count: number): number[] {
  return [...Array(count).keys()];
}

function run(...raws: readonly Raw[]): Translation {
  return translate(snapshotOfRaw(raws), OPTIONS);
}

function reasonsOf(findings: readonly Finding[], name: string): readonly string[] {
  return findings.filter((finding) => finding.name === name).map(({ reason }) => reason);
}

const LOOP = "web: &web [*web]";

test("weights that are tied into a circle are no percentage, and nothing else suffers", () => {
  const annotations = { "rind.dev/service-weights": LOOP };
  const { model, findings } = run(
    ingress("loop", [path("/loop", "web")], annotations),
    ingress("fine", [path("/", "web")]),
    service("web", 80),
  );
  assert.is(model.hosts[0]?.routes.length, 2);
  assert.match(reasonsOf(findings, "loop").join(), "the weight of web is a list, expected");
});

test("of five thousand faults of one Ingress a hundred are told, and that there are more", () => {
  const paths = range(5_000).map((i) => path(`/${i}`, `lost-${i}`));
  const { model, findings } = run(ingress("lost", paths));
  assert.is(model.hosts[0]?.routes.length, 5_000);
  const reasons = reasonsOf(findings, "lost");
  assert.is(reasons.length, 101);
  assert.is(reasons.filter((reason) => reason.startsWith("more than 100 things")).length, 1);
});

test("who loses many paths is told so a hundred times, and others are told as well", () => {
  const paths = range(1_000).map((i) => path(`/${i}`, "web"));
  const rivals = ["a", "b", "c"].map((name) => ingress(name, paths));
  const { findings } = run(...rivals, service("web", 80), slice(1, 1, 80));
  assert.is(reasonsOf(findings, "a").length, 0);
  assert.is(reasonsOf(findings, "b").length, 101);
  assert.is(reasonsOf(findings, "c").length, 101);
});

test("a host has room for five thousand paths: who was first keeps them", () => {
  const paths = range(3_000).map((i) => path(`/${i}`, "web"));
  const more = range(3_000).map((i) => path(`/more-${i}`, "web"));
  const { model, findings } = run(
    ingress("a", paths),
    ingress("b", more),
    { ...ingress("c", []), spec: { rules: [{ host: "c.example", http: { paths } }] } },
    service("web", 80),
    slice(1, 1, 80),
  );
  const counts = model.hosts.map(({ name, routes }) => `${name} ${routes.length}`);
  assert.equal(counts, ["c.example 3000", "shop.example 5000"]);
  const owners = model.hosts[1]!.routes.filter(({ origin }) => origin.name === "a");
  assert.is(owners.length, 3_000);
  assert.equal(reasonsOf(findings, "a"), []);
  assert.match(reasonsOf(findings, "b").join(), "shop.example has more than 5000 paths");
  assert.is(reasonsOf(findings, "b").length, 101);
});

test("a host has room for a million characters of paths: who was first keeps them", () => {
  const text = "x".repeat(1_000);
  const many = ingress(
    "a",
    range(1_100).map((i) => path(`/${text}${i}`, "web")),
  );
  const few = ingress("b", [path(`/${text}`, "web"), path("/short", "web")]);
  const { model, findings } = run(many, few, service("web", 80), slice(1, 1, 80));
  const paths = model.hosts[0]!.routes.map(({ match }) => match.path.value);
  assert.is(paths.length, 1_045, "of 1 005 characters at most, and a short one");
  assert.ok(paths.includes("/short"));
  const reason = "the paths of shop.example have more than 1048576 characters together";
  assert.is(reasonsOf(findings, "a")[0], reason);
  assert.equal(reasonsOf(findings, "b"), [reason]);
});

test("ports beyond a hundred are not there", () => {
  const numbers = range(101).map((i) => i + 1);
  const paths = [path("/first", "web", 1), path("/last", "web", 101)];
  const { model, findings } = run(ingress("web", paths), service("web", ...numbers));
  const ids = model.backends.map(({ id }) => id);
  assert.equal(ids, ["?default/web:101", "default/web:p1"]);
  assert.ok(reasonsOf(findings, "web").includes("has more than 100 ports"));
});

test("the endpoints of a Service are bounded over all its ports", () => {
  const numbers = range(100).map((i) => i + 1);
  const slices = range(3).map((n) => slice(n, 100, ...numbers));
  const paths = numbers.map((port) => path(`/${port}`, "web", port));
  const { model, findings } = run(ingress("web", paths), service("web", ...numbers), ...slices);
  const counts = model.backends.map(({ endpoints }) => endpoints.length);
  assert.equal(counts, Array(100).fill(200));
  assert.ok(reasonsOf(findings, "web").includes("has more than 200 endpoints on one port"));
});

test("one port has room for twenty thousand endpoints", () => {
  const slices = range(21).map((n) => slice(n, 1_000, 80));
  const { model } = run(ingress("web", [path("/", "web")]), service("web", 80), ...slices);
  assert.is(model.backends[0]?.endpoints.length, 20_000);
});

test("a path that more than a hundred services share answers 503 and says why", () => {
  const names = range(101).map((i) => `web-${i}`);
  const annotations = { "rind.dev/service-weights": "web-0: 5%" };
  const { model, findings } = run(
    ingress(
      "crowd",
      names.map((name) => path("/", name)),
      annotations,
    ),
    ...names.map((name) => service(name, 80)),
  );
  assert.match(model.backends.map(({ reason }) => reason).join(), "more than 100 services share");
  assert.ok(reasonsOf(findings, "crowd").includes("more than 100 services share path /"));
});

/** An object that is a bug's nightmare: whoever reads what is in it fails. */
function poisoned(raw: Raw, poison = "poison"): KubeObject {
  const get = (): never => {
    throw new Error(poison);
  };
  // Not to be enumerated, so that objects can be compared.
  const bad = Object.defineProperties({}, { rules: { get }, ports: { get }, conditions: { get } });
  const object = objectOf(raw);
  const metadata = { ...object.metadata, uid: poison };
  return {
    ...object,
    metadata,
    ...(object.kind === "EndpointSlice" ? { endpoints: [bad] } : { spec: bad }),
  };
}

const FINE = [
  ingress("fine", [path("/", "web")]),
  service("web", 80),
  slice(1, 1, 80),
  ingress("victim", [path("/victim", "web")]),
];

for (const [what, raw] of [
  ["an Ingress", ingress("victim", [path("/victim", "web")])],
  ["a Service", service("web", 80)],
] as const) {
  test(`${what} that rind fails to read stays as it was, and others are translated`, () => {
    const store = new Store();
    for (const each of FINE) store.apply({ type: "put", object: objectOf(each) });
    const translator = new Translator(OPTIONS);
    const before = translator.translate(store.snapshot([]), null);
    store.changes();
    store.apply({ type: "put", object: poisoned(raw) });
    store.apply({ type: "put", object: objectOf(ingress("late", [path("/late", "web")])) });
    const { model, findings } = translator.translate(store.snapshot([]), store.changes());
    assert.is(model.hosts[0]?.routes.length, 3);
    assert.equal(model.backends, before.model.backends);
    assert.match(findings.map(({ reason }) => reason).join(), "cannot translate it: Error: poison");
    assert.match(findings.map(({ effect }) => effect).join(), "what was served before stays");
    store.apply({ type: "put", object: objectOf(raw) });
    store.apply({ type: "gone", object: objectOf(ingress("late", [])) });
    const mended = translator.translate(store.snapshot([]), store.changes());
    assert.equal(mended.model, before.model);
    assert.equal(mended.findings, []);
  });
}

test("what never could be read is not there, and others are translated", () => {
  const objects = [poisoned(service("web", 80)), objectOf(ingress("fine", [path("/", "web")]))];
  const { model, findings } = translate(snapshotOf(objects, []), OPTIONS);
  assert.is(model.backends[0]?.reason, "rind cannot translate its Service");
  assert.match(findings.map(({ reason }) => reason).join(), "cannot translate it: Error: poison");
  assert.match(findings.map(({ effect }) => effect).join(), "nothing of it is served");
});

for (const [what, raw] of [
  ["an Ingress", ingress("victim", [path("/victim", "web")])],
  ["a Service", service("web", 80)],
  ["a slice", slice(1, 1, 80)],
] as const) {
  test(`${what} that could not be read is served once it can be, with nothing left of that`, () => {
    const store = new Store();
    const translator = new Translator(OPTIONS);
    const turn = (object: KubeObject): Translation => {
      store.apply({ type: "put", object });
      return translator.translate(store.snapshot([]), store.changes());
    };
    for (const each of FINE) store.apply({ type: "put", object: objectOf(each) });
    store.apply({ type: "gone", object: objectOf(raw) });
    for (const poison of ["one", "two", "three"]) {
      const said = turn(poisoned(raw, poison)).findings.map(({ reason }) => reason);
      const bugs = said.filter((reason) => reason.includes("cannot translate it:"));
      assert.ok(bugs.length > 0);
      for (const bug of bugs) assert.match(bug, `Error: ${poison}`);
    }
    const { model, findings } = turn(objectOf(raw));
    assert.equal(findings, []);
    const fine = FINE.map(objectOf);
    assert.equal(model, translate(snapshotOf(fine, []), OPTIONS).model);
  });
}

test("an Ingress names at most a hundred Secrets", () => {
  const named = (count: number): Translation => {
    const tls = range(count).map((i) => ({ secretName: `s${i}` }));
    const web = ingress("web", [path("/", "web")]);
    const spec = { ...(web["spec"] as Raw), tls };
    return translate(snapshotOfRaw([{ ...web, spec }, service("web", 80)]), OPTIONS);
  };
  assert.is(named(100).wants.secrets.size, 100);
  assert.not.ok(reasonsOf(named(100).findings, "web").includes("names more than 100 Secrets"));
  assert.is(named(101).wants.secrets.size, 100);
});

test("among many Services none is suggested, which would take minutes", () => {
  const hints = (count: number): string => {
    const names = range(count).map((i) => service(`web${i}`, 80));
    const web = ingress("lost", [path("/", "web")]);
    return translate(snapshotOfRaw([web, ...names]), OPTIONS)
      .findings.map(({ hint }) => hint)
      .join();
  };
  assert.is(hints(200), "did you mean web0?");
  assert.is(hints(201), "");
});

test("a name that no Service can have makes no longer id of it", () => {
  const snapshot = snapshotOfRaw([ingress("web", [path("/", "x".repeat(10_000))])]);
  const { model } = translate(snapshot, OPTIONS);
  assert.is(model.backends[0]?.id, "Ingress default/web rules[0].paths[0]");
});

test("of endpoints that are not ready only so many are looked at", () => {
  const unready = range(21).map((n): Raw => {
    const endpoints = range(1_000).map((i) => ({
      addresses: [`10.${n}.${i >> 8}.${i & 255}`],
      conditions: { ready: false },
    }));
    return { ...slice(n, 0, 80), endpoints };
  });
  const labels = { "kubernetes.io/service-name": "web" };
  const last = { ...slice(99, 1, 80), metadata: { name: "web-z", labels } };
  const web = [service("web", 80), ingress("web", [path("/", "web")])];
  const served = (...more: readonly Raw[]): number | undefined => {
    const { model } = translate(snapshotOfRaw([...web, ...more]), OPTIONS);
    return model.backends[0]?.endpoints.length;
  };
  assert.is(served(...unready.slice(1), last), 1);
  assert.is(served(...unready, last), 0);
});

function objectOf(raw: Raw): KubeObject {
  const { object } = readObject(raw, "test");
  if (object === null) throw new Error("no object");
  return object;
}

test("an Ingress asks for ten thousand certificates and no more, and is told so once", () => {
  const tls = range(11).map((i) => ({ hosts: range(1_000).map((n) => `h${n}.t${i}.example`) }));
  const many = { ...ingress("many", []), spec: { tls, rules: [{ host: "*.t0.example" }] } };
  const few = { ...ingress("few", []), spec: { tls: [{ hosts: ["few.example"] }] } };
  const { model, findings } = run(many, few);
  assert.is(model.secure.length, 10_001);
  const reasons = reasonsOf(findings, "many");
  assert.ok(reasons.length <= 101);
  assert.is(reasons.filter((reason) => reason.startsWith("more than 100 things")).length, 1);
});

test("a certificate with thousands of names is not read again for each that names it", () => {
  // Otherwise this takes half a minute.
  const names = range(2_000).map((i) => `n${i}.example`);
  const { chain, key } = openAuthority().issue({ names });
  const stringData = { "tls.crt": chain, "tls.key": key };
  const secret = { apiVersion: "v1", kind: "Secret", metadata: { name: "wide" }, stringData };
  const spec = { tls: range(20_000).map(() => ({ secretName: "wide" })), rules: [{ host: "a.b" }] };
  const lists = range(9_000).map((i) => ({ secretName: "wide", hosts: [`m${i}.example`] }));
  const { model } = run({ ...ingress("many", []), spec }, secret, {
    ...ingress("others", []),
    spec: { ...spec, tls: lists },
  });
  assert.is(model.secure.length, 9_000);
});

test("a key that begins nine thousand times and never ends is none", () => {
  const [begin, end] = ["-----BEGIN PRIVATE KEY-----", "-----BEGIN CERTIFICATE-----"];
  const stringData = { "tls.crt": end.repeat(9_000), "tls.key": begin.repeat(9_000) };
  const secret = { apiVersion: "v1", kind: "Secret", metadata: { name: "dashes" }, stringData };
  const { findings } = run(
    { ...ingress("web", []), spec: { tls: [{ secretName: "dashes" }] } },
    secret,
  );
  assert.match(reasonsOf(findings, "dashes").join(), "tls.key is not a private key in PEM");
});

test("a port is spoken to in 32 ways besides its own, and one that is left is for the next", () => {
  const asking = (i: number, name: string): KubeObject => {
    const annotations = { "rind.dev/backend-protocol": "HTTPS", "rind.dev/backend-tls-name": name };
    return readObject(ingress(`i${i}`, [path(`/${i}`, "web")], annotations), "test").object!;
  };
  const store = new Store();
  const translator = new Translator(OPTIONS);
  const turn = (...objects: readonly KubeObject[]): readonly string[] => {
    for (const object of objects) store.apply({ type: "put", object });
    const { model, findings } = translator.translate(store.snapshot([]), store.changes());
    const served = model.backends.filter(({ endpoints }) => endpoints.length > 0);
    const crowded = findings.filter(({ reason }) => reason.includes("in 32 other ways already"));
    return [`${served.length} served`, ...crowded.map(({ name }) => name)];
  };
  for (const raw of [service("web", 80), slice(1, 3, 80)]) turn(readObject(raw, "test").object!);
  const many = range(33).map((i) => asking(i, `n${i}.example`));
  assert.equal(turn(...many), ["32 served", "i32"]);
  assert.equal(turn(asking(40, "n5.example")), ["32 served", "i32"], "a way that is there");
  assert.equal(turn(asking(0, "n1.example")), ["32 served"], "i32 has the way that i0 left");
  assert.equal(turn(asking(0, "n0.example"), asking(1, "n1.example")), ["32 served", "i0"]);
});

test.run();
