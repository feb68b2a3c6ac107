/**
 * `bun bench/translate.ts [N ["one host"]]`: what a change costs from the store to a worker's
 * table, in clusters of N Ingresses, N Services and N slices of four endpoints. Milliseconds are
 * those that the thread had a core, its share of the garbage collection included.
 */
import { gcAndSweep, heapSize } from "bun:jsc";
import { systemClock } from "../core/clock.ts";
import { DEFAULT_LIMITS } from "../core/limits.ts";
import { type Delta, EMPTY_MODEL, type Model } from "../core/model.ts";
import { Plane } from "../core/plane.ts";
import { PLAIN_EDGE } from "../core/protocol.ts";
import { Cursors } from "../watch/cursors.ts";
import { diff, equal } from "../watch/diff.ts";
import { Loop } from "../watch/loop.ts";
import { type KubeObject, readObject } from "../watch/objects.ts";
import type { SourceEvent } from "../watch/source/source.ts";
import { Store } from "../watch/store.ts";
import { TRUSTING, type TranslateOptions } from "../watch/translate/draft.ts";
import { Translator } from "../watch/translate/translator.ts";
import { ownMs } from "./own.ts";

const SIZES = [100, 1_000, 5_000, 10_000];
const ROUNDS = 400;
/** Updates of endpoints a second, and for how long. */
const RATE = 500;
const RATE_MS = 5_000;

const OPTIONS: TranslateOptions = {
  ...TRUSTING,
  classes: ["rind"],
  controller: "rind.dev/ingress-controller",
  withoutClass: true,
  version: EMPTY_MODEL.version,
};

type Raw = Readonly<Record<string, unknown>>;

function object(raw: Raw): KubeObject {
  return readObject(raw, "bench").object!;
}

/** Whether every Ingress has a host of its own, or all of them paths of one. */
type Shape = "own hosts" | "one host";

function ingress(shape: Shape, i: number, path: string): KubeObject {
  const backend = { service: { name: `s${i}`, port: { number: 80 } } };
  if (shape === "one host") return oneHost(i, path, backend);
  const paths = [path, "/static"].map((path) => ({ path, pathType: "Prefix", backend }));
  return object({
    apiVersion: "networking.k8s.io/v1",
    kind: "Ingress",
    metadata: { name: `i${i}`, namespace: `n${i % 50}`, annotations: { owner: `team-${i % 7}` } },
    spec: { ingressClassName: "rind", rules: [{ host: `h${i}.example.com`, http: { paths } }] },
  });
}

function oneHost(i: number, path: string, backend: unknown): KubeObject {
  const paths = [{ path: `/${i}${path}`, pathType: "Prefix", backend }];
  return object({
    apiVersion: "networking.k8s.io/v1",
    kind: "Ingress",
    metadata: { name: `i${i}`, namespace: `n${i % 50}` },
    spec: { ingressClassName: "rind", rules: [{ host: "shared.example.com", http: { paths } }] },
  });
}

function service(i: number): KubeObject {
  return object({
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: `s${i}`, namespace: `n${i % 50}` },
    spec: { selector: { app: `s${i}` }, ports: [{ name: "http", port: 80, targetPort: 8080 }] },
  });
}

function slice(i: number, turn: number): KubeObject {
  const endpoints = [1, 2, 3, 4].map((pod) => ({
    addresses: [`10.${i >> 8}.${i & 255}.${(pod + turn * 4) % 250}`],
    conditions: { ready: true, serving: true, terminating: false },
    targetRef: { kind: "Pod", name: `s${i}-${pod}`, uid: `pod-${i}-${pod}-${turn}` },
  }));
  return object({
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: {
      name: `s${i}-x`,
      namespace: `n${i % 50}`,
      labels: { "kubernetes.io/service-name": `s${i}` },
    },
    addressType: "IPv4",
    ports: [{ name: "http", port: 8080, protocol: "TCP" }],
    endpoints,
  });
}

/** Everything from an event to the model that is published, as the loop does it. */
class Chain {
  readonly store = new Store();
  readonly #translator = new Translator(OPTIONS);
  readonly #cursors = new Cursors();
  model: Model = EMPTY_MODEL;

  turn(): Model {
    const translation = this.#translator.translate(this.store.snapshot([]), this.store.changes());
    const version = this.model.version + 1;
    const next = this.#cursors.assign({ ...translation.model, version });
    if (!equal(this.model, next)) this.model = next;
    this.#cursors.published();
    return this.model;
  }
}

type Times = { all: number[] };

function time<T>(into: Times, what: () => T): T {
  const start = ownMs();
  const value = what();
  into.all.push(ownMs() - start);
  return value;
}

function shown({ all }: Times): string {
  const sorted = all.toSorted((a, b) => a - b);
  const at = (share: number): string => sorted[Math.floor(sorted.length * share)]!.toFixed(3);
  return `p50 ${at(0.5)} ms, p99 ${at(0.99)} ms`;
}

function line(what: string, value: string): void {
  console.log(`  ${what.padEnd(34)} ${value}`);
}

function fill(shape: Shape, count: number, put: (object: KubeObject) => void): void {
  for (let i = 0; i < count; i++) {
    put(service(i));
    put(slice(i, 0));
    put(ingress(shape, i, "/"));
  }
}

