/**
 * Everything that an API server can do to who follows it, over sockets: in the end each object is
 * as it is there, and on the way nothing is told that was not so.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type ApiServerOptions, startApiServer } from "../../../../test/apiserver.ts";
import type { Fault, Where } from "../../../../test/apiserver/faults.ts";
import { Cluster, EVERYTHING, ingressOf, serviceOf, until } from "./fixture/cluster.ts";

const test = suite("disturbances");

/** A minute of the source's clock; see HURRY in the fixture. */
const MINUTE_MS = 1_200;

type Row = Readonly<{
  name: string;
  faults: readonly (readonly [Fault, Where])[];
  server?: ApiServerOptions;
}>;

const ROUNDS = 6;
const ROUND_MS = 20;
const WATCH = { verb: "watch" } as const;
const LIST = { verb: "list" } as const;

const ROWS: readonly Row[] = [
  { name: "watches that end after each event", faults: [[{ kind: "end" }, WATCH]] },
  { name: "events that come twice", faults: [[{ kind: "twice" }, WATCH]] },
  { name: "resets", faults: [[{ kind: "reset" }, { ...WATCH, times: 6 }]] },
  { name: "answers that are late", faults: [[{ kind: "delay", ms: 40 }, {}]] },
  { name: "answers that drip", faults: [[{ kind: "drip", bytes: 97, ms: 1 }, {}]] },
  {
    name: "500, 503 and 429",
    faults: [500, 503, 429].map((status) => [{ kind: "answer", status }, { times: 4 }]),
  },
  {
    name: "Retry-After",
    faults: [[{ kind: "answer", status: 429, retryAfterSeconds: 9 }, { times: 4 }]],
  },
  {
    name: "versions that expire, as events",
    faults: [[{ kind: "expired" }, { ...WATCH, times: 9 }]],
  },
  {
    name: "a window of no changes at all, as HTTP 410",
    faults: [[{ kind: "end" }, WATCH]],
    server: { window: 1, gone: "status" },
  },
  {
    name: "watches that say nothing any more",
    faults: [[{ kind: "stall" }, { ...WATCH, times: 5 }]],
  },
  { name: "requests that are never answered", faults: [[{ kind: "blackhole" }, { times: 5 }]] },
  {
    name: "pages, late, with watches that are cut",
    faults: [
      [{ kind: "delay", ms: 20 }, LIST],
      [
        { kind: "cut", bytes: 500 },
        { ...WATCH, times: 9 },
      ],
    ],
    server: { watchList: false },
  },
];

type Run = Readonly<{ row: Row; when: "from the start" | "later" }>;

/** Follows a cluster through edits and faults; the answer is null, or what went wrong. */
async function follow({ row, when }: Run): Promise<unknown> {
  const server = startApiServer({ bookmarkMs: MINUTE_MS, ...row.server });
  const cluster = new Cluster(EVERYTHING, { server });
  const { told } = cluster;
  const disturb = (): void => {
    for (const [fault, where] of row.faults) server.disturb(fault, where);
  };
  try {
    if (when === "from the start") disturb();
    await cluster.start();
    assert.is(told.keys("Service"), "shop/a shop/b");
    if (when === "later") disturb();
    for (let round = 0; round < ROUNDS; round++) {
      server.put(serviceOf("shop", "a", 100 + round));
      server.put(serviceOf("shop", `new-${round}`, 80));
      server.put(ingressOf("shop", "web", { spec: { ingressClassName: `c${round}` } }));
      if (round > 0) server.remove("Service", "shop", `new-${round - 1}`);
      await Bun.sleep(ROUND_MS);
    }
    await until(() => told.keys("Service") === "shop/a shop/b shop/new-5", "all Services");
    await until(() => portOf(told.objects.get("Service shop/a")) === 105, "the last port");
    await until(() => classOf(told.objects.get("Ingress shop/web")) === "c5", "the last class");
    assert.is(told.synced, 1);
    const lost = told.events.filter((text) => /^gone (Service shop\/[ab]|Ingress .*)$/.test(text));
    assert.equal(lost, []);
    return null;
  } catch (error) {
    return error;
  } finally {
    cluster.stop();
  }
}

// Most of the time they wait: all of them do so together.
for (const row of ROWS) {
  for (const when of ["from the start", "later"] as const) {
    const followed = follow({ row, when });
    test(`${row.name}, ${when}`, async () => assert.is(await followed, null));
  }
}

function portOf(object: unknown): number | undefined {
  return (object as { spec?: { ports?: { port: number }[] } } | undefined)?.spec?.ports?.[0]?.port;
}

function classOf(object: unknown): string | undefined {
  return (object as { spec?: { ingressClassName?: string } } | undefined)?.spec?.ingressClassName;
}

test.run();
