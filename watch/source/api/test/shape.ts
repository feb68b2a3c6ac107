import { suite } from "uvu";
import * as assert from "uvu/assert";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Random } from "../../../../core/random.ts";
import { isFields, type KubeObject, ownObject, readObject } from "../../../objects.ts";
import { type Kind, RESOURCES } from "../../../resources.ts";
import { snapshotOf } from "../../../snapshot.ts";
import { describe } from "../../../translate/describe.ts";
import { OPTIONS } from "../../../translate/test/fixture/manifests.ts";
import { translate } from "../../../translate/translate.ts";
import { shapeOf } from "../shape.ts";

const test = suite("shape");

const ROUNDS = 3_000;
const MUTATIONS = 3;

type Raw = Readonly<Record<string, unknown>>;

/** One of each kind, with all the fields that the table has. */
const SAMPLES: Readonly<Partial<Record<Kind, Raw>>> = {
  Ingress: {
    metadata: { name: "a", namespace: "b", annotations: { "a/b": "c" }, labels: { d: "e" } },
    spec: {
      ingressClassName: "rind",
      defaultBackend: { service: { name: "x", port: { name: "http" } } },
      rules: [
        {
          host: "a.example",
          http: {
            paths: [
              {
                path: "/",
                pathType: "Prefix",
                backend: { service: { name: "x", port: { number: 80 } } },
              },
              { backend: { resource: { apiGroup: "g", kind: "k", name: "n" } } },
            ],
          },
        },
      ],
      tls: [{ hosts: ["a.example"], secretName: "tls" }],
    },
  },
  IngressClass: { metadata: { name: "rind" }, spec: { controller: "rind.dev/ingress-controller" } },
  Service: {
    metadata: { name: "a", namespace: "b" },
    spec: {
      type: "ExternalName",
      externalName: "a.example",
      ports: [{ name: "http", protocol: "TCP", port: 80, targetPort: "web" }],
    },
  },
  EndpointSlice: {
    metadata: { name: "a", namespace: "b", labels: { "kubernetes.io/service-name": "a" } },
    addressType: "IPv4",
    endpoints: [
      {
        addresses: ["10.0.0.1"],
        conditions: { ready: true, serving: true, terminating: false },
        targetRef: { uid: "u" },
      },
    ],
    ports: [{ name: "http", protocol: "TCP", port: 8080 }],
  },
  Secret: { metadata: { name: "a", namespace: "b" }, type: "t", data: { "tls.key": "c2VjcmV0" } },
  Namespace: { metadata: { name: "a", labels: { team: "cheese" } } },
};

/** Every place in a tree, as a path of keys. */
function placesOf(value: unknown, way: readonly string[] = []): (readonly string[])[] {
  if (typeof value !== "object" || value === null) return [way];
  return [way, ...Object.entries(value).flatMap(([key, child]) => placesOf(child, [...way, key]))];
}

function replaced(value: unknown, way: readonly string[], by: unknown): unknown {
  const [key, ...rest] = way;
  if (key === undefined) return by;
  const copy = structuredClone(value) as Record<string, unknown>;
  copy[key] = replaced(copy[key], rest, by);
  return copy;
}

for (const [kind, raw] of Object.entries(SAMPLES) as [Kind, Raw][]) {
  test(`${kind}: all that is in the table is kept`, () => {
    const { metadata, ...rest } = raw;
    assert.ok(metadata);
    assert.equal(shapeOf(kind, raw), { ok: true, value: rest });
  });

  test(`${kind}: null and nothing are fine at every place`, () => {
    for (const way of placesOf(raw)) {
      if (way.length === 0) continue;
      assert.ok(shapeOf(kind, replaced(raw, way, null) as Raw).ok, way.join("."));
      assert.ok(shapeOf(kind, replaced(raw, way, undefined) as Raw).ok, way.join("."));
    }
  });

  test(`${kind}: a value of another type is refused at every place, with its path`, () => {
    for (const way of placesOf(raw)) {
      if (way.length === 0) continue;
      const before = way.reduce<unknown>((value, key) => (value as Raw)[key], raw);
      const others = [7.5, "x", true, [[]], { a: 1 }].filter(
        (other) => typeof other !== typeof before || Array.isArray(other) !== Array.isArray(before),
      );
      for (const other of others) {
        const named = way.at(-1) === "targetPort" && typeof other === "string";
        const body = shapeOf(kind, replaced(raw, way, other) as Raw);
        assert.is(body.ok, named, `${way.join(".")} = ${JSON.stringify(other)}`);
        if (body.ok) continue;
        const path = way.join(".").replace(/\.(\d+)/g, "[$1]");
        assert.ok(body.field.startsWith(path), `${body.field} is not ${path}`);
      }
    }
  });
}

