/**
 * Installs what the lockfile says when a checkout has not got it, so that `npm start` and
 * `npm test` each work right after `git clone`. Node only: there is no Bun yet when this runs.
 */
import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** A lock this old is a leftover: its process id may have been given to somebody else. */
const LOCK_AGE_MAX_MS = 15 * 60_000;
const LOCK_POLL_MS = 100;
/** A quick installation says nothing; a slow one says why nothing happens. */
const QUIET_MS = 2_000;
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"];

/**
 * Resolves once node_modules holds what package-lock.json asks for. `dev` says whether development
 * packages are needed too. Of several processes that start at once, one installs. A tree without a
 * lockfile (rind installed as a package) is left alone. Throws when `npm ci` fails.
 */
export async function ensureInstalled(root, dev) {
  const wanted = packagesIn(join(root, "package-lock.json"));
  if (wanted === null) return;
  const installed = () => complete(root, wanted, dev);
  if (installed()) return;
  const lock = join(root, ".setup.lock");
  while (!take(lock)) {
    await sleep(LOCK_POLL_MS);
    if (installed()) return;
  }
  try {
    if (!installed()) await npmCi(root);
  } finally {
    rmSync(lock, { recursive: true, force: true });
  }
}

/**
 * Compares contents, not times: a checkout may touch the lockfile without changing it, and
 * node_modules must not be rebuilt under a running process for that. npm writes its hidden lockfile
 * last, so an interrupted installation is never complete.
 */
function complete(root, wanted, dev) {
  const present = packagesIn(join(root, "node_modules", ".package-lock.json"));
  if (present === null) return false;
  return Object.entries(wanted).every(([path, want]) => {
    if (path === "") return true;
    const have = present[path];
    if (have === undefined) return want.optional || want.devOptional || (want.dev && !dev);
    return have.version === want.version && have.integrity === want.integrity;
  });
}

function packagesIn(path) {
  try {
    return JSON.parse(readFileSync(path, "utf8")).packages ?? null;
  } catch (error) {
    if (error.code === "ENOENT" || error instanceof SyntaxError) return null;
    throw error;
  }
}

/** `mkdir` is atomic. The lock of a dead process is moved away first, which only one can do. */
function take(lock) {
  try {
    mkdirSync(lock);
    writeFileSync(join(lock, "pid"), String(process.pid));
    return true;
  } catch (error) {
    if (error.code !== "EEXIST") throw error;
  }
  if (!abandoned(lock)) return false;
  const aside = `${lock}.${process.pid}`;
  try {
    renameSync(lock, aside);
  } catch (error) {
    if (error.code !== "ENOENT") throw error;
  }
  rmSync(aside, { recursive: true, force: true });
  return false;
}

function abandoned(lock) {
  try {
    if (Date.now() - statSync(lock).mtimeMs > LOCK_AGE_MAX_MS) return true;
    const pid = Number(readFileSync(join(lock, "pid"), "utf8"));
    // Between its mkdir and its write, the owner's file is missing or empty: it is at work.
    return pid > 0 && !alive(pid);
  } catch (error) {
    if (error.code === "ENOENT") return false;
    throw error;
  }
}

function alive(pid) {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return error.code === "EPERM";
  }
}

async function npmCi(root) {
  const output = [];
  const note = setTimeout(() => {
    process.stderr.write("rind: installing dependencies (npm ci), once …\n");
  }, QUIET_MS);
  const code = await run(root, output);
  clearTimeout(note);
  if (code === 0) return;
  process.stderr.write(Buffer.concat(output));
  throw new Error(`npm ci failed (${code}); the lines above say why`);
}

/** Under an npm script that same npm is used; otherwise the one in PATH. */
function run(root, output) {
  const args = ["ci", "--no-audit", "--no-fund", "--include=dev"];
  const cli = process.env.npm_execpath ?? "";
  const options = { cwd: root, stdio: ["ignore", "pipe", "pipe"] };
  const npm = /npm-cli\.[cm]?js$/.test(cli)
    ? spawn(process.execPath, [cli, ...args], options)
    : spawn("npm", args, { ...options, shell: process.platform === "win32" });
  npm.stdout.on("data", (chunk) => output.push(chunk));
  npm.stderr.on("data", (chunk) => output.push(chunk));
  // npm must not go on writing node_modules after the lock is gone.
  for (const signal of SIGNALS) process.on(signal, () => npm.kill(signal));
  return new Promise((resolve) => {
    npm.on("error", (error) => resolve(error.message));
    npm.on("close", (code, signal) => {
      for (const name of SIGNALS) process.removeAllListeners(name);
      resolve(code ?? signal);
    });
  });
}
