/** The API server that is away, slow, silent or overloaded. See rows.ts. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { A_WHILE, KINDS, rowsOf } from "./rows.ts";
import { openOrigin, sliceOf } from "./world.ts";

const outage = suite("outage");
const row = rowsOf(outage);

row("the API server is away, and a pod dies meanwhile", async (world) => {
  const mortal = openOrigin("brie");
  const { port } = world.origins.get("brie")!;
  for (const slice of sliceOf("brie", [port, mortal.port])) world.api.put(slice);
  await world.follows();
  world.api.down();
  await world.traffic.more(A_WHILE);
  mortal.stop();
  await world.traffic.more(A_WHILE);
  const { ready, notes, cluster } = await world.readiness();
  assert.is(ready, true);
  assert.ok(notes.length > 0, "it does not say that the API server is away");
  assert.ok(cluster.feeds.every(({ problem }) => problem !== ""));
  assert.match(await world.metrics(), /^rind_api_age_seconds \d/m);
  world.api.up();
  world.api.remove("EndpointSlice", "shop", "brie-1");
});

row("the API server takes seconds for each answer", async (world) => {
  const heal = world.api.disturb({ kind: "delay", ms: 600 });
  const asked = world.api.seen.length;
  world.endWatches();
  await world.traffic.more(A_WHILE);
  for (const kind of KINDS) {
    const of = world.api.seen.slice(asked).filter(({ call }) => call.resource === kind);
    assert.ok(of.length <= 4, `${kind} was asked for ${of.length} times`);
  }
  heal();
});

row("a partition, in which the cluster changes, and then heals", async (world) => {
  const heal = world.api.disturb({ kind: "blackhole" });
  const second = openOrigin("comte");
  world.api.put(sliceOf("comte", [second.port])[0]!);
  await world.traffic.more(A_WHILE);
  heal();
  // The other end gave the connections up long ago, and says so now.
  world.api.down();
  world.api.up();
  await world.follows();
  world.origins.get("comte")!.stop();
  world.origins.set("comte", second);
});

row("watches that say nothing any more and stay open", async (world) => {
  for (const watch of world.api.watches()) watch.stall();
  const began = performance.now();
  await world.follows();
  // 90 s of rind's clock, and what it takes to ask again.
  assert.ok(performance.now() - began < 12_000, "it noticed too late");
});

outage.run();
