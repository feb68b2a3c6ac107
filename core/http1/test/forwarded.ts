/** Forwarded headers: ours for everybody, and what a trusted proxy's word changes. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { cidrsOf } from "../../cidr.ts";
import { OK } from "../../fault.ts";
import { Head } from "../../head.ts";
import { forwardedLines, type Arrival } from "../forwarded.ts";
import { Relay } from "../relay.ts";
import { parseRequest } from "../request.ts";

const TRUSTED = cidrsOf(["10.0.0.0/8", "2001:db8::/32"]);
const PEER: Arrival = { address: "10.0.0.9", port: 8000, scheme: "http" };

/** What a backend is told by a trusted peer that sent these lines. */
const relayed = (lines: string, arrival = PEER): Record<string, string> => {
  const head = new Head();
  const bytes = Buffer.from(`GET / HTTP/1.1\r\nHost: a:81\r\n${lines}\r\n`, "latin1");
  head.reset(bytes, 0);
  assert.is(parseRequest(head, bytes.length), OK, lines);
  const seen: Record<string, string> = {};
  const relay = new Relay(arrival, TRUSTED);
  const said = relay.lines(head).toString("latin1");
  assert.is(relay.secure, said.includes("X-Forwarded-Proto: https\r\n"), said);
  for (const line of said.split("\r\n")) {
    const [name = "", value = ""] = line.split(/: (.*)/s);
    if (line !== "") seen[name.toLowerCase()] = value;
  }
  return seen;
};

/** Rows: values of X-Forwarded-For, one a line; the chain that leaves; the real address. */
const CHAINS: readonly (readonly [readonly string[], string, string])[] = [
  [[], "10.0.0.9", "10.0.0.9"],
  [[""], "10.0.0.9", "10.0.0.9"],
  [["192.0.2.1"], "192.0.2.1, 10.0.0.9", "192.0.2.1"],
  [["192.0.2.1, 10.1.1.1"], "192.0.2.1, 10.1.1.1, 10.0.0.9", "192.0.2.1"],
  [["192.0.2.1,10.1.1.1 ,\t10.2.2.2"], "192.0.2.1,10.1.1.1 ,\t10.2.2.2, 10.0.0.9", "192.0.2.1"],
  [["192.0.2.1", "10.1.1.1"], "192.0.2.1, 10.1.1.1, 10.0.0.9", "192.0.2.1"],
  [["192.0.2.1", "", "10.1.1.1"], "192.0.2.1, 10.1.1.1, 10.0.0.9", "192.0.2.1"],
  // Whatever stands before the first address that is not trusted may be invented.
  [["10.9.9.9, 192.0.2.7, 10.1.1.1"], "10.9.9.9, 192.0.2.7, 10.1.1.1, 10.0.0.9", "192.0.2.7"],
  [["127.0.0.1", "192.0.2.7"], "127.0.0.1, 192.0.2.7, 10.0.0.9", "192.0.2.7"],
  [["10.3.3.3, 10.1.1.1"], "10.3.3.3, 10.1.1.1, 10.0.0.9", "10.3.3.3"],
  [["192.0.2.1, unknown"], "192.0.2.1, unknown, 10.0.0.9", "10.0.0.9"],
  [["192.0.2.1, unknown, 10.1.1.1"], "192.0.2.1, unknown, 10.1.1.1, 10.0.0.9", "10.1.1.1"],
  [["192.0.2.1, , 10.1.1.1"], "192.0.2.1, , 10.1.1.1, 10.0.0.9", "10.1.1.1"],
  [["192.0.2.1,"], "192.0.2.1,, 10.0.0.9", "10.0.0.9"],
  [["evil\xe9 192.0.2.1"], "evil\xe9 192.0.2.1, 10.0.0.9", "10.0.0.9"],
  [["192.0.2.1:4711"], "192.0.2.1:4711, 10.0.0.9", "192.0.2.1"],
  [["[2001:db9::1]:4711"], "[2001:db9::1]:4711, 10.0.0.9", "2001:db9::1"],
  [["[2001:db9::1]"], "[2001:db9::1], 10.0.0.9", "2001:db9::1"],
  [["2001:db9::1, 2001:db8::5"], "2001:db9::1, 2001:db8::5, 10.0.0.9", "2001:db9::1"],
  [["::ffff:192.0.2.1, ::ffff:a01:1"], "::ffff:192.0.2.1, ::ffff:a01:1, 10.0.0.9", "192.0.2.1"],
];

for (const [values, chain, real] of CHAINS) {
  test(`chain ${JSON.stringify(values)}`, () => {
    const lines = values.map((value) => `X-Forwarded-For: ${value}\r\n`).join("B: c\r\n");
    const seen = relayed(lines);
    assert.is(seen["x-forwarded-for"], chain);
    assert.is(seen["x-real-ip"], real);
  });
}

test("a chain of trusted proxies ends somewhere", () => {
  const seen = relayed(`X-Forwarded-For: ${"10.1.1.1,".repeat(1_000)}10.2.2.2\r\n`);
  assert.is(seen["x-real-ip"], "10.1.1.1");
});

