/**
 * What routing costs: nanoseconds a match in tables of 1, 1 000 and 100 000 routes, bytes a route,
 * milliseconds to compile and to patch. `bun bench/route.ts`; figures compare within one run only.
 */
import { heapStats } from "bun:jsc";
import { Bench } from "tinybench";
import { Head } from "../core/head.ts";
import { DEFAULT_POLICY, type Delta, type Model, NONE, type Route } from "../core/model.ts";
import { compileTable, match, patchTable, type Table } from "../core/route/table.ts";

const SIZES = [1, 1_000, 100_000];
const PATHS_PER_HOST = 10;
/** Matches in one timed call: enough to hide the clock, few enough that requests stay in L1. */
const BATCH = 256;
const REQUEST_BYTES = 128;
/** Timed calls a measurement takes the median of. */
const CALLS = 2_000;
const PATCHES = 200;
const SEED = 20_240_229;

type Rule = Readonly<{ host: string; path: string }>;
type Shape = Readonly<{ name: string; rule: (i: number) => Rule }>;

const NO_CONDITIONS = { methods: [], headers: [], cookies: [], queries: [] };
/** Of one length: what is compared must not depend on which route is hit. */
const SECTIONS = "carts order login pages image price users admin query stock".split(" ");

const SHAPES: readonly Shape[] = [
  {
    name: "10 paths a host",
    rule: (i) => ({
      host: `shop-${pad(Math.floor(i / PATHS_PER_HOST), 4)}.eu.example.com`,
      path: `/api/v1/${SECTIONS[i % PATHS_PER_HOST]!}`,
    }),
  },
  {
    name: "all in one host",
    rule: (i) => ({
      host: "shop-0000.eu.example.com",
      path: `/team-${pad(Math.floor(i / 1_000), 2)}/service-${pad(i % 1_000, 3)}`,
    }),
  },
];

function pad(n: number, size: number): string {
  return `${n}`.padStart(size, "0");
}

function modelOf(shape: Shape, size: number): Model {
  const hosts = new Map<string, Route[]>();
  for (let i = 0; i < size; i++) {
    const { host, path } = shape.rule(i);
    let routes = hosts.get(host);
    if (routes === undefined) hosts.set(host, (routes = []));
    routes.push({
      id: `Ingress/bench/r${i}`,
      origin: { kind: "Ingress", namespace: "bench", name: `r${i}`, field: "" },
      match: { path: { kind: "prefix", value: path }, ...NO_CONDITIONS },
      action: { kind: "forward", split: [{ backend: "b", weight: 1 }], cursor: NONE },
      policy: DEFAULT_POLICY,
    });
  }
  const model = { hosts: Array.from(hosts, ([name, routes]) => ({ name, policy: "", routes })) };
  // As plain data that came through a pipe: strings of their own, no shared parts.
  return {
    version: 1,
    hosts: JSON.parse(JSON.stringify(model)).hosts,
    backends: [],
    certificates: [],
    secure: [],
  };
}

// === match ===

/** One head and the requests it is pointed at in turn, as a parser would leave them. */
const head = new Head();
const bytes = Buffer.alloc(BATCH * REQUEST_BYTES);
const ends = new Int32Array(BATCH * 2);

function put(slot: number, rule: Rule, rest: string): void {
  const start = slot * REQUEST_BYTES;
  const hostEnd = start + bytes.write(rule.host, start, "latin1");
  ends[slot * 2] = hostEnd;
  ends[slot * 2 + 1] = hostEnd + bytes.write(rule.path + rest, hostEnd, "latin1");
}

function matchBatch(table: Table): number {
  let found = 0;
  for (let slot = 0; slot < BATCH; slot++) {
    const hostEnd = ends[slot * 2]!;
    head.hostStart = slot * REQUEST_BYTES;
    head.hostEnd = hostEnd;
    head.pathStart = hostEnd;
    head.pathEnd = ends[slot * 2 + 1]!;
    if (match(table, head) !== null) found++;
  }
  return found;
}

