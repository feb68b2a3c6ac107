/** Several controllers on one cluster: each writes to what is its own, and none fights another. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Json } from "../contract/client.ts";
import { create, ingress, ingresses } from "../contract/target.cases.ts";
import { type Program, startRind, until } from "../e2e/program.ts";
import { makeNamespace, openReal } from "./access.ts";

/** A status may be written this often, milliseconds; see watch/report/ledger.ts. */
const OBJECT_MS = 5_000;
/** Of each of two that want the same one. */
const WRITES_MAX = 3;

const real = await openReal();
const namespace = await makeNamespace(real, "two");
const path = ingresses(namespace);
const running: Program[] = [];

/** A rind for the classes of one controller, which publishes one address. */
async function start(name: string, controller: string, address: string): Promise<Program> {
  const scope = ["--namespaces", namespace, "--controller", `two.example/${controller}`];
  const report = ["--pod", `${namespace}/${name}`, "--lease", `${namespace}/${name}`];
  const args = ["--class", classOf(controller), "--publish-address", address, "--workers", "0"];
  const rind = await startRind([
    "run",
    "--kubeconfig",
    real.kubeconfig,
    ...scope,
    ...report,
    ...args,
  ]);
  running.push(rind);
  return rind;
}

const classOf = (controller: string): string => `${namespace}-${controller}`;

async function makeClass(controller: string): Promise<void> {
  await create(real.admin, "/apis/networking.k8s.io/v1/ingressclasses", {
    apiVersion: "networking.k8s.io/v1",
    kind: "IngressClass",
    metadata: { name: classOf(controller) },
    spec: { controller: `two.example/${controller}` },
  });
}

async function makeIngress(name: string, controller: string): Promise<void> {
  const made = ingress(name);
  const spec = { ...made.spec, ingressClassName: classOf(controller) };
  await create(real.admin, path, { ...made, spec });
}

const addressOf = ({ status }: Json): string | undefined => status.loadBalancer?.ingress?.[0]?.ip;

async function addressIn(name: string): Promise<string | undefined> {
  return addressOf((await real.admin.ask("GET", `${path}/${name}`)).body);
}

/** What is written in this namespace from now on, for some seconds. */
async function writes(seconds: number): Promise<Json[]> {
  const { metadata } = (await real.admin.ask("GET", path)).body;
  const { resourceVersion } = metadata;
  const watch = await real.admin.watch(path, { resourceVersion, timeoutSeconds: String(seconds) });
  const events: Json[] = [];
  for (let event = await watch.next(); event !== null; event = await watch.next()) {
    events.push(event);
  }
  return events;
}

test("two controllers with classes of their own: each its address, and then silence", async () => {
  for (const controller of ["a", "b"]) {
    await makeClass(controller);
    await makeIngress(`for-${controller}`, controller);
  }
  await start("a", "a", "192.0.2.1");
  await start("b", "b", "192.0.2.2");
  await until("a is published", async () => (await addressIn("for-a")) === "192.0.2.1");
  await until("b is published", async () => (await addressIn("for-b")) === "192.0.2.2");
  assert.equal(await writes(3), []);
});

test("two that take the same class by mistake: some writes, and then one leaves it", async () => {
  await start("c", "a", "192.0.2.3");
  await until("it has written", async () => (await addressIn("for-a")) === "192.0.2.3");
  const said = () => running.map((rind) => rind.output()).join("");
  // Each may write again after a while; who has done so too often says that it gives up.
  const first = await writes((WRITES_MAX * OBJECT_MS * 1.2) / 1_000);
  assert.ok(first.length <= 2 * WRITES_MAX, `${first.length} writes`);
  assert.equal(await writes(8), [], said().slice(-2_000));
  assert.match(said(), "somebody else keeps writing other addresses here");
});

test.after(async () => {
  await Promise.all(running.map((rind) => rind.stop()));
  await real.admin.ask("DELETE", `/api/v1/namespaces/${namespace}`);
  for (const controller of ["a", "b"]) {
    const name = classOf(controller);
    await real.admin.ask("DELETE", `/apis/networking.k8s.io/v1/ingressclasses/${name}`);
  }
});

test.run();
