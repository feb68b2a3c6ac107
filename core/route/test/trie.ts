import { test } from "uvu";
import * as assert from "uvu/assert";
import { NONE, type PathMatch } from "../../model.ts";
import { compileTrie, lookup } from "../trie.ts";
import { PATH_CASES } from "./path.cases.ts";
import { seeded } from "./random.cases.ts";

const random = seeded();

/** The values of all candidates for a path, the one to try first at the front. */
function candidates(paths: readonly PathMatch[], request: string): number[] {
  const { trie, order } = compileTrie(paths);
  const bytes = Buffer.from(`GET ${request} HTTP/1.1\r\n`);
  const found: number[] = [];
  let at = lookup(trie, bytes, 4, 4 + request.length);
  while (at !== NONE) {
    found.push(order[at]!);
    at = trie.nodes[at]!;
  }
  return found;
}

/** The same, by the letter of the rules and without any structure. */
function naive(paths: readonly PathMatch[], request: string): number[] {
  const bare = (path: PathMatch): string =>
    path.kind === "prefix" ? path.value.replace(/\/$/, "") : path.value;
  const takes = (path: PathMatch): boolean =>
    path.kind === "exact"
      ? request === path.value
      : request === bare(path) || request.startsWith(`${bare(path)}/`);
  return paths
    .map((path, i) => ({ path, i }))
    .filter(({ path }) => takes(path))
    .sort(
      (a, b) =>
        bare(b.path).length - bare(a.path).length ||
        Number(a.path.kind === "prefix") - Number(b.path.kind === "prefix") ||
        b.path.value.length - a.path.value.length ||
        a.i - b.i,
    )
    .map(({ i }) => i);
}

function parse(rule: string): PathMatch {
  return rule.startsWith("=")
    ? { kind: "exact", value: rule.slice(1) }
    : { kind: "prefix", value: rule };
}

for (const [rules, request, winner] of PATH_CASES) {
  test(`${rules} on ${request}`, () => {
    const paths = rules.split(" ").map(parse);
    const [first] = candidates(paths, request);
    assert.is(first === undefined ? "" : rules.split(" ")[first], winner);
    assert.equal(candidates(paths, request), naive(paths, request));
  });
}

test("no rule at all matches nothing", () => {
  assert.equal(candidates([], "/"), []);
});

test("a value that is not canonical gets no candidate and hides none", () => {
  const values = ["", "foo", "/b\u00e9", "/a b", `/${"x".repeat(70_000)}`, "/ok"];
  const paths = values.map((value): PathMatch => ({ kind: "prefix", value }));
  assert.equal(candidates(paths, "/ok/x"), [5]);
  assert.equal(candidates(paths, "/foo"), []);
});

test("rules of thousands of bytes are compared whole", () => {
  const long = `/${"segment/".repeat(500)}`;
  const paths = [parse(`${long}a`), parse(`${long}b`), parse("/")];
  assert.equal(candidates(paths, `${long}b/c`), [1, 2]);
  assert.equal(candidates(paths, `${long}c`), [2]);
  assert.equal(candidates(paths, long.slice(0, 2_000)), [2]);
});

test("random rules against the naive order", () => {
  // Few parts, so that rules share prefixes, differ in one byte, and end inside one another.
  const alphabets = [
    ["/", "a", "b"],
    ["/", "/a", "/b", "/api", "/api2", "v1", "-", "0", "1", "%2F", ";"],
    ["/team-", "/service-", "0", "1", "2", "7", "9", "/"],
    ["/abc", "/abd", "/a-c", "d000", "d001", "e100", "e101", "/"],
  ];
  for (let round = 0; round < 1_500; round++) {
    const parts = random.one(alphabets);
    const paths: PathMatch[] = [];
    for (let left = random.below(round % 50 === 0 ? 300 : 14); left > 0; left--) {
      const value = `/${random.text(parts, 7)}`.replace("//", "/");
      paths.push({ kind: random.one(["exact", "prefix"] as const), value });
    }
    for (let asked = 0; asked < 20; asked++) {
      const from = paths.length > 0 && random.below(2) === 0 ? random.one(paths).value : "/";
      const cut = from.slice(0, 1 + random.below(from.length));
      const request = random.one([from, cut, from + random.text(parts, 3), `${from}/`]);
      assert.equal(
        candidates(paths, request),
        naive(paths, request),
        `${JSON.stringify(paths)} on ${request}`,
      );
    }
  }
});

test("a thousand rules that differ in digits are all found", () => {
  const paths = Array.from({ length: 1_000 }, (_, i) => parse(`/team-${i % 10}/service-${i}`));
  const { trie, order } = compileTrie(paths);
  for (let i = 0; i < paths.length; i++) {
    const bytes = Buffer.from(`${paths[i]!.value}/x`);
    assert.is(order[lookup(trie, bytes, 0, bytes.length)], i);
    bytes[bytes.length - 2] = 0x78;
    assert.is(lookup(trie, bytes, 0, bytes.length), NONE);
  }
});

test.run();
