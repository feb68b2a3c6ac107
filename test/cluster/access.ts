/** The cluster that test/cluster/run.ts started, or that it was given, as tests reach it. */
import { mkdirSync, writeFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { openClient, type Client, type Connection, type Json } from "../contract/client.ts";
import { ask, create } from "../contract/target.cases.ts";

/** `etcd` is "" for a cluster that is not ours. */
export type Real = Readonly<{
  kubeconfig: string;
  etcd: string;
  /** Lets the API server hang for `body`, as behind a broken network. It must be ours. */
  hang: (body: () => Promise<void>) => Promise<void>;
  kubectl: (args: readonly string[], stdin?: string) => Promise<string>;
  connection: Connection;
  admin: Client;
}>;

const ACCOUNTS = "serviceaccounts";
/** What run.ts gave to lo, with all of its /16. */
const POD_NETWORK = "198.18.0.1";

/** How tests are told of a cluster. `etcd` "": it is not ours. */
type Given = Readonly<{ kubeconfig: string; etcd: string; kubectl: string }>;

/** What run.ts left in the environment. Rejects where there is nothing: these tests need it. */
export async function openReal(): Promise<Real> {
  const { RIND_TEST_KUBECONFIG: kubeconfig, RIND_TEST_ETCD: etcd = "" } = process.env;
  const kubectl = process.env["RIND_TEST_KUBECTL"];
  if (!kubeconfig || !kubectl) throw new Error("run these tests with npm run test:cluster");
  return realOf({ kubeconfig, etcd, kubectl });
}

/** The cluster that a kubeconfig is for; `kubectl` is the program. */
export async function realOf({ kubeconfig, etcd, kubectl: program }: Given): Promise<Real> {
  const kubectl = async (args: readonly string[], stdin = ""): Promise<string> => {
    const child = Bun.spawn([program, "--kubeconfig", kubeconfig, ...args], {
      stdio: [new Blob([stdin]), "pipe", "pipe"],
    });
    const streams = [child.stdout, child.stderr].map((each) => new Response(each).text());
    const [out = "", problem = ""] = await Promise.all(streams);
    if ((await child.exited) === 0) return out;
    throw new Error(`kubectl ${args.join(" ")}: ${problem}`);
  };
  const view = ["config", "view", "--raw", "--minify", "--flatten", "-o", "json"];
  const connection = connectionOf(JSON.parse(await kubectl(view)));
  const admin = openClient(connection);
  return { kubeconfig, etcd, hang, kubectl, connection, admin };
}

async function hang(body: () => Promise<void>): Promise<void> {
  const pid = Number(process.env["RIND_TEST_API_PID"]);
  process.kill(pid, "SIGSTOP");
  try {
    await body();
  } finally {
    process.kill(pid, "SIGCONT");
  }
}

function connectionOf(config: Json): Connection {
  const { cluster } = config.clusters[0];
  const { user } = config.users[0];
  const text = (name: string, base64: string | undefined) =>
    base64 === undefined ? {} : { [name]: Buffer.from(base64, "base64").toString() };
  return {
    server: cluster.server,
    ...text("ca", cluster["certificate-authority-data"]),
    ...text("cert", user["client-certificate-data"]),
    ...text("key", user["client-key-data"]),
    ...(user.token === undefined ? {} : { token: user.token }),
  };
}

/**
 * Why what takes a whole cluster cannot be tried here, or null: it makes nodes and writes into the
 * namespace `default`, and its pods need addresses of this machine that are not loopback.
 */
export function unfit({ etcd }: Real): string | null {
  if (etcd === "") return "this cluster is somebody's";
  const all = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
  return all.some(({ address }) => address === POD_NETWORK) ? null : "no network namespace";
}

/** A new namespace, with a name that starts like this. */
export async function makeNamespace({ admin }: Real, start: string): Promise<string> {
  const body = { apiVersion: "v1", kind: "Namespace", metadata: { generateName: `${start}-` } };
  return (await create(admin, "/api/v1/namespaces", body)).metadata.name;
}

/** Makes a ServiceAccount, and a token by which it is known. */
export async function makeAccount(real: Real, namespace: string, name: string): Promise<string> {
  const path = `/api/v1/namespaces/${namespace}/${ACCOUNTS}`;
  await create(real.admin, path, {
    apiVersion: "v1",
    kind: "ServiceAccount",
    metadata: { name },
  });
  return tokenOf(real, namespace, name);
}

/** A token of a ServiceAccount that exists, good for an hour. */
async function tokenOf(real: Real, namespace: string, name: string): Promise<string> {
  const path = `/api/v1/namespaces/${namespace}/${ACCOUNTS}/${name}/token`;
  const body = { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: {} };
  return (await ask(real.admin, "POST", path, { status: 201, body })).status.token;
}

/** Makes etcd forget all versions up to now. */
export async function compact({ etcd }: Real): Promise<void> {
  const post = async (path: string, body: Json): Promise<Json> => {
    const answer = await fetch(`${etcd}${path}`, { method: "POST", body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`etcd: ${await answer.text()}`);
    return answer.json();
  };
  const { header } = await post("/v3/kv/range", { key: btoa("x") });
  await post("/v3/kv/compaction", { revision: header.revision, physical: true });
}

/** A kubeconfig for a ServiceAccount: what a pod of it has, as a file. */
export async function kubeconfigFor(real: Real, namespace: string, name: string): Promise<string> {
  const token = await tokenOf(real, namespace, name);
  const { server, ca = "" } = real.connection;
  const cluster = { server, "certificate-authority-data": btoa(ca) };
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "test", cluster }],
    users: [{ name, user: { token } }],
    contexts: [{ name: "test", context: { cluster: "test", user: name, namespace } }],
    "current-context": "test",
  });
}

/** The files of a ServiceAccount, as a pod of it finds them, in `folder`. */
export async function writeAccount(
  real: Real,
  folder: string,
  [namespace, name]: readonly [string, string],
): Promise<void> {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "token"), await tokenOf(real, namespace, name));
  writeFileSync(join(folder, "ca.crt"), real.connection.ca ?? "");
  writeFileSync(join(folder, "namespace"), namespace);
}
