/** A real API server on loopback, with RBAC on and nothing else of a cluster around it. */
import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeKeys, openAuthority, type Authority } from "./authority.ts";
import type { Programs } from "./programs.ts";

const READY_MS_MAX = 90_000;
/** etcd and the API server end within this, or are ended. */
const STOP_MS_MAX = 10_000;
const POLL_MS = 50;
const SERVICE_RANGE = "10.96.0.0/16";
/** The address the API server believes to have; nobody connects to it. */
const ADVERTISED = "198.18.255.1";
/** Versions before the first one of the API server. */
const PAST = 10;
/** The end of a log is what explains a failure. */
const LOG_CHARS_MAX = 4_000;

/** A running API server. `stop` ends its processes and removes its folder; twice does no harm. */
export type Cluster = Readonly<{
  server: string;
  /** A kubeconfig of an administrator, who is known by a client certificate. */
  kubeconfig: string;
  /** Where etcd answers, for tests that compact its history. */
  etcd: string;
  /** The process of kube-apiserver at first, for tests that let it hang. */
  pid: number;
  /** kube-apiserver is killed. */
  down: () => Promise<void>;
  /** It starts again, on the same port and with the same past. */
  up: () => Promise<void>;
  stop: () => Promise<void>;
}>;

type Child = ReturnType<typeof Bun.spawn>;

/**
 * Starts etcd and kube-apiserver, which streams lists if `streams` (the gate WatchList, KEP-3157).
 * Rejects with the end of their logs if they do not get ready.
 */
export async function startCluster(programs: Programs, streams = true): Promise<Cluster> {
  const folder = mkdtempSync(join(tmpdir(), "rind-cluster-"));
  const children: Child[] = [];
  const kill = (): void => children.forEach((child) => child.kill("SIGKILL"));
  process.on("exit", kill);
  const stop = async (): Promise<void> => {
    // The API server first: without etcd it would not end by itself.
    for (const child of children.splice(0).reverse()) await end(child);
    process.off("exit", kill);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const [client, peer, secure] = await freePorts();
    const etcd = `http://127.0.0.1:${client}`;
    const server = `https://127.0.0.1:${secure}`;
    children.push(startEtcd(programs.etcd, folder, etcd, `http://127.0.0.1:${peer}`));
    await age(etcd);
    const authority = openAuthority(folder);
    const api = { folder, etcd, port: secure, authority, streams };
    const command = [programs.apiserver, ...argumentsOf(api)];
    const admin = authority.issue("admin", "/O=system:masters/CN=admin", "");
    const kubeconfig = join(folder, "kubeconfig");
    writeFileSync(kubeconfig, kubeconfigOf(server, authority.ca, admin));
    const up = async (): Promise<void> => {
      children.push(start(join(folder, "apiserver.log"), command));
      const gone = (): boolean => children.some((child) => child.exitCode !== null);
      await ready(programs.kubectl, kubeconfig, gone);
    };
    const down = async (): Promise<void> => {
      const api = children.pop();
      api?.kill("SIGKILL");
      await api?.exited;
    };
    await up();
    return { server, kubeconfig, etcd, pid: children.at(-1)?.pid ?? 0, down, up, stop };
  } catch (error) {
    const logs = ["etcd", "apiserver"].map((name) => tail(join(folder, `${name}.log`)));
    await stop();
    throw new Error(`${(error as Error).message}\n${logs.join("\n")}`);
  }
}

function startEtcd(program: string, folder: string, client: string, peer: string): Child {
  // The data is thrown away: waiting for the disk would only make the tests slow.
  return start(join(folder, "etcd.log"), [
    program,
    "--unsafe-no-fsync",
    `--data-dir=${join(folder, "etcd")}`,
    `--listen-client-urls=${client}`,
    `--advertise-client-urls=${client}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=default=${peer}`,
  ]);
}

/** Gives etcd a past that the API server never sees: version 1 of anything is too old to watch. */
async function age(etcd: string): Promise<void> {
  const body = JSON.stringify({ key: btoa("rind-test"), value: btoa("x") });
  const end = performance.now() + READY_MS_MAX;
  for (let puts = 0; puts < PAST;) {
    try {
      if ((await fetch(`${etcd}/v3/kv/put`, { method: "POST", body })).ok) puts++;
    } catch (error) {
      // It may not listen yet.
      if (performance.now() > end) throw error;
      await Bun.sleep(POLL_MS);
    }
  }
}

