/**
 * `bun bench/run.ts cluster [--size N]…`: rind behind an API server with many objects, against its
 * targets. Ends by itself; exit 1 when one is missed. Where others use the CPUs too, `chrt -r 5`
 * before it measures rind and not them.
 */
import { cpus, loadavg, release } from "node:os";
import { parseArgs } from "node:util";
import { type Line, linesOf } from "./cluster/report.ts";
import { measure } from "./cluster/run.ts";
import { enter, prepare } from "./load/namespace.ts";

/** Ingresses and Services; endpoints are so many times as many. */
const SIZES = ["500", "5000"];
const ENDPOINTS_EACH = 4;
const SIZE_MAX = 16_000;

/** The whole bench, from its arguments to its exit code. */
export async function cluster(argv: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...argv],
    options: { size: { type: "string", multiple: true } },
  });
  const sizes = (values.size ?? SIZES).map(Number);
  if (!sizes.every((size) => Number.isInteger(size) && size > 0 && size <= SIZE_MAX)) {
    console.error(`--size: a whole number, at most ${SIZE_MAX}`);
    return 2;
  }
  const code = await enter(["cluster", ...argv]);
  if (code !== null) return code;
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => process.exit(130));
  }
  const place = prepare();
  const busy = `load average ${loadavg()[0]!.toFixed(1)}`;
  const machine = `${release()}, ${cpus().length} × ${cpus()[0]?.model ?? "?"}, ${busy}`;
  console.log(`${machine}, network: ${place === "private" ? "a private namespace" : "loopback"}`);
  const lines: Line[] = [];
  for (const size of sizes) {
    const result = await measure({
      ingresses: size,
      services: size,
      endpoints: size * ENDPOINTS_EACH,
    });
    const judged = linesOf(result);
    for (const { text } of judged) console.log(text);
    lines.push(...judged);
  }
  const missed = lines.filter(({ missed }) => missed).length;
  console.log(missed === 0 ? "all targets are met" : `${missed} targets are missed`);
  return missed === 0 ? 0 : 1;
}
