/** Refusals: overload, permissions, tokens, kinds. See rows.ts. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { until } from "../e2e/program.ts";
import { A_WHILE, KINDS, rowsOf } from "./rows.ts";

const refusals = suite("refusals");
const row = rowsOf(refusals);

row("429, 500 and 503, which is not asked often then", async (world) => {
  const heals = KINDS.map((resource, i) => {
    const status = [429, 500, 503][i % 3]!;
    return world.api.disturb({ kind: "answer", status, retryAfterSeconds: 2 }, { resource });
  });
  const asked = world.api.seen.length;
  world.endWatches();
  await world.traffic.more(2 * A_WHILE);
  for (const kind of KINDS) {
    const of = world.api.seen.slice(asked).filter(({ call }) => call.resource === kind);
    assert.ok(of.length <= 8, `${kind} was asked for ${of.length} times in 40 s`);
  }
  for (const heal of heals) heal();
});

row("permissions that are gone, one kind after the other and all at once", async (world) => {
  for (const resource of KINDS) {
    const allow = world.api.deny({ resource });
    world.endWatches();
    await until(`${resource} is reported`, async () =>
      (await world.readiness()).cluster.feeds.some(({ problem }) => problem.includes(resource)),
    );
    allow();
  }
  const allow = world.api.deny({});
  world.endWatches();
  await world.traffic.more(A_WHILE / 2);
  allow();
});

row("a token that expires, and rotates", async (world) => {
  for (const token of ["second", "third"]) {
    world.token(token);
    world.endWatches();
    await world.follows();
  }
  world.api.guard.tokens.clear();
  world.api.guard.tokens.set("nobody has this", "nobody");
  world.endWatches();
  await world.traffic.more(A_WHILE / 2);
  world.token("fourth");
});

row("a kind that is not installed any more, and comes back", async (world) => {
  const { kinds } = world.api;
  const at = kinds.findIndex(({ plural }) => plural === "endpointslices");
  const [gone] = kinds.splice(at, 1);
  world.endWatches();
  await world.traffic.more(A_WHILE / 2);
  kinds.push(gone!);
});

refusals.run();
