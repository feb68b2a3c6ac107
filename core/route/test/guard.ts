/** What becomes of a request that came in clear, over TLS, or under somebody else's policy. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { HTTPS } from "../../head.ts";
import { DEFAULT_POLICY, NONE, type Route } from "../../model.ts";
import { ADMITTED, compileGuard, ELSEWHERE, judge, secureUrl, STRAY } from "../guard.ts";
import { headOf } from "./request.cases.ts";

const CHALLENGE = "/.well-known/acme-challenge/";

type Wanted = Readonly<{ redirect?: boolean; hsts?: string; path?: string }>;

function routeOf({ redirect = false, hsts = "", path = "/" }: Wanted): Route {
  return {
    id: "r",
    origin: { kind: "", namespace: "", name: "", field: "" },
    match: {
      path: { kind: "prefix", value: path },
      methods: [],
      headers: [],
      cookies: [],
      queries: [],
    },
    action: { kind: "forward", split: [], cursor: NONE },
    policy: { ...DEFAULT_POLICY, redirect, hsts },
  };
}

const CLEAR = { secure: false, policy: "" };
const TLS = { secure: true, policy: "" };
const UNDER_P = { secure: true, policy: "p" };
const UNDER_Q = { secure: true, policy: "q" };
/** Over TLS with us, for a client that came to a trusted proxy in clear. */
const P_IN_CLEAR = { secure: false, policy: "p" };

type Way = typeof CLEAR;

const GUARDS = {
  none: compileGuard("", routeOf({}), null),
  redirect: compileGuard("", routeOf({ redirect: true }), null),
  hsts: compileGuard("", routeOf({ hsts: "max-age=1" }), null),
  policy: compileGuard("p", routeOf({}), null),
  solver: compileGuard("p", routeOf({ path: `${CHALLENGE}token` }), null),
  solvers: compileGuard("p", routeOf({ path: CHALLENGE.slice(0, -1) }), null),
  wider: compileGuard("p", routeOf({ path: "/.well-known" }), null),
};

/** Rows: guard, way, path, and the verdict where rind has an HTTPS, and where it has none. */
const CASES: readonly (readonly [keyof typeof GUARDS, Way, string, number, number])[] = [
  ["none", CLEAR, "/", ADMITTED, ADMITTED],
  ["none", TLS, "/", ADMITTED, ADMITTED],
  ["none", UNDER_P, "/", STRAY, STRAY],
  ["redirect", CLEAR, "/", ELSEWHERE, ELSEWHERE],
  ["redirect", CLEAR, "/a", ELSEWHERE, ELSEWHERE],
  ["redirect", TLS, "/a", ADMITTED, ADMITTED],
  ["redirect", UNDER_P, "/a", STRAY, STRAY],
  ["redirect", CLEAR, `${CHALLENGE}token`, ADMITTED, ADMITTED],
  ["redirect", CLEAR, `${CHALLENGE}a/b`, ADMITTED, ADMITTED],
  ["redirect", CLEAR, CHALLENGE, ELSEWHERE, ELSEWHERE],
  ["redirect", CLEAR, "/.well-known/acme-challenge", ELSEWHERE, ELSEWHERE],
  ["redirect", CLEAR, "/.well-known/acme-challenges/a", ELSEWHERE, ELSEWHERE],
  ["redirect", CLEAR, `/x${CHALLENGE}a`, ELSEWHERE, ELSEWHERE],
  ["redirect", CLEAR, "/.well-known/ACME-challenge/a", ELSEWHERE, ELSEWHERE],
  ["hsts", CLEAR, "/", ADMITTED, ADMITTED],
  ["hsts", UNDER_P, "/", STRAY, STRAY],
  ["policy", CLEAR, "/", ELSEWHERE, STRAY],
  ["policy", CLEAR, `${CHALLENGE}token`, ELSEWHERE, STRAY],
  ["policy", TLS, "/", STRAY, STRAY],
  ["policy", UNDER_P, "/", ADMITTED, ADMITTED],
  ["policy", UNDER_Q, "/", STRAY, STRAY],
  ["policy", P_IN_CLEAR, "/", ELSEWHERE, ADMITTED],
  ["solver", CLEAR, `${CHALLENGE}token`, ADMITTED, ADMITTED],
  ["solvers", CLEAR, `${CHALLENGE}token`, ADMITTED, ADMITTED],
  ["wider", CLEAR, `${CHALLENGE}token`, ELSEWHERE, STRAY],
  ["solver", TLS, `${CHALLENGE}token`, ADMITTED, ADMITTED],
  ["solver", UNDER_Q, `${CHALLENGE}token`, ADMITTED, ADMITTED],
];

