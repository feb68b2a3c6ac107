/**
 * The programs of a real API server: found in KUBEBUILDER_ASSETS, or built once per machine with
 * the Go toolchain from the versions that binaries/ pins, and kept outside the repository.
 */
import { createHash } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { homedir } from "node:os";
import { basename, dirname, join } from "node:path";
import type { Parsed } from "../../cli/address.ts";
import { lock } from "./lock.ts";

/** Paths. `from` says where they come from, for people. */
export type Programs = Readonly<{ etcd: string; apiserver: string; kubectl: string; from: string }>;

type Env = Readonly<Record<string, string | undefined>>;

const MODULES = join(import.meta.dir, "binaries");
/** The version in binaries/kube/go.mod, which `go build` does not write into the programs. */
const KUBE_VERSION = /k8s\.io\/kubernetes v(\S+)/;
const ETCD = "go.etcd.io/etcd/server/v3";
const KUBE = ["k8s.io/kubernetes/cmd/kube-apiserver", "k8s.io/kubernetes/cmd/kubectl"];
/** On two cores a build takes four minutes; a machine that needs longer than this is stuck. */
const BUILD_MS_MAX = 20 * 60_000;
/** The end of what Go said is what explains a failure. */
const OUTPUT_CHARS_MAX = 2_000;

/** The programs, or one sentence on why there are none. `say` is told what takes long. */
export async function findPrograms(
  env: Env,
  say: (line: string) => void,
): Promise<Parsed<Programs>> {
  const assets = env["KUBEBUILDER_ASSETS"];
  if (assets !== undefined && assets !== "") return inFolder(assets, "KUBEBUILDER_ASSETS");
  const folder = cacheOf(env, "kube", ["etcd", "kube"]);
  if (!existsSync(folder)) {
    const go = Bun.which("go");
    if (go === null) return no("there is no Go toolchain, and KUBEBUILDER_ASSETS is not set");
    mkdirSync(dirname(folder), { recursive: true });
    const unlock = await lock(`${folder}.lock`);
    try {
      const failure = existsSync(folder) ? null : await build(go, folder, say);
      if (failure !== null) return no(failure);
    } finally {
      unlock();
    }
  }
  return inFolder(folder, folder);
}

function inFolder(folder: string, from: string): Parsed<Programs> {
  const path = (name: string): string => join(folder, name);
  const missing = ["etcd", "kube-apiserver", "kubectl"].filter((name) => !existsSync(path(name)));
  if (missing.length > 0) return no(`${missing.join(", ")} missing in ${folder}`);
  const [etcd, apiserver, kubectl] = [path("etcd"), path("kube-apiserver"), path("kubectl")];
  return { ok: true, value: { etcd, apiserver, kubectl, from } };
}

function no(reason: string): Parsed<Programs> {
  return { ok: false, reason };
}

/** A folder outside the repository, named after everything but the Go toolchain that is in it. */
export function cacheOf(env: Env, name: string, modules: readonly string[]): string {
  const cache = join(env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "rind");
  const hash = createHash("sha256").update(`${process.platform} ${process.arch}\n`);
  for (const module of modules) {
    for (const file of ["go.mod", "go.sum"]) hash.update(readFileSync(join(MODULES, module, file)));
  }
  return join(cache, `${name}-${hash.digest("hex").slice(0, 16)}`);
}

/** Builds into a folder of its own and renames it: nobody ever sees half of them. */
async function build(
  go: string,
  folder: string,
  say: (line: string) => void,
): Promise<string | null> {
  const version = KUBE_VERSION.exec(readFileSync(join(MODULES, "kube/go.mod"), "utf8"))?.[1] ?? "";
  say(`building etcd, kube-apiserver and kubectl ${version} into ${folder}`);
  say("this happens once per machine and takes about four minutes on two cores");
  const startedAt = performance.now();
  for (const left of new Bun.Glob(`${basename(folder)}.*/`).scanSync({
    cwd: dirname(folder),
    onlyFiles: false,
  })) {
    rmSync(join(dirname(folder), left), { recursive: true });
  }
  const fresh = `${folder}.${process.pid}`;
  mkdirSync(fresh);
  try {
    const failure = (await buildKube(go, fresh, version)) ?? (await buildEtcd(go, fresh, say));
    if (failure !== null) return failure;
    writeFileSync(join(fresh, "README"), "Built by rind's test/cluster; may be deleted.\n");
    if (!existsSync(folder)) renameSync(fresh, folder);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
  say(`built in ${((performance.now() - startedAt) / 1_000).toFixed(0)} s`);
  return null;
}

function buildKube(go: string, into: string, version: string): Promise<string | null> {
  const [major = "", minor = ""] = version.split(".");
  const stamp = { gitVersion: `v${version}`, gitMajor: major, gitMinor: minor };
  const flags = Object.entries(stamp).map(([n, v]) => `-X k8s.io/component-base/version.${n}=${v}`);
  return compile(go, "kube", ["-ldflags", `-s -w ${flags.join(" ")}`, "-o", `${into}/`, ...KUBE]);
}

/** A machine that cannot build etcd may have one of its distribution. */
async function buildEtcd(
  go: string,
  into: string,
  say: (line: string) => void,
): Promise<string | null> {
  const to = join(into, "etcd");
  const failure = await compile(go, "etcd", ["-ldflags", "-s -w", "-o", to, ETCD]);
  const installed = failure === null ? null : Bun.which("etcd");
  if (installed === null) return failure;
  say(`${failure}; taking ${installed} instead`);
  copyFileSync(installed, to);
  return null;
}

/** Without cgo it needs no C compiler, and the programs no shared library. null: it is built. */
export async function compile(
  go: string,
  module: string,
  args: readonly string[],
): Promise<string | null> {
  const nice = Bun.which("nice");
  const command = [go, "build", "-mod=readonly", "-trimpath", "-buildvcs=false", ...args];
  const child = Bun.spawn(nice === null ? command : [nice, ...command], {
    cwd: join(MODULES, module),
    env: { ...process.env, CGO_ENABLED: "0", GOWORK: "off", GOOS: undefined, GOARCH: undefined },
    stdio: ["ignore", "ignore", "pipe"],
    timeout: BUILD_MS_MAX,
  });
  const output = (await new Response(child.stderr).text()).trim().slice(-OUTPUT_CHARS_MAX);
  const code = await child.exited;
  return code === 0 ? null : `go build in binaries/${module} ended with ${code}: ${output}`;
}
