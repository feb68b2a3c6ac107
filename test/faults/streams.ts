/** Streams that break, and versions that are too old. See rows.ts. */
import { suite } from "uvu";
import { A_WHILE, KINDS, rowsOf } from "./rows.ts";
import { siteOf, sliceOf } from "./world.ts";

const streams = suite("streams");
const row = rowsOf(streams);

row("410 again and again, in each of its forms", async (world) => {
  for (let i = 0; i < 3; i++) {
    world.api.compact();
    world.endWatches();
    await world.traffic.more(A_WHILE / 8);
    world.api.disturb({ kind: "answer", status: 410 }, { verb: "watch", times: KINDS.length });
    world.endWatches();
    await world.traffic.more(A_WHILE / 8);
    world.api.disturb({ kind: "expired" }, { verb: "watch", times: KINDS.length });
    for (const object of siteOf("feta", [world.origins.get("feta")!.port])) world.api.put(object);
    await world.traffic.more(A_WHILE / 8);
  }
});

row("streams cut in the middle of a line, reset, and ended after each event", async (world) => {
  const touch = (): void => {
    for (const object of siteOf("feta", [world.origins.get("feta")!.port])) world.api.put(object);
  };
  for (let i = 0; i < 6; i++) {
    for (const watch of world.api.watches()) watch[(["cut", "reset", "end"] as const)[i % 3]!]();
    touch();
    await world.traffic.more(A_WHILE / 8);
  }
  for (const kind of ["end", "twice"] as const) {
    const heal = world.api.disturb({ kind }, { verb: "watch" });
    for (let i = 0; i < 10; i++) touch();
    await world.traffic.more(A_WHILE / 4);
    heal();
  }
  const heal = world.api.disturb({ kind: "cut", bytes: 700 });
  world.endWatches();
  await world.traffic.more(A_WHILE / 2);
  heal();
});

row("lines that are no JSON, and JSON that is no event", async (world) => {
  for (const line of ["{nonsense", "null", "[]", "7", '"x"', "{}", '{"type":"ADDED"}', "\u0000"]) {
    for (const watch of world.api.watches()) watch.line(line);
    await world.traffic.more(A_WHILE / 16);
  }
});

row("hundreds of changes a second", async (world) => {
  const { port } = world.origins.get("feta")!;
  for (let i = 0; i < 800; i++) {
    const name = `churn-${i % 50}`;
    const [slice] = sliceOf(name, [port]);
    if (i < 50) for (const object of siteOf(name, [port])) world.api.put(object);
    else world.api.put({ ...slice!, endpoints: [{ addresses: [`127.0.0.${1 + (i % 200)}`] }] });
    await Bun.sleep(1);
  }
  for (let i = 0; i < 50; i++) {
    for (const kind of ["Ingress", "Service", "EndpointSlice"]) {
      world.api.remove(kind, "shop", `churn-${i}`);
    }
  }
});

streams.run();
