import { test } from "uvu";
import * as assert from "uvu/assert";
import { parseAddress } from "../address.ts";
import { refusal } from "../refusal.ts";

const GOOD: readonly [string, string, number][] = [
  ["127.0.0.1:8000", "127.0.0.1", 8000],
  ["localhost:80", "127.0.0.1", 80],
  [":8080", "0.0.0.0", 8080],
  ["[::1]:8000", "::1", 8000],
  ["[::]:0", "::", 0],
  ["[::ffff:10.0.0.1]:65535", "::ffff:10.0.0.1", 65_535],
];

for (const [text, host, port] of GOOD) {
  test(`an address: ${text}`, () => {
    assert.equal(parseAddress(text), { ok: true, value: { host, port } });
  });
}

const BAD: readonly [string, RegExp][] = [
  ["", /not an address/],
  ["8000", /expected 127\.0\.0\.1:8000/],
  ["127.0.0.1", /expected 127\.0\.0\.1:8000/],
  ["127.0.0.1:", /not an address/],
  ["127.0.0.1:65536", /port 65536 is above 65535/],
  ["127.0.0.1:-1", /not an address/],
  ["127.0.0.256:80", /not a name/],
  ["example.com:80", /an IP address, not a name/],
  ["::1:8000", /expected \[::1:8000\]:8000/],
  ["[127.0.0.1]:80", /an IPv6 address between the brackets/],
  ["[::1]", /not an address/],
  ["[::1%eth0]:80x", /not an address/],
  ["127.0.0.1:80 ", /not an address/],
];

for (const [text, reason] of BAD) {
  test(`no address: ${JSON.stringify(text)}`, () => {
    const parsed = parseAddress(text);
    assert.not.ok(parsed.ok);
    assert.match(parsed.ok ? "" : parsed.reason, reason);
  });
}

const REFUSALS: readonly [string, number, RegExp][] = [
  ["EADDRINUSE", 8000, /127\.0\.0\.1:8000: another program .*\n.*--http 127\.0\.0\.1:9000/],
  ["EADDRINUSE", 65_000, /--http 127\.0\.0\.1:6000/],
  ["EACCES", 80, /for root, and .*NET_BIND_SERVICE\n.*--http 127\.0\.0\.1:1080/],
  ["EADDRNOTAVAIL", 80, /does not have this address\n.*--http 127\.0\.0\.1:80$/],
  ["EWHATEVER", 80, /EWHATEVER/],
];

for (const [code, port, text] of REFUSALS) {
  test(`a refusal names address, reason and a way out: ${code} ${port}`, () => {
    assert.match(refusal("http", { host: "127.0.0.1", port }, code), text);
  });
}

test("without IPv6, every IPv4 address is the way out, not this machine alone", () => {
  const text = refusal("http", { host: "::", port: 80 }, "EAFNOSUPPORT");
  assert.match(text, /does not speak this kind of address\n.*--http 0\.0\.0\.0:80$/);
});

test.run();
