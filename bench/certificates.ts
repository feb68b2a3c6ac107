/**
 * `bun bench/run.ts certificates [--count N]`: how soon so many certificates are served, what they
 * weigh in a worker, what one more costs, and how soon a start behind an API server shows them all.
 * Ends by itself; exit 1 when a target is missed.
 */
import { parseArgs } from "node:util";
import { linesOf, startLines } from "./certificates/report.ts";
import { measure } from "./certificates/run.ts";
import { measureStarts } from "./certificates/start.ts";
import { clear, clearNow } from "./load/arena.ts";
import { enter, prepare } from "./load/namespace.ts";

const COUNT_MAX = 10_000;

/** The whole bench, from its arguments to its exit code. */
export async function certificates(argv: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...argv],
    options: { count: { type: "string", default: "2000" } },
  });
  const count = Number(values.count);
  if (!Number.isInteger(count) || count < 1 || count > COUNT_MAX) {
    console.error(`--count: 1 to ${COUNT_MAX}`);
    return 2;
  }
  const code = await enter(["certificates", ...argv]);
  if (code !== null) return code;
  process.on("exit", clearNow);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => process.exit(130));
  }
  prepare();
  const result = await measure(count);
  await clear();
  if (typeof result === "string") {
    console.error(result);
    return 1;
  }
  const lines = [...linesOf(result), ...startLines(await measureStarts(count))];
  for (const { text } of lines) console.log(text);
  return lines.some(({ missed }) => missed) ? 1 : 0;
}
