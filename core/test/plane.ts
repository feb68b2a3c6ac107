/** A data plane without listeners: how deltas follow each other. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { DEFAULT_LIMITS } from "../limits.ts";
import { DEFAULT_POLICY, NONE } from "../model.ts";
import type { Backend, Delta, VirtualHost } from "../model.ts";
import { Plane } from "../plane.ts";
import { PLAIN_EDGE, UNBOUND } from "../protocol.ts";
import type { Address } from "../protocol.ts";
import { NOTHING } from "../../test/delta.ts";

function hostOf(name: string, backend = "b"): VirtualHost {
  const path = { kind: "prefix", value: "/" } as const;
  const match = { path, methods: [], headers: [], cookies: [], queries: [] };
  const action = { kind: "forward", split: [{ backend, weight: 1 }], cursor: NONE } as const;
  const origin = { kind: "Test", namespace: "plane", name, field: "" };
  return {
    name,
    policy: "",
    routes: [{ id: name, origin, match, action, policy: DEFAULT_POLICY }],
  };
}

function backendOf(...ports: number[]): Backend {
  const endpoints = ports.map((port) => ({ address: "192.0.2.1", port, uid: "" }));
  return { id: "b", endpoints, reason: "", balance: "leastRequest", tls: null };
}

const FIRST: Delta = {
  ...NOTHING,
  base: 0,
  version: 1,
  hosts: [hostOf("a.test")],
  backends: [backendOf()],
};

/** Runs `body` against a plane and stops it whatever happens: its clock holds the process. */
function withPlane(body: (plane: Plane) => void, http: readonly Address[] = []): void {
  const plane = new Plane({
    ...PLAIN_EDGE,
    http,
    sockets: [],
    reusePort: false,
    worker: 0,
    workers: 1,
    cursors: null,
    limits: DEFAULT_LIMITS,
    trusted: [],
  });
  try {
    body(plane);
  } finally {
    plane.stop();
  }
}

test("deltas of every kind follow each other in any order", () => {
  const later: readonly Partial<Delta>[] = [
    { backends: [backendOf(80)] },
    { hosts: [hostOf("b.test")] },
    {},
    { backends: [backendOf(80, 81)], hostsGone: ["a.test"] },
    { backends: [backendOf()] },
    { hostsGone: ["b.test"], backendsGone: ["b"] },
    { hosts: [hostOf("c.test")], backends: [backendOf(80)] },
  ];
  withPlane((plane) => {
    plane.apply(FIRST);
    later.forEach((change, i) => {
      plane.apply({ ...NOTHING, ...change, base: i + 1, version: i + 2 });
      assert.is(plane.version, i + 2);
    });
  });
});

test("a delta for another model is refused, and nothing moves", () => {
  withPlane((plane) => {
    plane.apply(FIRST);
    assert.throws(() => plane.apply({ ...FIRST, base: 7, version: 8 }));
    assert.is(plane.version, 1);
  });
});

test("a delta with a bad backend is refused as a whole, and the next one applies", () => {
  const bad: readonly Backend[] = [
    { ...backendOf(80), id: "other" },
    { ...backendOf(65_536), id: "bad" },
  ];
  withPlane((plane) => {
    plane.apply(FIRST);
    const next = { ...NOTHING, base: 1, version: 2, hosts: [hostOf("b.test")] };
    assert.throws(() => plane.apply({ ...next, backends: bad }), /bad/);
    assert.is(plane.version, 1);
    plane.apply({ ...next, backends: [backendOf(80)] });
    assert.is(plane.version, 2);
  });
});

test("an address where somebody listens is refused by name, and none is left open", () => {
  const socket = { data: () => {} };
  const taken = Bun.listen({ hostname: "127.0.0.1", port: 0, socket });
  const address = { host: "127.0.0.1", port: taken.port };
  withPlane(
    (plane) => {
      assert.equal(plane.listen(), { ok: false, address, code: "EADDRINUSE" });
      assert.equal(plane.addresses(), UNBOUND);
    },
    [{ host: "127.0.0.1", port: 0 }, address],
  );
  taken.stop();
});

test("backends that routes name and that never arrive do not pile up over the deltas", () => {
  withPlane((plane) => {
    for (let version = 0; version < 1_000; version++) {
      const hosts = [hostOf("a.test", `never${version}`)];
      plane.apply({ ...NOTHING, base: version, version: version + 1, hosts });
    }
    assert.ok(plane.counts().backends < 200, `${plane.counts().backends}`);
  });
});

test.run();
