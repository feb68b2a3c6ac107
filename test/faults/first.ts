/** Starts with TLS: the first handshake already gets the right certificate. See rows.ts. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { SOURCE, until } from "../e2e/program.ts";
import { metName, visit } from "../handshake.ts";
import { look, root, rotate, secretOf, securedOf } from "./secured.ts";
import { World } from "./world.ts";

const HOST = "brie.example";
const HTTPS = ["--https", "127.0.0.1:0"];
/** Late, but not given up: rind waits for an answer much longer, when it is in no haste. */
const LATE_MS = 700;

const first = suite("first handshakes");

/** A world whose host has TLS. */
async function withWorld(body: (world: World) => Promise<void>): Promise<void> {
  const world = new World();
  world.api.put(securedOf("brie"));
  world.api.put(secretOf(HOST, root.issue({ names: [HOST] })));
  try {
    await body(world);
  } finally {
    await world.stop();
  }
}

/** Waits for HTTPS and says what the first client there met. */
async function firstMet(world: World, flags: readonly string[] = []): Promise<string> {
  await world.serve([...HTTPS, ...flags]);
  return metName(await look(world, HOST));
}

first("Secrets that are told late are waited for", () =>
  withWorld(async (world) => {
    world.api.disturb({ kind: "delay", ms: LATE_MS }, { resource: "secrets" });
    await world.serve(HTTPS, SOURCE);
    assert.is(metName(await look(world, HOST)), HOST);
  }),
);

first("Secrets that nobody may read: all is served, the host by the default certificate", () =>
  withWorld(async (world) => {
    const allow = world.api.deny({ resource: "secrets" });
    assert.is(await firstMet(world), "rind default certificate");
    assert.is(await world.status("comte"), 200);
    assert.match(await world.findings(), /brie-tls/);
    const counted = /rind_faults_total\{[^}]*fallbackShown[^}]*\} [1-9]/;
    await until("it is counted", async () => counted.test(await world.metrics()));
    allow();
    await rotate(world, HOST, root.issue({ names: [HOST] }));
  }),
);

first("what was shown last is shown again while the API server is away", () =>
  withWorld(async (world) => {
    const state = join(world.folder, "state");
    assert.is(await firstMet(world, ["--state", state]), HOST);
    await until("the state is kept", () => existsSync(join(state, "state")));
    await world.rind.stop();
    world.api.put(secretOf(HOST, root.issue({ names: [HOST] })));
    const back = world.api.disturb({ kind: "reset" });
    assert.is(await firstMet(world, ["--state", state]), HOST);
    back();
    await rotate(world, HOST, root.issue({ names: [HOST] }));
    assert.not.match(world.rind.output(), /PRIVATE KEY/);
  }),
);

first("a host that asks for certificates of clients is never served without", () =>
  withWorld(async (world) => {
    const ingress = securedOf("brie");
    const annotations = { "nginx.ingress.kubernetes.io/auth-tls-secret": "shop/clients" };
    world.api.put({ ...ingress, metadata: { ...ingress.metadata, annotations } });
    // Nobody has made the Secret of its authority yet.
    await world.serve([...HTTPS]);
    const { httpsPort: port } = world.rind;
    const ask = async (identity: ReturnType<typeof root.issue> | null): Promise<string> => {
      const visitor = await visit({ port, name: HOST, authority: root.certificate, identity });
      visitor.socket.write(`GET / HTTP/1.1\r\nHost: ${HOST}\r\nConnection: close\r\n\r\n`);
      await visitor.until(() => visitor.closed, "an answer");
      return visitor.heard.slice(9, 12);
    };
    assert.is(await ask(null), "503");
    assert.is((await world.rind.get(HOST)).status === 200, false);
    world.api.put({
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: "clients", namespace: "shop" },
      data: { "ca.crt": Buffer.from(root.certificate).toString("base64") },
    });
    const robot = root.issue({ names: ["robot"], use: "client" });
    await until("its authority is known", async () => (await ask(robot)) === "200");
    assert.is(await ask(null), "");
    // An authority that goes takes nobody's certificate for good, and lets nobody in without.
    world.api.remove("Secret", "shop", "clients");
    await until("its authority is gone", async () => (await ask(robot)) === "503");
    assert.is((await ask(null)) === "200", false);
    assert.is((await world.rind.get(HOST)).status === 200, false);
  }),
);

first.run();