/** Rows: lines, and what becomes of scheme, port and host. Ours are http, 8000 and a:81. */
const WORDS: readonly (readonly [string, string, string, string])[] = [
  ["", "http", "8000", "a:81"],
  ["X-Forwarded-Proto: https\r\n", "https", "443", "a:81"],
  ["x-forwarded-proto: HTTPS\r\n", "https", "443", "a:81"],
  ["X-Forwarded-Proto: http\r\n", "http", "8000", "a:81"],
  ["X-Forwarded-Proto: https\r\nX-Forwarded-Port: 8443\r\n", "https", "8443", "a:81"],
  ["X-Forwarded-Proto: wss\r\n", "https", "443", "a:81"],
  ["X-Forwarded-Proto: WS\r\n", "http", "8000", "a:81"],
  ["X-Forwarded-Proto: gopher\r\n", "http", "8000", "a:81"],
  ["X-Forwarded-Proto: https, http\r\n", "http", "8000", "a:81"],
  ["X-Forwarded-Proto: https\r\nX-Forwarded-Proto: https\r\n", "http", "8000", "a:81"],
  ["X-Forwarded-Port: 0\r\n", "http", "8000", "a:81"],
  ["X-Forwarded-Port: 65536\r\n", "http", "8000", "a:81"],
  ["X-Forwarded-Port: 80a\r\n", "http", "8000", "a:81"],
  ["X-Forwarded-Port: 81\r\n", "http", "81", "a:81"],
  ["X-Forwarded-Host: b.example\r\n", "http", "8000", "b.example"],
  ["X-Forwarded-Host: b.example:8443\r\n", "http", "8000", "b.example:8443"],
  ["X-Forwarded-Host: b, c\r\n", "http", "8000", "a:81"],
  ["X-Forwarded-Host: b/c\r\n", "http", "8000", "a:81"],
  ["X-Forwarded-Host: b\r\nX-Forwarded-Host: c\r\n", "http", "8000", "a:81"],
  ["X_Forwarded_Host: b\r\nX.Forwarded.Proto: https\r\n", "http", "8000", "a:81"],
  ["Connection: X-Forwarded-Proto\r\nX-Forwarded-Proto: https\r\n", "https", "443", "a:81"],
];

for (const [lines, scheme, port, host] of WORDS) {
  test(`word ${JSON.stringify(lines)}`, () => {
    const seen = relayed(lines);
    assert.is(seen["x-forwarded-proto"], scheme);
    assert.is(seen["x-forwarded-port"], port);
    assert.is(seen["x-forwarded-host"], host);
  });
}

test("a trusted peer of a dual-stack listener is named by its IPv4 address", () => {
  const arrival = { ...PEER, address: "::ffff:10.0.0.9" };
  const seen = relayed("X-Forwarded-For: 192.0.2.1\r\n", arrival);
  assert.is(seen["x-forwarded-for"], "192.0.2.1, 10.0.0.9");
});

test("a client of a dual-stack listener is named by its IPv4 address", () => {
  const lines = forwardedLines({ address: "::ffff:192.0.2.9", port: 1, scheme: "https" });
  assert.is(
    lines.toString(),
    "X-Forwarded-For: 192.0.2.9\r\nX-Real-IP: 192.0.2.9\r\n" +
      "X-Forwarded-Proto: https\r\nX-Forwarded-Port: 1\r\n",
  );
});

test("over TLS is what a trusted peer says, and what our listener knows if it says nothing", () => {
  const over = (scheme: Arrival["scheme"], lines: string): boolean => {
    const head = new Head();
    const bytes = Buffer.from(`GET / HTTP/1.1\r\nHost: a\r\n${lines}\r\n`, "latin1");
    head.reset(bytes, 0);
    assert.is(parseRequest(head, bytes.length), OK, lines);
    const relay = new Relay({ ...PEER, scheme }, TRUSTED);
    relay.lines(head);
    return relay.secure;
  };
  assert.is(over("http", ""), false);
  assert.is(over("https", ""), true);
  assert.is(over("http", "X-Forwarded-Proto: https\r\n"), true);
  assert.is(over("https", "X-Forwarded-Proto: http\r\n"), false);
  assert.is(over("http", "X-Forwarded-Proto: https, http\r\n"), false);
});

test("what is known of the client's certificate stands behind the other lines", () => {
  const more = "ssl-client-verify: SUCCESS\r\n";
  const text = forwardedLines({ ...PEER, scheme: "https", port: 8443 }, more).toString("latin1");
  assert.ok(text.endsWith(`X-Forwarded-Proto: https\r\nX-Forwarded-Port: 8443\r\n${more}`));
  const head = new Head();
  const bytes = Buffer.from("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "latin1");
  head.reset(bytes, 0);
  parseRequest(head, bytes.length);
  const lines = new Relay(PEER, TRUSTED, more).lines(head).toString("latin1");
  assert.ok(lines.includes(`\r\n${more}`), lines);
});

test.run();
