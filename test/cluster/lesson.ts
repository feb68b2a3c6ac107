/**
 * The lesson from its first command to its last, on a real API server, by kubectl alone: rind runs
 * as its DaemonSet says and may do what its RBAC says. Only a kubelet is not there, nor a cluster
 * around it; test/cluster/standin does what those would.
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Json } from "../contract/client.ts";
import { until } from "../e2e/program.ts";
import { openReal, unfit, writeAccount } from "./access.ts";
import { addNode, type Node, runPod, type RunningPod } from "./standin/node.ts";
import { Addresses, Shop } from "./standin/shop.ts";
import { inAnyRow, taste, visit, visiting } from "./standin/visitor.ts";

const ROOT = join(import.meta.dir, "../..");
const DOMAIN = "127.0.0.1.nip.io";
const CHEESES = ["cheddar", "stilton", "wensleydale"];
const PLATE = `cheeseplate.${DOMAIN}`;
const TAINT = { key: "node-role.kubernetes.io/control-plane", effect: "NoSchedule" };
/** Less than the leader's Lease bears. */
const HANG_MS = 4_000;
const NODES: readonly [Node, Node] = [
  { name: "node1", address: "198.18.0.11", taints: [TAINT] },
  { name: "node2", address: "198.18.0.12", taints: [] },
];
const [FIRST, SECOND] = [NODES[0].address, NODES[1].address];
const VISITED = [FIRST, SECOND];

const real = await openReal();
const { kubectl } = real;
const folder = mkdtempSync(join(tmpdir(), "rind-lesson-"));
const addresses = new Addresses();
const shops = new Map(CHEESES.map((name) => [name, new Shop(real, name, addresses)]));
const pods = new Map<string, RunningPod>();
let broken = false;

const reason = unfit(real);
if (reason !== null) console.log(`skip: the lesson: ${reason}`);

/** A test that shows what rind said when it fails. */
function step(name: string, body: () => Promise<void>): void {
  (reason === null ? test : test.skip)(name, async () => {
    assert.not(broken, "without the first steps there is nothing to look at");
    try {
      await body();
    } catch (error) {
      if (name.startsWith("kubectl apply")) broken = true;
      for (const pod of pods.values()) console.log(`${pod.name}:\n${pod.output().slice(-2_000)}`);
      throw error;
    }
  });
}

/** On a line of its own, as the runner shows those. */
function note(text: string): void {
  console.log(`\nnote: ${text}`);
}

async function show(kind: string, name: string): Promise<Json> {
  return JSON.parse(await kubectl(["get", kind, name, "-o", "json"]));
}

async function addressesOf(name: string): Promise<string[]> {
  const { status } = await show("ingress", name);
  return (status.loadBalancer?.ingress ?? []).map(({ ip }: Json) => ip).sort();
}

async function runOn(node: Node): Promise<void> {
  const set = JSON.parse(await kubectl(["-n", "rind", "get", "daemonset", "rind", "-o", "json"]));
  const state = join(folder, node.name);
  mkdirSync(state);
  const env = {
    RIND_HTTP: `${node.address}:80`,
    RIND_HTTPS: `${node.address}:443`,
    RIND_ADMIN: `${node.address}:8080`,
    RIND_STATE: state,
  };
  pods.set(node.name, await runPod(real, set, { node, account: join(folder, "account"), env }));
}

async function leaves(name: string): Promise<void> {
  const code = await pods.get(name)!.stop();
  pods.delete(name);
  assert.is(code, 0);
}

step("kubectl apply -f k8s/rind.yaml: a pod on every node, also where the taint is", async () => {
  for (const node of NODES) await addNode(real, node);
  await kubectl(["apply", "-f", join(ROOT, "k8s/rind.yaml")]);
  await writeAccount(real, join(folder, "account"), ["rind", "rind"]);
  for (const node of NODES) await runOn(node);
  await until("both nodes answer", async () => {
    const met = await Promise.all(VISITED.map((address) => visit(address, "nobody.example")));
    return met.every(({ status }) => status === 404);
  });
  await until("both pods are ready", async () => {
    const { items } = JSON.parse(await kubectl(["-n", "rind", "get", "pods", "-o", "json"]));
    return items.every(({ status }: Json) => status.conditions?.[0]?.status === "True");
  });
});

step("kubectl apply -f k8s/examples/: each host has its cheese, on each node", async () => {
  await kubectl(["apply", "-f", join(ROOT, "k8s/examples/")]);
  for (const shop of shops.values()) await shop.scale(2);
  for (const cheese of CHEESES) {
    for (const address of VISITED) {
      await until(`${cheese} is served`, async () => {
        return (await visit(address, `${cheese}.${DOMAIN}`)).body.startsWith(cheese);
      });
    }
  }
});

step("kubectl get ingress shows the addresses of both nodes", async () => {
  await until("the status is there", async () => (await addressesOf("cheddar")).length === 2);
  for (const name of [...CHEESES, "cheeseplate"]) {
    await until("the status is there", async () => (await addressesOf(name)).length === 2);
    assert.equal(await addressesOf(name), [FIRST, SECOND]);
  }
  assert.match(await kubectl(["get", "ingress", "cheddar"]), `${FIRST},${SECOND}`);
});

step("of any four visits to the plate, two are cheddar, one is of each other", async () => {
  const words = await taste(FIRST, PLATE, 40);
  const these = ["cheddar", "cheddar", "stilton", "wensleydale"];
  assert.ok(inAnyRow(words, 4, these), words.join(" "));
});

