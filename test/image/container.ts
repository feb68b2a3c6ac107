/** Images and containers without a daemon: buildah makes the one, runc runs the other. As root. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "../e2e/program.ts";

const ROOT = join(import.meta.dir, "../..");
/** What Debian's container tools allow, which is what "RuntimeDefault" means there. */
const SECCOMP = "/usr/share/containers/seccomp.json";
const PROCESSORS: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };

/** A built image; `root` is its file system. */
export type Image = Readonly<{
  root: string;
  config: Readonly<{
    User: string;
    Env: readonly string[];
    Entrypoint: readonly string[];
    Cmd: readonly string[];
    Labels: Readonly<Record<string, string>>;
  }>;
}>;

/** How to run it. The root is read-only whatever this says. */
export type Run = Readonly<{
  args: readonly string[];
  /** `NAME=value`, beside those of the image. */
  env?: readonly string[];
  capabilities?: readonly string[];
  noNewPrivileges?: boolean;
  /** Folders of this machine, by where the container sees them; not to be written to. */
  volumes?: ReadonlyMap<string, string>;
  /** Folders that are memory of the container, for its group, beside /tmp. */
  memory?: readonly string[];
}>;

export type Container = Readonly<{
  /** Of the first process, as this machine counts. */
  pid: () => number;
  output: () => string;
  exited: Promise<number>;
  signal: (name: string) => void;
}>;

type Limited = Readonly<{ caps?: readonly string[]; arches?: readonly string[] }>;
type Rule = Readonly<{
  names: readonly string[];
  action: string;
  args?: readonly object[] | null;
  errnoRet?: number;
  includes?: Limited;
  excludes?: Limited;
}>;

/** Why images cannot be built here, or "". */
export function cannotBuild(): string {
  if (process.getuid?.() !== 0) return "not root";
  const missing = ["node", "buildah", "setcap", "getcap"].filter((tool) => find(tool) === null);
  return missing.length === 0 ? "" : `no ${missing.join(", no ")}`;
}

/** Why containers cannot be run here, or "": runc is asked, because it needs more than a file. */
export function cannotRun(image: Image, folder: string): string {
  if (find("runc") === null) return "no runc";
  const bundle = newBundle(folder, specOf(image, { args: ["--version"] }));
  const run = Bun.spawnSync([...runc(folder), "run", "--bundle", bundle, "probe"]);
  const said = `${run.stdout.toString()}${run.stderr.toString()}`;
  return run.exitCode === 0 || !said.includes("runc") ? "" : said.trim();
}

/** Builds the image that needs no registry, with everything that is stored for it in `folder`. */
export function buildImage(folder: string): Image {
  call(folder, "node", "scripts/image.mjs", "--scratch", "--with", "buildah", "--tag", "rind:test");
  const told = JSON.parse(call(folder, "buildah", "inspect", "--type", "image", "rind:test")) as {
    OCIv1: { config: Image["config"] };
  };
  return { root: mount(folder, "rind:test"), config: told.OCIv1.config };
}

/** A folder with what the build of Dockerfile is given of this checkout. */
export function contextOf(folder: string): string {
  const file = join(folder, "Dockerfile");
  writeFileSync(file, "FROM scratch\nCOPY . /\n");
  call(folder, "buildah", "bud", "--quiet", "--tag", "rind:context", "--file", file, ROOT);
  return mount(folder, "rind:context");
}

function mount(folder: string, image: string): string {
  return call(folder, "buildah", "mount", call(folder, "buildah", "from", "--pull-never", image));
}

/** Runs a command whose images are kept in `folder`; returns what it says. */
function call(folder: string, ...command: readonly string[]): string {
  const storage = join(folder, "storage.conf");
  const roots = `graphroot = "${folder}/images"\nrunroot = "${folder}/run"`;
  writeFileSync(storage, `[storage]\ndriver = "vfs"\n${roots}\n`);
  const env = { ...environment(), CONTAINERS_STORAGE_CONF: storage, BUILDAH_ISOLATION: "chroot" };
  const run = Bun.spawnSync([...command], { cwd: ROOT, env });
  if (run.exitCode === 0) return run.stdout.toString().trim();
  throw new Error(`${command.join(" ")}: ${run.stderr.toString()}`);
}

