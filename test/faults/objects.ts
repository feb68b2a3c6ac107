/** Objects that are wrong, or in each other's way. See rows.ts. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { until } from "../e2e/program.ts";
import { mutantsOf } from "./mutants.ts";
import { A_WHILE, rowsOf } from "./rows.ts";
import { ingressOf, openOrigin, serviceOf, siteOf, sliceOf } from "./world.ts";

const objects = suite("objects");
const row = rowsOf(objects);

row("objects with one wrong value, at every place of every kind", async (world) => {
  const origin = openOrigin("gouda");
  world.origins.set("gouda", origin);
  const { port } = origin;
  const objects = siteOf("gouda", [port]);
  for (const object of objects) world.api.put(object);
  await until("gouda is served", async () => (await world.status("gouda")) === 200);
  for (const object of objects) {
    for (const mutant of mutantsOf(object)) {
      world.api.put(mutant);
      await Bun.sleep(1);
    }
    world.api.put(object);
  }
  await until("gouda is served again", async () => (await world.status("gouda")) === 200);
  await until("nothing is said of it", async () => !(await world.findings()).includes("gouda"));
});

row("a bad version of an object: the one before it serves on", async (world) => {
  const { port } = world.origins.get("brie")!;
  const [slice] = sliceOf("brie", [port]);
  const service = serviceOf("brie");
  const bad = [
    { ...ingressOf("brie"), spec: 7 },
    { ...ingressOf("brie"), spec: { ingressClassName: "rind", rules: "all" } },
    { ...service, spec: { ports: [{ port: "many" }] } },
    { ...service, spec: { ports: 80 } },
    { ...slice!, endpoints: "none" },
    { ...slice!, endpoints: [{ addresses: "127.0.0.1" }] },
    { ...slice!, ports: [{ name: "http", port: "x" }] },
  ];
  for (const object of bad) {
    world.api.put(object);
    const said = async () => (await world.findings()).includes("brie");
    await until(`${object.kind} brie is reported`, said);
    await world.traffic.more(A_WHILE / 16);
  }
  // A list tells the bad version too, and a rind that has the good one keeps it.
  world.api.compact();
  world.endWatches();
  await world.traffic.more(A_WHILE / 8);
  for (const object of siteOf("brie", [port])) world.api.put(object);
  await until("nothing is said of it", async () => !(await world.findings()).includes("brie"));
});

row("a bad version of an object that is deleted then", async (world) => {
  world.site("tilsit");
  await until("tilsit is served", async () => (await world.status("tilsit")) === 200);
  world.api.put({ ...ingressOf("tilsit"), spec: 7 });
  await until("tilsit is reported", async () => (await world.findings()).includes("tilsit"));
  assert.is(await world.status("tilsit"), 200);
  world.api.remove("Ingress", "shop", "tilsit");
  await until("tilsit is gone", async () => (await world.status("tilsit")) === 404);
});

row("Ingresses that want a path that is taken, in any order", async (world) => {
  const rival = (name: string) => {
    const { metadata, spec } = ingressOf("edam");
    const { rules } = ingressOf("brie")["spec"] as { rules: unknown };
    const creationTimestamp = "2036-01-01T00:00:00Z";
    const younger = { ...metadata, name, creationTimestamp };
    return { ...ingressOf("edam"), metadata: younger, spec: { ...(spec as object), rules } };
  };
  world.site("edam");
  for (const name of ["a-rival", "z-rival", "m-rival"]) world.api.put(rival(name));
  world.api.compact();
  world.endWatches();
  await world.traffic.more(A_WHILE / 4);
  for (const name of ["m-rival", "a-rival", "z-rival"]) world.api.remove("Ingress", "shop", name);
});

objects.run();
