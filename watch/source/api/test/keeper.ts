import { suite } from "uvu";
import * as assert from "uvu/assert";
import { RESOURCES } from "../../../resources.ts";
import { Keeper, type Keeping } from "../keeper.ts";

const test = suite("keeper");

type Raw = Readonly<Record<string, unknown>>;

/** A keeper of a kind, and everything that it tells, as text. */
function keeperOf(
  kind: string,
  only = "",
): Readonly<{ keeper: Keeper; told: string[]; found: () => string[] }> {
  const resource = RESOURCES.find((row) => row.kind === kind);
  if (resource === undefined) throw new Error(kind);
  const told: string[] = [];
  const keeping: Keeping = {
    tell: (event) => {
      if (event.type === "absent") return void told.push(`${event.key} absent ${event.known}`);
      if (event.type !== "put" && event.type !== "gone") throw new Error(event.type);
      told.push(`${event.type} ${event.object.metadata.name}`);
    },
    found: () => {},
    saw: (key, status) => {
      const shown = status?.ingress.map(({ ip, hostname }) => ip ?? hostname).join(",");
      told.push(`status ${key} ${shown ?? "gone"}`);
    },
    moved: () => {},
  };
  const keeper = new Keeper(resource, keeping, only);
  const found = (): string[] =>
    keeper
      .findings()
      .map(({ namespace, name, field, reason, effect }) =>
        [`${namespace}/${name}`, field, reason, effect].join("; "),
      );
  return { keeper, told, found };
}

function service(name: string, version: string, spec: unknown = {}, uid = "u"): Raw {
  return { metadata: { name, namespace: "shop", uid, resourceVersion: version }, spec };
}

const GOOD = { ports: [{ port: 80 }] };
const BAD = { ports: [{ port: "eighty" }] };

test("a list is told when it is whole: puts first, then what it does not hold", () => {
  const { keeper, told } = keeperOf("Service");
  keeper.begin();
  keeper.put(service("a", "1"));
  keeper.put(service("b", "2"));
  assert.equal(told, []);
  keeper.end();
  keeper.begin();
  keeper.put(service("c", "9"));
  keeper.put(service("b", "2"));
  assert.equal(told.splice(0), ["put a", "put b"]);
  keeper.end();
  assert.equal(told, ["put c", "gone a"]);
});

test("a list that breaks off is as if it had not begun", () => {
  const { keeper, told } = keeperOf("Service");
  keeper.put(service("a", "1"));
  keeper.begin();
  keeper.put(service("b", "2"));
  keeper.begin();
  keeper.put(service("a", "1"));
  keeper.end();
  assert.equal(told, ["put a"]);
});

test("what a streamed list deletes again was never there", () => {
  const { keeper, told } = keeperOf("Service");
  keeper.begin();
  keeper.put(service("a", "1"));
  keeper.gone(service("a", "2"));
  keeper.end();
  assert.equal(told, []);
});

test("events may repeat themselves and name what was never there", () => {
  const { keeper, told } = keeperOf("Service");
  keeper.gone(service("a", "1"));
  keeper.put(service("a", "2"));
  keeper.put(service("a", "2"));
  keeper.put(service("a", "2", {}, "another"));
  keeper.gone(service("a", "3"));
  keeper.gone(service("a", "3"));
  assert.equal(told, ["put a", "put a", "gone a"]);
});

test("an object that breaks stays as it was, with a finding until it is mended or gone", () => {
  const { keeper, told, found } = keeperOf("Service");
  const broken = 'shop/a; spec.ports[0].port; expected a port, 1 to 65535, found "eighty"';
  keeper.put(service("a", "1", GOOD));
  keeper.put(service("a", "2", BAD));
  assert.equal(found(), [`${broken}; the version before stays in use`]);
  keeper.put(service("a", "3", GOOD));
  assert.equal(found(), []);
  keeper.put(service("a", "4", BAD));
  keeper.gone(service("a", "5"));
  assert.equal(found(), []);
  assert.equal(told, ["put a", "put a", "gone a"]);
});