/** Starts the image's program, in the network of this machine. */
export function runImage(image: Image, run: Run, folder: string): Container {
  const bundle = newBundle(folder, specOf(image, run));
  const id = `rind-test-${process.pid}-${Bun.nanoseconds()}`;
  const child = Bun.spawn([...runc(folder), "run", "--bundle", bundle, id], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  const collect = async (stream: ReadableStream<Uint8Array>): Promise<void> => {
    const decoder = new TextDecoder();
    for await (const chunk of stream) output += decoder.decode(chunk, { stream: true });
  };
  void collect(child.stdout);
  void collect(child.stderr);
  const ask = (...words: string[]): string =>
    Bun.spawnSync([...runc(folder), ...words]).stdout.toString();
  return {
    pid: () => (JSON.parse(ask("state", id)) as { pid: number }).pid,
    output: () => output,
    exited: child.exited,
    signal: (name) => void ask("kill", id, name),
  };
}

/** Resolves when rind says that it serves; throws with what it said instead. */
export async function served(container: Container): Promise<void> {
  let over = false;
  void container.exited.then(() => {
    over = true;
  });
  await until("rind serves", () => over || container.output().includes("rind serves http="));
  if (over) throw new Error(`rind did not start:\n${container.output()}`);
}

function specOf(image: Image, run: Run): object {
  const { args, env = [], capabilities: caps = [], noNewPrivileges = false } = run;
  const [uid, gid] = image.config.User.split(":").map(Number);
  const tmpfs = (destination: string, mode: string, group = 0) => ({
    destination,
    type: "tmpfs",
    source: "tmpfs",
    options: ["nosuid", `mode=${mode}`, `gid=${group}`, "size=4m"],
  });
  const binds = [...(run.volumes ?? [])].map(([destination, source]) => ({
    destination,
    source,
    type: "bind",
    options: ["bind", "ro"],
  }));
  return {
    ociVersion: "1.0.2",
    process: {
      user: { uid, gid },
      args: [...image.config.Entrypoint, ...args],
      env: [...image.config.Env, ...env],
      cwd: "/",
      noNewPrivileges,
      // As containerd and CRI-O translate `add`: none is inheritable, none is ambient.
      capabilities: { bounding: caps, effective: caps, permitted: caps },
    },
    root: { path: image.root, readonly: true },
    mounts: [
      { destination: "/proc", type: "proc", source: "proc" },
      tmpfs("/dev", "755"),
      tmpfs("/tmp", "1777"),
      // As a kubelet does with an emptyDir for fsGroup.
      ...(run.memory ?? []).map((path) => tmpfs(path, "2775", gid)),
      ...binds,
    ],
    linux: {
      namespaces: ["pid", "ipc", "uts", "mount"].map((type) => ({ type })),
      seccomp: seccompOf(caps),
    },
  };
}

/** The profile for these capabilities; none where this machine has no file of it. */
function seccompOf(caps: readonly string[]): object | undefined {
  if (!existsSync(SECCOMP)) return undefined;
  const profile = JSON.parse(readFileSync(SECCOMP, "utf8")) as {
    defaultAction: string;
    syscalls: readonly Rule[];
  };
  const processor = PROCESSORS[process.arch] ?? process.arch;
  const all = (limit?: Limited): boolean =>
    (limit?.caps ?? []).every((cap) => caps.includes(cap)) &&
    (limit?.arches ?? [processor]).includes(processor);
  const any = (limit?: Limited): boolean =>
    (limit?.caps ?? []).some((cap) => caps.includes(cap)) ||
    (limit?.arches ?? []).includes(processor);
  const syscalls = profile.syscalls
    .filter(({ includes, excludes }) => all(includes) && !any(excludes))
    .map(({ names, action, args, errnoRet }) => ({ names, action, args: args ?? [], errnoRet }));
  return { defaultAction: profile.defaultAction, syscalls };
}

function newBundle(folder: string, spec: object): string {
  const bundle = join(folder, `bundle-${Bun.nanoseconds()}`);
  mkdirSync(bundle);
  writeFileSync(join(bundle, "config.json"), JSON.stringify(spec));
  return bundle;
}

function runc(folder: string): string[] {
  return [find("runc") ?? "runc", "--root", join(folder, "runc")];
}

function find(tool: string): string | null {
  return Bun.which(tool, { PATH: environment()["PATH"] ?? "" });
}

/** The tools of the administrator are not in everybody's PATH. */
function environment(): Record<string, string | undefined> {
  return { ...process.env, PATH: `${process.env["PATH"]}:/usr/sbin:/sbin` };
}
