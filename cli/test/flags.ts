import { availableParallelism } from "node:os";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { readConfig } from "../config.ts";
import { readFlags } from "../flags.ts";
import { DEFAULT_LIMITS } from "../../core/limits.ts";
import { readUnit, showUnit } from "../units.ts";
import type { Config } from "../config.ts";
import type { FlagName } from "../flags.ts";

const ALLOWED: readonly FlagName[] = [
  "manifests",
  "http",
  "admin",
  "workers",
  "drain",
  "lame-duck",
  "limit",
  "trusted-proxy",
  "class",
  "hsts",
  "https",
  "ssl-redirect",
  "tls-ciphers",
];
const DEFAULTS = {
  http: "0.0.0.0:8000",
  https: "none",
  admin: "127.0.0.1:8080",
  lameDuck: "5s",
  cluster: true,
};

function reasonOf(args: readonly string[]): string {
  const given = readFlags([...ALLOWED, "without-class"], args, {});
  if (!given.ok) return given.reason;
  const config = readConfig(given.value, DEFAULTS);
  return config.ok ? "" : config.reason;
}

function configOf(args: readonly string[], env: Record<string, string> = {}): Config {
  const given = readFlags(ALLOWED, args, env);
  assert.ok(given.ok, given.ok ? "" : given.reason);
  const config = given.ok ? readConfig(given.value, DEFAULTS) : given;
  if (!config.ok) throw new Error(config.reason);
  return config.value;
}

const WRONG: readonly [string, RegExp][] = [
  ["--manifest k8s", /there is no --manifest here; did you mean --manifests\?/],
  ["--controller x", /there is no --controller here/],
  ["-x", /there is no -x here/],
  ["--http", /--http needs a value: --http ADDR/],
  ["--http --admin :1", /--http needs a value/],
  ["--http=", /--http needs a value/],
  ["--without-class=yes", /takes no value/],
  ["--http 1.2.3.4", /--http: "1\.2\.3\.4" is not an address/],
  ["--admin nobody:80", /--admin: .*not a name/],
  ["--workers many", /--workers: "many" is not auto or a number/],
  ["--workers -1", /--workers: "-1" is not/],
  ["--workers 257", /--workers: "257" is not auto or a number up to 256/],
  ["--hsts forever", /--hsts: expected max-age/],
  ["--tls-ciphers FOO", /--tls-ciphers: "FOO" names no cipher/],
  ["--https :443 --https none", /--https: none does not go with other addresses/],
  ["--hsts preload", /--hsts: has no max-age/],
  ["--drain 5", /--drain: "5" is not a time/],
  ["--drain 2h", /--drain: "2h" is not a time/],
  ["--drain 61m", /up to an hour/],
  ["--lame-duck soon", /--lame-duck: "soon" is not a time/],
  ["--http :80 --http 0.0.0.0:80", /--http: 0\.0\.0\.0:80 is given twice/],
  ["--http [::1]:80 --admin [::1]:80", /--admin: \[::1\]:80 is an address for HTTP already/],
  ["--http 127.0.0.1:80 --admin :80", /--admin: 0\.0\.0\.0:80 is an address for HTTP already/],
  ["--http :80 --admin [::]:80", /--admin: \[::\]:80 is an address for HTTP already/],
  ["--http [::]:80 --admin [::1]:80", /--admin: \[::1\]:80 is an address for HTTP already/],
  ["--trusted-proxy 10.0.0.0/33", /--trusted-proxy: "10\.0\.0\.0\/33" is not an address range/],
  ["--limit head", /--limit: "head" is not NAME=VALUE/],
  ["--limit =5s", /--limit: "=5s" is not NAME=VALUE/],
  ["--limit haed=5s", /--limit: there is no limit "haed"; did you mean head\?/],
  ["--limit nonsense=5s", /rind limits lists them/],
  ["--limit head=5", /--limit: head: "5" is not a time such as 30s/],
  ["--limit head=-5s", /head: "-5s" is not a time/],
  ["--limit head=9000h", /head: 9000h is not in 1ms to 168h/],
  ["--limit backlog=64kb", /backlog: "64kb" is not a size in bytes such as/],
  ["--limit backlog=2m", /backlog: 2m is not in 0 to 1m/],
  ["--limit connections=1k", /connections: "1k" is not a whole number/],
];

for (const [line, reason] of WRONG) {
  test(`a wrong call says what is wrong: ${line}`, () => {
    assert.match(reasonOf(line.split(" ")), reason);
  });
}

