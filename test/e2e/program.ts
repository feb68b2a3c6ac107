/** rind as people run it: a child process, its output, and plain HTTP to its doors. */
import { connect } from "node:net";
import { join } from "node:path";
import { serviceOf, sliceOf } from "./objects.ts";

const ROOT = join(import.meta.dir, "../..");
/** How rind is run from source: as scripts/rind.mjs does it. */
export const SOURCE: readonly string[] = [
  process.execPath,
  "--no-env-file",
  `--config=${join(ROOT, "bunfig.toml")}`,
  join(ROOT, "rind.ts"),
];
/** Longest wait for anything that should happen. */
const WAIT_MS_MAX = 40_000;
const POLL_MS = 10;

/** What `/readyz` says; see admin/json.ts. */
export type Ready = Readonly<{
  ready: boolean;
  reason: string;
  version: number;
  workers: readonly Readonly<{ pid: number; serving: boolean; version: number }>[];
}>;

export type Answer = Readonly<{ status: number; head: string; body: string }>;

/** A started rind. `stop` asks for its end and resolves to its exit code. */
export type Program = Readonly<{
  pid: number;
  port: number;
  /** 0 without `--https`. */
  httpsPort: number;
  adminPort: number;
  exited: Promise<number>;
  /** Everything it said so far, on stdout and on stderr. */
  output: () => string;
  get: (host: string, path?: string) => Promise<Answer>;
  readiness: () => Promise<Ready>;
  /** One request to its admin address. */
  admin: (path: string) => Promise<Answer>;
  stop: () => Promise<number>;
}>;

/** Runs rind to its end: for commands, and for starts that must fail. */
export async function runToEnd(args: readonly string[], stdin = ""): Promise<[number, string]> {
  const child = Bun.spawn([...SOURCE, ...args], {
    env: environment(),
    stdio: [new Blob([stdin]), "pipe", "pipe"],
    timeout: WAIT_MS_MAX,
  });
  const parts = [new Response(child.stdout).text(), new Response(child.stderr).text()];
  const output = (await Promise.all(parts)).join("");
  return [await child.exited, output];
}

/**
 * Starts rind in `cwd`, on ports of the system's choice; resolves when it says that it serves.
 * `rind` is its binary when it is not run from source.
 */
export async function startRind(
  args: readonly string[],
  cwd = ".",
  rind: readonly string[] = SOURCE,
): Promise<Program> {
  const doors = ["--http", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
  const child = Bun.spawn([...rind, ...args, ...doors], {
    cwd,
    env: environment(),
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  const collect = async (stream: ReadableStream<Uint8Array>): Promise<void> => {
    const decoder = new TextDecoder();
    for await (const chunk of stream) output += decoder.decode(chunk, { stream: true });
  };
  void collect(child.stdout);
  void collect(child.stderr);
  let gone = false;
  void child.exited.then(() => {
    gone = true;
  });
  await until("rind serves", () => gone || output.includes("rind serves http="));
  const port = portIn(output, "http");
  const httpsPort = args.includes("--https") ? portIn(output, "https") : 0;
  const adminPort = portIn(output, "admin");
  return {
    pid: child.pid,
    port,
    httpsPort,
    adminPort,
    exited: child.exited,
    output: () => output,
    get: (host, path = "/") => get(port, host, path),
    readiness: async () => JSON.parse((await get(adminPort, "admin", "/readyz")).body) as Ready,
    admin: (path) => get(adminPort, "admin", path),
    stop: async () => {
      child.kill("SIGTERM");
      const late = setTimeout(() => child.kill("SIGKILL"), WAIT_MS_MAX);
      const code = await child.exited;
      clearTimeout(late);
      return code;
    },
  };
}

/** Starts rind for `body` and ends it whatever happens; a failed test leaves no process. */
export async function withRind(
  args: readonly string[],
  body: (rind: Program) => Promise<void>,
): Promise<void> {
  const rind = await startRind(args);
  const seen = await pidsOf(rind);
  try {
    await body(rind);
  } finally {
    if (alive(rind.pid)) process.kill(rind.pid, "SIGKILL");
    await until("no worker is left", () => seen.every((pid) => !alive(pid)));
  }
}

/** The processes of its workers; 0 for one that is away. */
export async function pidsOf(rind: Program): Promise<number[]> {
  return (await rind.readiness()).workers.map(({ pid }) => pid);
}

/** Waits for a condition; throws with its name when it does not come true in time. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + WAIT_MS_MAX;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`waited in vain until ${what}`);
    await Bun.sleep(POLL_MS);
  }
}

/** One request on a connection of its own. Rejects when the answer is cut. */
export function get(port: number, host: string, path: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1");
    const chunks: Uint8Array[] = [];
    socket.on("error", reject);
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    socket.on("close", () => {
      const text = Buffer.concat(chunks).toString();
      const answer = parse(text);
      if (answer === null) reject(new Error(`cut answer: ${JSON.stringify(text)}`));
      else resolve(answer);
    });
    socket.write(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
  });
}

/** Manifests that send `NAME.example` to a port of this machine. */
export function manifestsOf(name: string, port: number): string {
  const service = { name, port: { number: 80 } };
  const path = { path: "/", pathType: "Prefix", backend: { service } };
  const items = [
    serviceOf(name),
    sliceOf(name, port),
    {
      apiVersion: "networking.k8s.io/v1",
      kind: "Ingress",
      metadata: { name },
      spec: { rules: [{ host: `${name}.example`, http: { paths: [path] } }] },
    },
  ];
  return JSON.stringify({ apiVersion: "v1", kind: "List", items });
}

/** Whether a process is there. */
export function alive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ESRCH") return false;
    throw error;
  }
}

function parse(text: string): Answer | null {
  const end = text.indexOf("\r\n\r\n");
  const status = /^HTTP\/1\.1 (\d{3}) /.exec(text);
  if (end < 0 || status === null) return null;
  const head = text.slice(0, end);
  const body = text.slice(end + 4);
  const length = /^content-length: *(\d+)/im.exec(head);
  if (length !== null && Buffer.byteLength(body) !== Number(length[1])) return null;
  if (/^transfer-encoding: *chunked/im.test(head) && !body.endsWith("0\r\n\r\n")) return null;
  return { status: Number(status[1]), head, body };
}

function portIn(output: string, door: "http" | "https" | "admin"): number {
  const match = new RegExp(`rind serves .*\\b${door}=127\\.0\\.0\\.1:(\\d+)`).exec(output);
  if (match === null) throw new Error(`rind did not start:\n${output}`);
  return Number(match[1]);
}

/** Nobody's RIND_… variables: they are flags. Who wants HTTPS says where. */
function environment(): Record<string, string | undefined> {
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith("RIND_"));
  return { RIND_HTTPS: "none", ...Object.fromEntries(own) };
}