type Api = Readonly<{
  folder: string;
  etcd: string;
  port: number;
  authority: Authority;
  streams: boolean;
}>;

function argumentsOf({ folder, etcd, port, authority, streams }: Api): string[] {
  const tls = authority.issue("apiserver", "/CN=kube-apiserver", "IP:127.0.0.1,DNS:localhost");
  const accounts = makeKeys(folder, "accounts");
  mkdirSync(join(folder, "certs"));
  return [
    "--bind-address=127.0.0.1",
    `--advertise-address=${ADVERTISED}`,
    "--endpoint-reconciler-type=none",
    `--secure-port=${port}`,
    `--etcd-servers=${etcd}`,
    // Tests compact when they want to: nothing may happen five minutes later.
    "--etcd-compaction-interval=0",
    `--cert-dir=${join(folder, "certs")}`,
    `--tls-cert-file=${tls.cert}`,
    `--tls-private-key-file=${tls.key}`,
    `--client-ca-file=${authority.ca}`,
    "--anonymous-auth=false",
    "--authorization-mode=Node,RBAC",
    "--allow-privileged=true",
    `--service-cluster-ip-range=${SERVICE_RANGE}`,
    "--service-account-issuer=https://kubernetes.default.svc",
    `--service-account-key-file=${accounts.cert}`,
    `--service-account-signing-key-file=${accounts.key}`,
    // Pages out of memory outlive a compaction; rind must bear servers that forget.
    `--feature-gates=ListFromCacheSnapshot=false,WatchList=${streams}`,
    "--profiling=false",
  ];
}

function start(log: string, command: string[]): Child {
  const file = openSync(log, "a");
  // Where util-linux can see to it, they do not outlive a test that was killed.
  const bound = Bun.which("setpriv") === null ? [] : ["setpriv", "--pdeathsig", "KILL"];
  return Bun.spawn([...bound, ...command], { stdio: ["ignore", file, file] });
}

async function end(child: Child): Promise<void> {
  // A test may have let it hang.
  child.kill("SIGCONT");
  child.kill("SIGTERM");
  const late = setTimeout(() => child.kill("SIGKILL"), STOP_MS_MAX);
  await child.exited;
  clearTimeout(late);
}

async function ready(kubectl: string, kubeconfig: string, gone: () => boolean): Promise<void> {
  const end = performance.now() + READY_MS_MAX;
  const command = [kubectl, "--kubeconfig", kubeconfig, "get", "--raw", "/readyz"];
  for (;;) {
    if (gone()) throw new Error("etcd or kube-apiserver ended at once");
    const child = Bun.spawn(command, { stdio: ["ignore", "pipe", "ignore"] });
    if ((await new Response(child.stdout).text()) === "ok") return;
    if (performance.now() > end) throw new Error("kube-apiserver did not get ready");
    await Bun.sleep(POLL_MS);
  }
}

/** Ports that were free a moment ago. */
async function freePorts(): Promise<[number, number, number]> {
  const servers = [0, 1, 2].map(() => createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((each) => new Promise((done) => each.once("listening", done))));
  const ports = servers.map((each) => (each.address() as AddressInfo).port);
  await Promise.all(servers.map((each) => new Promise((done) => each.close(done))));
  return [ports[0]!, ports[1]!, ports[2]!];
}

function tail(file: string): string {
  try {
    return readFileSync(file, "utf8").slice(-LOG_CHARS_MAX);
  } catch (error) {
    return `${file}: ${(error as Error).message}`;
  }
}

function kubeconfigOf(
  server: string,
  ca: string,
  { cert, key }: { cert: string; key: string },
): string {
  const name = "test";
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name, cluster: { server, "certificate-authority": ca } }],
    users: [{ name, user: { "client-certificate": cert, "client-key": key } }],
    contexts: [{ name, context: { cluster: name, user: name } }],
    "current-context": name,
  });
}