test("what is not given is the default", () => {
  const { http, admin, workers, drainMs, adoption, manifests } = configOf([]);
  assert.equal(http, [{ host: "0.0.0.0", port: 8000 }]);
  assert.equal(admin, { host: "127.0.0.1", port: 8080 });
  assert.is(workers, availableParallelism());
  assert.is(drainMs, 30_000);
  assert.equal(adoption.classes, ["rind"]);
  assert.equal(manifests, []);
});

/** Rows: flags, and whether hosts with TLS are redirected when nobody says so. */
const REDIRECTS: readonly (readonly [string, boolean])[] = [
  ["--https 127.0.0.1:8443", true],
  ["--https 127.0.0.1:8443 --ssl-redirect off", false],
  ["--https none", false],
  ["--https none --ssl-redirect on", true],
  ["--https none --ssl-redirect off", false],
];

for (const [line, redirects] of REDIRECTS) {
  test(`${line}: hosts with TLS are ${redirects ? "" : "not "}redirected`, () => {
    const { adoption, tls } = configOf(line.split(" "));
    assert.is(adoption.sslRedirect, redirects);
    assert.is(tls.port, line.includes("none") ? 443 : 8_443);
  });
}

test("lists grow, single values are replaced by the last", () => {
  const line = "--http :1 --http=[::1]:2 --workers 3 --workers 0 --class a --class b --drain 500ms";
  const config = configOf(line.split(" "));
  assert.equal(config.http, [
    { host: "0.0.0.0", port: 1 },
    { host: "::1", port: 2 },
  ]);
  assert.is(config.workers, 0);
  assert.is(config.drainMs, 500);
  assert.equal(config.adoption.classes, ["a", "b"]);
});

test("every IPv4 address and one of IPv6 do not meet at the same port", () => {
  const { admin } = configOf(["--http", ":80", "--admin", "[::1]:80"]);
  assert.equal(admin, { host: "::1", port: 80 });
});

test("every flag has a variable, which a flag replaces", () => {
  const env = { RIND_HTTP: ":1, [::1]:2", RIND_WORKERS: "4", RIND_DRAIN: "2m", RIND_CLASS: "" };
  const config = configOf(["--workers", "5"], env);
  assert.equal(config.http, [
    { host: "0.0.0.0", port: 1 },
    { host: "::1", port: 2 },
  ]);
  assert.is(config.workers, 5);
  assert.is(config.drainMs, 120_000);
  assert.equal(config.adoption.classes, ["rind"]);
});

test("limits are set in their units, the last of two wins, and the others stay", () => {
  const line = "--limit head=2m --limit head=500ms --limit backlog=32k --limit body-rate=1k";
  const { limits } = configOf([...line.split(" "), "--limit", "retry-budget=0"]);
  const { headMs, backlogBytes, bodyRateMin, retryBudget } = limits;
  assert.equal([headMs, backlogBytes, bodyRateMin, retryBudget], [500, 32_768, 1_024, 0]);
  assert.is(limits.keepAliveMs, DEFAULT_LIMITS.keepAliveMs);
  assert.equal(configOf([]).limits, DEFAULT_LIMITS);
});

test("a lame duck of run lasts five seconds; none is a time, too; proxies are a list", () => {
  assert.is(configOf([]).lameDuckMs, 5_000);
  const line = "--lame-duck 0s --trusted-proxy 10.0.0.0/8 --trusted-proxy ::1";
  const { lameDuckMs, trusted } = configOf(line.split(" "));
  assert.is(lameDuckMs, 0);
  assert.equal(trusted, ["10.0.0.0/8", "::1"]);
});

for (const [unit, text, value] of [
  ["time", "0ms", 0],
  ["time", "1ms", 1],
  ["time", "90s", 90_000],
  ["time", "75m", 4_500_000],
  ["time", "24h", 86_400_000],
  ["bytes", "0", 0],
  ["bytes", "1023", 1_023],
  ["bytes", "64k", 65_536],
  ["rate", "1m", 1_048_576],
  ["count", "4096", 4_096],
] as const) {
  test(`${text} is ${value} as a ${unit}, and the other way round`, () => {
    assert.is(readUnit(unit, text), value);
    assert.is(showUnit(unit, value), text);
  });
}

test("operands keep their order, and - is one", () => {
  const given = readFlags(ALLOWED, ["a", "--class", "x", "-", "--", "--b"], {});
  assert.equal(given.ok && given.value.operands, ["a", "-", "--b"]);
});

test.run();
