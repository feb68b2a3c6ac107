/** More clients than there is room for: who is in stays in, and there are always files left. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { CLIENT_FULL, CONNECTIONS_FULL } from "../../core/fault.ts";
import { tallied } from "../../core/tally.ts";
import { statusOf } from "../message.ts";
import { echo, openOrigin, respond, type Script } from "../origin.ts";
import { dial, turnsUntil, type Peer } from "../peer.ts";
import { withRig, type Rig } from "../rig.ts";
import { CHILD, type Told } from "./files.cases.ts";

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const PART_OF_A_HEAD = "GET / HTTP/1.1\r\n";

/** Answers a request when `open` is called, which lets all of them go on. */
function gate(): { script: Script; open: () => void; waiting: () => number } {
  let open = (): void => {};
  let waiting = 0;
  const opened = new Promise<void>((resolve) => (open = resolve));
  const script: Script = async (peer) => {
    while ((await peer.request()) !== null) {
      waiting++;
      await opened;
      peer.send(respond(200, "ok"));
    }
    peer.shut();
  };
  return { script, open, waiting: () => waiting };
}

/** A client that has sent `bytes`, with which it is busy. */
async function busy(rig: Rig, bytes = PART_OF_A_HEAD): Promise<Peer> {
  const client = await rig.client();
  client.send(bytes);
  return client;
}

async function expectFull(client: Peer): Promise<void> {
  await client.left();
  if (client.ending === "fin") assert.is(statusOf(await client.response()), 503);
}

test("above the capacity clients are turned away at once; those inside are answered", () => {
  const { script, open, waiting } = gate();
  return withRig(
    script,
    async (rig) => {
      const before = tallied(CONNECTIONS_FULL);
      const inside: Peer[] = [];
      for (let i = 0; i < 20; i++) inside.push(await busy(rig, GET));
      await turnsUntil(() => waiting() === 20);
      for (let i = 0; i < 40; i++) await expectFull(await rig.client());
      assert.is(tallied(CONNECTIONS_FULL), before + 40);
      assert.is(rig.plane.counts().connections, 20);
      open();
      for (const client of inside) assert.is(statusOf(await client.response()), 200);
      inside[0]!.reset();
      await turnsUntil(() => rig.plane.counts().connections < 20);
      const next = await rig.client();
      next.send(GET);
      assert.is(statusOf(await next.response()), 200, "there is room again");
    },
    { limits: { connections: 20, connectionsPerClient: 1_000 } },
  );
});

test("a turned away client reads why", () =>
  withRig(
    echo,
    async (rig) => {
      await busy(rig);
      await turnsUntil(() => rig.plane.counts().connections === 1);
      const client = await rig.client();
      const response = await client.response();
      assert.is(statusOf(response), 503);
      assert.match(response.body.toString(), /too many connections/);
      await client.left();
    },
    { limits: { connections: 1, connectionsPerClient: 10 } },
  ));

test("those who are inside and idle are not closed for those who come while they answer", () =>
  withRig(
    echo,
    async (rig) => {
      const clients: Peer[] = [];
      for (let i = 0; i < 10; i++) clients.push(await rig.client());
      for (let i = 0; i < 5; i++) await expectFull(await rig.client());
      for (const client of clients) client.send(GET);
      for (const client of clients) assert.is(statusOf(await client.response()), 200);
    },
    { limits: { connections: 10, connectionsPerClient: 1_000 } },
  ));

for (const trusted of [[], ["127.0.0.0/8"]]) {
  const who = trusted.length === 0 ? "one address has its share" : "a trusted proxy has no share";
  test(who, () =>
    withRig(
      echo,
      async (rig) => {
        const before = tallied(CLIENT_FULL);
        for (let i = 0; i < 5; i++) await busy(rig);
        await turnsUntil(() => rig.plane.counts().connections === 5);
        const sixth = await busy(rig);
        if (trusted.length === 0) {
          await expectFull(sixth);
          assert.is(tallied(CLIENT_FULL), before + 1);
        } else {
          await turnsUntil(() => rig.plane.counts().connections === 6);
          assert.is(rig.plane.counts().connections, 6);
        }
      },
      { trusted, limits: { connections: 50, connectionsPerClient: 5 } },
    ),
  );
}

test("with 256 files a worker turns the rest away, serves the others, does not spin", async () => {
  const origin = openOrigin(echo);
  // Not `Bun.spawn` with a limit, which it has not: the shell lowers it and becomes the worker.
  const command = `ulimit -n 256; exec "${process.execPath}" "${CHILD}" ${origin.port}`;
  const heard: Told[] = [];
  const child = Bun.spawn(["/bin/sh", "-c", command], {
    stdio: ["ignore", "ignore", "inherit"],
    ipc: (message: Told) => void heard.push(message),
  });
  const tell = async (): Promise<Told> => {
    const count = heard.length;
    child.send("tell");
    await turnsUntil(() => heard.length > count);
    return heard[count]!;
  };
  try {
    await turnsUntil(() => heard.length > 0);
    const { port, capacity } = heard[0]!;
    assert.is(capacity, 96);
    const clients = await Promise.all(
      Array.from({ length: 3 * capacity }, async () => {
        const client = await dial(port);
        client.send(PART_OF_A_HEAD);
        return client;
      }),
    );
    const inside = (): Peer[] => clients.filter((client) => client.ending === "open");
    await turnsUntil(() => inside().length === capacity);
    const first = await tell();
    await Bun.sleep(300);
    const second = await tell();
    assert.is(second.connections, capacity);
    assert.ok(second.files < 200, `${second.files} files`);
    const share = (second.cpuMs - first.cpuMs) / (second.wallMs - first.wallMs);
    assert.ok(share < 0.7, `${share} of a processor while nothing happens`);
    // All of them at once: each needs a connection to the backend.
    for (const client of inside()) client.send("Host: a\r\n\r\n");
    for (const client of inside()) assert.is(statusOf(await client.response()), 200);
    for (const client of clients) if (!client.closed) client.reset();
  } finally {
    child.kill("SIGKILL");
    await child.exited;
    origin.stop();
  }
});

test.run();
