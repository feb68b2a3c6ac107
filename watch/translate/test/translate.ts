/** Promises of translate that hold whatever the objects say. */
import { test } from "uvu";
import * as assert from "uvu/assert";

import { openAuthority } from "../../../test/pki.ts";
import type { TranslateOptions, Translation } from "../draft.ts";
import { translate } from "../translate.ts";
import { OPTIONS, snapshotFrom, snapshotOfRaw } from "./fixture/manifests.ts";

type Raw = Record<string, unknown>;

const PAIR = openAuthority().issue({ names: ["shop.example"] });

const SIBLING = `
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: sibling}
spec:
  rules:
  - host: sibling.example
    http:
      paths:
      - {path: /, pathType: Prefix, backend: {service: {name: sibling, port: {number: 80}}}}
---
apiVersion: v1
kind: Service
metadata: {name: sibling}
spec: {ports: [{port: 80}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: sibling, labels: {kubernetes.io/service-name: sibling}}
addressType: IPv4
ports: [{port: 80}]
endpoints: [{addresses: ["10.9.9.9"]}]
`;

const GOOD = `
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: shop
  namespace: default
  uid: u1
  creationTimestamp: "2026-01-01T00:00:00Z"
  labels: {app: shop}
  annotations:
    traefik.ingress.kubernetes.io/service-weights: "{shop: 50%, next: 50%}"
    nginx.ingress.kubernetes.io/proxy-read-timeout: "5"
spec:
  ingressClassName: rind
  defaultBackend: {service: {name: shop, port: {name: http}}}
  tls: [{hosts: [shop.example], secretName: shop}]
  rules:
  - host: shop.example
    http:
      paths:
      - {path: /, pathType: Prefix, backend: {service: {name: shop, port: {number: 80}}}}
      - {path: /, pathType: Prefix, backend: {service: {name: next, port: {name: http}}}}
      - {path: /away, pathType: Exact, backend: {service: {name: away, port: {name: http}}}}
      - {path: /files, pathType: Exact, backend: {resource: {kind: Bucket, name: files}}}
---
apiVersion: networking.k8s.io/v1beta1
kind: Ingress
metadata: {name: old, annotations: {kubernetes.io/ingress.class: rind}}
spec:
  backend: {serviceName: shop, servicePort: http}
  rules:
  - host: old.example
    http: {paths: [{path: /, backend: {serviceName: next, servicePort: 80}}]}
---
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: rind, annotations: {ingressclass.kubernetes.io/is-default-class: "true"}}
spec: {controller: rind.dev/ingress-controller}
---
apiVersion: v1
kind: Service
metadata: {name: shop}
spec: {type: ClusterIP, ports: [{name: http, port: 80, targetPort: 8080, protocol: TCP}]}
---
apiVersion: v1
kind: Service
metadata: {name: next}
spec: {ports: [{name: http, port: 80, targetPort: web}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: shop-1, labels: {kubernetes.io/service-name: shop}}
addressType: IPv4
ports: [{name: http, port: 8080, protocol: TCP}]
endpoints:
- addresses: ["10.0.0.1"]
  conditions: {ready: true, serving: true, terminating: false}
  targetRef: {kind: Pod, name: shop-1, uid: p1}
---
apiVersion: v1
kind: Secret
metadata: {name: shop}
data: {tls.crt: ${btoa(PAIR.chain)}, tls.key: ${btoa(PAIR.key)}}
---
apiVersion: v1
kind: Service
metadata: {name: away}
spec: {type: ExternalName, externalName: away.example, ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Namespace
metadata: {name: default, labels: {team: shop}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: kubernetes, labels: {kubernetes.io/service-name: kubernetes}}
addressType: IPv4
ports: [{name: https, port: 6443}]
endpoints: [{addresses: ["10.0.0.9"]}]
---
apiVersion: v1
kind: Endpoints
metadata: {name: next}
subsets:
- addresses: [{ip: 10.0.0.2, targetRef: {uid: p2}}]
  notReadyAddresses: [{ip: 10.0.0.3}]
  ports: [{name: http, port: 8080, protocol: TCP}]
`;

const HUGE = "x".repeat(1_000_000);

const JUNK: readonly unknown[] = [
  null,
  0,
  -1,
  1.5,
  80,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  true,
  "",
  "__proto__",
  "constructor",
  "a/b",
  "\u0000\n%2e%2e/",
  HUGE,
  [],
  [[]],
  [null],
  ["__proto__"],
  {},
  JSON.parse('{"__proto__": {"name": "shop", "number": 80, "port": 80}}'),
  { name: {}, number: [], host: 5, paths: {}, service: [], ports: "x" },
];

function parse(yaml: string): readonly Raw[] {
  const parsed: unknown = Bun.YAML.parse(yaml);
  return Array.isArray(parsed) ? parsed : [];
}

/** Every place in an object, as the keys that lead to it. */
function placesIn(value: unknown, place: readonly string[] = []): readonly (readonly string[])[] {
  if (typeof value !== "object" || value === null) return [place];
  const below = Object.entries(value).flatMap(([key, child]) => placesIn(child, [...place, key]));
  return place.length === 0 ? below : [place, ...below];
}

function withJunk(object: Raw, place: readonly string[], junk: unknown): Raw {
  const copy = structuredClone(object);
  let at: Raw = copy;
  for (const key of place.slice(0, -1)) at = at[key] as Raw;
  at[place.at(-1) ?? ""] = junk;
  return copy;
}

