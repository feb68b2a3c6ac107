/**
 * Runs every test file in a process of its own and ends with the line `N passed, N failed`, plus
 * `, N skipped` when some were. A file that runs no test, ends without `test.run()`, crashes, hangs
 * or exits early counts as failed. `bun test/run.ts WORD…` runs the files whose path has a WORD.
 */

import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Another folder to look in, which the runner's own test needs. */
const ROOT = process.env["RIND_TEST_ROOT"] ?? `${import.meta.dir}/..`;
/** Files at once: work for two cores, since the longest ones mostly wait. */
const PARALLEL = 3;
/** Parts of the paths that take longest; these start first, so that none runs on alone. */
const LONG = [
  "test/churn/",
  "test/e2e/",
  "test/faults/",
  "test/fuzz/",
  "test/image/",
  "test/sim/",
  "allocation",
  "overtls",
  "slow",
];
/** Files that need more than this machine: they run when a word names their folder. */
const APART = "test/cluster/";
const FILE_MS_MAX = 240_000;
/** Of the output of a failing file, the end is what explains it. */
const OUTPUT_CHARS_MAX = 64 * 1024;

type Outcome = Readonly<{
  file: string;
  passed: number;
  failed: number;
  skipped: number;
  /** Why the file failed as a whole, or "". */
  reason: string;
  output: string;
  ms: number;
}>;
type Counts = Readonly<{ total: number; passed: number; skipped: number }>;
/**
 * How the process of a file ended. `late`: it was killed after FILE_MS_MAX. `left`: what it left in
 * its temporary folder.
 */
type Ending = Readonly<{ code: number; late: boolean; output: string; left: readonly string[] }>;

const running = new Set<number>();
/** Every file has a temporary folder of its own in here, and nothing outlives the run. */
const scratch = mkdtempSync(join(tmpdir(), "rind-tests-"));
process.on("exit", () => rmSync(scratch, { recursive: true, force: true, maxRetries: 3 }));

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => {
    for (const pid of running) killGroup(pid);
    process.exit(130);
  });
}
process.exit(await main(process.argv.slice(2)));

async function main(words: readonly string[]): Promise<number> {
  const files = await testFiles(words);
  const outcomes: Outcome[] = [];
  let next = 0;
  const lane = async () => {
    for (let i = next++; i < files.length; i = next++) {
      const outcome = await runFile(files[i]!);
      outcomes.push(outcome);
      report(outcome);
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, lane));
  if (files.length === 0) process.stdout.write(`no test file matches ${words.join(" ")}\n`);
  return summarise(outcomes);
}

/** A test file lies in or below a folder `test` and imports uvu; the rest there supports tests. */
async function testFiles(words: readonly string[]): Promise<string[]> {
  const files: string[] = [];
  for await (const path of new Bun.Glob("**/test/**/*.ts").scan({ cwd: ROOT })) {
    if (path.includes("node_modules/") || path.endsWith(".cases.ts")) continue;
    if (path.startsWith(APART) && !words.some((word) => word.startsWith(APART))) continue;
    if (words.length > 0 && !words.some((word) => path.includes(word))) continue;
    if (/^import .* from "uvu";$/m.test(await Bun.file(`${ROOT}/${path}`).text())) files.push(path);
  }
  return files.sort().sort((a, b) => order(a) - order(b));
}

/** Where a file stands in LONG, or behind it. */
function order(file: string): number {
  const at = LONG.findIndex((part) => file.includes(part));
  return at < 0 ? LONG.length : at;
}

async function runFile(file: string): Promise<Outcome> {
  const startedAt = performance.now();
  const source = await Bun.file(`${ROOT}/${file}`).text();
  const ending = await execute(file);
  const { output } = ending;
  const counts = countsIn(output);
  const reason = reasonOf(ending, counts, source);
  const { total, passed, skipped } = counts ?? { total: 0, passed: 0, skipped: 0 };
  const failed = Math.max(total - passed, reason === "" ? 0 : 1);
  const ms = performance.now() - startedAt;
  return { file, passed, failed, skipped, reason, output, ms };
}