/** xorshift32: the same requests in every run. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 0x1_0000_0000;
  };
}

type Aim = Readonly<{ name: string; hits: boolean; next: () => number; rest: string }>;

async function measure(shape: Shape, size: number, table: Table): Promise<readonly number[]> {
  const random = randomOf(SEED);
  const aims: readonly Aim[] = [
    { name: "first", hits: true, next: () => 0, rest: "/42" },
    { name: "last", hits: true, next: () => size - 1, rest: "/42" },
    { name: "random", hits: true, next: () => Math.floor(random() * size), rest: "/42" },
    { name: "miss", hits: false, next: () => size - 1, rest: "x42" },
  ];
  const bench = new Bench({ iterations: CALLS, time: 0, warmupIterations: 200, warmupTime: 0 });
  for (const aim of aims) {
    const aimAt = (): void => {
      for (let slot = 0; slot < BATCH; slot++) put(slot, shape.rule(aim.next()), aim.rest);
    };
    const run = (): void => {
      if ((matchBatch(table) === BATCH) !== aim.hits) throw new Error(`${aim.name}: wrong match`);
    };
    bench.add(aim.name, run, { beforeEach: aimAt });
  }
  head.bytes = bytes;
  head.path = bytes;
  bench.runSync();
  return bench.tasks.map((task) => {
    if (task.result.state !== "completed") throw new Error(`${task.name}: ${task.result.state}`);
    return (task.result.latency.p50 * 1e6) / BATCH;
  });
}

// === memory, compile, patch ===

function heapBytes(): number {
  Bun.gc(true);
  Bun.gc(true);
  return heapStats().heapSize;
}

function patchMs(shape: Shape, table: Table, indexOf: () => number): number {
  const hosts = modelOf(shape, PATHS_PER_HOST).hosts;
  const times: number[] = [];
  let patched = table;
  for (let i = 0; i < PATCHES; i++) {
    // Every other patch changes a host that is there, the rest add and remove one.
    const fresh = { ...hosts[0]!, name: "new.example.com" };
    const delta: Delta = {
      base: patched.version,
      version: patched.version + 1,
      hosts: i % 2 === 0 ? hosts : i % 4 === 1 ? [fresh] : [],
      hostsGone: i % 4 === 3 ? [fresh.name] : [],
      backends: [],
      backendsGone: [],
      certificates: [],
      certificatesGone: [],
      secure: [],
      secureGone: [],
    };
    const start = Bun.nanoseconds();
    patched = patchTable(patched, delta, indexOf);
    times.push((Bun.nanoseconds() - start) / 1e6);
  }
  times.sort((a, b) => a - b);
  return times[Math.floor(times.length / 2)]!;
}

const indexOf = (): number => 0;
console.log("shape            routes   first    last  random    miss   ns a match");
/** What has been measured stays, so that its end is not counted into the next one. */
const kept: unknown[] = [];
const lines: string[] = [];
for (const shape of SHAPES) {
  for (const size of SIZES) {
    const model = modelOf(shape, size);
    const start = Bun.nanoseconds();
    const table = compileTable(model, indexOf);
    const compileMs = (Bun.nanoseconds() - start) / 1e6;
    // A second one, so that what the first one warmed up is not counted.
    const before = heapBytes();
    kept.push(model, table, compileTable(model, indexOf));
    const perRoute = (heapBytes() - before) / size;
    const times = await measure(shape, size, table);
    const cells = times.map((ns) => ns.toFixed(1).padStart(8)).join("");
    console.log(`${shape.name.padEnd(16)} ${`${size}`.padStart(6)}${cells}`);
    if (size === SIZES.at(-1)) {
      const patch = patchMs(shape, table, indexOf).toFixed(3);
      lines.push(
        `${shape.name}: ${perRoute.toFixed(0)} B a route, ${compileMs.toFixed(0)} ms to compile, ` +
          `${patch} ms to change one host`,
      );
    }
  }
}
for (const line of lines) console.log(line);
