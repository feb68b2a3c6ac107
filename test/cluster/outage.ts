/** A real API server that is killed and comes back, with rind and its visitors going on. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { ask, create, ingress, ingresses, service, services } from "../contract/target.cases.ts";
import { type Program, startRind, until } from "../e2e/program.ts";
import { compact, openReal, type Real, realOf, unfit } from "./access.ts";
import type { Programs } from "./programs.ts";
import { type Cluster, startCluster } from "./server.ts";
import { Addresses, Shop } from "./standin/shop.ts";
import { visit, visiting } from "./standin/visitor.ts";

const AWAY_MS = 1_500;

const reason = unfit(await openReal());
if (reason !== null) console.log(`skip: outages: ${reason}`);

let cluster: Cluster;
let real: Real;
let rind: Program;
let shop: Shop;

const door = (): string => `127.0.0.1:${rind.port}`;
const answers = async (name: string, status: number): Promise<boolean> =>
  (await visit(door(), `${name}.example`)).status === status;

async function add(name: string): Promise<void> {
  const made = ingress(name, "cheddar");
  await create(real.admin, ingresses("default"), {
    ...made,
    spec: { ...made.spec, ingressClassName: "rind" },
  });
}

async function remove(name: string): Promise<void> {
  await ask(real.admin, "DELETE", `${ingresses("default")}/${name}`);
}

/** `body` with visitors of `kept` all the time, none of whom may fail. */
async function undisturbed(body: () => Promise<void>): Promise<void> {
  const { count, failed } = await visiting([[door()], "kept.example"], body);
  assert.equal(failed.slice(0, 3), [], `${failed.length} of ${count} visits failed`);
  assert.ok(count > 100, `only ${count} visits`);
}

function step(name: string, body: () => Promise<void>): void {
  (reason === null ? test : test.skip)(name, async () => {
    try {
      await body();
    } catch (error) {
      console.log(rind.output().slice(-2_000));
      throw error;
    }
  });
}

test.before(async () => {
  if (reason !== null) return;
  const programs = JSON.parse(process.env["RIND_TEST_PROGRAMS"] ?? "") as Programs;
  // Its own one: this cannot be done to the cluster of other tests. It lists as most servers do.
  cluster = await startCluster(programs, false);
  const { kubeconfig, etcd } = cluster;
  real = await realOf({ kubeconfig, etcd, kubectl: programs.kubectl });
  await create(real.admin, services("default"), service("cheddar"));
  shop = new Shop(real, "cheddar", new Addresses());
  await shop.scale(2);
  for (const name of ["kept", "first"]) await add(name);
  rind = await startRind(["run", "--kubeconfig", kubeconfig, "--workers", "2", "--report", "off"]);
  await until("it serves", () => answers("kept", 200));
});

step("it is killed and started: rind stays ready, and hears of edits again", async () => {
  await undisturbed(async () => {
    await cluster.down();
    await Bun.sleep(AWAY_MS);
    assert.ok((await rind.readiness()).ready);
    assert.ok(await answers("first", 200));
    await cluster.up();
    await add("second");
    await remove("first");
    await until("the new one is live", () => answers("second", 200));
    await until("the old one is gone", () => answers("first", 404));
  });
});

step("the past is forgotten while rind looks away: one list, and no gap", async () => {
  await undisturbed(async () => {
    // Its workers go on; only who watches the cluster is held.
    process.kill(rind.pid, "SIGSTOP");
    try {
      await cluster.down();
      await cluster.up();
      await add("third");
      await remove("second");
      await compact(real);
    } finally {
      process.kill(rind.pid, "SIGCONT");
    }
    await until("the new one is live", () => answers("third", 200));
    await until("the old one is gone", () => answers("second", 404));
  });
});

test.after(async () => {
  if (reason !== null) return;
  await rind.stop();
  await shop.close();
  await cluster.stop();
});

test.run();
