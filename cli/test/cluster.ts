import { test } from "uvu";
import * as assert from "uvu/assert";
import { readCluster } from "../cluster.ts";
import { readFlags } from "../flags.ts";
import type { FlagName } from "../flags.ts";

const ALLOWED: readonly FlagName[] = [
  "manifests",
  "kubeconfig",
  "context",
  "namespaces",
  "secrets",
  "pod",
  "report",
  "lease",
  "publish-service",
  "publish-address",
  "node-address",
];

function read(line: string, env: Record<string, string> = {}) {
  const given = readFlags(ALLOWED, line === "" ? [] : line.split(" "), env);
  if (!given.ok) throw new Error(given.reason);
  return readCluster(given.value, true);
}

const WRONG: readonly [string, RegExp][] = [
  ["--manifests a --kubeconfig b", /--kubeconfig: is about a cluster, and --manifests serves/],
  ["--manifests a --lease a/b", /--lease: is about a cluster/],
  ["--namespaces a --namespaces B", /--namespaces: "B" is not the name of a namespace/],
  ["--secrets none", /--secrets: "none" is neither named nor all/],
  ["--pod rind", /--pod: "rind" is not NAMESPACE\/NAME/],
  ["--pod a/b/c", /--pod: "a\/b\/c" is not/],
  ["--pod a/", /--pod: "a\/" is not/],
  ["--report maybe", /--report: "maybe" is neither on nor off/],
  ["--report on", /which addresses shall status show\? Give --pod/],
  ["--pod a/b --publish-address :80", /--publish-address: ":80" is neither an IP address nor/],
  ["--publish-address 1.2.3.4 --publish-service a/b", /give one of them/],
  ["--node-address Hostname", /"Hostname" is neither InternalIP nor ExternalIP/],
  ["--context dev", /is of a kubeconfig: give --kubeconfig FILE too/],
];

for (const [line, reason] of WRONG) {
  test(`a wrong call says what is wrong: ${line}`, () => {
    const cluster = read(line);
    assert.not(cluster.ok);
    if (!cluster.ok) assert.match(cluster.reason, reason);
  });
}

test("a folder needs no cluster", () => {
  assert.equal(read("--manifests a"), { ok: true, value: null });
});

test("without a pod nothing is reported; everything is followed", () => {
  assert.equal(read("--kubeconfig f"), {
    ok: true,
    value: {
      kubeconfig: "f",
      context: null,
      namespaces: [],
      secrets: "named",
      pod: null,
      report: null,
    },
  });
});

test("a pod reports, unless it is told not to", () => {
  const cluster = read("", { RIND_POD: "rind/rind-x", RIND_NAMESPACES: "a,b" });
  assert.equal(cluster.ok && cluster.value?.namespaces, ["a", "b"]);
  assert.equal(cluster.ok && cluster.value?.pod, { namespace: "rind", name: "rind-x" });
  assert.equal(cluster.ok && cluster.value?.report, {
    lease: null,
    service: null,
    addresses: [],
    nodeAddress: "InternalIP",
  });
  const silent = read("--report off", { RIND_POD: "rind/rind-x" });
  assert.is(silent.ok && silent.value?.report, null);
});

test("addresses that are given need no pod, and a name is an address too", () => {
  const cluster = read("--report on --publish-address fd00::1 --publish-address lb.example.com");
  assert.equal(cluster.ok && cluster.value?.report?.addresses, ["fd00::1", "lb.example.com"]);
});

test.run();
