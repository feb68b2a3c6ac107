/** The measurements: many certificates at once, then single ones. */
import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Contestant, startOrigin, startProduct } from "../load/arena.ts";
import { cpuOf, mainNsOf, memoryOf, treeOf } from "../load/cpu.ts";
import { ingressOf, secretOf } from "../load/manifests.ts";
import { Issuer } from "../load/pairs.ts";
import { OUT, PRODUCTS } from "../load/products.ts";
import { HOSTS, ROWS } from "../load/rows.ts";
import { shownTo } from "./client.ts";

/** Handshakes before anything is measured: they compile code, and fill buffers. */
const WARM_HANDSHAKES = 300;
/** Between two looks whether a certificate is served. */
const LOOK_MS = 2;
const SERVED_MS_MAX = 60_000;
/** Freed memory is given back within that. */
const SETTLE_MS = 3_000;
/** One at a time: more than rind waits for others that could be taken along. */
const PAUSE_MS = 60;
const SINGLES = 50;

/** Times are milliseconds, memory is MB (10⁶ bytes). */
export type Result = Readonly<{
  count: number;
  /** From the file's being there until the last of them is shown. */
  servedMs: number;
  /** Of those, on a CPU: by all of rind, and by the worker alone. */
  cpuMs: number;
  workerCpuMs: number;
  /** Names that another certificate was shown for, afterwards. */
  wrong: number;
  workerBeforeMb: number;
  workerAfterMb: number;
  supervisorAfterMb: number;
  /** From the file's being there until a handshake shows it, one by one. */
  singleMs: readonly number[];
  /**
   * On a CPU for each single one, when nobody looks: on the way to being shown, by the worker's
   * part of it, and by all threads, those that compile and collect garbage beside too.
   */
  singlePathMs: number;
  singleWorkerMs: number;
  singleCpuMs: number;
}>;

type Bench = Readonly<{ rind: Contestant; worker: number; issuer: Issuer; folder: string }>;

/** Measures rind with one worker, or says why that cannot be. */
export async function measure(count: number): Promise<Result | string> {
  const product = PRODUCTS.find(({ name }) => name === "rind")!;
  const row = ROWS.find(({ kind }) => kind === "handshakes")!;
  const rind = await startProduct(product, await startOrigin(), [row]);
  if (!("pid" in rind)) return `rind: ${rind.reason}`;
  const worker = treeOf(rind.pid).at(-1)!;
  const folder = join(OUT, "rind", "manifests");
  const bench = { rind, worker, issuer: new Issuer(), folder };
  for (let i = 0; i < WARM_HANDSHAKES; i++) await shownTo(rind.securePort, HOSTS.secure);
  await Bun.sleep(SETTLE_MS);
  return { count, ...(await many(bench, count)), ...(await single(bench)) };
}

async function many({ rind, worker, issuer, folder }: Bench, count: number) {
  const names = Array.from({ length: count }, (_, i) => `app-${i}.many.example`);
  const text = manifestOf(issuer, names);
  const workerBeforeMb = mbOf(worker);
  const before = cpuMsOf(rind.pid, worker);
  const began = performance.now();
  put(folder, "many", text);
  await shown(rind, names.at(-1)!);
  const servedMs = performance.now() - began;
  const after = cpuMsOf(rind.pid, worker);
  let wrong = 0;
  for (const name of names) if ((await shownTo(rind.securePort, name)) !== name) wrong++;
  await Bun.sleep(SETTLE_MS);
  return {
    servedMs,
    cpuMs: after.all - before.all,
    workerCpuMs: after.worker - before.worker,
    wrong,
    workerBeforeMb,
    workerAfterMb: mbOf(worker),
    supervisorAfterMb: mbOf(rind.pid),
  };
}

async function single({ rind, worker, issuer, folder }: Bench) {
  const singleMs: number[] = [];
  for (let i = 0; i < SINGLES; i++) {
    await Bun.sleep(PAUSE_MS);
    const name = `watched-${i}.single.example`;
    const text = manifestOf(issuer, [name]);
    const began = performance.now();
    put(folder, name, text);
    await shown(rind, name);
    singleMs.push(performance.now() - began);
  }
  const names = Array.from({ length: SINGLES }, (_, i) => `unwatched-${i}.single.example`);
  const texts = names.map((name) => manifestOf(issuer, [name]));
  const start = cpuMsOf(rind.pid, worker);
  // As long as the changes take: what rind does without them is not what they cost.
  await Bun.sleep(PAUSE_MS * SINGLES);
  const idle = cpuMsOf(rind.pid, worker);
  for (const [i, name] of names.entries()) {
    put(folder, name, texts[i]!);
    await Bun.sleep(PAUSE_MS);
  }
  const end = cpuMsOf(rind.pid, worker);
  await shown(rind, names.at(-1)!);
  const each = (of: (cpu: Cpu) => number): number =>
    (of(end) - of(idle) - (of(idle) - of(start))) / SINGLES;
  return {
    singleMs,
    singlePathMs: each((cpu) => cpu.supervisorPath + cpu.workerPath),
    singleWorkerMs: each((cpu) => cpu.workerPath),
    singleCpuMs: each((cpu) => cpu.all),
  };
}

/** An Ingress and a Secret for each name. */
function manifestOf(issuer: Issuer, names: readonly string[]): string {
  const items = names.flatMap((name) => {
    const called = name.replaceAll(".", "-");
    return [ingressOf(called, name, true), secretOf(called, issuer.issue(name, "ec"))];
  });
  return JSON.stringify({ apiVersion: "v1", kind: "List", items });
}

function put(folder: string, name: string, text: string): void {
  const hidden = join(folder, `.${name}.tmp`);
  writeFileSync(hidden, text);
  renameSync(hidden, join(folder, `${name}.json`));
}

async function shown({ securePort }: Contestant, name: string): Promise<void> {
  const began = performance.now();
  while ((await shownTo(securePort, name)) !== name) {
    if (performance.now() - began > SERVED_MS_MAX) return;
    await Bun.sleep(LOOK_MS);
  }
}

/** Milliseconds: of all threads, and of the two that a change passes through. */
type Cpu = Readonly<{ all: number; worker: number; supervisorPath: number; workerPath: number }>;

function cpuMsOf(pid: number, worker: number): Cpu {
  return {
    all: cpuOf(pid).ns / 1e6,
    worker: cpuOf(worker).ns / 1e6,
    supervisorPath: mainNsOf(pid) / 1e6,
    workerPath: mainNsOf(worker) / 1e6,
  };
}

function mbOf(pid: number): number {
  return ((memoryOf(pid)?.rssKib ?? 0) * 1_024) / 1e6;
}