step("kubectl edit: other weights are live at once", async () => {
  const weights = "cheddar: 25%\nwensleydale: 75%\nstilton: 0%\n";
  const key = "traefik.ingress.kubernetes.io/service-weights";
  await kubectl(["annotate", "--overwrite", "ingress", "cheeseplate", `${key}=${weights}`]);
  const startedAt = performance.now();
  const these = ["cheddar", "wensleydale", "wensleydale", "wensleydale"];
  await until("no stilton is left", async () => {
    return inAnyRow(await taste(FIRST, PLATE, 4), 4, these);
  });
  const tookMs = (performance.now() - startedAt).toFixed(0);
  note(`weights were live ${tookMs} ms after kubectl had ended`);
  const words = await taste(FIRST, PLATE, 40);
  assert.ok(inAnyRow(words, 4, these), words.join(" "));
});

step("kubectl scale: up, down and round again without a failed visit", async () => {
  const shop = shops.get("cheddar")!;
  const { count, failed } = await visiting([VISITED, `cheddar.${DOMAIN}`], async () => {
    for (const pods of [5, 1, 4, 2]) await shop.scale(pods);
  });
  assert.equal(failed.slice(0, 3), [], `${failed.length} of ${count} visits failed`);
  assert.ok(count > 100, `only ${count} visits`);
  note(`${count} visits while pods came and went`);
});

step("kubectl delete ingress: its host is 404, its neighbours stay", async () => {
  await kubectl(["delete", "ingress", "stilton"]);
  await until("it is gone", async () => (await visit(FIRST, `stilton.${DOMAIN}`)).status === 404);
  assert.is((await visit(FIRST, `cheddar.${DOMAIN}`)).status, 200);
  await kubectl(["apply", "-f", join(ROOT, "k8s/examples/cheeses.yaml")]);
  await until("it is back", async () => (await visit(FIRST, `stilton.${DOMAIN}`)).status === 200);
});

step("a misspelled Service: its share is 503, and kubectl get events says why", async () => {
  const words = await taste(FIRST, `misspelled.${DOMAIN}`, 40);
  assert.ok(inAnyRow(words, 4, ["503", "cheddar", "cheddar", "stilton"]), words.join(" "));
  const field = "involvedObject.name=cheeseplate-misspelled";
  let text = "";
  await until("there is an event", async () => {
    text = await kubectl(["get", "events", "--field-selector", field]);
    return text.includes("wensledale");
  });
  assert.match(text, "Warning");
  assert.match(text, "wensleydale");
  assert.match(await kubectl(["describe", "ingress", "cheeseplate-misspelled"]), "wensledale");
});

step("an Ingress of another class is not served, and not written to", async () => {
  const args = ["--class", "other", `--rule=other.example/*=cheddar:80`];
  await kubectl(["create", "ingress", "other", ...args]);
  const made = await show("ingress", "other");
  // What comes after it in the watch is live, so it has been seen.
  await kubectl([
    "create",
    "ingress",
    "after",
    "--class=rind",
    "--rule=after.example/*=cheddar:80",
  ]);
  await until(
    "the next one is live",
    async () => (await visit(FIRST, "after.example")).status === 200,
  );
  await until("the next one is written", async () => (await addressesOf("after")).length === 2);
  assert.is((await visit(FIRST, "other.example")).status, 404);
  assert.is(
    (await show("ingress", "other")).metadata.resourceVersion,
    made.metadata.resourceVersion,
  );
});

step("the API server hangs: not one visit fails, and the next edit is live at once", async () => {
  const { count, failed } = await visiting([VISITED, `cheddar.${DOMAIN}`], async () => {
    await real.hang(() => Bun.sleep(HANG_MS));
  });
  assert.equal(failed.slice(0, 3), [], `${failed.length} of ${count} visits failed`);
  const args = ["--class=rind", "--rule=later.example/*=cheddar:80"];
  await kubectl(["create", "ingress", "later", ...args]);
  await until("it is live", async () => (await visit(SECOND, "later.example")).status === 200);
});

step("in a cluster where nothing happens, rind writes nothing", async () => {
  await until("all is written", async () => (await addressesOf("later")).length === 2);
  const path = "/apis/networking.k8s.io/v1/namespaces/default/ingresses";
  const { body } = await real.admin.ask("GET", path);
  const { resourceVersion } = body.metadata;
  const watch = await real.admin.watch(path, { resourceVersion, timeoutSeconds: "3" });
  assert.is(await watch.next(), null);
});

step("a pod that ends takes its node out of every status, and the next one leads", async () => {
  await leaves("node1");
  for (const name of [...CHEESES, "cheeseplate", "after"]) {
    await until(`${name} is without node1`, async () => {
      return (await addressesOf(name)).join() === SECOND;
    });
  }
  assert.is((await visit(SECOND, `cheddar.${DOMAIN}`)).status, 200);
  await until("the next one leads", async () => {
    const lease = await kubectl(["-n", "rind", "get", "lease", "rind", "-o", "json"]);
    return (JSON.parse(lease).spec.holderIdentity ?? "").includes("node2");
  });
});

step("the last pod leaves empty statuses behind, and lets the Lease go", async () => {
  await leaves("node2");
  for (const name of [...CHEESES, "cheeseplate", "after"])
    assert.equal(await addressesOf(name), []);
  const lease = await kubectl(["-n", "rind", "get", "lease", "rind", "-o", "json"]);
  assert.is(JSON.parse(lease).spec.holderIdentity ?? "", "");
});

test.after(async () => {
  for (const pod of pods.values()) pod.kill();
  await Promise.all([...shops.values()].map((shop) => shop.close()));
  rmSync(folder, { recursive: true });
});

test.run();
