/**
 * What people apply, as a real API server judges it: every field (`--validate=strict`), and pods by
 * the Pod Security Standard of their namespace. Nothing is kept (`--dry-run=server`).
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { at, objectsIn } from "../../k8s/test/fixture/objects.ts";
import type { Raw } from "../../k8s/test/fixture/objects.ts";
import { installedHelm } from "./helm.ts";
import { makeAccount, makeNamespace, openReal } from "./access.ts";

const K8S = join(import.meta.dir, "../../k8s");
const CHART = join(K8S, "chart/rind");
const CHECKED = ["--dry-run=server", "--validate=strict", "-f", "-"];
const LEVEL = "pod-security.kubernetes.io/enforce";

const real = await openReal();
/** Where the objects go that are meant for the namespace rind. */
const namespace = await makeNamespace(real, "manifests");
await makeAccount(real, namespace, "rind");
const helm = installedHelm(process.env);

/** The server keeps none of it, so a namespace that is part of it would not be there. */
function moved(objects: readonly Raw[]): Raw[] {
  return objects
    .filter(({ kind }) => kind !== "Namespace")
    .map((raw) => ({ ...raw, metadata: { ...raw.metadata, ...home(raw) } }));
}

function home({ metadata }: Raw): object {
  return metadata.namespace === "rind" ? { namespace } : {};
}

function listOf(items: readonly unknown[]): string {
  return JSON.stringify({ apiVersion: "v1", kind: "List", items });
}

async function takes(objects: readonly Raw[]): Promise<void> {
  assert.ok(objects.length > 0);
  const said = await real.kubectl(["apply", ...CHECKED], listOf(moved(objects)));
  assert.is(said.trim().split("\n").length, moved(objects).length, said);
}

async function textOf(path: string): Promise<string> {
  return Bun.file(join(K8S, path)).text();
}

for (const path of [
  "rind.yaml",
  "kustomize/components/nodes/role.yaml",
  "kustomize/components/all-secrets/role.yaml",
]) {
  test(`k8s/${path} is taken, to the last field`, async () => {
    await takes(objectsIn(await textOf(path)));
  });
}

for (const overlay of ["host-network", "load-balancer", "kind"]) {
  test(`the overlay ${overlay} is taken, to the last field`, async () => {
    const folder = join(K8S, "kustomize/overlays", overlay);
    await takes(objectsIn(await real.kubectl(["kustomize", folder])));
  });
}

function chart(command: readonly string[], ...settings: readonly string[]): string {
  const set = settings.flatMap((setting) => ["--set", setting]);
  const server = ["--kubeconfig", real.kubeconfig, "--namespace", namespace];
  const args = [...command, "rind", CHART, ...server, ...set];
  const { status, stdout, stderr } = spawnSync(helm ?? "", args, { encoding: "utf8" });
  assert.is(status, 0, stderr);
  return stdout;
}

const rendering = helm === null ? test.skip : test;

for (const settings of [
  ["kind=DaemonSet"],
  ["kind=Deployment"],
  ["namespaces={default,kube-system}", "secrets.namespaces={default}", "admin.local=true"],
  ["secrets.clusterWide=true", "publish.nodeAddress=ExternalIP", "class.default=true"],
]) {
  rendering(`the chart with ${settings.join(" ")} is taken, to the last field`, async () => {
    const command = ["template", "--kube-version", "1.34.0"];
    await takes(objectsIn(chart(command, ...settings)));
  });
}

rendering("the chart says what it may read", () => {
  // The lesson's objects have the other name, and are not Helm's.
  const install = ["install", "--dry-run=server", "--set", "fullnameOverride=edge,class.name=edge"];
  assert.match(chart(install), /It may read no Secret yet/);
  assert.match(chart(install, "secrets.clusterWide=true"), /WARNING: it may read every Secret/);
  assert.not.match(chart(install, "secrets.namespaces={default}"), /Secret yet|WARNING/);
});

/** A pod as the controller of a DaemonSet or Deployment makes it. */
async function podOf(path: string, kind: string): Promise<string> {
  const workload = objectsIn(await textOf(path)).find((raw) => raw.kind === kind);
  const spec = at(workload, "spec", "template", "spec");
  const metadata = { name: "rind", namespace };
  return JSON.stringify({ apiVersion: "v1", kind: "Pod", metadata, spec });
}

async function hold(level: string): Promise<void> {
  await real.kubectl(["label", "--overwrite", "namespace", namespace, `${LEVEL}=${level}`]);
}

test("behind a load balancer, pods keep to the restricted Pod Security Standard", async () => {
  await hold("restricted");
  const pod = await podOf("kustomize/overlays/load-balancer/rind.yaml", "Deployment");
  assert.match(await real.kubectl(["create", ...CHECKED], pod), "pod/rind created");
});

test("on the network of a node, that network is all that the Standard minds", async () => {
  const pod = await podOf("rind.yaml", "DaemonSet");
  await hold("privileged");
  assert.match(await real.kubectl(["create", ...CHECKED], pod), "pod/rind created");
  await hold("restricted");
  const refused = await real.kubectl(["create", ...CHECKED], pod).then(
    () => "taken",
    (error: Error) => error.message,
  );
  const reasons = /violates PodSecurity "restricted:latest": (.*)/.exec(refused)?.[1];
  assert.match(
    reasons ?? refused,
    /^host namespaces \(hostNetwork=true\), hostPort \(container "rind" uses hostPorts [\d, ]+\)$/,
  );
});

test.run();
