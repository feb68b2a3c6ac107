import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Match, ValueMatch } from "../../model.ts";
import { compareMatches, compileConditions, holds } from "../match.ts";
import { seeded } from "./random.cases.ts";
import { type Asked, headOf } from "./request.cases.ts";

const random = seeded();

type Conditions = Partial<Omit<Match, "path">>;

function matchOf(conditions: Conditions): Match {
  const path = { kind: "prefix", value: "/" } as const;
  return { path, methods: [], headers: [], cookies: [], queries: [], ...conditions };
}

function meets(conditions: Conditions, asked: Asked): boolean {
  const compiled = compileConditions(matchOf(conditions));
  return compiled === null || holds(compiled, headOf(asked));
}

/** `a=1` asks for the value, `a` for presence. */
function ask(text: string): ValueMatch {
  const at = text.indexOf("=");
  return at < 0
    ? { name: text, value: null }
    : { name: text.slice(0, at), value: text.slice(at + 1) };
}

const METHODS: readonly (readonly [methods: string, method: string, met: boolean])[] = [
  ["GET", "GET", true],
  ["GET", "get", false],
  ["GET", "GETS", false],
  ["GET", "GE", false],
  ["POST PUT", "PUT", true],
  ["POST PUT", "PATCH", false],
];

const HEADERS: readonly (readonly [condition: string, lines: string, met: boolean])[] = [
  ["X-A=1", "X-A: 1", true],
  ["x-a=1", "X-A: 1", true],
  ["X-A=1", "x-a:1", true],
  ["X-A=1", "X-A: \t 1 \t", true],
  ["X-A=1", "X-A: 11", false],
  ["X-A=1", "X-A: 1, 1", false],
  ["X-A=one", "X-A: One", false],
  ["X-A=1", "X-A: 2|X-A: 1", true],
  ["X-A=1", "X-A: 1|X-A: 2", true],
  ["X-A=1", "X-AB: 1|X: 1|AX-A: 1", false],
  ["X-A=1", "", false],
  ["X-A", "X-A: anything", true],
  ["X-A", "X-A:", true],
  ["X-A", "X-B: 1", false],
  ["X-A=", "X-A:  ", true],
  ["X-A=", "X-A: 1", false],
  ["X-A=a b", "X-A: a b", true],
  ["X_A=1", "X-A: 1", false],
];

const COOKIES: readonly (readonly [condition: string, lines: string, met: boolean])[] = [
  ["a=1", "Cookie: a=1", true],
  ["a=1", "cookie: b=2; a=1", true],
  ["a=1", "Cookie: b=2;a=1;c=3", true],
  ["a=1", "Cookie: b=2;  a=1 ", true],
  ["a=1", "Cookie: b=2|Cookie: a=1", true],
  ["a=1", "Cookie: a=2; a=1", true],
  ["a=1", "Cookie: a=12", false],
  ["a=1", "Cookie: aa=1", false],
  ["a=1", "Cookie: A=1", false],
  ["a=1", "Cookie: b=a=1", false],
  ["a=1", 'Cookie: a="1"', false],
  ['a="1"', 'Cookie: a="1"', true],
  ["a=x=y", "Cookie: a=x=y", true],
  ["a=1", "X-Cookie: a=1", false],
  ["a", "Cookie: a=", true],
  ["a", "Cookie: a", false],
  ["a", "Cookie: b=1", false],
  ["a=", "Cookie: a=;b=1", true],
  ["a=1", "Cookie: ;;a=1;;", true],
  ["a=1", "Cookie:", false],
];

const QUERIES: readonly (readonly [condition: string, query: string | null, met: boolean])[] = [
  ["a=1", "a=1", true],
  ["a=1", "b=2&a=1", true],
  ["a=1", "a=2&a=1", true],
  ["a=1", "a=1&", true],
  ["a=1", "&&a=1", true],
  ["a=1", "a=11", false],
  ["a=1", "aa=1", false],
  ["a=1", "A=1", false],
  ["a=1", "a=%31", false],
  ["a=1", "%61=1", false],
  ["a=1", "b=a=1", false],
  ["a=1", "a=1;b=2", false],
  ["a=b=c", "a=b=c", true],
  ["a", "a", true],
  ["a", "a=", true],
  ["a", "b&a=7", true],
  ["a", "b=a", false],
  ["a=", "a", true],
  ["a=", "a=", true],
  ["a=", "a=1", false],
  ["a", "", false],
  ["a", null, false],
  ["=", "", false],
];

