/** What is gone leaves nothing behind, however many there were. */
import { heapStats } from "bun:jsc";
import { test } from "uvu";
import * as assert from "uvu/assert";

import { readObject } from "../../objects.ts";
import { Store, type StoreEvent } from "../../store.ts";
import { Translator } from "../translator.ts";
import { OPTIONS } from "./fixture/manifests.ts";

const ROUNDS = 3_000;

function put(raw: unknown): StoreEvent {
  const { object } = readObject(raw, "test");
  if (object === null) throw new Error("no object");
  return { type: "put", object };
}

/** An Ingress with a name and a host of its own: a whole path, a broken one and a weighted one. */
function things(round: number): readonly StoreEvent[] {
  const name = `n${round}`;
  const path = (service: string, at: string): unknown => ({
    path: at,
    pathType: "Prefix",
    backend: { service: { name: service, port: { number: 80 } } },
  });
  const paths = [path(name, "/"), path(name, "/b"), path(`gone-${name}`, "/b")];
  const labels = { "kubernetes.io/service-name": name };
  return [
    put({
      apiVersion: "networking.k8s.io/v1",
      kind: "Ingress",
      metadata: { name, annotations: { "rind.dev/service-weights": `${name}: 50%` } },
      spec: {
        rules: [{ host: `${name}.example`, http: { paths } }],
        tls: [{ secretName: name }],
      },
    }),
    put({ apiVersion: "v1", kind: "Service", metadata: { name }, spec: { ports: [{ port: 80 }] } }),
    put({
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: { name, ...(round % 2 === 0 ? { labels } : {}) },
      addressType: "IPv4",
      ports: [{ port: 80 }],
      endpoints: [{ addresses: ["10.0.0.1"] }],
    }),
  ];
}

/** How many things there are. */
function count(): number {
  Bun.gc(true);
  return heapStats().objectCount;
}

test("a cluster that never has more than three objects does not grow", () => {
  const store = new Store();
  const translator = new Translator(OPTIONS);
  const turn = (): number => {
    const { findings } = translator.translate(store.snapshot([]), store.changes());
    return findings.length;
  };
  const play = (from: number, to: number): void => {
    for (let round = from; round < to; round++) {
      const events = things(round);
      for (const event of events) store.apply(event);
      assert.ok(turn() > 0);
      for (const event of events) store.apply({ ...event, type: "gone" } as StoreEvent);
      assert.is(turn(), 0);
    }
  };
  play(0, 100);
  const before = count();
  play(100, 100 + ROUNDS);
  const grown = count() - before;
  assert.ok(grown < ROUNDS / 2, `${grown} more things after ${ROUNDS} rounds`);
});

test.run();
