/**
 * What is looked up besides Ingress, Service and slices: each change of it is seen at once, and the
 * outcome is that of a translation from scratch.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";

import { openAuthority } from "../../../test/pki.ts";
import { readObject } from "../../objects.ts";
import { Store, type StoreEvent } from "../../store.ts";
import { describe } from "../describe.ts";
import type { TranslateOptions } from "../draft.ts";
import { translate } from "../translate.ts";
import { Translator } from "../translator.ts";
import { OPTIONS } from "./fixture/manifests.ts";

type Raw = Readonly<Record<string, unknown>>;

const WARY: TranslateOptions = {
  ...OPTIONS,
  addresses: { allowed: [], admin: [], apiServer: [] },
  externalNames: ["*"],
};

function put(raw: Raw): StoreEvent {
  const { object, findings } = readObject(raw, "test");
  assert.equal(findings, []);
  if (object === null) throw new Error("no object");
  return { type: "put", object };
}

function gone(raw: Raw): StoreEvent {
  return { ...put(raw), type: "gone" } as StoreEvent;
}

function named(kind: string, name: string, more: Raw = {}): Raw {
  const versions = new Map([
    ["Ingress", "networking.k8s.io/v1"],
    ["EndpointSlice", "discovery.k8s.io/v1"],
  ]);
  const { metadata, ...rest } = more;
  const apiVersion = versions.get(kind) ?? "v1";
  return { apiVersion, kind, metadata: { name, ...(metadata as Raw) }, ...rest };
}

function slice(name: string, service: string, addresses: readonly string[]): Raw {
  return named("EndpointSlice", name, {
    metadata: { labels: { "kubernetes.io/service-name": service } },
    addressType: "IPv4",
    ports: [{ port: 80 }],
    endpoints: addresses.map((address) => ({ addresses: [address] })),
  });
}

const PAIR = openAuthority().issue({ names: ["web.example"] });
const INGRESS = named("Ingress", "web", {
  spec: {
    tls: [{ secretName: "web" }],
    defaultBackend: { service: { name: "web", port: { number: 80 } } },
  },
});
const SERVICE = named("Service", "web", { spec: { ports: [{ port: 80 }] } });
const ALIAS = named("Service", "web", {
  spec: { type: "ExternalName", externalName: "web.example", ports: [{ port: 80 }] },
});
const PODS = slice("web-1", "web", ["10.0.0.1", "10.0.0.2"]);
const SHOP = named("Namespace", "default", { metadata: { labels: { team: "shop" } } });
const OTHER = named("Namespace", "default", { metadata: { labels: { team: "other" } } });
const SECRET = named("Secret", "web", {
  data: { "tls.crt": btoa(PAIR.chain), "tls.key": btoa(PAIR.key) },
});

function dns(problem: string, ...addresses: readonly string[]): StoreEvent {
  return { type: "name", name: "web.example", resolved: { addresses, problem } };
}

function absent(known: boolean): StoreEvent {
  return { type: "absent", kind: "Secret", key: "default/web", known };
}

/** What happens, and a text that is in the outcome from then on, or with `!` is not. */
type Step = readonly [event: StoreEvent, seen: string];

/** What is said of the pair of a Secret but for whether one is remembered. */
function forget(text: string): string {
  const memory = /; (the certificate of before is served|clients get the default certificate)$/gm;
  return text
    .replace(memory, "")
    .replace(/; (the pair of before is used|it is not used)$/gm, "")
    .replace("tls default/web", "tls default");
}

const SERVED = "default/web:80";

