/**
 * `bun bench/run.ts flood [--rounds N] [--seconds S] [--only a,b]`: how long clients with kept TLS
 * connections wait while others shake hands as fast as they can, in rind and in the others. Ends by
 * itself; exit 1 when rind misses its target. Needs a quiet machine: who else uses the CPUs is in
 * the figures.
 */
import { parseArgs } from "node:util";
import { linesOf } from "./flood/report.ts";
import { FLOODS, measure, type Round } from "./flood/run.ts";
import { clear, clearNow, type Contestant, startOrigin, startProduct } from "./load/arena.ts";
import { warm } from "./load/measure.ts";
import { enter, prepare } from "./load/namespace.ts";
import { build, PRODUCTS } from "./load/products.ts";
import { type Row, ROWS } from "./load/rows.ts";
import { orderOf } from "./load/statistics.ts";

/** What clients do here: it is done at full speed first, until the product's code is compiled. */
const DONE = ["tls", "handshake"];
const WARM_SECONDS = 5;

/** The whole bench, from its arguments to its exit code. */
export async function flood(argv: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      rounds: { type: "string", default: "6" },
      seconds: { type: "string", default: "5" },
      only: { type: "string", default: "" },
    },
  });
  const rounds = Number(values.rounds);
  const seconds = Number(values.seconds);
  if (![rounds, seconds].every((value) => value >= 1 && value <= 60)) {
    console.error("--rounds and --seconds: 1 to 60");
    return 2;
  }
  const code = await enter(["flood", ...argv]);
  if (code !== null) return code;
  process.on("exit", clearNow);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => process.exit(130));
  }
  prepare();
  const rows = ROWS.filter(({ name }) => DONE.includes(name));
  const contestants = await startAll(
    rows,
    values.only.split(",").filter((name) => name !== ""),
  );
  for (const contestant of contestants) {
    for (const row of rows) await warm(contestant, row, WARM_SECONDS);
  }
  const measured: Round[] = [];
  for (const kind of FLOODS) {
    for (let number = 0; number < rounds; number++) {
      for (const contestant of orderOf(contestants, number)) {
        measured.push(await measure(contestant, kind, seconds));
      }
    }
  }
  await clear();
  const lines = linesOf(measured);
  for (const { text } of lines) console.log(text);
  return lines.some(({ missed }) => missed) ? 1 : 0;
}

async function startAll(rows: readonly Row[], only: readonly string[]): Promise<Contestant[]> {
  build("handshakes");
  build("paced");
  const originPort = await startOrigin();
  const contestants: Contestant[] = [];
  for (const product of PRODUCTS) {
    if (!rows.every(({ products }) => products.includes(product.name))) continue;
    if (only.length > 0 && !only.includes(product.name)) continue;
    const started = await startProduct(product, originPort, rows);
    if ("pid" in started) contestants.push(started);
    else console.log(`SKIPPED ${product.name}: ${started.reason}`);
  }
  return contestants;
}
