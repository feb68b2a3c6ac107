/** The measurements: start, memory, how soon changes are live, and what a storm of them costs. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Proxy } from "../churn/proxy.ts";
import { cpuOf, treeOf } from "../load/cpu.ts";
import { ApiServer, kubeconfigOf } from "./apiserver.ts";
import { type Seen, startClient } from "./client.ts";
import { type Lane, laneForEach } from "./lane.ts";
import { type ApiObject, hostOf, ingressOf, objectsOf, type Size, sliceOf } from "./objects.ts";
import { openOrigin } from "./origin.ts";

const WORKERS = 2;
/** Changes of each kind that are timed, one after the other. */
const CHANGES = 200;
/** Between two looks whether a change is live: it costs little, and is part of what is measured. */
const LOOK_MS = 1;
/** Between two changes: rind takes those that follow each other within 10 ms together. */
const PAUSE_MS = 20;
/** A change that takes longer is counted as this long. */
const LIVE_MS_MAX = 5_000;
const CHURN = { perSecond: 500, seconds: 20 };
const CLIENT_PER_SECOND = 200;
const SETTLE_MS = 3_000;
const MS_A_SECOND = 1_000;

/** What was measured of a cluster of one size. Times are milliseconds, memory MiB. */
export type Result = Readonly<{
  size: Size;
  servingMs: number;
  rssMib: number;
  /** The highest RSS of the start, and of the whole run. */
  rssStartMib: number;
  rssPeakMib: number;
  objectMs: readonly number[];
  endpointMs: readonly number[];
  /** What all threads of rind waited for a CPU during those changes: others were busy then. */
  waitedMs: number;
  /** Cores: without changes, and with CHURN. */
  idleCores: number;
  churnCores: number;
  churned: number;
  churnSeconds: number;
  client: Seen;
}>;

type Bench = Readonly<{
  size: Size;
  api: ApiServer;
  rind: Proxy;
  lanes: readonly Lane[];
  /** Two upstreams; endpoints begin at the first one. */
  ports: readonly [number, number];
}>;

/** Measures everything for one size. Whatever it started has ended when this resolves. */
export async function measure(size: Size): Promise<Result> {
  const origins = [openOrigin("a"), openOrigin("b")] as const;
  const folder = mkdtempSync(join(tmpdir(), "rind-cluster-"));
  const api = await ApiServer.start();
  try {
    await api.fill(objectsOf(size, origins[0].port));
    const file = join(folder, "kubeconfig");
    writeFileSync(file, kubeconfigOf(api.url));
    const from = ["--kubeconfig", file, "--allow-address", "127.0.0.0/8"];
    const began = performance.now();
    const rind = new Proxy([...from, "--workers", String(WORKERS), "--lame-duck", "0s"]);
    try {
      await rind.started();
      const servingMs = performance.now() - began;
      const lanes = [...(await laneForEach(rind.pids, rind.port)).values()];
      const ports = [origins[0].port, origins[1].port] as const;
      return { size, servingMs, ...(await changes({ size, api, rind, lanes, ports })) };
    } finally {
      await rind.stop(0);
    }
  } finally {
    api.stop();
    for (const origin of origins) origin.stop();
    rmSync(folder, { recursive: true });
  }
}

async function changes(bench: Bench): Promise<Omit<Result, "size" | "servingMs">> {
  const { rind } = bench;
  await Bun.sleep(SETTLE_MS);
  const rssMib = memoryOf(rind.child.pid, "VmRSS");
  const rssStartMib = memoryOf(rind.child.pid, "VmHWM");
  const waitedBefore = waitedOf(rind);
  const objectMs = await timed(bench, (i, n) => ({
    // Each time another path, so that what is seen is this change.
    object: ingressOf(i, `/change-${n}`),
    path: `/change-${n}`,
    live: ({ status }) => status === 200,
  }));
  // From here on all hosts answer /.
  await bench.api.fill(Array.from({ length: bench.size.ingresses }, (_, i) => ingressOf(i, "/")));
  const [a, b] = bench.ports;
  const endpointMs = await timed(bench, (i, n) => {
    const first = Math.floor(n / bench.size.services) % 2 === 0;
    const object = sliceOf(bench.size, i, first ? b : a);
    return { object, path: "/", live: ({ body }) => body === (first ? "b" : "a") };
  });
  const waitedMs = waitedOf(rind) - waitedBefore;
  for (const lane of bench.lanes) lane.close();
  const storm = await churn(bench);
  const rssPeakMib = memoryOf(rind.child.pid, "VmHWM");
  return { rssMib, rssStartMib, rssPeakMib, objectMs, endpointMs, waitedMs, ...storm };
}

/** A change of one object, and how an answer of its host shows that it is live. */
type Change = Readonly<{
  object: ApiObject;
  path: string;
  live: (answer: Readonly<{ status: number; body: string }>) => boolean;
}>;

/** From the moment its event is written to the first answer of the last worker that knows it. */
async function timed(
  { size, api, lanes }: Bench,
  changeOf: (i: number, n: number) => Change,
): Promise<number[]> {
  const times: number[] = [];
  for (let n = 0; n < CHANGES; n++) {
    await Bun.sleep(PAUSE_MS);
    const i = (n * 7_919) % size.services;
    const { object, path, live } = changeOf(i, n);
    const seen = lanes.map(async (lane) => {
      const began = performance.now();
      while (!live(await lane.ask(hostOf(i), path))) {
        if (performance.now() - began > LIVE_MS_MAX) break;
        await Bun.sleep(LOOK_MS);
      }
      return performance.timeOrigin + performance.now();
    });
    const { atMs } = await api.order({ kind: "put", object });
    times.push(Math.max(...(await Promise.all(seen))) - atMs);
  }
  return times;
}

/** The same client twice: with nothing else going on, and with endpoints that change. */
async function churn({ size, api, rind }: Bench) {
  const client = startClient(rind.port, size.ingresses, CLIENT_PER_SECOND);
  // Connections to all those endpoints are made once: that is not what is measured.
  await Bun.sleep(SETTLE_MS);
  const idleCores = await coresOf(rind, () => Bun.sleep(CHURN.seconds * MS_A_SECOND));
  let churned = 0;
  const churnCores = await coresOf(rind, async () => {
    churned = (await api.order({ kind: "churn", ...CHURN })).count;
  });
  const { seconds: churnSeconds } = CHURN;
  return { idleCores, churnCores, churned, churnSeconds, client: await client.stop() };
}

async function coresOf(rind: Proxy, during: () => Promise<unknown>): Promise<number> {
  const before = cpuOf(rind.child.pid).ns;
  const began = performance.now();
  await during();
  return (cpuOf(rind.child.pid).ns - before) / 1e6 / (performance.now() - began);
}

/** Milliseconds that threads of rind were ready and had no CPU (schedstat, field 2). */
function waitedOf(rind: Proxy): number {
  let ns = 0;
  for (const pid of treeOf(rind.child.pid)) {
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      ns += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ")[1]);
    }
  }
  return ns / 1e6;
}

/** VmRSS or VmHWM of /proc/PID/status, in MiB. */
function memoryOf(pid: number, name: string): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1]) / 1_024;
}
