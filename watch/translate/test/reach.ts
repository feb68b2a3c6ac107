/** A change costs what it touches: which objects a translation looks at after each kind of edit. */
import { test } from "uvu";
import * as assert from "uvu/assert";

import { readObject } from "../../objects.ts";
import type { Snapshot } from "../../snapshot.ts";
import { Store } from "../../store.ts";
import { Translator } from "../translator.ts";
import { OPTIONS } from "./fixture/manifests.ts";

const CLUSTER = `
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: rind}
spec: {controller: rind.dev/ingress-controller}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: split
  annotations: {rind.dev/service-weights: "{}"}
spec:
  rules:
  - host: split.example
    http:
      paths:
      - {path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}
      - {path: /, pathType: Prefix, backend: {service: {name: api, port: {number: 80}}}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
spec:
  rules:
  - host: web.example
    http:
      paths:
      - {path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: lost}
spec:
  rules:
  - host: lost.example
    http:
      paths:
      - {path: /, pathType: Prefix, backend: {service: {name: lost, port: {number: 80}}}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: elsewhere, namespace: other}
spec:
  rules:
  - host: elsewhere.example
    http:
      paths:
      - {path: /, pathType: Prefix, backend: {service: {name: gone, port: {number: 80}}}}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: api}
spec: {ports: [{name: http, port: 80}]}
`;

const SLICE = `
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-1, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{name: http, port: 8080}]
endpoints: [{addresses: ["10.0.0.1"]}]
`;

/** What is applied to the cluster, and which Ingresses are translated again. */
const CASES: readonly [what: string, edit: string, again: readonly string[]][] = [
  ["endpoints of another address", SLICE.replace("10.0.0.1", "10.0.0.2"), []],
  [
    "more endpoints: shares by pods",
    SLICE.replace('["10.0.0.1"]}', '["10.0.0.1"]}, {addresses: ["10.0.0.2"]}'),
    ["default/split"],
  ],
  [
    "a Service whose ports lead where they led",
    "{apiVersion: v1, kind: Service, metadata: {name: web}, " +
      "spec: {selector: {app: web}, ports: [{name: http, port: 80}]}}",
    [],
  ],
  [
    "a Service with another port",
    "{apiVersion: v1, kind: Service, metadata: {name: web}, " +
      "spec: {ports: [{name: other, port: 80}]}}",
    ["default/split", "default/web"],
  ],
  [
    "a new Service, with a name like the one that is missing",
    "{apiVersion: v1, kind: Service, metadata: {name: list}, spec: {ports: [{port: 80}]}}",
    ["default/lost"],
  ],
  [
    "a new Service, with a name like no other",
    "{apiVersion: v1, kind: Service, metadata: {name: unlike}, spec: {ports: [{port: 80}]}}",
    [],
  ],
  [
    "an IngressClass",
    "{apiVersion: networking.k8s.io/v1, kind: IngressClass, metadata: {name: other}, spec: {}}",
    ["default/lost", "default/split", "default/web", "other/elsewhere"],
  ],
  [
    "a Secret that nobody names",
    "{apiVersion: v1, kind: Secret, metadata: {name: tls}, data: {}}",
    [],
  ],
];

function apply(store: Store, yaml: string): void {
  for (const raw of [Bun.YAML.parse(yaml)].flat()) {
    store.apply({ type: "put", object: readObject(raw, "test").object! });
  }
}

/** The snapshot, whose Ingresses note who is read. An Ingress is read when it is translated. */
function watched(snapshot: Snapshot, read: Set<string>): Snapshot {
  const ingresses = new Map(
    [...snapshot.ingresses].map(([key, object]) => {
      const spec = object["spec"];
      const get = (): unknown => {
        read.add(key);
        return spec;
      };
      return [key, Object.defineProperty({ ...object }, "spec", { get, enumerable: true })];
    }),
  );
  return { ...snapshot, ingresses };
}

for (const [what, edit, again] of CASES) {
  test(`${what}: ${again.length === 0 ? "no Ingress" : again.join(", ")}`, () => {
    const store = new Store();
    apply(store, CLUSTER);
    apply(store, SLICE);
    const read = new Set<string>();
    const snapshot = watched(store.snapshot([]), read);
    const translator = new Translator(OPTIONS);
    translator.translate(snapshot, null);
    assert.is(read.size, 4, "all are translated at first");
    read.clear();
    store.changes();
    apply(store, edit);
    translator.translate({ ...store.snapshot([]), ingresses: snapshot.ingresses }, store.changes());
    assert.equal([...read].sort(), again);
  });
}

test.run();
