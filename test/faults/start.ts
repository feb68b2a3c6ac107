/** Starts that are late: nobody is answered before rind knows what to answer. See rows.ts. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { until } from "../e2e/program.ts";
import { type Message, statusOf } from "../message.ts";
import { dial, freePort, type Peer } from "../peer.ts";
import { KINDS } from "./rows.ts";
import { World } from "./world.ts";

/** Late by the clock of the world. */
const LATE_MS = 700;

const start = suite("start");

/** The answer for somebody who asks as soon as anybody listens. */
async function early(port: number): Promise<Message> {
  let peer: Peer | null = null;
  await until("somebody listens", async () => {
    peer = await dial(port).catch(() => null);
    return peer !== null;
  });
  const client = peer as unknown as Peer;
  client.send("GET / HTTP/1.1\r\nHost: brie.example\r\nConnection: close\r\n\r\n");
  const answer = await client.response();
  client.reset();
  return answer;
}

/** Starts rind in a world that `delayed` makes late; who asks early gets the right answer late. */
async function starts(delayed: (world: World) => () => void): Promise<void> {
  const world = new World();
  try {
    const heal = delayed(world);
    const port = freePort();
    const serving = world.serve(["--http", `127.0.0.1:${port}`]);
    const answer = early(port);
    await Bun.sleep(LATE_MS);
    heal();
    await serving;
    assert.is(statusOf(await answer), 200);
    assert.is((await answer).body.toString(), "brie");
    await world.follows();
  } finally {
    await world.stop();
  }
}

for (const resource of KINDS) {
  start(`${resource} that are told late`, () =>
    starts((world) => world.api.disturb({ kind: "delay", ms: LATE_MS }, { resource })),
  );
}

start("an API server that is away", () =>
  starts((world) => {
    world.api.down();
    return () => world.api.up();
  }),
);

start("permissions that are not there yet", () => starts((world) => world.api.deny({})));

start("a token that is not valid yet", () =>
  starts((world) => world.api.disturb({ kind: "answer", status: 401 })),
);

start.run();
