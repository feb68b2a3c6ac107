#!/usr/bin/env node
/**
 * Runs the pinned Bun on a machine that has only Node and npm: `node scripts/bun.mjs ARGS…` is
 * `bun ARGS…`. It installs the dependencies when they are missing (scripts/setup.mjs), finds
 * the binary even where install scripts are forbidden, and passes signals and the exit on.
 */
import { execFileSync, spawn } from "node:child_process";
import { readFileSync, realpathSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { constants } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { ensureInstalled } from "./setup.mjs";

/** The checkout, or the installed package. */
export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

/** npm leaves a script of some hundred bytes where install scripts may not run; Bun is 100 MB. */
const BINARY_BYTES_MIN = 1_000_000;
const PARENT_LOOK_MS = 250;
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2"];
const NAMES = { x64: "x64", arm64: "aarch64" };

const require = createRequire(join(ROOT, "package.json"));

/** Runs Bun with these arguments; this process then ends the way Bun ended. */
export async function launch(args) {
  try {
    await ensureInstalled(ROOT, !args.some((arg) => arg.endsWith("rind.ts")));
    follow(spawn(findBun(), args, { stdio: "inherit" }));
  } catch (error) {
    process.stderr.write(`rind: ${error.message}\n`);
    process.exit(1);
  }
}

/**
 * The pinned Bun: RIND_BUN, or npm's platform package, or npm's `bun`, or a `bun` in PATH of the
 * same version. Throws when there is none.
 */
export function findBun() {
  const pinned = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")).dependencies.bun;
  const chosen = process.env.RIND_BUN;
  if (chosen) {
    if (isBinary(chosen)) return chosen;
    throw new Error(`RIND_BUN=${chosen} is not a Bun binary`);
  }
  const found = [...platformBinaries(), packaged("bun", "bin/bun.exe")].find(isBinary);
  if (found) return found;
  const exe = process.platform === "win32" ? "bun.exe" : "bun";
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    const path = join(folder, exe);
    if (folder !== "" && isBinary(path) && versionOf(path) === pinned) return path;
  }
  throw new Error(
    `no Bun ${pinned} for ${process.platform} ${process.arch}: ` +
      "run `npm ci`, or set RIND_BUN to a binary of that version",
  );
}

function platformBinaries() {
  const os = process.platform === "win32" ? "windows" : process.platform;
  const name = `@oven/bun-${os}-${NAMES[process.arch] ?? process.arch}`;
  const file = os === "windows" ? "bin/bun.exe" : "bin/bun";
  const musl = os === "linux" && !process.report.getReport().header.glibcVersionRuntime;
  return [packaged(musl ? `${name}-musl` : name, file)];
}

function packaged(name, file) {
  try {
    return join(dirname(require.resolve(`${name}/package.json`)), file);
  } catch (error) {
    if (error.code === "MODULE_NOT_FOUND") return "";
    throw error;
  }
}

function isBinary(path) {
  const stat = path === "" ? undefined : statSync(path, { throwIfNoEntry: false });
  return stat !== undefined && stat.isFile() && stat.size > BINARY_BYTES_MIN;
}

function versionOf(path) {
  try {
    return execFileSync(path, ["--version"], { encoding: "utf8", timeout: 5_000 }).trim();
  } catch (error) {
    return `none: ${error.message}`;
  }
}

/**
 * A Ctrl-C in a terminal reaches Bun too, since it is in the same foreground group: passing that on
 * would make two of one, and the second asks for a hard exit.
 */
function follow(child) {
  const terminal = [process.stdin, process.stdout, process.stderr].some((stream) => stream.isTTY);
  for (const signal of SIGNALS) {
    process.on(signal, () => {
      if (!(terminal && signal === "SIGINT")) child.kill(signal);
    });
  }
  if (process.env.npm_lifecycle_event) stopWithParent(child);
  child.on("error", (error) => {
    process.stderr.write(`rind: ${error.message}\n`);
    process.exit(1);
  });
  child.on("exit", (code, signal) => {
    if (signal === null) process.exit(code);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
    // A signal whose default is to be ignored leaves us here.
    setTimeout(() => process.exit(128 + constants.signals[signal]), 1_000);
  });
}

/**
 * The shell that npm runs a script in dies of a SIGTERM without passing it on; the child would live
 * on without anybody to stop it, and hold its ports.
 */
function stopWithParent(child) {
  const parent = process.ppid;
  const look = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(look);
    child.kill("SIGTERM");
  }, PARENT_LOOK_MS);
  look.unref();
}

const entry = process.argv[1];
if (entry && realpathSync(entry) === fileURLToPath(import.meta.url)) {
  await launch(process.argv.slice(2));
}
