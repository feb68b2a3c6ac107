import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  type Action,
  DEFAULT_POLICY,
  type Delta,
  EMPTY_MODEL,
  type Match,
  type Model,
  NONE,
  type PathMatch,
  type Route,
  type VirtualHost,
} from "../../model.ts";
import { pick } from "../split.ts";
import { compileTable, match, patchTable, type Table } from "../table.ts";
import { NOTHING } from "../../../test/delta.ts";
import { PATH_CASES } from "./path.cases.ts";
import { seeded } from "./random.cases.ts";
import { type Asked, headOf } from "./request.cases.ts";

const random = seeded();

const TO_B7: Action = { kind: "forward", split: [{ backend: "b7", weight: 1 }], cursor: NONE };

/** `b7` is registered as 7. */
const indexOf = (backend: string): number => Number(backend.slice(1));

/** `=/a` exact, `/a` prefix; the id is the rule itself unless another one is given. */
function route(rule: string, more: Partial<Route> & { when?: Partial<Match> } = {}): Route {
  const path: PathMatch = rule.startsWith("=")
    ? { kind: "exact", value: rule.slice(1) }
    : { kind: "prefix", value: rule };
  const { when, ...rest } = more;
  return {
    id: rule,
    origin: { kind: "Ingress", namespace: "test", name: rule, field: "" },
    match: { path, methods: [], headers: [], cookies: [], queries: [], ...when },
    action: TO_B7,
    policy: DEFAULT_POLICY,
    ...rest,
  };
}

function modelOf(hosts: Readonly<Record<string, readonly Route[]>>, version = 1): Model {
  const named = Object.entries(hosts).map(([name, routes]): VirtualHost => ({
    name,
    policy: "",
    routes,
  }));
  return { version, hosts: named, backends: [], certificates: [], secure: [] };
}

function idFor(table: Table, asked: Asked): string {
  return match(table, headOf(asked))?.id ?? "";
}

function deltaOf(table: Table, change: Partial<Delta>): Delta {
  return { base: table.version, version: table.version + 1, ...NOTHING, ...change };
}

for (const [rules, target, winner] of PATH_CASES) {
  test(`${rules} on ${target}`, () => {
    const routes = rules.split(" ").map((rule) => route(rule));
    const table = compileTable(modelOf({ "a.example": routes }), indexOf);
    assert.is(idFor(table, { host: "a.example", target }), winner);
  });
}

test("the most specific host decides alone", () => {
  const model = modelOf({
    "a.example": [route("/a", { id: "exact" })],
    "*.example": [route("/b", { id: "wild" })],
    "*": [route("/", { id: "any" })],
  });
  const table = compileTable(model, indexOf);
  assert.is(idFor(table, { host: "a.example", target: "/a" }), "exact");
  assert.is(idFor(table, { host: "A.EXAMPLE", target: "/a" }), "exact");
  assert.is(idFor(table, { host: "a.example", target: "/b" }), "");
  assert.is(idFor(table, { host: "b.example", target: "/b" }), "wild");
  assert.is(idFor(table, { host: "b.example", target: "/c" }), "");
  assert.is(idFor(table, { host: "a.b.example", target: "/c" }), "any");
  assert.is(idFor(table, { host: "", target: "/c" }), "any");
});

test("candidates fail over to the next, down to shorter paths", () => {
  const header = (value: string): Partial<Match> => ({ headers: [{ name: "x", value }] });
  const model = modelOf({
    h: [
      route("/", { id: "root" }),
      route("/a", { id: "a" }),
      route("/a", { id: "a if 1", when: header("1") }),
      route("/a", { id: "a if PUT", when: { methods: ["PUT"] } }),
      route("=/a/b", { id: "=ab if 2", when: header("2") }),
      route("/a/b/", { id: "ab/ if 3", when: header("3") }),
      route("/a/b", { id: "ab if 4", when: header("4") }),
      route("/a/b/c", { id: "abc if 5", when: header("5") }),
    ],
  });
  const table = compileTable(model, indexOf);
  const cases: readonly (readonly [target: string, x: string, id: string])[] = [
    ["/a/b", "2", "=ab if 2"],
    ["/a/b", "3", "ab/ if 3"],
    ["/a/b", "4", "ab if 4"],
    ["/a/b", "1", "a if 1"],
    ["/a/b", "9", "a"],
    ["/a/b/c", "5", "abc if 5"],
    ["/a/b/c", "2", "a"],
    ["/a/b/c/d", "4", "ab if 4"],
    ["/b", "1", "root"],
  ];
  for (const [target, x, id] of cases) {
    assert.is(idFor(table, { host: "h", target, lines: [`x: ${x}`] }), id, `${target} ${x}`);
  }
  assert.is(idFor(table, { host: "h", target: "/a", method: "PUT", lines: ["x: 1"] }), "a if PUT");
});

