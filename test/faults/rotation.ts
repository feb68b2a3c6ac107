/** All certificates change while clients ask: no request is lost, and no connection is closed. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { startCallers } from "../callers.ts";
import { until } from "../e2e/program.ts";
import { visit } from "../handshake.ts";
import type { KeyKind } from "../pki.ts";
import { look, root, secretOf, securedOf, shows } from "./secured.ts";
import { serviceOf, sliceOf, World } from "./world.ts";

const SITES = Array.from({ length: 100 }, (_, i) => `site${i}`);
const ROUNDS = 3;
/** The default certificate is in its Secret. */
const DEFAULT = "fallback";
/** A host whose clients show certificates, while it is there. */
const BANK = "bank";

const rotation = suite("rotation");
let world: World;

rotation.before(async () => {
  world = new World();
  const { port } = world.origins.get("brie")!;
  for (const site of SITES) {
    for (const object of [serviceOf(site), ...sliceOf(site, [port]), securedOf(site)]) {
      world.api.put(object);
    }
  }
  issueAll([...SITES, DEFAULT]);
  const more = ["--https", "127.0.0.1:0", "--default-certificate", `shop/${DEFAULT}-tls`];
  await world.serve([...more, "--workers", "2"]);
  await allShow();
});

rotation.after(() => world.stop());

/** The pair of each site as its Secret has it now. */
const current = new Map<string, ReturnType<typeof root.issue>>();

function issueAll(sites: readonly string[], kind: KeyKind = "ec"): void {
  for (const site of sites) {
    const pair = root.issue({ names: [`${site}.example`], kind });
    current.set(site, pair);
    world.api.put(secretOf(site, pair));
  }
}

async function allShow(): Promise<void> {
  for (const site of SITES) await shows(world, `${site}.example`, current.get(site)!);
}

/** Runs `change` among callers that must not notice. `named`: whether they ask for a name. */
async function among(change: () => Promise<void>, named = true): Promise<void> {
  const bodies = new Map(SITES.map((site) => [`${site}.example`, "brie"]));
  const { httpsPort: port } = world.rind;
  const callers = startCallers({
    port,
    authority: root.certificate,
    bodies,
    keep: 30,
    fresh: 3,
    named,
  });
  try {
    await callers.more(60);
    const [served, kept] = [callers.served(), callers.kept()];
    await change();
    await callers.more(60);
    assert.ok(callers.served() > served);
    assert.ok(callers.kept() > kept);
    await until("somebody goes on with a session", () => callers.resumed() > 0);
  } finally {
    await callers.stop();
  }
  assert.equal(callers.failures, []);
}

rotation("100 certificates, three times over", async () => {
  await among(async () => {
    for (let round = 0; round < ROUNDS; round++) {
      issueAll(SITES);
      await allShow();
    }
    // An issuer may go over to other keys.
    issueAll(SITES.slice(0, 5), "rsa");
    await allShow();
  });
});

rotation("the default certificate, for clients that ask for no name", async () => {
  await among(async () => {
    for (let round = 0; round < ROUNDS; round++) {
      issueAll([DEFAULT]);
      await shows(world, "", current.get(DEFAULT)!);
    }
  }, false);
});

rotation("policies that come and go change how a worker listens", async () => {
  const { port } = world.origins.get("brie")!;
  world.api.put({
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: "clients", namespace: "shop" },
    data: { "ca.crt": Buffer.from(root.certificate).toString("base64") },
  });
  const ingress = securedOf(BANK);
  const annotations = { "nginx.ingress.kubernetes.io/auth-tls-secret": "shop/clients" };
  for (const object of [serviceOf(BANK), ...sliceOf(BANK, [port])]) world.api.put(object);
  issueAll([BANK]);
  for (const named of [true, false]) {
    await among(async () => {
      for (let round = 0; round < ROUNDS; round++) {
        world.api.put({ ...ingress, metadata: { ...ingress.metadata, annotations } });
        await until("the bank asks for certificates", async () => !(await admits(BANK)));
        world.api.remove("Ingress", "shop", BANK);
        await until("the bank is gone", async () => {
          return (await look(world, `${BANK}.example`)).met?.trusted === false;
        });
      }
    }, named);
  }
});

/** Whether a client without a certificate gets an answer. */
async function admits(site: string): Promise<boolean> {
  const name = `${site}.example`;
  const visitor = await visit({ port: world.rind.httpsPort, name, authority: root.certificate });
  visitor.socket.write(`GET / HTTP/1.1\r\nHost: ${name}\r\n\r\n`);
  await visitor.until(() => visitor.heard !== "" || visitor.closed, "an answer");
  const admitted = visitor.heard !== "";
  await visitor.leave();
  return admitted;
}

rotation.run();