/** The file leads a process group of its own, so that what it started can be stopped with it. */
async function execute(file: string): Promise<Ending> {
  const folder = join(scratch, file.replaceAll("/", "-"));
  mkdirSync(folder);
  const child = Bun.spawn([process.execPath, file], {
    cwd: ROOT,
    // Who tests HTTPS says where: the default address is one, and there are several at a time.
    env: {
      RIND_HTTPS: "none",
      ...process.env,
      NO_COLOR: "1",
      FORCE_COLOR: undefined,
      TMPDIR: folder,
    },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    detached: true,
  });
  running.add(child.pid);
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    killGroup(child.pid);
  }, FILE_MS_MAX);
  const texts = [new Response(child.stdout).text(), new Response(child.stderr).text()];
  const code = await child.exited;
  clearTimeout(timer);
  // A process left behind would hold the pipes open, and this run with them.
  killGroup(child.pid);
  running.delete(child.pid);
  return { code, late, output: (await Promise.all(texts)).join(""), left: readdirSync(folder) };
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** The closing lines of uvu; `null` when it did not get that far. */
function countsIn(output: string): Counts | null {
  const found = /\n {2}Total: +(\d+)\n {2}Passed: +(\d+)\n {2}Skipped: +(\d+)\n/.exec(output);
  if (found === null) return null;
  return { total: Number(found[1]), passed: Number(found[2]), skipped: Number(found[3]) };
}

function reasonOf(ending: Ending, counts: Counts | null, source: string): string {
  if (ending.late) return `did not end within ${FILE_MS_MAX / 1_000} s`;
  if (!/^\w+\.run\(\);\s*$/m.test(source.trimEnd().split("\n").at(-1) ?? "")) {
    return "does not end with test.run()";
  }
  if (counts === null) return `ended before its tests did, with ${ending.code}`;
  if (counts.total + counts.skipped === 0) return "runs no test";
  // uvu swallows what a `before` hook throws: then less passed than there is, and the code is 0.
  if (counts.passed < counts.total) return `${counts.total - counts.passed} failed`;
  if (ending.code !== 0) return `passed, then ended with ${ending.code}`;
  return ending.left.length === 0 ? "" : `left ${ending.left.join(", ")} in its temporary folder`;
}

function report({ file, passed, failed, skipped, reason, output, ms }: Outcome): void {
  const counts = `${passed} passed${failed > 0 ? `, ${failed} failed` : ""}`;
  const skips = skipped > 0 ? `, ${skipped} skipped` : "";
  const word = failed > 0 ? "FAIL" : "ok  ";
  const took = `${(ms / 1_000).toFixed(1)} s`;
  process.stdout.write(`${word} ${file}  ${counts}${skips}  ${took}\n`);
  if (failed > 0) {
    process.stdout.write(`\n${output.slice(-OUTPUT_CHARS_MAX).trim()}\n\n${file}: ${reason}\n\n`);
    return;
  }
  for (const line of output.split("\n")) {
    if (/^(skip|note): /.test(line)) process.stdout.write(`     ${line}\n`);
  }
}

function summarise(outcomes: readonly Outcome[]): number {
  const sum = (key: "passed" | "failed" | "skipped") =>
    outcomes.reduce((total, outcome) => total + outcome[key], 0);
  const broken = outcomes.filter((outcome) => outcome.failed > 0);
  for (const { file, reason } of broken) process.stdout.write(`failed: ${file}: ${reason}\n`);
  const skipped = sum("skipped");
  const tail = skipped > 0 ? `, ${skipped} skipped` : "";
  process.stdout.write(`${sum("passed")} passed, ${sum("failed")} failed${tail}\n`);
  return broken.length > 0 || outcomes.length === 0 ? 1 : 0;
}
