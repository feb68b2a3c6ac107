/** Certificates that are wrong, late or gone, over TLS all the time. See rows.ts. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { startCallers, type Callers } from "../callers.ts";
import type { KeyPair } from "../../core/model.ts";
import { until } from "../e2e/program.ts";
import { visit } from "../handshake.ts";
import { KINDS, rowsOf } from "./rows.ts";
import { look, root, rotate, secretOf, securedOf } from "./secured.ts";
import { siteOf, type World } from "./world.ts";

/** Whose certificate things happen to, and who must not notice. */
const HOST = "tilsit.example";
const NEIGHBOUR = "gouda.example";
const NAMES = { names: [HOST] } as const;

const certificates = suite("certificates");
const plain = rowsOf(certificates, { flags: ["--https", "127.0.0.1:0"] });

/** Bodies of TLS hosts; each has its own certificate, and callers that never stop. */
const BODIES = new Map([
  [HOST, "tilsit"],
  [NEIGHBOUR, "gouda"],
]);

/** A row in which callers over TLS are served by the last good certificate, whatever happens. */
function row(name: string, fault: (world: World, callers: Callers) => Promise<void>): void {
  plain(name, async (world) => {
    await settle(world);
    const { httpsPort: port } = world.rind;
    const calls = { port, authority: root.certificate, bodies: BODIES, keep: 2, fresh: 1 };
    const callers = startCallers(calls);
    await callers.more(30);
    await fault(world, callers);
    await callers.more(60);
    await callers.stop();
    assert.equal(callers.failures, []);
    assert.ok(callers.kept() > 0);
    assert.not.match(world.rind.output(), /PRIVATE KEY/);
    assert.not.match(await world.findings(), /PRIVATE KEY|BEGIN/);
  });
}

/** Both hosts are served, each with a new and good certificate. */
async function settle(world: World): Promise<void> {
  for (const [host, site] of BODIES) {
    if (!world.origins.has(site)) {
      world.site(site);
      world.api.put(securedOf(site));
    }
    await rotate(world, host, root.issue({ names: [host] }));
    await until(`${site} answers`, async () => {
      const { met } = await look(world, host);
      return met?.trusted === true;
    });
  }
}

/** Waits until the Secret, or who names it, is reported. */
async function reported(world: World, what: RegExp): Promise<void> {
  await until(`${what} is reported`, async () => what.test(await world.findings()));
}

/** The certificate that is shown now is the one that was shown before. */
async function shown(world: World): Promise<string> {
  return (await look(world, HOST)).met?.certificate.serialNumber ?? "none";
}

const BAD: readonly (readonly [string, KeyPair])[] = [
  ["is no PEM", { chain: "not PEM", key: "not PEM" }],
  ["is empty", { chain: "", key: "" }],
  ["is of another key", { ...root.issue(NAMES), key: root.issue(NAMES).key }],
  ["is cut in the middle", { ...root.issue(NAMES), chain: root.issue(NAMES).chain.slice(0, 300) }],
  ["has no key", { ...root.issue(NAMES), key: "" }],
];

for (const [what, pair] of BAD) {
  row(`a certificate that ${what}: the one before it is shown`, async (world) => {
    const before = await shown(world);
    world.api.put(secretOf(HOST, pair));
    await reported(world, /tilsit-tls/);
    assert.is(await shown(world), before);
    await rotate(world, HOST, root.issue(NAMES));
    await until("nothing is said of it", async () => !/tilsit/.test(await world.findings()));
  });
}

row("a Secret that is deleted, and comes back with another pair", async (world) => {
  const before = await shown(world);
  world.api.remove("Secret", "shop", "tilsit-tls");
  await reported(world, /tilsit-tls/);
  assert.is(await shown(world), before);
  await rotate(world, HOST, root.issue(NAMES));
  await until("nothing is said of it", async () => !/tilsit/.test(await world.findings()));
});

row("rotations, one after the other", async (world) => {
  for (let i = 0; i < 5; i++) await rotate(world, HOST, root.issue(NAMES));
});

row("rotations while the API server is down: seen when it is back", async (world, callers) => {
  const before = await shown(world);
  const heals = [...KINDS, "secrets"].map((resource) =>
    world.api.disturb({ kind: "answer", status: 503 }, { resource }),
  );
  world.endWatches();
  const pair = root.issue(NAMES);
  world.api.put(secretOf(HOST, pair));
  await callers.more(100);
  assert.is(await shown(world), before);
  for (const heal of heals) heal();
  await rotate(world, HOST, pair);
});

row("permission to read Secrets that is gone, and comes back", async (world, callers) => {
  const before = await shown(world);
  const allow = world.api.deny({ resource: "secrets" });
  world.endWatches();
  const pair = root.issue(NAMES);
  world.api.put(secretOf(HOST, pair));
  await callers.more(100);
  assert.is(await shown(world), before);
  allow();
  await rotate(world, HOST, pair);
});

plain("a certificate that expired is shown, and reported", async (world) => {
  await settle(world);
  const expired = root.issue({ ...NAMES, fromDays: -9, untilDays: -1 });
  await rotate(world, HOST, expired);
  await reported(world, /expired/);
  await rotate(world, HOST, root.issue({ ...NAMES, untilDays: 9 }));
  await reported(world, /expires/);
  await rotate(world, HOST, root.issue(NAMES));
  await until("nothing is said of it", async () => !/tilsit/.test(await world.findings()));
});

plain("a host without a Secret so far: the default is shown, and reported", async (world) => {
  for (const object of siteOf("emmental", [world.origins.get("brie")!.port])) world.api.put(object);
  world.api.put(securedOf("emmental"));
  await reported(world, /emmental-tls/);
  const { httpsPort: port } = world.rind;
  const visitor = await visit({ port, name: "emmental.example" });
  assert.match(visitor.met?.certificate.subject ?? "", /rind default certificate/);
  await visitor.leave();
  const pair = root.issue({ names: ["emmental.example"] });
  await rotate(world, "emmental.example", pair);
  await until("nothing is said of it", async () => !/emmental/.test(await world.findings()));
  world.api.remove("Ingress", "shop", "emmental");
});

certificates.run();
