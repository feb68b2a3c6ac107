/** Deltas on their way to workers: nothing is lost, and what is shared travels once. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Backend, Delta, SecureHost } from "../model.ts";
import { seal, unseal } from "../parcel.ts";
import type { ToWorker } from "../protocol.ts";

const AUTHORITIES = "a".repeat(60_000);
const PAIR = { chain: "#0", key: "k".repeat(3_000) };

function backend(id: string, authorities: string, identity = PAIR as typeof PAIR | null): Backend {
  const tls = { name: id, sni: true, verify: true, authorities, identity };
  return { id, endpoints: [], reason: "", balance: "leastRequest", tls };
}

function host(name: string, authorities: string | null): SecureHost {
  const client =
    authorities === null
      ? null
      : ({ authorities, verify: "required", depth: 1, forward: false } as const);
  const policy = { id: name, minVersion: null, ciphers: "", client };
  return { name, certificates: ["a/b"], policy, passthrough: "" };
}

const DELTA: Delta = {
  base: 1,
  version: 2,
  hosts: [],
  hostsGone: ["gone"],
  backends: [
    { ...backend("plain", ""), tls: null },
    backend("public", "", null),
    ...Array.from({ length: 100 }, (_, i) => backend(`b${i}`, AUTHORITIES)),
    backend("other", "#1"),
  ],
  backendsGone: [],
  certificates: [{ id: "a/b", chain: "c", key: "d" }],
  certificatesGone: [],
  secure: [
    { ...host("open", null), policy: null },
    host("floor", null),
    ...Array.from({ length: 100 }, (_, i) => host(`h${i}`, AUTHORITIES)),
  ],
  secureGone: [],
};

test("what is unsealed is what was sealed", () => {
  const message = { kind: "delta", delta: DELTA } as const;
  assert.equal(unseal(JSON.parse(JSON.stringify(seal(message)))), message);
  const ping: ToWorker = { kind: "ping" };
  assert.is(seal(ping), ping);
  assert.is(unseal(ping), ping);
});

test("a text that a hundred share travels once", () => {
  const text = JSON.stringify(seal({ kind: "delta", delta: DELTA }));
  assert.is(text.split(AUTHORITIES).length - 1, 1);
  assert.ok(text.length < 110_000, `${text.length}`);
});

test.run();
