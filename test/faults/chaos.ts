/**
 * All faults in any order, one over the other, while the cluster changes: a seeded walk. When it is
 * over, rind serves exactly what the cluster has. The walk is the same each time, unless it is
 * given a seed: `node scripts/bun.mjs test/faults/chaos.ts 42`. See rows.ts.
 */
import { suite } from "uvu";
import { Random } from "../../core/random.ts";
import type { Fault } from "../apiserver/faults.ts";
import { until } from "../e2e/program.ts";
import { KINDS, rowsOf } from "./rows.ts";
import { openOrigin, siteOf, sliceOf, type World } from "./world.ts";

const SEED = Number(process.argv[2] ?? 1);
const STEPS = 120;
const STEP_MS_MAX = 100;
/** Faults that last, all at once. */
const LASTING_MAX = 3;
/** Sites that come and go, beside those that clients ask for. */
const GUESTS = 12;

const FAULTS: readonly Fault[] = [
  { kind: "blackhole" },
  { kind: "reset" },
  { kind: "stall" },
  { kind: "twice" },
  { kind: "end" },
  { kind: "expired" },
  { kind: "delay", ms: 50 },
  { kind: "answer", status: 429, retryAfterSeconds: 1 },
  { kind: "answer", status: 500 },
  { kind: "answer", status: 401 },
  { kind: "answer", status: 403 },
  { kind: "answer", status: 404 },
  { kind: "answer", status: 410 },
  { kind: "answer", status: 504 },
  { kind: "drip", bytes: 300, ms: 5 },
  { kind: "cut", bytes: 900 },
  { kind: "mutate", mutate: () => null },
  { kind: "mutate", mutate: (object) => ({ ...object, spec: 7, endpoints: 7 }) },
];

const chaos = suite("chaos");
const row = rowsOf(chaos);
console.log(`note: seed ${SEED}`);

row(`faults in any order, seed ${SEED}`, async (world) => {
  const random = new Random(SEED);
  const pick = <T>(list: readonly T[]): T => list[random.below(list.length)]!;
  const lasting: (() => void)[] = [];
  for (let step = 0; step < STEPS; step++) {
    if (lasting.length > random.below(LASTING_MAX + 1)) lasting.shift()!();
    else if (random.below(2) === 0) lasting.push(begin(world, random));
    for (const watch of world.api.watches()) {
      if (random.below(KINDS.length * 3) === 0) {
        pick([
          () => watch.end(),
          () => watch.cut(),
          () => watch.reset(),
          () => watch.stall(),
          () => watch.line("{nonsense"),
        ])();
      }
    }
    change(world, random);
    await Bun.sleep(random.below(STEP_MS_MAX));
  }
  for (const heal of lasting) heal();
  world.token("last");
  retell(world);
  // Who waits for an answer that never comes, minutes if need be, learns that it never will.
  world.api.down();
  world.api.up();
  const names = [...world.origins.keys()].filter((name) => world.api.get("Ingress", "shop", name));
  const hosts = names.map((name) => `${name}.example`).sort();
  await until("rind serves what the cluster has", async () => {
    const routes = (await world.rind.admin("/api/routes")).body;
    const served = routes.split("\n").filter((line) => /^[a-z0-9-]+\.example$/.test(line));
    return Bun.deepEquals(served.sort(), hosts);
  });
  for (const name of names) {
    const body = async () => (await world.rind.get(`${name}.example`)).body;
    await until(`${name} answers`, async () => (await body()) === name);
  }
  await until("nothing is wrong", async () => (await world.findings()).includes('"findings":[]'));
  await until("every feed is well", async () =>
    (await world.readiness()).cluster.feeds.every(({ problem }) => problem === ""),
  );
});

/** A fault that lasts: on everything or on one kind; the answer ends it. */
function begin(world: World, random: Random): () => void {
  const resource = KINDS[random.below(KINDS.length)]!;
  const where = random.below(2) === 0 ? {} : { resource };
  switch (random.below(8)) {
    case 0:
      world.api.down();
      return () => world.api.up();
    case 1:
      return world.api.deny(where);
    case 2:
      world.token(`token-${random.below(1_000)}`);
      return () => {};
    case 3:
      world.api.compact();
      return () => {};
    default:
      return world.api.disturb(FAULTS[random.below(FAULTS.length)]!, where);
  }
}

/** Objects that were told wrong are told again: nobody else corrects what a server said of one. */
function retell({ api, origins }: World): void {
  for (const name of origins.keys()) {
    for (const [kind, object] of [
      ["Ingress", name],
      ["Service", name],
      ["EndpointSlice", name],
      ["EndpointSlice", `${name}-1`],
    ] as const) {
      const given = api.get(kind, "shop", object);
      if (given !== undefined) api.put(given);
    }
  }
}

/** The cluster changes: guests come and go, and everybody's pods move. */
function change(world: World, random: Random): void {
  const guest = `guest-${random.below(GUESTS)}`;
  if (world.api.get("Ingress", "shop", guest) === undefined) {
    const origin = world.origins.get(guest) ?? openOrigin(guest);
    world.origins.set(guest, origin);
    for (const object of siteOf(guest, [origin.port])) world.api.put(object);
  } else {
    for (const kind of ["Ingress", "Service", "EndpointSlice"]) {
      world.api.remove(kind, "shop", guest);
    }
  }
  const [name, { port }] = [...world.origins][random.below(3)]!;
  // The same pod in two slices, as while a slice is split.
  const [first, second] = sliceOf(name, [port, port]);
  world.api.put(first!);
  if (random.below(2) === 0) world.api.put(second!);
  else world.api.remove("EndpointSlice", "shop", `${name}-1`);
}

chaos.run();