const STORIES: readonly (readonly [string, Partial<TranslateOptions>, readonly Step[]])[] = [
  [
    "the labels of a namespace",
    { namespaceSelector: [{ key: "team", kind: "in", values: ["shop"] }] },
    [
      [put(PODS), `!${SERVED}`],
      [put(SHOP), SERVED],
      [put(OTHER), `!${SERVED}`],
      [put(SHOP), SERVED],
      [gone(SHOP), `!${SERVED}`],
    ],
  ],
  [
    "what DNS says",
    {},
    [
      [put(ALIAS), "DNS has not told of web.example yet"],
      [dns("no such name"), "no ready endpoint: no such name"],
      [dns("it timed out"), "!the addresses of before are used"],
      [dns("", "192.0.2.1"), "192.0.2.1:80"],
      [dns("", "192.0.2.2"), "192.0.2.2:80"],
      [dns("SERVFAIL", "192.0.2.2"), "cannot be resolved now: SERVFAIL"],
      [dns("", "127.0.0.1"), "127.0.0.1 is a loopback address"],
      [{ type: "name", name: "web.example", resolved: null }, "DNS has not told of"],
      [put(SERVICE), "it has no EndpointSlice"],
    ],
  ],
  [
    "where the API server is",
    {},
    [
      [put(PODS), "10.0.0.1:80, 10.0.0.2:80"],
      [put(slice("kubernetes", "kubernetes", ["10.0.0.1"])), "10.0.0.1:80 is the API server"],
      [put(slice("kubernetes", "kubernetes", ["10.0.0.3"])), "10.0.0.1:80, 10.0.0.2:80"],
      [put(slice("kubernetes", "kubernetes", ["10.0.0.2"])), "10.0.0.2:80 is the API server"],
      [gone(slice("kubernetes", "kubernetes", [])), "10.0.0.1:80, 10.0.0.2:80"],
    ],
  ],
  [
    "Secrets, where all are told",
    {},
    [
      [put(PODS), "no Secret web"],
      [put(SECRET), "!Secret web"],
      [put(named("Secret", "web")), "Secret web is no certificate: tls.crt is missing"],
      [gone(SECRET), "no Secret web"],
    ],
  ],
  [
    "Secrets, where only those wanted are told",
    { allSecrets: false },
    [
      [put(PODS), "Secret web has not been read yet; if that stays so, rind may not: kubectl"],
      [put(named("Secret", "web")), "Secret web is no certificate: tls.crt is missing"],
      [put(SECRET), "!Secret web"],
      [gone(SECRET), "Secret web has not been read yet"],
      [absent(true), "no Secret web"],
      [put(SECRET), "!Secret web"],
      [gone(SECRET), "Secret web has not been read yet"],
      [absent(true), "no Secret web"],
      [absent(false), "Secret web has not been read yet"],
    ],
  ],
];

for (const [what, more, steps] of STORIES) {
  test(`a change of ${what} is seen at once`, () => {
    const options = { ...WARY, ...more };
    const store = new Store();
    const translator = new Translator(options);
    for (const raw of [INGRESS, SERVICE]) store.apply(put(raw));
    translator.translate(store.snapshot([]), store.changes());
    steps.forEach(([event, seen], i) => {
      assert.ok(store.apply(event), `step ${i} matters`);
      const changes = store.changes();
      const { model, findings, wants } = translator.translate(store.snapshot([]), changes);
      const text = describe(model, findings);
      const absent = seen.startsWith("!");
      const wanted = absent ? seen.slice(1) : seen;
      assert.is(text.includes(wanted), !absent, `step ${i}: ${wanted} in\n${text}`);
      const afresh = translate(store.snapshot([]), options);
      const told = describe(afresh.model, afresh.findings);
      assert.equal(forget(text), forget(told), `step ${i}`);
      assert.equal(wants, afresh.wants, `step ${i}`);
    });
  });
}

test("what one Ingress leaves and another one takes in the same turn stays as it is", () => {
  const to = (name: string, service: string): Raw =>
    named("Ingress", name, {
      spec: { defaultBackend: { service: { name: service, port: { number: 80 } } } },
    });
  const store = new Store();
  const translator = new Translator(OPTIONS);
  const other = named("Service", "other", { spec: { ports: [{ port: 80 }] } });
  for (const raw of [SERVICE, PODS, other, to("a", "web"), to("b", "other")]) store.apply(put(raw));
  translator.translate(store.snapshot([]), store.changes());
  for (const raw of [to("a", "other"), to("b", "web")]) store.apply(put(raw));
  const { model } = translator.translate(store.snapshot([]), store.changes());
  assert.equal(model, translate(store.snapshot([]), OPTIONS).model);
  for (const event of [gone(to("a", "other")), put(to("c", "other"))]) store.apply(event);
  const moved = translator.translate(store.snapshot([]), store.changes());
  assert.equal(moved.model, translate(store.snapshot([]), OPTIONS).model);
});

test.run();
