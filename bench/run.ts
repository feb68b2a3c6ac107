/**
 * `bun bench/run.ts [ROW…] [--rounds N] [--seconds S] [--only a,b]`: rind beside nginx, HAProxy
 * and the floor in one run, interleaved, as CPU time a request. Ends by itself; exit 1 when a
 * promise of bench/load/rows.ts is missed or a row is void. Others are `bun bench/run.ts
 * cluster`, behind an API server (bench/cluster.ts); `… flood`, waiting while others shake hands
 * (bench/flood.ts); `… certificates`, what many of them cost (bench/certificates.ts).
 */
import { writeFileSync } from "node:fs";
import { arch, cpus, release } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { certificates } from "./certificates.ts";
import { cluster } from "./cluster.ts";
import { flood } from "./flood.ts";
import {
  clear,
  clearNow,
  type Contestant,
  PINNED,
  secureOrigin,
  startOrigin,
  startProduct,
} from "./load/arena.ts";
import { measure, type Sample, warm } from "./load/measure.ts";
import { enter, prepare, sysctls } from "./load/namespace.ts";
import { build, OUT, PRODUCTS } from "./load/products.ts";
import { judge, table } from "./load/report.ts";
import { HOSTS, type Row, ROWS } from "./load/rows.ts";
import { orderOf } from "./load/statistics.ts";

const WARM_SECONDS = 5;
const NEEDED = ["wrk", "gcc"];
const PACKAGES = "apt install wrk gcc libc6-dev libssl-dev";

type Plan = Readonly<{ rows: readonly Row[]; rounds: number; seconds: number; only: string[] }>;

const argv = process.argv.slice(2);
const OTHERS = new Map([
  ["certificates", certificates],
  ["cluster", cluster],
  ["flood", flood],
]);
const other = OTHERS.get(argv[0] ?? "");
process.exit(other === undefined ? await main() : await other(argv.slice(1)));

async function main(): Promise<number> {
  const plan = planOf(process.argv.slice(2));
  if (typeof plan === "string") {
    console.error(plan);
    return 2;
  }
  const missing = NEEDED.filter((name) => Bun.which(name) === null);
  if (missing.length > 0) {
    console.error(`missing: ${missing.join(", ")}. On Debian: ${PACKAGES}`);
    return 2;
  }
  const code = await enter(process.argv.slice(2));
  if (code !== null) return code;
  process.on("exit", clearNow);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => process.exit(130));
  }
  const place = prepare();
  const facts = {
    kernel: `${release()} ${arch()}`,
    cpu: `${cpus().length} × ${cpus()[0]?.model ?? "?"}`,
    network: place === "private" ? "a private namespace" : "the host's loopback",
    pinned: PINNED,
    rounds: plan.rounds,
    seconds: plan.seconds,
    sysctls: sysctls(),
    versions: Object.fromEntries(PRODUCTS.map((p) => [p.name, p.version() ?? "not installed"])),
  };
  console.log(JSON.stringify(facts, null, 2));
  const samples = await runRows(plan);
  await clear();
  console.log(table(plan.rows, samples));
  const verdicts = judge(plan.rows, samples);
  for (const line of verdicts.lines) console.log(line);
  const path = join(OUT, "load.json");
  writeFileSync(path, JSON.stringify({ facts, samples, verdicts: verdicts.lines }, null, 2));
  console.log(`raw rounds: ${path}; configurations: ${OUT}/<product>/`);
  return verdicts.passed ? 0 : 1;
}

async function runRows(plan: Plan): Promise<Sample[]> {
  const originPort = await startOrigin();
  if (plan.rows.some((row) => row.kind === "handshakes")) build("handshakes");
  if (plan.rows.some((row) => row.host === HOSTS.backend)) {
    const reason = await secureOrigin(originPort);
    if (reason !== null) console.log(`no origin over TLS: ${reason}`);
  }
  const contestants: Contestant[] = [];
  for (const product of PRODUCTS) {
    if (plan.only.length > 0 && !plan.only.includes(product.name)) continue;
    const rows = plan.rows.filter((row) => row.products.includes(product.name));
    if (rows.length === 0) continue;
    const started = await startProduct(product, originPort, rows);
    if ("pid" in started) contestants.push(started);
    else console.log(`SKIPPED ${product.name}: ${started.reason}`);
  }
  const samples: Sample[] = [];
  for (const row of plan.rows) samples.push(...(await runRow(row, contestants, plan)));
  return samples;
}

async function runRow(row: Row, all: readonly Contestant[], plan: Plan): Promise<Sample[]> {
  const contestants = all.filter((c) => row.products.includes(c.product.name));
  for (const contestant of contestants) await warm(contestant, row, WARM_SECONDS);
  const samples: Sample[] = [];
  for (let round = 0; round < plan.rounds; round++) {
    for (const contestant of orderOf(contestants, round)) {
      const sample = await measure(contestant, row, { round, seconds: plan.seconds });
      samples.push(sample);
      const cost = sample.fault === null ? `${sample.microseconds.toFixed(2)} µs` : sample.fault;
      console.log(`${row.name} round ${round + 1} ${sample.product}: ${cost}`);
    }
  }
  return samples;
}

/** The plan the arguments ask for, or what is wrong with them. */
function planOf(argv: string[]): Plan | string {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: {
      rounds: { type: "string", default: "6" },
      seconds: { type: "string", default: "6" },
      only: { type: "string", default: "" },
    },
  });
  const unknown = positionals.filter((name) => !ROWS.some((row) => row.name === name));
  if (unknown.length > 0) {
    return `no row ${unknown.join(", ")}; rows: ${ROWS.map((row) => row.name).join(" ")}`;
  }
  const rounds = Number(values.rounds);
  const seconds = Number(values.seconds);
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > 100) return "--rounds: 1 to 100";
  if (!Number.isInteger(seconds) || seconds < 1 || seconds > 60) return "--seconds: 1 to 60";
  const rows = ROWS.filter((row) =>
    positionals.length === 0 ? !row.aside : positionals.includes(row.name),
  );
  return { rows, rounds, seconds, only: values.only.split(",").filter((name) => name !== "") };
}
