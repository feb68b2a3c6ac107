/**
 * A private place to measure in: one network namespace with nothing but loopback, so that host
 * sysctls and neighbours stay out, and one PID namespace, so that whatever happens to the run the
 * kernel ends every process it started.
 */
import { existsSync, readFileSync } from "node:fs";

const INSIDE = "RIND_BENCH_INSIDE";
const UNSHARE = ["unshare", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"];
const CONGESTION_FILE = "/proc/sys/net/ipv4/tcp_congestion_control";

/** Where this process measures: `private` namespaces, or the `host`'s own loopback. */
export type Place = "private" | "host";

/**
 * Runs this same command again inside the namespaces and returns its exit code; `null` means that
 * we are already where the measuring happens.
 */
export async function enter(argv: readonly string[]): Promise<number | null> {
  if (process.env[INSIDE] !== undefined) return null;
  if (!permitted()) {
    console.log("namespaces are not permitted here: measuring on the host's loopback");
    return null;
  }
  const child = Bun.spawn([...mortal(), ...UNSHARE, process.execPath, Bun.main, ...argv], {
    env: { ...process.env, [INSIDE]: "1" },
    stdio: ["ignore", "inherit", "inherit"],
  });
  // unshare lets no gentler signal through, and what dies with it needs no farewell.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => child.kill("SIGKILL"));
  }
  return child.exited;
}

/** Brings loopback up and chooses a congestion control that does not pace. */
export function prepare(): Place {
  if (process.env[INSIDE] === undefined) return "host";
  Bun.spawnSync(["ip", "link", "set", "lo", "up"]);
  for (const name of ["cubic", "reno"]) {
    if (Bun.spawnSync(["sysctl", "-q", "-w", `net.ipv4.tcp_congestion_control=${name}`]).success) {
      break;
    }
  }
  return "private";
}

/** The settings a reader needs in order to compare: as the kernel reports them now. */
export function sysctls(): Record<string, string> {
  const paths = [
    CONGESTION_FILE,
    "/proc/sys/net/ipv4/tcp_rmem",
    "/proc/sys/net/ipv4/tcp_wmem",
    "/proc/sys/net/core/somaxconn",
  ];
  const found: Record<string, string> = {};
  for (const path of paths) {
    if (!existsSync(path)) continue;
    const name = path.slice("/proc/sys/".length).replaceAll("/", ".");
    found[name] = readFileSync(path, "utf8").trim().replaceAll("\t", " ");
  }
  return found;
}

/** The prefix that makes the kernel end a child when its parent dies, where setpriv is there. */
export function mortal(): string[] {
  return Bun.which("setpriv") === null ? [] : ["setpriv", "--pdeathsig", "KILL"];
}

function permitted(): boolean {
  if (Bun.which("unshare") === null || Bun.which("ip") === null) return false;
  return Bun.spawnSync([...UNSHARE, "true"]).success;
}
