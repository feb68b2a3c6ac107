import { availableParallelism } from "node:os";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { readConfig } from "../config.ts";
import { readFlags } from "../flags.ts";
import type { Config } from "../config.ts";
import type { FlagName } from "../flags.ts";

const ALLOWED: readonly FlagName[] = ["manifests", "http", "admin", "workers", "drain", "class"];
const DEFAULTS = { http: "0.0.0.0:8000", admin: "127.0.0.1:8080", lameDuck: "5s" };

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
  ["--drain 5", /--drain: "5" is not a time/],
  ["--drain 2h", /--drain: "2h" is not a time/],
  ["--drain 61m", /up to an hour/],
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

test("operands keep their order, and - is one", () => {
  const given = readFlags(ALLOWED, ["a", "--class", "x", "-", "--", "--b"], {});
  assert.equal(given.ok && given.value.operands, ["a", "-", "--b"]);
});

test.run();