for (const [methods, method, met] of METHODS) {
  test(`method ${methods} on ${method}: ${met}`, () => {
    assert.is(meets({ methods: methods.split(" ") }, { method }), met);
  });
}

for (const [condition, lines, met] of HEADERS) {
  test(`header ${condition} on '${lines}': ${met}`, () => {
    const asked = { lines: lines === "" ? [] : lines.split("|") };
    assert.is(meets({ headers: [ask(condition)] }, asked), met);
  });
}

for (const [condition, lines, met] of COOKIES) {
  test(`cookie ${condition} on '${lines}': ${met}`, () => {
    assert.is(meets({ cookies: [ask(condition)] }, { lines: lines.split("|") }), met);
  });
}

for (const [condition, query, met] of QUERIES) {
  test(`query ${condition} on '${query}': ${met}`, () => {
    const target = query === null ? "/p" : `/p?${query}`;
    assert.is(meets({ queries: [ask(condition)] }, { target }), met);
  });
}

test("all conditions must hold", () => {
  const asked: Asked = { method: "PUT", target: "/?q=1", lines: ["X-A: 1", "Cookie: c=1"] };
  const all = {
    methods: ["PUT"],
    headers: [ask("X-A=1")],
    cookies: [ask("c=1")],
    queries: [ask("q=1")],
  };
  assert.ok(meets(all, asked));
  assert.not.ok(meets({ ...all, methods: ["GET"] }, asked));
  assert.not.ok(meets({ ...all, headers: [ask("X-A=1"), ask("X-B")] }, asked));
  assert.not.ok(meets({ ...all, cookies: [ask("c=2")] }, asked));
  assert.not.ok(meets({ ...all, queries: [ask("q=2")] }, asked));
});

test("no condition compiles to nothing", () => assert.is(compileConditions(matchOf({})), null));

test("the more specific match is tried first", () => {
  const ascending: readonly Conditions[] = [
    {},
    { queries: [ask("a")] },
    { queries: [ask("a"), ask("b")] },
    { cookies: [ask("a")] },
    { headers: [ask("a")], queries: [ask("a")] },
    { headers: [ask("a"), ask("b")] },
    { methods: ["GET"] },
    { methods: ["GET"], headers: [ask("a")] },
  ];
  for (let i = 1; i < ascending.length; i++) {
    const [less, more] = [matchOf(ascending[i - 1]!), matchOf(ascending[i]!)];
    assert.ok(compareMatches(more, less) < 0 && compareMatches(less, more) > 0, `${i}`);
  }
  const two = matchOf({ methods: ["GET", "PUT"] });
  assert.is(compareMatches(two, matchOf({ methods: ["GET"] })), 0, "how many methods is no matter");
});

test("random cookies and queries against split and find", () => {
  const naive = (text: string, between: string, bare: boolean): [string, string][] =>
    text.split(between).flatMap((pair): [string, string][] => {
      const at = pair.indexOf("=");
      if (at >= 0) return [[pair.slice(0, at), pair.slice(at + 1)]];
      return bare && pair !== "" ? [[pair, ""]] : [];
    });
  for (let i = 0; i < 20_000; i++) {
    const wanted = ask(random.one(["a=1", "a", "a=", "b=a", "ab=1", "a=1=1"]));
    const some = ([name, value]: [string, string]): boolean =>
      name === wanted.name && (wanted.value === null || value === wanted.value);
    const cookie = random.text(["a", "b", "=", ";", "; ", "1", "a=1"], 9);
    const pairs = cookie
      .split(";")
      .map((pair) => pair.trim())
      .join(";");
    const cookies = naive(pairs, ";", false);
    const asked = { lines: [`Cookie: ${cookie}`] };
    assert.is(meets({ cookies: [wanted] }, asked), cookies.some(some), cookie);
    const query = random.text(["a", "b", "=", "&", "1", "a=1", "?"], 9);
    const queries = naive(query, "&", true);
    const target = `/?${query}`;
    assert.is(meets({ queries: [wanted] }, { target }), queries.some(some), query);
  }
});

test.run();
