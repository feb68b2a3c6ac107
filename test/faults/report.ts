/** What rind writes, and others write too, while traffic depends on none of it. See rows.ts. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { until } from "../e2e/program.ts";
import { A_WHILE, rowsOf } from "./rows.ts";
import { ingressOf, type World } from "./world.ts";

const OURS = "192.0.2.1";
const THEIRS = "192.0.2.99";
const SITES = ["brie", "comte", "feta"];
/** After so many writes to one object that somebody else undoes, it is left alone. */
const FIGHT_WRITES_MAX = 3;
const BURST = 60;
/** More changes than a quarrel needs. */
const QUARREL = 12;

const report = suite("report");
const row = rowsOf(report, {
  flags: ["--report", "on", "--pod", "shop/me", "--publish-address", OURS],
});

/** The addresses in the status of an Ingress. */
function addressesOf(world: World, name: string): (string | undefined)[] {
  const status = world.api.get("Ingress", "shop", name)?.["status"];
  const balancer = (status as { loadBalancer?: { ingress?: { ip?: string }[] } } | undefined)
    ?.loadBalancer;
  return (balancer?.ingress ?? []).map(({ ip }) => ip);
}

/** Writes so far: of status, or of Events. */
function writes(world: World, resource: "ingresses" | "events", name?: string): number {
  return world.api.seen.filter(
    ({ call }) =>
      ["create", "update", "patch"].includes(call.verb) &&
      call.resource === resource &&
      (name === undefined || call.name === name),
  ).length;
}

/** Somebody else says where an Ingress can be reached. */
function overwrite(world: World, name: string): void {
  const ingress = world.api.get("Ingress", "shop", name)!;
  world.api.put({ ...ingress, status: { loadBalancer: { ingress: [{ ip: THEIRS }] } } });
}

function reported(world: World): Promise<void> {
  return until("every Ingress has its address", () =>
    SITES.every((name) => addressesOf(world, name).includes(OURS)),
  );
}

/** Somebody holds the lease from now on, and never renews it. */
function stealLease(world: World): void {
  const lease = world.api.get("Lease", "shop", "rind")!;
  const spec = lease["spec"] as object;
  world.api.put({
    ...lease,
    spec: { ...spec, holderIdentity: "somebody", leaseDurationSeconds: 15 },
  });
}

row("nothing is written where nothing changes", async (world) => {
  await reported(world);
  const before = writes(world, "ingresses") + writes(world, "events");
  assert.is(before, SITES.length);
  await world.traffic.more(A_WHILE);
  assert.is(writes(world, "ingresses") + writes(world, "events"), before);
});

row("a status that is wiped is written again, and one of another class never", async (world) => {
  world.api.put(ingressOf("foreign", "nginx"));
  for (const name of SITES)
    world.api.put({ ...world.api.get("Ingress", "shop", name)!, status: {} });
  await reported(world);
  assert.is(writes(world, "ingresses", "foreign"), 0);
  assert.equal(addressesOf(world, "foreign"), []);
  world.api.remove("Ingress", "shop", "foreign");
});

row("a lease that is lost: nothing is written until it is free again", async (world) => {
  await reported(world);
  stealLease(world);
  await until("somebody else leads", async () => (await world.report()).holder === "somebody");
  const before = writes(world, "ingresses");
  overwrite(world, "brie");
  await world.traffic.more(A_WHILE / 8);
  if ((await world.report()).holder === "somebody") assert.is(writes(world, "ingresses"), before);
  await reported(world);
  assert.is((await world.report()).leader, true);
});

row("leases that cannot be read or written", async (world) => {
  const allow = world.api.deny({ resource: "leases" });
  await until("nobody leads", async () => !(await world.report()).leader);
  assert.match((await world.report()).problem, "leases");
  allow();
  await until("it leads again", async () => (await world.report()).leader);
});

row("a status that may not be written", async (world) => {
  const allow = world.api.deny({ resource: "ingresses", verb: "patch" });
  overwrite(world, "comte");
  await until("it is said", async () => (await world.report()).problem.includes("ingresses"));
  allow();
  await reported(world);
});

row("another controller that writes the same status again and again", async (world) => {
  const before = writes(world, "ingresses", "feta");
  for (let i = 0; i < QUARREL; i++) {
    overwrite(world, "feta");
    await world.traffic.more(A_WHILE / 4);
  }
  assert.ok(writes(world, "ingresses", "feta") - before <= FIGHT_WRITES_MAX + 1);
  assert.equal(addressesOf(world, "feta"), [THEIRS]);
  assert.match(await world.findings(), "feta");
});

row("many objects that are wrong at once: one Event for each", async (world) => {
  const before = writes(world, "events");
  const broken = Array.from({ length: BURST }, (_, i) => ingressOf(`broken-${i}`));
  for (const object of broken) world.api.put(object);
  await until("each has an Event", () => writes(world, "events") >= before + BURST);
  for (const { metadata } of broken) world.api.remove("Ingress", "shop", metadata.name);
  await world.traffic.more(A_WHILE / 2);
  assert.is(writes(world, "events"), before + BURST);
});

report.run();