test("an object that brings a bug to light costs no other one", () => {
  const { keeper, told, found } = keeperOf("Secret");
  const of = (name: string, version: string) => ({
    metadata: { name, namespace: "shop", resourceVersion: version },
  });
  const fatal = {
    ...of("a", "2"),
    get data(): never {
      throw new TypeError("c2VjcmV0 is not iterable");
    },
  };
  keeper.put(of("a", "1"));
  keeper.begin();
  keeper.put(fatal);
  keeper.put(of("b", "3"));
  keeper.end();
  assert.equal(told, ["put a", "put b"]);
  assert.equal(found(), [
    "shop/a; ; this version of rind cannot read it (TypeError), please report it; " +
      "the version before stays in use",
  ]);
});

test("an object that was never good is not told, and neither is its end", () => {
  const { keeper, told, found } = keeperOf("Service");
  keeper.put(service("a", "1", BAD));
  assert.equal(found().length, 1);
  assert.match(found()[0] ?? "", /this Service is ignored$/);
  keeper.gone(service("a", "2"));
  assert.equal(told, []);
});

test("a relist that meets the broken version again keeps what it kept", () => {
  const { keeper, told, found } = keeperOf("Service");
  keeper.put(service("a", "1", GOOD));
  keeper.put(service("a", "2", BAD));
  keeper.begin();
  keeper.put(service("a", "2", BAD));
  keeper.end();
  assert.equal(told, ["put a"]);
  assert.equal(found().length, 1);
});

test("what has no name, or is no object, is passed over", () => {
  const { keeper, told } = keeperOf("Service");
  const nameless = [null, 7, "a", [], {}, { metadata: null }, { metadata: { name: "" } }];
  for (const raw of [...nameless, { metadata: { name: "a" } }, { metadata: { name: 7 } }]) {
    keeper.put(raw);
    keeper.gone(raw);
  }
  assert.equal(told, []);
});

test("names from the language are names", () => {
  const { keeper, told } = keeperOf("Service");
  keeper.put(service("constructor", "1"));
  keeper.gone(service("constructor", "2"));
  keeper.put(service("__proto__", "3"));
  assert.equal(told, ["put constructor", "gone constructor"]);
});

test("the status of an Ingress is told beside it, and is no part of it", () => {
  const { keeper, told } = keeperOf("Ingress");
  const of = (version: string, ingress: unknown): Raw => ({
    metadata: { name: "web", namespace: "shop", uid: "u", resourceVersion: version },
    status: { loadBalancer: { ingress } },
  });
  keeper.put(of("1", null));
  keeper.put(of("2", [{ ip: "192.0.2.1" }, { hostname: "lb.example" }, 7]));
  keeper.gone(of("3", []));
  assert.equal(
    told,
    [
      "put web",
      "status shop/web ",
      "put web",
      "status shop/web 192.0.2.1,lb.example",
      "gone web",
      "status shop/web gone",
    ].filter((text) => text !== ""),
  );
});

test("a Secret that is followed alone and not there is told to be absent", () => {
  const { keeper, told } = keeperOf("Secret", "shop/tls");
  const secret = { metadata: { name: "tls", namespace: "shop", uid: "u", resourceVersion: "1" } };
  const list = (...raws: readonly Raw[]): string[] => {
    keeper.begin();
    for (const raw of raws) keeper.put(raw);
    assert.equal(told, [], "half a list says nothing");
    keeper.end();
    return told.splice(0);
  };
  assert.equal(list(), ["shop/tls absent true"]);
  assert.equal(list(secret), ["put tls"]);
  keeper.gone(secret);
  assert.equal(told.splice(0), ["gone tls", "shop/tls absent true"]);
  assert.equal(list({ ...secret, data: "no map" }), [], "what is broken is there");
  keeper.clear();
  assert.equal(told, ["shop/tls absent false"]);
});

test.run();