test("equally specific routes on one path: the first of the model", () => {
  const routes = ["one", "two", "three"].map((id) => route("/", { id }));
  const table = compileTable(modelOf({ h: routes }), indexOf);
  assert.is(idFor(table, { host: "h" }), "one");
});

test("a route is compiled to what its action says", () => {
  const split = (weights: readonly number[]): Action => ({
    kind: "forward",
    split: weights.map((weight, i) => ({ backend: `b${i}`, weight })),
    cursor: NONE,
  });
  const model = modelOf({
    h: [
      route("/one"),
      route("/only", { action: split([0, 5, 0]) }),
      route("/two", { action: split([1, 1]) }),
      route("/none", { action: split([0, 0]) }),
      route("/redirect", { action: { kind: "redirect", status: 308, location: "https://x/" } }),
      route("/respond", { action: { kind: "respond", status: 503, body: "caf\u00e9\n" } }),
    ],
  });
  const table = compileTable(model, indexOf);
  const at = (target: string) => match(table, headOf({ host: "h", target }))!;
  assert.equal([at("/one").reply, at("/one").backend, at("/one").split], [null, 7, null]);
  assert.equal([at("/only").backend, at("/only").split], [1, null]);
  assert.is(at("/two").backend, NONE);
  assert.equal([pick(at("/two").split!), pick(at("/two").split!)].toSorted(), [0, 1]);
  assert.is(at("/none").backend, NONE);
  assert.is(pick(at("/none").split!), NONE);
  const redirect = at("/redirect").reply!;
  assert.equal([redirect.status, redirect.location, `${redirect.body}`], [308, "https://x/", ""]);
  const respond = at("/respond");
  const { status, location, body } = respond.reply!;
  assert.equal([status, location, `${body}`], [503, "", "caf\u00e9\n"]);
  assert.is(respond.origin.name, "/respond");
  assert.is(respond.policy, DEFAULT_POLICY);
});

test("hosts and paths nobody can ask for hide nobody", () => {
  const model = modelOf({
    ["x".repeat(300)]: [route("/")],
    "": [route("/")],
    h: [route("", { id: "empty" }), route("/\u00e9"), route("/ok")],
  });
  const table = compileTable(model, indexOf);
  assert.is(idFor(table, { host: "h", target: "/ok" }), "/ok");
  assert.is(idFor(table, { host: "h", target: "/" }), "");
  assert.is(idFor(table, { host: "" }), "");
});

test("a delta touches its hosts only, and the old table stays as it was", () => {
  const old = compileTable(
    modelOf({ a: [route("/a")], b: [route("/b")], c: [route("/c")] }),
    indexOf,
  );
  const hosts = [
    { name: "b", policy: "", routes: [route("/b2")] },
    { name: "d", policy: "", routes: [route("/d")] },
  ];
  const next = patchTable(old, deltaOf(old, { hosts, hostsGone: ["c", "unknown"] }), indexOf);
  assert.is(next.version, old.version + 1);
  for (const [host, target, before, after] of [
    ["a", "/a", "/a", "/a"],
    ["b", "/b", "/b", ""],
    ["b", "/b2", "", "/b2"],
    ["c", "/c", "/c", ""],
    ["d", "/d", "", "/d"],
  ] as const) {
    assert.is(idFor(old, { host, target }), before, `${host}${target} before`);
    assert.is(idFor(next, { host, target }), after, `${host}${target} after`);
  }
  const asked = headOf({ host: "a", target: "/a" });
  assert.is(match(old, asked), match(next, asked), "an untouched host is shared");
});

test("hosts that come and go leave no room behind", () => {
  let table = compileTable(modelOf({ a: [route("/a")] }), indexOf);
  for (let i = 0; i < 100; i++) {
    const hosts = [{ name: `new${i}`, policy: "", routes: [route("/")] }];
    table = patchTable(table, deltaOf(table, { hosts, hostsGone: [`new${i - 1}`] }), indexOf);
    assert.is(idFor(table, { host: `new${i}` }), "/");
  }
  assert.ok(table.tables.length <= 3, `${table.tables.length} tables`);
  assert.is(idFor(table, { host: "a", target: "/a" }), "/a");
});

test("a delta of backends alone shares everything but the version", () => {
  const table = compileTable(modelOf({ a: [route("/a")] }), indexOf);
  const next = patchTable(table, deltaOf(table, { backendsGone: ["b1"] }), indexOf);
  assert.is(next.tables, table.tables);
  assert.is(next.hosts, table.hosts);
  assert.is(next.version, 2);
});

