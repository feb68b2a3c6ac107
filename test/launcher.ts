/** scripts/bun.mjs: a fresh checkout installs itself once, and Bun's end is the launcher's end. */
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";

const ROOT = join(import.meta.dir, "..");
const LOCKFILE = JSON.stringify({
  packages: {
    "": { name: "rind" },
    "node_modules/a": { version: "1.0.0", integrity: "sha512-a" },
    "node_modules/b": { version: "2.0.0", integrity: "sha512-b", dev: true },
    "node_modules/c": { version: "3.0.0", integrity: "sha512-c", optional: true },
  },
});
/** Stands for npm: takes a moment, writes what npm writes last, and leaves a line in a log. */
const NPM = `
  import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
  appendFileSync("npm.log", process.argv.slice(2).join(" ") + "\\n");
  if (process.env.NPM_FAILS) { console.error("npm is sad"); process.exit(1); }
  setTimeout(() => {
    mkdirSync("node_modules", { recursive: true });
    writeFileSync("node_modules/.package-lock.json", process.env.NPM_WRITES);
  }, 200);
`;

let root = "";

test.before.each(() => {
  root = mkdtempSync(join(tmpdir(), "rind-launcher-"));
  cpSync(join(ROOT, "scripts"), join(root, "scripts"), { recursive: true });
  cpSync(join(ROOT, "package.json"), join(root, "package.json"));
  writeFileSync(join(root, "package-lock.json"), LOCKFILE);
  writeFileSync(join(root, "npm-cli.mjs"), NPM);
});

test.after.each(() => rmSync(root, { recursive: true }));

function environment(): Record<string, string | undefined> {
  return {
    ...process.env,
    npm_execpath: join(root, "npm-cli.mjs"),
    NPM_WRITES: LOCKFILE,
    RIND_BUN: process.execPath,
  };
}

function start(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  return Bun.spawn(["node", join(root, "scripts/bun.mjs"), ...args], {
    cwd: root,
    env: { ...environment(), ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
}

async function ended(child: ReturnType<typeof start>) {
  const [out, err] = [new Response(child.stdout).text(), new Response(child.stderr).text()];
  await child.exited;
  return { code: child.exitCode, signal: child.signalCode, out: await out, err: await err };
}

function installs(): number {
  const log = join(root, "npm.log");
  return existsSync(log) ? readFileSync(log, "utf8").trimEnd().split("\n").length : 0;
}

const PRINT = ["-e", "console.log('ran')"];

test("a fresh checkout is installed once, however many start at once", async () => {
  const all = await Promise.all([start(PRINT), start(PRINT), start(PRINT)].map(ended));
  for (const { code, out, err } of all) assert.equal([code, out, err], [0, "ran\n", ""]);
  assert.is(installs(), 1);
  assert.not.ok(existsSync(join(root, ".setup.lock")));
  assert.is((await ended(start(PRINT))).code, 0);
  assert.is(installs(), 1);
});

test("the lock of a dead process does not block for ever", async () => {
  mkdirSync(join(root, ".setup.lock"));
  const { pid, exited } = Bun.spawn(["true"]);
  await exited;
  writeFileSync(join(root, ".setup.lock/pid"), String(pid));
  assert.is((await ended(start(PRINT))).out, "ran\n");
  assert.is(installs(), 1);
});

test("another version is installed anew, a touched lockfile is not", async () => {
  mkdirSync(join(root, "node_modules"));
  const installed = join(root, "node_modules/.package-lock.json");
  writeFileSync(installed, LOCKFILE.replace("1.0.0", "0.9.0"));
  assert.is((await ended(start(PRINT))).code, 0);
  assert.is(installs(), 1);
  writeFileSync(join(root, "package-lock.json"), LOCKFILE);
  assert.is((await ended(start(PRINT))).code, 0);
  assert.is(installs(), 1);
});

test("rind itself runs without development packages and optional ones", async () => {
  mkdirSync(join(root, "node_modules"));
  const { packages } = JSON.parse(LOCKFILE);
  delete packages["node_modules/b"];
  delete packages["node_modules/c"];
  writeFileSync(join(root, "node_modules/.package-lock.json"), JSON.stringify({ packages }));
  writeFileSync(join(root, "rind.ts"), "console.log(process.argv[2]);");
  assert.is((await ended(start(["rind.ts", "demo"]))).out, "demo\n");
  assert.is(installs(), 0);
  assert.is((await ended(start(PRINT))).code, 0);
  assert.is(installs(), 1);
});

test("a failed installation shows what npm said and leaves no lock", async () => {
  const { code, err } = await ended(start(PRINT, { NPM_FAILS: "1" }));
  assert.is(code, 1);
  assert.ok(err.includes("npm is sad"), err);
  assert.ok(err.includes("npm ci failed (1)"), err);
  assert.not.ok(existsSync(join(root, ".setup.lock")));
});

test("Bun's exit and signals are the launcher's", async () => {
  assert.is((await ended(start(["-e", "process.exit(7)"]))).code, 7);
  const killed = await ended(start(["-e", "process.kill(process.pid, 'SIGKILL')"]));
  assert.is(killed.signal, "SIGKILL");
  const code = "process.on('SIGTERM', () => process.exit(9)); setInterval(() => {}, 1000);";
  const child = start(["-e", `${code} console.log('up');`]);
  const reader = child.stdout.getReader();
  assert.is(new TextDecoder().decode((await reader.read()).value), "up\n");
  child.kill("SIGTERM");
  await child.exited;
  assert.is(child.exitCode, 9);
});

test("under npm, Bun ends with the shell that started the launcher", async () => {
  const code = "process.on('SIGTERM', () => { console.log('stopped'); process.exit(0); });";
  const program = `${code} setInterval(() => {}, 1000); console.log('up');`;
  // The shell must not replace itself by its only command, as it would without the second one.
  const script = `node "${join(root, "scripts/bun.mjs")}" -e "${program}"; exit 0`;
  const shell = Bun.spawn(["sh", "-c", script], {
    cwd: root,
    env: { ...environment(), npm_lifecycle_event: "start" },
    stdio: ["ignore", "pipe", "ignore"],
  });
  const reader = shell.stdout.getReader();
  const read = async (): Promise<string> => new TextDecoder().decode((await reader.read()).value);
  assert.is(await read(), "up\n");
  shell.kill("SIGKILL");
  assert.is(await read(), "stopped\n");
});

test("a RIND_BUN that is no Bun is refused by name", async () => {
  const { code, err } = await ended(start(PRINT, { RIND_BUN: join(root, "package.json") }));
  assert.is(code, 1);
  assert.ok(err.includes("package.json is not a Bun binary"), err);
});

test.run();