function heapMb(): number {
  gcAndSweep();
  return heapSize() / 2 ** 20;
}

function plane(): Plane {
  const own = { http: [], sockets: [], reusePort: true, worker: 0, workers: 1, cursors: null };
  return new Plane({ ...PLAIN_EDGE, ...own, limits: DEFAULT_LIMITS, trusted: [] });
}

function run(shape: Shape, count: number): void {
  console.log(`${count} Ingresses, ${shape}`);
  const chain = new Chain();
  const start = heapMb();
  const objects: KubeObject[] = [];
  fill(shape, count, (object) => objects.push(object));
  for (const object of objects) chain.store.apply({ type: "put", object });
  objects.length = 0;
  const stored = heapMb();
  const first: Times = { all: [] };
  const whole = time(first, () => chain.turn());
  line("first translation", `${first.all[0]!.toFixed(0)} ms`);
  const translated = heapMb();
  const kib = (mib: number): string => `${((mib * 1_024) / count).toFixed(2)} KiB an Ingress`;
  line("heap of objects", kib(stored - start));
  line("heap of translation", kib(translated - stored));
  const worker = plane();
  const delta = diff(EMPTY_MODEL, whole);
  const packing: Times = { all: [] };
  const bytes = time(packing, () => JSON.stringify(delta)).length;
  line("first delta, serialized", `${(bytes / 2 ** 20).toFixed(1)} MiB, ${shown(packing)}`);
  const applying: Times = { all: [] };
  time(applying, () => worker.apply(delta));
  line("first delta, applied by a worker", shown(applying));
  const edits: readonly [what: string, edit: (i: number, turn: number) => void][] = [
    ["a slice", (i, turn) => chain.store.apply({ type: "put", object: slice(i, turn) })],
    [
      "a path",
      (i, turn) => chain.store.apply({ type: "put", object: ingress(shape, i, `/${turn}`) }),
    ],
    ["an Ingress gone", (i) => chain.store.apply({ type: "gone", object: ingress(shape, i, "/") })],
    ["an Ingress new", (i) => chain.store.apply({ type: "put", object: ingress(shape, i, "/") })],
    ["a Service gone", (i) => chain.store.apply({ type: "gone", object: service(i) })],
    ["a Service new", (i) => chain.store.apply({ type: "put", object: service(i) })],
  ];
  for (const [what, edit] of edits) measure(chain, worker, { what, edit, count });
  worker.stop();
}

function measure(
  chain: Chain,
  worker: Plane,
  { what, edit, count }: { what: string; edit: (i: number, turn: number) => void; count: number },
): void {
  const translating: Times = { all: [] };
  const differing: Times = { all: [] };
  const applying: Times = { all: [] };
  const rounds = Math.min(ROUNDS, count);
  for (let round = 0; round < rounds; round++) {
    const i = (round * 7_919) % count;
    const before = chain.model;
    edit(i, round + 1);
    const after = time(translating, () => chain.turn());
    const delta: Delta = time(differing, () => diff(before, after));
    time(applying, () => worker.apply(delta));
  }
  line(`${what}: model`, shown(translating));
  line(`${what}: delta`, shown(differing));
  line(`${what}: worker's table`, shown(applying));
}

/** The share of a core that the control plane takes for a stream of endpoint updates. */
async function stream(count: number): Promise<void> {
  let sink: (event: SourceEvent) => void = () => {};
  let last = EMPTY_MODEL;
  let turns = 0;
  const loop = new Loop({
    clock: systemClock,
    wall: Date.now,
    source: { watch: (to) => void (sink = to), stop: () => {} },
    translator: () => {
      const translator = new Translator(OPTIONS);
      return (snapshot, changes) => translator.translate(snapshot, changes);
    },
    publish: ({ model }) => {
      JSON.stringify(diff(last, model));
      last = model;
      turns += 1;
    },
    report: (what, error) => console.error(what, error),
  });
  loop.start();
  fill("own hosts", count, (object) => sink({ type: "put", object }));
  sink({ type: "synced" });
  await Bun.sleep(1_000);
  const cpu = process.cpuUsage();
  const began = performance.now();
  turns = 0;
  for (let sent = 0; performance.now() - began < RATE_MS;) {
    const due = ((performance.now() - began) / 1_000) * RATE;
    for (; sent < due; sent++) {
      sink({ type: "put", object: slice((sent * 7_919) % count, sent + 1) });
    }
    await Bun.sleep(2);
  }
  const spent = process.cpuUsage(cpu);
  const cores = (spent.user + spent.system) / 1_000 / (performance.now() - began);
  line(`${RATE} slices/s, ${turns} models`, `${cores.toFixed(3)} of a core`);
  loop.stop();
}

const [asked, shape] = process.argv.slice(2);
const runs: readonly string[][] = [...SIZES.map((size) => [`${size}`]), ["1000", "one host"]];
if (asked === undefined) {
  // Each in a process of its own: what one leaves behind is not measured with the next.
  for (const run of runs) {
    Bun.spawnSync([process.execPath, Bun.main, ...run], {
      stdio: ["ignore", "inherit", "inherit"],
    });
  }
} else if (shape === "one host") run(shape, Number(asked));
else {
  run("own hosts", Number(asked));
  await stream(Number(asked));
}
process.exit(0);
