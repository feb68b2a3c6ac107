/** Lists in pages, of a server that streams none: before 1.32, and where the gate is off. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Fault } from "../apiserver/faults.ts";
import { A_WHILE, KINDS, rowsOf } from "./rows.ts";
import { serviceOf, type World } from "./world.ts";

/** Enough for several pages of 500. */
const SERVICES = 1_200;

const lists = suite("lists");
const row = rowsOf(lists, { server: { watchList: false } });

/** Everything has to be listed again. */
function relist(world: World): void {
  world.api.compact();
  world.endWatches();
}

row("nothing is wrong, and there are several pages", async (world) => {
  for (let i = 0; i < SERVICES; i++) world.api.put(serviceOf(`other-${i}`));
  const before = world.api.count({ verb: "list", resource: "services" });
  relist(world);
  await world.follows();
  assert.ok(world.api.count({ verb: "list", resource: "services" }) >= before + 3);
});

/** What is wrong with lists, for a while. */
const FAULTS: readonly (readonly [string, Fault])[] = [
  ["are cut", { kind: "cut", bytes: 2_000 }],
  ["drip", { kind: "drip", bytes: 20_000, ms: 5 }],
  ["hold what is no object", { kind: "mutate", mutate: () => null }],
  ["hold objects without a name", { kind: "mutate", mutate: () => ({ metadata: {} }) }],
  ["are refused", { kind: "answer", status: 500 }],
  ["are too old in themselves", { kind: "answer", status: 410 }],
  ["never come", { kind: "blackhole" }],
];

for (const [what, fault] of FAULTS) {
  row(`lists that ${what}`, async (world) => {
    const heal = world.api.disturb(fault, { verb: "list" });
    relist(world);
    await world.traffic.more(A_WHILE / 2);
    heal();
    // Who still waits for an answer that never comes is told that the connection is gone.
    if (fault.kind === "blackhole") {
      world.api.down();
      world.api.up();
    }
  });
}

row("pages whose moment is forgotten before the last one came", async (world) => {
  for (let i = 0; i < 3; i++) {
    const asked = world.api.seen.length;
    const paging = () => world.api.seen.slice(asked).some(({ call }) => call.query.has("continue"));
    relist(world);
    for (let turn = 0; turn < A_WHILE && !paging(); turn++) await Bun.sleep(1);
    world.api.compact();
    await world.traffic.more(A_WHILE / 8);
  }
});

row("pages that are refused, one by one", async (world) => {
  for (const times of [1, 2]) {
    world.api.disturb(
      { kind: "answer", status: 503 },
      { verb: "list", times: times * KINDS.length },
    );
    relist(world);
    await world.traffic.more(A_WHILE / 4);
  }
});

lists.run();
