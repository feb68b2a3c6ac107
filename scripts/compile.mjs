#!/usr/bin/env node
/**
 * Compiles rind into one file that needs nothing but the C library: `node scripts/compile.mjs
 * [FILE]`, dist/rind unless told. It is for the system and the processor it is made on.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, realpathSync, renameSync, rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { findBun, ROOT } from "./bun.mjs";
import { ensureInstalled } from "./setup.mjs";

const FLAGS = [
  "--compile",
  "--minify",
  // A stack in the log names our files and lines.
  "--sourcemap=inline",
  // A worker reads what a worker needs, not the client of the API server: 8 MB a process.
  "--splitting",
  "--format=esm",
  // Top-level code starts from bytecode; deeper levels would save 30 ms more, for 2 to 5 MB.
  "--bytecode",
  "--bytecode-depth=0",
  // The folder rind is called in may hold a .env or a bunfig.toml of something else.
  "--no-compile-autoload-dotenv",
  "--no-compile-autoload-bunfig",
  // cli/demo.ts serves these.
  "--asset=k8s/examples",
];

/** Makes `file`, which is replaced as a whole or not at all. Throws with the compiler's output. */
export async function compile(file) {
  await ensureInstalled(ROOT, false);
  mkdirSync(dirname(file), { recursive: true });
  // The compiler leaves its maps beside the binary; on the same disk, the rename is atomic.
  const folder = mkdtempSync(join(dirname(file), ".rind-"));
  try {
    const made = join(folder, "rind");
    const args = ["build", ...FLAGS, `--outfile=${made}`, "rind.ts"];
    const run = spawnSync(findBun(), args, { cwd: ROOT, encoding: "utf8" });
    if (run.status !== 0) {
      throw new Error(`bun build failed (${run.status ?? run.signal})\n${run.stdout}${run.stderr}`);
    }
    renameSync(made, file);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const entry = process.argv[1];
if (entry && realpathSync(entry) === fileURLToPath(import.meta.url)) {
  const file = resolve(process.argv[2] ?? join(ROOT, "dist", "rind"));
  try {
    await compile(file);
    process.stdout.write(`${file}\n`);
  } catch (error) {
    process.stderr.write(`rind: ${error.message}\n`);
    process.exit(1);
  }
}
