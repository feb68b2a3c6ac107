import { test } from "uvu";
import * as assert from "uvu/assert";
import { Head } from "../../head.ts";
import { canonicalise, canonicalPath } from "../path.ts";
import { seeded } from "./random.cases.ts";

const random = seeded();

/** `null`: answered 400. */
const CASES: readonly (readonly [path: string, canonical: string | null])[] = [
  ["/", "/"],
  ["/plain/path.html", "/plain/path.html"],
  ["/.well-known/acme", "/.well-known/acme"],
  ["/...", "/..."],
  ["/a..b/..c/d..", "/a..b/..c/d.."],

  ["/%70ub/%7Euser/%2d", "/pub/~user/-"],
  ["/a%2fb%3a", "/a%2Fb%3A"],
  ["/a%2Fb", "/a%2Fb"],
  ["/100%25", "/100%25"],
  ["/%2525", "/%2525"],
  ["/%25%32%65", "/%252e"],
  ["/caf%c3%a9", "/caf%C3%A9"],
  ["/%0a%0d%7f", "/%0A%0D%7F"],

  ["/%", null],
  ["/%4", null],
  ["/%zz", null],
  ["/%%32e", null],
  ["/a%2", null],
  ["/%00", null],
  ["/a%00b", null],
  ["/a\\b", null],
  ["/a b", null],
  ["/caf\u00e9", null],

  ["/a/./b", "/a/b"],
  ["/a/.", "/a/"],
  ["/.", "/"],
  ["/..", "/"],
  ["/../..", "/"],
  ["/../a", "/a"],
  ["/a/..", "/"],
  ["/a/../", "/"],
  ["/a/b/..", "/a/"],
  ["/a/b/../c", "/a/c"],
  ["/a/b/../../../c", "/c"],
  ["/a/%2e/b", "/a/b"],
  ["/a/%2E%2e/b", "/b"],
  ["/a/.%2e/b", "/b"],
  ["/a;x/../b", "/b"],

  ["//", "//"],
  ["/a//b", "/a//b"],
  ["/a//./b", "/a//b"],
  ["/a//b/../c", "/a//c"],
  ["/a//../b", null],
  ["/a/..//b", null],
  ["/a/.././/b", null],
  ["/a//./../b", null],
  ["//..", null],
  ["/x//a/../../b", null],

  ["/a;v=1/b", "/a;v=1/b"],
  ["/a/..;/b", null],
  ["/a/.;/b", null],
  ["/a/..;v=1/b", null],
  ["/a/..%3Bv=1/b", null],
  ["/..%2fb", null],
  ["/a%2f..", null],
  ["/a%2f..%2fb", null],
  ["/a%5c..%5cb", null],
  ["/%2e%2e%2fb", null],
  ["/a%2F.;x%2Fb", null],
  ["/a/x;v=%2F../b", null],
  ["/a%2F...%2Fb", "/a%2F...%2Fb"],
  ["/a%2F;..", "/a%2F;.."],
];

/** What a head says after `canonicalPath`, parsed out of a request with something on both sides. */
function ofHead(path: string): string | null {
  const head = new Head();
  const bytes = Buffer.from(`GET ${path} HTTP/1.1\r\n`, "latin1");
  head.reset(bytes, 0);
  head.pathStart = 4;
  head.pathEnd = 4 + path.length;
  if (!canonicalPath(head)) return null;
  return head.path.toString("latin1", head.pathStart, head.pathEnd);
}

/** The five steps by the letter, on strings. */
function naive(path: string): string | null {
  if (/%(?![0-9a-f]{2})|%00|\\|[^\x21-\x7e]/i.test(path)) return null;
  const decoded = path.replace(/%../g, (triplet) => {
    const char = String.fromCharCode(Number.parseInt(triplet.slice(1), 16));
    return /[\w.~-]/.test(char) ? char : triplet.toUpperCase();
  });
  const isDots = (text: string): boolean => text === "." || text === "..";
  const hides = (segment: string): boolean =>
    segment.split(/%2F|%5C/).some((part) => isDots(part) || isDots(part.split(/;|%3B/)[0]!));
  const segments = decoded.slice(1).split("/");
  if (segments.some((segment) => !isDots(segment) && hides(segment))) return null;
  const last = segments.at(-1)!;
  const plain = segments.filter((segment) => segment !== ".");
  if (isDots(last)) plain.push("");
  const kept: string[] = [];
  for (let i = 0; i < plain.length; i++) {
    if (plain[i] !== "..") kept.push(plain[i]!);
    else if (kept.pop() === "" || (plain[i + 1] === "" && i + 2 < plain.length)) return null;
  }
  return `/${kept.join("/")}`;
}

for (const [path, canonical] of CASES) {
  test(`${path} is ${canonical ?? "refused"}`, () => {
    assert.is(ofHead(path), canonical);
    assert.is(canonicalise(path), canonical);
    assert.is(naive(path), canonical, "the naive version");
  });
}

test("a path without work stays in the bytes it came in", () => {
  const head = new Head();
  const bytes = Buffer.from("GET /plain/path.html?x HTTP/1.1\r\n");
  head.reset(bytes, 0);
  head.pathStart = 4;
  head.pathEnd = 20;
  assert.ok(canonicalPath(head));
  assert.is(head.path, bytes);
  assert.is(head.pathStart, 4);
  assert.is(head.pathEnd, 20);
});

for (const value of ["", "foo", "/a?b", "/a#b", "?/", " /"]) {
  test(`a rule cannot have the path '${value}'`, () => assert.is(canonicalise(value), null));
}

test("a path longer than any head is refused, not cut", () => {
  assert.is(canonicalise(`/%41${"x".repeat(70_000)}`), null);
});

test("random paths: as the naive version says, and canonical is a fixed point", () => {
  const parts = ["/", "/", ".", "..", "%2e", "%2F", "%5c", ";", "%3b", "a", "%41", "//", "/./"];
  const odd = [...parts, "%", "\\", "%00", " ", "%25", "\u00e9"];
  let refused = 0;
  for (let i = 0; i < 60_000; i++) {
    const path = `/${random.text(i % 4 === 0 ? odd : parts, 9)}`;
    const canonical = ofHead(path);
    assert.is(canonical, naive(path), path);
    if (canonical === null) refused++;
    else assert.is(ofHead(canonical), canonical, `${path} again`);
  }
  assert.ok(refused > 1_000 && refused < 59_000, "both outcomes are met");
});

test.run();