function siblingOf({ model, findings }: Translation): unknown {
  return {
    host: model.hosts.find((host) => host.name === "sibling.example"),
    backend: model.backends.find((backend) => backend.id === "default/sibling:80"),
    findings: findings.filter((finding) => finding.name === "sibling"),
  };
}

const good = parse(GOOD);
const sibling = parse(SIBLING);

test("the objects that are broken below are whole", () => {
  const { model, findings } = translate(snapshotOfRaw([...good, ...sibling]), OPTIONS);
  assert.equal(
    model.hosts.map((host) => host.name),
    ["old.example", "shop.example", "sibling.example"],
  );
  assert.equal(
    findings.map((finding) => finding.field),
    [
      "spec.rules[0].http.paths[2].backend.service.name",
      "spec.rules[0].http.paths[3].backend.resource",
      "metadata.annotations[nginx.ingress.kubernetes.io/proxy-read-timeout]",
    ].sort((a, b) => order(a, b)),
  );
});

function order(a: string, b: string): number {
  return a < b ? -1 : 1;
}

/** As in a cluster: everything on that a folder leaves off. */
const WARY: TranslateOptions = {
  ...OPTIONS,
  namespaceSelector: [{ key: "team", kind: "exists", values: [] }],
  addresses: { allowed: [], admin: [], apiServer: [] },
  externalNames: ["*"],
  allSecrets: false,
};
const NAMES = new Map([["away.example", { addresses: ["10.0.0.8", "::1"], problem: "" }]]);

function translateWary(raws: readonly unknown[]): Translation {
  return translate({ ...snapshotOfRaw(raws), names: NAMES }, WARY);
}

good.forEach((object, i) => {
  const { name } = object["metadata"] as Raw;
  test(`${object["kind"]} ${name}: junk in a field never throws, its sibling is served`, () => {
    const others = [...good.slice(0, i), ...good.slice(i + 1), ...sibling];
    const expected = siblingOf(translateWary([...good, ...sibling]));
    for (const place of placesIn(object)) {
      // Whose Namespace is broken is not served, and that is all there is to it.
      if (object["kind"] === "Namespace") continue;
      for (const junk of JUNK) {
        const broken = withJunk(object, place, junk);
        const translation = translateWary([broken, ...others]);
        const where = `${place.join(".")} = ${String(JSON.stringify(junk)).slice(0, 60)}`;
        assert.equal(siblingOf(translation), expected, where);
        const { model } = translation;
        assert.equal(JSON.parse(JSON.stringify(model)), model, `${where}: workers get all of it`);
        for (const { reason, hint } of translation.findings) {
          assert.ok(reason.length + hint.length < 1_000, `${where}: a finding stays readable`);
        }
      }
    }
  });
});

test("the order of the objects changes nothing", () => {
  const forward = translate(snapshotOfRaw([...good, ...sibling]), OPTIONS);
  const reverse = translate(snapshotOfRaw([...good, ...sibling].reverse()), OPTIONS);
  assert.equal(reverse, forward);
});

test("another Ingress and another pod leave routes of unrelated hosts equal, ids included", () => {
  const more = `
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: another}
spec: {defaultBackend: {service: {name: shop, port: {number: 80}}}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: shop-2, labels: {kubernetes.io/service-name: shop}}
addressType: IPv4
ports: [{name: http, port: 8080}]
endpoints: [{addresses: ["10.0.0.7"]}]
`;
  const before = translate(snapshotOfRaw([...good, ...sibling]), OPTIONS).model;
  const after = translate(snapshotOfRaw([...good, ...sibling, ...parse(more)]), OPTIONS).model;
  assert.equal(
    after.hosts.filter((host) => host.name !== "*"),
    before.hosts,
  );
  const unchanged = (id: string): boolean => id !== "default/shop:http";
  assert.equal(
    after.backends.filter((backend) => unchanged(backend.id)),
    before.backends.filter((backend) => unchanged(backend.id)),
  );
});

test("a refused path never takes the valid path of another Ingress", () => {
  const ingress = (name: string, created: string, path: string): string => `
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: ${name}, creationTimestamp: "${created}"}
spec:
  rules:
  - host: a.example
    http:
      paths:
      - {path: ${path}, pathType: Prefix, backend: {service: {name: sibling, port: {number: 80}}}}
`;
  const refused = ingress("refused", "2026-01-01T00:00:00Z", "/x/../api");
  const valid = ingress("valid", "2026-02-01T00:00:00Z", "/api");
  const { model } = translate(snapshotFrom([SIBLING, refused, valid].join("---\n")), OPTIONS);
  const routes = model.hosts.find((host) => host.name === "a.example")?.routes ?? [];
  assert.equal(
    routes.map((route) => route.origin.name),
    ["valid"],
  );
});

test("the version is the one asked for, and every backend of a split is in the model", () => {
  const { model } = translate(snapshotOfRaw([...good, ...sibling]), { ...OPTIONS, version: 42 });
  assert.is(model.version, 42);
  const ids = new Set(model.backends.map((backend) => backend.id));
  for (const { action } of model.hosts.flatMap((host) => host.routes)) {
    if (action.kind !== "forward") continue;
    for (const share of action.split) assert.ok(ids.has(share.backend), share.backend);
  }
});

test.run();
