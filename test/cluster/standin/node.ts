/**
 * What a scheduler, a DaemonSet controller and a kubelet would do for rind's pods, and no more: the
 * pods are objects that the API server admitted, their containers are processes of this machine.
 */
import { join } from "node:path";
import { ask, create, MERGE } from "../../contract/target.cases.ts";
import type { Json } from "../../contract/client.ts";
import type { Real } from "../access.ts";

const ROOT = join(import.meta.dir, "../../..");
const RIND = [`--config=${join(ROOT, "bunfig.toml")}`, "--no-env-file", join(ROOT, "rind.ts")];
/** Where a container finds who it is, as every image expects it. */
const ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount";
/** Runs "$@" where the files of $0 are at $ACCOUNT, which nobody else sees. */
const MOUNTED = [
  "mount -t tmpfs none /var/run",
  `mkdir -p ${ACCOUNT}`,
  `cp "$0"/* ${ACCOUNT}`,
  'exec "$@"',
].join(" && ");
const PROBE_MS = 50;
const STOP_MS_MAX = 60_000;

/** A node: its addresses are this machine's. `taints` as in `spec.taints`. */
export type Node = Readonly<{ name: string; address: string; taints: readonly Json[] }>;

/** `account` is a folder with the files of its ServiceAccount; `env` replaces what the pod says. */
export type Place = Readonly<{
  node: Node;
  account: string;
  env: Readonly<Record<string, string>>;
}>;

/** A pod that runs. `stop` deletes it as kubectl would, and resolves to its exit code. */
export type RunningPod = Readonly<{
  name: string;
  node: Node;
  output: () => string;
  stop: () => Promise<number>;
  /** At once, when the tests are over. */
  kill: () => void;
}>;

/** Registers a node that is ready. */
export async function addNode({ admin }: Real, { name, address, taints }: Node): Promise<void> {
  const addresses = [{ type: "InternalIP", address }];
  const conditions = [{ type: "Ready", status: "True" }];
  const labels = { "kubernetes.io/os": "linux", "kubernetes.io/hostname": name };
  const node = { apiVersion: "v1", kind: "Node", metadata: { name, labels }, spec: { taints } };
  await create(admin, "/api/v1/nodes", node);
  const body = { status: { addresses, conditions } };
  await ask(admin, "PATCH", `/api/v1/nodes/${name}/status`, { body, type: MERGE });
}

/** Runs a DaemonSet's pod on a node. Rejects where its tolerations do not let it be there. */
export async function runPod(real: Real, set: Json, place: Place): Promise<RunningPod> {
  const { template } = set.spec;
  const { node } = place;
  if (!tolerates(template.spec, node)) throw new Error(`${set.metadata.name} may not run on it`);
  const { namespace } = set.metadata;
  const name = `${set.metadata.name}-${node.name}`;
  const path = `/api/v1/namespaces/${namespace}/pods`;
  await create(real.admin, path, {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, labels: template.metadata.labels },
    spec: { ...template.spec, nodeName: node.name },
  });
  const [container] = template.spec.containers;
  const env = environmentOf(container, namespace, name);
  const child = startContainer(real, place, [env, container.args ?? []]);
  const log = collect(child);
  const probe = new Probe(real, `${path}/${name}`, node.address);
  const stop = async (): Promise<number> => {
    // The object says that it ends before the process is told, as with a real kubelet.
    await ask(real.admin, "DELETE", `${path}/${name}`);
    child.kill("SIGTERM");
    const late = setTimeout(() => child.kill("SIGKILL"), STOP_MS_MAX);
    const code = await child.exited;
    clearTimeout(late);
    await probe.stop();
    const body = { gracePeriodSeconds: 0 };
    await ask(real.admin, "DELETE", `${path}/${name}`, { body });
    return code;
  };
  const kill = (): void => {
    void probe.stop();
    child.kill("SIGKILL");
  };
  return { name, node, output: () => log.text, stop, kill };
}

function startContainer(
  { connection }: Real,
  { account, env }: Place,
  [own, args]: readonly [Readonly<Record<string, string>>, readonly string[]],
): Bun.Subprocess<"ignore", "pipe", "pipe"> {
  const { hostname, port } = new URL(connection.server);
  const cluster = { KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port };
  const inside = ["unshare", "--mount", "sh", "-c", MOUNTED, account];
  return Bun.spawn([...inside, process.execPath, ...RIND, ...args], {
    env: { PATH: process.env["PATH"] ?? "", ...cluster, ...own, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
}

function tolerates({ tolerations = [] }: Json, { taints }: Node): boolean {
  return taints.every(({ key }) =>
    tolerations.some(
      (each: Json) => each.operator === "Exists" && (each.key === undefined || each.key === key),
    ),
  );
}

/** The environment of a container, with fields of the pod and `$(NAME)` put in. */
function environmentOf({ env = [] }: Json, namespace: string, name: string) {
  const fields = new Map([
    ["metadata.namespace", namespace],
    ["metadata.name", name],
  ]);
  const made = new Map<string, string>();
  for (const { name: variable, value, valueFrom } of env) {
    const text: string = value ?? fields.get(valueFrom.fieldRef.fieldPath) ?? "";
    made.set(
      variable,
      text.replace(/\$\((\w+)\)/g, (_, other) => made.get(other) ?? ""),
    );
  }
  return Object.fromEntries(made);
}

function collect(child: Bun.Subprocess<"ignore", "pipe", "pipe">): { text: string } {
  const log = { text: "" };
  const read = async (stream: ReadableStream<Uint8Array>): Promise<void> => {
    const decoder = new TextDecoder();
    for await (const chunk of stream) log.text += decoder.decode(chunk, { stream: true });
  };
  void read(child.stdout);
  void read(child.stderr);
  return log;
}

/** Asks `/readyz` again and again, and writes into the pod's status what it heard. */
class Probe {
  readonly #real: Real;
  readonly #pod: string;
  readonly #address: string;
  readonly #over: Promise<void>;
  #stopped = false;

  constructor(real: Real, pod: string, address: string) {
    this.#real = real;
    this.#pod = pod;
    this.#address = address;
    this.#over = this.#run();
  }

  stop(): Promise<void> {
    this.#stopped = true;
    return this.#over;
  }

  async #run(): Promise<void> {
    let last: boolean | null = null;
    while (!this.#stopped) {
      const ready = await this.#ask();
      if (ready !== last && !this.#stopped) await this.#write(ready);
      last = ready;
      await Bun.sleep(PROBE_MS);
    }
  }

  async #ask(): Promise<boolean> {
    // Not there yet, or not any more: not ready either way.
    const answer = await fetch(`http://${this.#address}:8080/readyz`).catch(() => null);
    return answer?.ok ?? false;
  }

  async #write(ready: boolean): Promise<void> {
    const ip = this.#address;
    const status = ready ? "True" : "False";
    const conditions = [{ type: "Ready", status, lastTransitionTime: new Date().toISOString() }];
    const where = { hostIP: ip, hostIPs: [{ ip }], podIP: ip, podIPs: [{ ip }] };
    const body = { status: { phase: "Running", conditions, ...where } };
    await this.#real.admin.ask("PATCH", `${this.#pod}/status`, { body, type: MERGE });
  }
}