/** What stands where something else should: the values of JSON, and names from the language. */
const OTHERS: readonly unknown[] = [
  ...[null, true, 0, -1, 1e308, 0.5, 65_536, "", "a", "__proto__", "constructor", "\u0000", "ž🧀"],
  ...[[], {}, [null], [[]], { a: null }, JSON.parse('{"__proto__":{"x":1},"constructor":7}')],
  "x".repeat(10_000),
];

test("no tree of JSON, whatever it holds, is more than a finding", () => {
  const seed = Bun.hash.crc32(String(process.env["SEED"] ?? 20_261_125));
  console.log(`seed ${seed}`);
  const random = new Random(seed);
  const pick = <T>(list: readonly T[]): T => list[random.below(list.length)]!;
  const kinds = Object.entries(SAMPLES) as [Kind, Raw][];
  for (let round = 0; round < ROUNDS; round++) {
    const raws = kinds.map(([kind, sample]) => {
      let raw: unknown = sample;
      for (let i = 1 + random.below(MUTATIONS); i > 0; i--) {
        raw = replaced(raw, pick(placesOf(raw).slice(1)), pick(OTHERS));
      }
      return [kind, raw as Raw] as const;
    });
    const objects = raws.flatMap(([kind, raw]) => {
      const resource = RESOURCES.find((row) => row.kind === kind)!;
      const body = shapeOf(kind, raw);
      return (body.ok ? ownObject(raw, resource, body.value).object : null) ?? [];
    });
    translate(snapshotOf(objects, []), OPTIONS);
  }
});

const GOLDENS = join(import.meta.dir, "../../../translate/test/golden");

/** The object as a folder and as the API server give it; null when that would not have it. */
function bothWays(raw: unknown): readonly [KubeObject, KubeObject] | null {
  const read = readObject(raw, "test").object;
  const resource = RESOURCES.find((row) => row.kind === read?.kind);
  if (read === null || resource === undefined || resource.read === "folder") return null;
  // The API server makes data of it.
  if (
    !isFields(raw) ||
    raw["stringData"] !== undefined ||
    raw["apiVersion"] !== resource.apiVersions[0]
  )
    return null;
  const body = shapeOf(resource.kind, raw);
  const own = body.ok ? ownObject(raw, resource, body.value).object : null;
  return own === null ? null : [read, own];
}

test("what rind reads of an object is all in the table", () => {
  let compared = 0;
  for (const file of readdirSync(GOLDENS)) {
    // An API server drops fields that its version does not have.
    if (file === "legacy.golden") continue;
    const [text = ""] = readFileSync(join(GOLDENS, file), "utf8").split("\n=====\n");
    const line = /^# options: (.*)$/m.exec(text)?.[1] ?? "{}";
    const options = { ...OPTIONS, ...(JSON.parse(line) as object) };
    const both = documentsOf(text)
      .map(bothWays)
      .filter((pair) => pair !== null);
    const [folder, server] = [0, 1].map((i) => {
      const { model, findings } = translate(
        snapshotOf(
          both.map((pair) => pair[i]!),
          [],
        ),
        options,
      );
      return describe(model, findings);
    });
    assert.is(server, folder, file);
    compared += both.length;
  }
  assert.ok(compared > 100, `only ${compared} objects`);
});

function documentsOf(text: string): readonly unknown[] {
  return text.split(/^---$/m).flatMap((document) => {
    try {
      return [Bun.YAML.parse(document)];
    } catch (error) {
      assert.ok(error instanceof Error);
      return [];
    }
  });
}

test("ports are whole numbers from 1 to 65535", () => {
  for (const [port, fits] of [
    [1, true],
    [65_535, true],
    [0, false],
    [65_536, false],
    [1.5, false],
    [-1, false],
  ] as const) {
    const raw = { metadata: {}, ports: [{ port }] };
    assert.is(shapeOf("EndpointSlice", raw).ok, fits, String(port));
  }
});

test("what is wrong in a Secret is said without its values", () => {
  for (const data of [{ "tls.key": 271_828 }, [271_828], { "tls.key": { a: "271828" } }]) {
    assert.not.match(JSON.stringify(shapeOf("Secret", { metadata: {}, data })), /271828/);
  }
});

test("the status, managed fields and whatever else rind does not read are left out", () => {
  const { metadata, ...rest } = SAMPLES.Service!;
  const spec = { ...(rest["spec"] as Raw), selector: { app: "a" }, clusterIP: "10.0.0.1" };
  const more = { spec, status: { loadBalancer: {} }, extra: 1 };
  assert.equal(shapeOf("Service", { metadata, ...more }), { ok: true, value: rest });
});

test.run();