for (const [name, way, target, there, without] of CASES) {
  test(`${name}: ${JSON.stringify(way)} ${target}`, () => {
    const head = headOf({ host: "a", target });
    assert.is(judge(GUARDS[name], way, head, true), there);
    assert.is(judge(GUARDS[name], way, head, false), without, "no HTTPS");
  });
}

test("a target of https is misdirected in clear, whatever its route wants", () => {
  const head = headOf({ host: "a" });
  head.flags |= HTTPS;
  for (const guard of [GUARDS.none, GUARDS.redirect, GUARDS.solver]) {
    assert.is(judge(guard, CLEAR, head, true), STRAY);
    assert.is(judge(guard, TLS, head, true), ADMITTED);
  }
});

test("a line of HSTS is a whole line or none", () => {
  const lineOf = (hsts: string): string => compileGuard("p", routeOf({ hsts }), null)?.hsts ?? "";
  const good = "max-age=63072000; includeSubDomains";
  assert.is(lineOf(good), `Strict-Transport-Security: ${good}\r\n`);
  assert.is(lineOf("x".repeat(1_024)).length, 1_024 + 29);
  for (const bad of ["", "a\r\nB: c", "a\n", "\r", "\0", "é", "\u010d", "x".repeat(1_025)]) {
    assert.is(lineOf(bad), "", JSON.stringify(bad.slice(0, 9)));
    assert.is(compileGuard("", routeOf({ hsts: bad }), null), null);
  }
});

test("routes that ask for the same share a guard", () => {
  const one = compileGuard("p", routeOf({ hsts: "a" }), null);
  assert.is(compileGuard("p", routeOf({ hsts: "a", redirect: true }), one), one);
  assert.is.not(compileGuard("p", routeOf({ hsts: "b" }), one), one);
  assert.is.not(compileGuard("q", routeOf({ hsts: "a" }), one), one);
});

/** Rows: host, target, port, and where the client is sent. */
const URLS: readonly (readonly [string, string, number, string])[] = [
  ["a.example", "/", 443, "https://a.example/"],
  ["a.example", "/b/c?d=e&f", 443, "https://a.example/b/c?d=e&f"],
  ["a.example", "/?", 443, "https://a.example/?"],
  ["a.example", "/b", 8443, "https://a.example:8443/b"],
  ["[2001:db8::1]", "/b", 443, "https://[2001:db8::1]/b"],
  ["[2001:db8::1]", "/b", 8443, "https://[2001:db8::1]:8443/b"],
  ["192.0.2.1", "/b", 443, "https://192.0.2.1/b"],
  // A path that begins with two slashes is no other host.
  ["a.example", "//evil.example/", 443, "https://a.example//evil.example/"],
  ["a.example", "/?q=https://evil.example@", 443, "https://a.example/?q=https://evil.example@"],
  ["", "/", 443, ""],
];

for (const [host, target, port, url] of URLS) {
  test(`${host}${target} is found at ${url === "" ? "nowhere" : url}`, () => {
    assert.is(secureUrl(headOf({ host, target }), port), url);
  });
}

test.run();