test("a delta for another table is refused", () => {
  const table = compileTable(EMPTY_MODEL, indexOf);
  const delta = { ...deltaOf(table, {}), base: 7 };
  assert.throws(() => patchTable(table, delta, indexOf), /delta/);
});

test("a split goes on where the route's old one stopped, also from another host", () => {
  const action: Action = {
    kind: "forward",
    split: [
      { backend: "b1", weight: 89 },
      { backend: "b2", weight: 11 },
    ],
    cursor: NONE,
  };
  const canary = route("/", { id: "canary", action });
  const from = (table: Table, host: string, count: number): number[] => {
    const { split } = match(table, headOf({ host }))!;
    return Array.from({ length: count }, () => pick(split!));
  };
  const plain = compileTable(modelOf({ a: [canary] }), indexOf);
  const expected = from(plain, "a", 200);

  let table = compileTable(modelOf({ a: [canary] }), indexOf);
  const made: number[] = [];
  for (let change = 0; change < 20; change++) {
    const [host, other] = change % 2 === 0 ? ["a", "b"] : ["b", "a"];
    made.push(...from(table, host!, 10));
    const hosts = [{ name: other!, policy: "", routes: [route("/x"), canary] }];
    table = patchTable(table, deltaOf(table, { hosts, hostsGone: [host!] }), indexOf);
  }
  assert.equal(made, expected);
});

test("random models and deltas against first-match over sorted routes", () => {
  const names = ["a.x", "b.x", "*.x", "*", "c.d.x"];
  const paths = ["/", "/a", "/a/", "/a/b", "=/a", "=/a/b", "/ab", "=/"];
  let ids = 0;
  const hostOf = (name: string): VirtualHost => ({
    name,
    policy: "",
    routes: Array.from({ length: random.below(8) }, () => {
      const headers = random.below(3) === 0 ? [{ name: "x", value: random.one(["1", "2"]) }] : [];
      const methods = random.below(4) === 0 ? ["PUT"] : [];
      return route(random.one(paths), { id: `r${ids++}`, when: { headers, methods } });
    }),
  });
  for (let round = 0; round < 60; round++) {
    const held = new Map<string, VirtualHost>();
    let table = compileTable(EMPTY_MODEL, indexOf);
    for (let change = 0; change < 10; change++) {
      const hosts = names.filter(() => random.below(3) === 0).map(hostOf);
      const hostsGone = names.filter((name) => {
        return random.below(5) === 0 && !hosts.some((host) => host.name === name);
      });
      table = patchTable(table, deltaOf(table, { hosts, hostsGone }), indexOf);
      for (const name of hostsGone) held.delete(name);
      for (const host of hosts) held.set(host.name, host);
      for (let asked = 0; asked < 15; asked++) {
        const request = {
          host: random.one(["a.x", "b.x", "q.x", "c.d.x", "e.d.x", "y"]),
          target: random.one(["/", "/a", "/a/", "/a/b", "/a/b/c", "/ab", "/q"]),
          method: random.one(["GET", "PUT"]),
          lines: [`x: ${random.one(["1", "2", "3"])}`],
        };
        assert.is(idFor(table, request), naive(held, request), JSON.stringify(request));
      }
    }
  }
});

type Request = Readonly<{ host: string; target: string; method: string; lines: string[] }>;

function naive(held: ReadonlyMap<string, VirtualHost>, request: Request): string {
  const { host, target, method, lines } = request;
  const wild = `*${host.slice(host.indexOf("."))}`;
  const taker =
    held.get(host) ?? (host.includes(".") ? held.get(wild) : undefined) ?? held.get("*");
  const bare = ({ kind, value }: PathMatch) =>
    kind === "exact" ? value : value.replace(/\/$/, "");
  const takes = ({ match: { path, headers, methods } }: Route): boolean =>
    (target === bare(path) || (path.kind === "prefix" && target.startsWith(`${bare(path)}/`))) &&
    headers.every(({ name, value }) => lines.includes(`${name}: ${value}`)) &&
    (methods.length === 0 || methods.includes(method));
  const before = (a: Route, b: Route): number =>
    bare(b.match.path).length - bare(a.match.path).length ||
    Number(a.match.path.kind === "prefix") - Number(b.match.path.kind === "prefix") ||
    b.match.path.value.length - a.match.path.value.length ||
    b.match.methods.length - a.match.methods.length ||
    b.match.headers.length - a.match.headers.length;
  return (taker?.routes ?? []).filter(takes).toSorted(before)[0]?.id ?? "";
}

test.run();
