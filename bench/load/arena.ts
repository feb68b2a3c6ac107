/** Where contestants run: started, pinned, waited for and stopped; nothing outlives the arena. */
import { mkdirSync, rmSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { mortal } from "./namespace.ts";
import { build, OUT, type Product, secureOriginCommand } from "./products.ts";
import { Issuer } from "./pairs.ts";
import { HOSTS, type RequestRow, type Row } from "./rows.ts";
import { verify } from "./wrk.ts";

const READY_MS_MAX = 10_000;
const STOP_MS_MAX = 3_000;
const POLL_MS = 50;
const PORT_MIN = 20_000;
const PORT_MAX = 30_000;

/** The generator and the origin share one CPU; the product has the other to itself. */
export const LOAD_CPU = 0;
export const PRODUCT_CPU = 1;

/** Whether each side can have a CPU of its own here. */
export const PINNED = availableParallelism() > 1 && Bun.which("taskset") !== null;

/** A contestant that serves, over TLS too but for the floor. */
export type Contestant = Readonly<{
  product: Product;
  port: number;
  securePort: number;
  pid: number;
}>;

/** What could not be started, and why. */
export type Absent = Readonly<{ product: Product; reason: string }>;

type Ports = Pick<Contestant, "port" | "securePort">;

/** A request to see whether handshakes lead to the right place. */
const HELLO: Omit<RequestRow, "name" | "host"> = {
  kind: "requests",
  secure: true,
  method: "GET",
  path: "/",
  headers: {},
  requestBytes: 0,
  responseBytes: 64,
  products: [],
  targets: [],
  aside: false,
};

const children: Bun.Subprocess[] = [];
let nextPort = PORT_MIN;

/** What all products show, so that none has a shorter one. */
const issuer = new Issuer();
const pairs = { secure: issuer.issue(HOSTS.secure, "ec"), rsa: issuer.issue(HOSTS.rsa, "rsa") };
/** Where the origin speaks TLS; 0 while it does not. */
let secureOriginPort = 0;

/** Starts the origin and returns its port. */
export async function startOrigin(): Promise<number> {
  const port = freePort();
  run([build("origin"), `${port}`], LOAD_CPU, join(OUT, "origin.log"));
  const reason = await answers(port);
  if (reason !== null) throw new Error(`origin: ${reason}`);
  return port;
}

/** Lets the origin speak TLS as well; what is wrong with that, or `null`. */
export async function secureOrigin(originPort: number): Promise<string | null> {
  if (Bun.which("nginx") === null) return "nginx is not installed";
  const port = freePort();
  const dir = folderOf("secure-origin");
  // It has the name that all products look for, and shows it in the place of the first one.
  const own = { ...pairs, secure: issuer.issue(HOSTS.backend, "ec") };
  const ports = { port: freePort(), securePort: port, originPort, extraPort: 0 };
  const setup = { ...ports, secureOriginPort: port, authority: issuer.root, pairs: own, dir };
  run(secureOriginCommand(setup), LOAD_CPU, join(dir, "log"));
  secureOriginPort = port;
  return answers(port);
}

/** Starts a product in an emptied folder of its own and waits until it serves `rows`. */
export async function startProduct(
  product: Product,
  originPort: number,
  rows: readonly Row[],
): Promise<Contestant | Absent> {
  if (product.version() === null) return { product, reason: "it is not installed" };
  const dir = folderOf(product.name);
  const port = freePort();
  const securePort = freePort();
  const origin = { originPort, secureOriginPort: secureOriginPort || originPort };
  const ports = { port, securePort, ...origin, extraPort: freePort() };
  const setup = { ...ports, authority: issuer.root, pairs, dir };
  const child = run(product.command(setup), PRODUCT_CPU, join(dir, "log"));
  const reason = (await answers(port)) ?? (await ready({ port, securePort }, rows));
  if (reason === null) return { product, port, securePort, pid: child.pid };
  await stop(child);
  return { product, reason };
}

/** Runs a command that ends by itself on the generator's CPU, and returns its output. */
export async function runLoad(command: readonly string[], secondsMax: number): Promise<string> {
  const child = Bun.spawn([...mortal(), ...pin(command, LOAD_CPU)], {
    stdio: ["ignore", "pipe", "inherit"],
    timeout: secondsMax * 1e3,
    killSignal: "SIGKILL",
  });
  return child.stdout.text();
}

/** Ends everything that was started here, newest first. */
export async function clear(): Promise<void> {
  for (const child of children.splice(0).reverse()) await stop(child);
}

/** As `clear`, at once: for an exit that cannot wait. */
export function clearNow(): void {
  for (const child of children.splice(0)) child.kill("SIGKILL");
}

/** Starts what runs until `clear`; its output goes to `log`. */
function run(command: readonly string[], cpu: number, log: string): Bun.Subprocess {
  const output = Bun.file(log);
  const child = Bun.spawn([...mortal(), ...pin(command, cpu)], {
    stdio: ["ignore", output, output],
  });
  children.push(child);
  return child;
}

/** An emptied folder of its own. */
function folderOf(name: string): string {
  const dir = join(OUT, name);
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(dir, { recursive: true });
  return dir;
}

function pin(command: readonly string[], cpu: number): string[] {
  return PINNED ? ["taskset", "-c", `${cpu}`, ...command] : [...command];
}

async function stop(child: Bun.Subprocess): Promise<void> {
  child.kill("SIGTERM");
  const hard = setTimeout(() => child.kill("SIGKILL"), STOP_MS_MAX);
  await child.exited;
  clearTimeout(hard);
}

/**
 * A port nobody listens on, below the range that outgoing connections take theirs from: a connect
 * from such a port to itself would succeed, and look like a product that is ready.
 */
export function freePort(): number {
  for (; nextPort < PORT_MAX; nextPort++) {
    try {
      Bun.listen({ hostname: "127.0.0.1", port: nextPort, socket: { data() {} } }).stop(true);
      return nextPort++;
    } catch (error) {
      if ((error as { code?: string }).code !== "EADDRINUSE") throw error;
    }
  }
  throw new Error("no free port is left");
}

/** Waits until somebody accepts on the port. */
async function answers(port: number): Promise<string | null> {
  const deadline = Date.now() + READY_MS_MAX;
  while (Date.now() < deadline) {
    if (await accepts(port)) return null;
    await Bun.sleep(POLL_MS);
  }
  return `nothing listens after ${READY_MS_MAX} ms`;
}

async function accepts(port: number): Promise<boolean> {
  try {
    const socket = await Bun.connect({ hostname: "127.0.0.1", port, socket: { data() {} } });
    socket.end();
    return true;
  } catch (error) {
    if ((error as { code?: string }).code === "ECONNREFUSED") return false;
    throw error;
  }
}

/** Waits until every row is served right: who accepts may still be starting behind the port. */
async function ready(ports: Ports, rows: readonly Row[]): Promise<string | null> {
  const deadline = Date.now() + READY_MS_MAX;
  let wrong = await serves(ports, rows);
  while (wrong !== null && Date.now() < deadline) {
    await Bun.sleep(POLL_MS);
    wrong = await serves(ports, rows);
  }
  return wrong;
}

async function serves({ port, securePort }: Ports, rows: readonly Row[]): Promise<string | null> {
  for (const row of rows) {
    const request = row.kind === "requests" ? row : { ...HELLO, name: row.name, host: row.host };
    const wrong = await verify(request.secure ? securePort : port, request, issuer.root);
    if (wrong !== null) return `${row.name}: ${wrong}`;
  }
  return null;
}
