/** Services of type ExternalName, by what DNS says of their names. */
import { test } from "uvu";
import * as assert from "uvu/assert";

import type { Resolved } from "../../snapshot.ts";
import type { TranslateOptions } from "../draft.ts";
import { parseNamePattern } from "../external.ts";
import { translate } from "../translate.ts";
import { OPTIONS, snapshotFrom } from "./fixture/manifests.ts";

const MANIFESTS = `
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {type: ExternalName, externalName: api.example.com, ports: [{port: 80}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
spec: {defaultBackend: {service: {name: web, port: {number: 80}}}}
`;
const FILTER = { allowed: [], admin: [], apiServer: [] };

function translated(
  resolved: Resolved | null,
  more: Partial<TranslateOptions> = {},
  manifests = MANIFESTS,
) {
  const names = new Map(resolved === null ? [] : [["api.example.com", resolved]]);
  const options = { ...OPTIONS, externalNames: ["*"], ...more };
  const { model, findings, wants } = translate({ ...snapshotFrom(manifests), names }, options);
  const [backend] = model.backends;
  return {
    endpoints: backend?.endpoints.map(({ address, port, uid }) => `${address} ${port} ${uid}`),
    reason: backend?.reason,
    findings: findings.map(({ kind, reason }) => `${kind}: ${reason}`),
    names: [...wants.names],
  };
}

test("its addresses are the endpoints, with the name as their uid", () => {
  assert.equal(translated({ addresses: ["192.0.2.1", "2001:db8::1"], problem: "" }), {
    endpoints: ["192.0.2.1 80 api.example.com", "2001:db8::1 80 api.example.com"],
    reason: "",
    findings: [],
    names: ["api.example.com"],
  });
});

test("a name that DNS has not told of is asked for", () => {
  const { endpoints, names, reason } = translated(null);
  assert.equal([endpoints, names], [[], ["api.example.com"]]);
  assert.match(reason ?? "", "DNS has not told of api.example.com yet");
});

test("a name that is not allowed is not asked for", () => {
  const none = translated(null, { externalNames: [] });
  const other = translated(null, { externalNames: [".example.org"] });
  assert.equal([none.names, other.names], [[], []]);
});

test("old addresses are used while DNS fails, which is remarked", () => {
  const { endpoints, findings } = translated({ addresses: ["192.0.2.1"], problem: "SERVFAIL" });
  assert.equal(endpoints?.length, 1);
  assert.equal(findings, ["Service: api.example.com cannot be resolved now: SERVFAIL"]);
});

test("a name without addresses answers 503 with what DNS says", () => {
  const { endpoints, reason } = translated({ addresses: [], problem: "no such name" });
  assert.equal(endpoints, []);
  assert.is(reason, "no ready endpoint: no such name");
});

test("the address filter applies to what DNS says", () => {
  const resolved = { addresses: ["10.0.0.1", "127.0.0.1", "169.254.169.254"], problem: "" };
  const { endpoints, findings } = translated(resolved, { addresses: FILTER });
  assert.equal(endpoints, ["10.0.0.1 80 api.example.com"]);
  assert.equal(findings, [
    "Service: api.example.com leads where rind must not connect: 127.0.0.1 is a loopback address",
  ]);
  const all = translated({ addresses: ["::1"], problem: "" }, { addresses: FILTER });
  assert.is(all.reason, "no ready endpoint: ::1 is a loopback address");
});

for (const port of [0, -1, 65_536, 1e9]) {
  test(`a Service port ${port} is nowhere to connect to`, () => {
    const manifests = MANIFESTS.replace("port: 80}]", `port: ${port}, name: web}]`).replace(
      "port: {number: 80}",
      "port: {name: web}",
    );
    const { endpoints, reason } = translated(
      { addresses: ["192.0.2.1"], problem: "" },
      {},
      manifests,
    );
    assert.equal(endpoints, []);
    assert.is(reason, `no ready endpoint: ${port} is no port`);
  });
}

/** Pattern, name, whether it is allowed. */
const PATTERNS: readonly (readonly [string, boolean])[] = [
  ["*", true],
  ["api.example.com", true],
  ["API.Example.com.", true],
  [".example.com", true],
  ["*.example.com", true],
  [".com", true],
  ["example.com", false],
  [".api.example.com", false],
  ["i.example.com", false],
  [".xample.com", false],
];

for (const [raw, allowed] of PATTERNS) {
  test(`${raw} ${allowed ? "allows" : "does not allow"} api.example.com`, () => {
    const pattern = parseNamePattern(raw);
    assert.ok(pattern.ok);
    if (!pattern.ok) return;
    const { names } = translated(null, { externalNames: [pattern.value] });
    assert.is(names.length, allowed ? 1 : 0);
  });
}

for (const raw of ["", ".", "*.", "**", "a*.example.com", "a b", "-a.example", "a..b", "a/b"]) {
  test(`"${raw}" is no pattern of names`, () => assert.not(parseNamePattern(raw).ok));
}

test.run();
