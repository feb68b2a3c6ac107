/** From flags to what a running rind needs to know: everything parsed, nothing opened. */
import { isIPv6 } from "node:net";
import { availableParallelism } from "node:os";
import { parseAddress } from "./address.ts";
import type { Parsed } from "./address.ts";
import { parseCidr } from "../core/cidr.ts";
import { showAddress } from "../core/protocol.ts";
import { readAdoption } from "./adoption.ts";
import { readCluster, readRanges } from "./cluster.ts";
import { readLimits } from "./limits.ts";
import { readUnit } from "./units.ts";
import type { Adoption } from "./adoption.ts";
import type { ClusterConfig } from "./cluster.ts";
import type { Given } from "./flags.ts";
import type { Limits } from "../core/limits.ts";
import type { Address } from "../core/protocol.ts";

const WORKERS_MAX = 256;
/** Of a drain, and of the lame duck before it. */
const END_MS_MAX = 3_600_000;

/** `workers: 0` serves from the supervisor's own process. */
export type Config = Readonly<{
  manifests: readonly string[];
  /** null where manifests are served. */
  cluster: ClusterConfig | null;
  /** Ranges that endpoints may be in although they are not trusted otherwise. */
  ranges: readonly string[];
  /** Where what is served is kept for the next start, or null. */
  state: string | null;
  http: readonly Address[];
  admin: Address;
  workers: number;
  adoption: Adoption;
  /** How long to serve on after SIGTERM, before `drainMs` begins. */
  lameDuckMs: number;
  drainMs: number;
  limits: Limits;
  trusted: readonly string[];
}>;

/**
 * Where a command listens, and how it ends, when it is not told. `cluster`: what it serves without
 * manifests is a cluster.
 */
export type Defaults = Readonly<{
  http: string;
  admin: string;
  lameDuck: string;
  cluster: boolean;
}>;

/** Reads the flags of `run` and `demo`; the first that does not parse is the reason. */
export function readConfig(given: Given, defaults: Defaults): Parsed<Config> {
  const doors = readDoors(given, defaults);
  if (!doors.ok) return doors;
  const workers = parseWorkers(given.last("workers") ?? "auto");
  if (!workers.ok) return about("workers", workers.reason);
  const drain = parseTime(given.last("drain") ?? "30s");
  if (!drain.ok) return about("drain", drain.reason);
  const lameDuck = parseTime(given.last("lame-duck") ?? defaults.lameDuck);
  if (!lameDuck.ok) return about("lame-duck", lameDuck.reason);
  const limits = readLimits(given.all("limit"));
  if (!limits.ok) return about("limit", limits.reason);
  for (const text of given.all("trusted-proxy")) {
    const cidr = parseCidr(text);
    if (!cidr.ok) return about("trusted-proxy", cidr.reason);
  }
  const cluster = readCluster(given, defaults.cluster);
  if (!cluster.ok) return cluster;
  const ranges = readRanges(given);
  if (!ranges.ok) return ranges;
  const adoption = readAdoption(given, cluster.value !== null);
  if (!adoption.ok) return adoption;
  const value = {
    ...doors.value,
    manifests: given.all("manifests"),
    cluster: cluster.value,
    ranges: ranges.value,
    state: given.last("state") ?? null,
    workers: workers.value,
    adoption: adoption.value,
    lameDuckMs: lameDuck.value,
    drainMs: drain.value,
    limits: limits.value,
    trusted: given.all("trusted-proxy"),
  };
  return { ok: true, value };
}

/** Two doors at one address would share its traffic without a word. */
function readDoors(given: Given, defaults: Defaults): Parsed<Pick<Config, "http" | "admin">> {
  const http: Address[] = [];
  const known = new Set<string>();
  for (const text of given.last("http") === undefined ? [defaults.http] : given.all("http")) {
    const address = parseAddress(text);
    if (!address.ok) return about("http", address.reason);
    const shown = showAddress(address.value);
    if (known.has(shown)) return about("http", `${shown} is given twice`);
    if (address.value.port !== 0) known.add(shown);
    http.push(address.value);
  }
  const admin = parseAddress(given.last("admin") ?? defaults.admin);
  if (!admin.ok) return about("admin", admin.reason);
  const shown = showAddress(admin.value);
  if (http.some((address) => meet(address, admin.value))) {
    return about("admin", `${shown} is an address for HTTP already (--http)`);
  }
  return { ok: true, value: { http, admin: admin.value } };
}

/** Whether one connection could be meant for both. */
function meet(one: Address, other: Address): boolean {
  if (one.port !== other.port || one.port === 0) return false;
  const hosts = [one.host, other.host];
  return (
    hosts[0] === hosts[1] ||
    hosts.includes("::") ||
    (hosts.includes("0.0.0.0") && !hosts.some(isIPv6))
  );
}

function parseWorkers(text: string): Parsed<number> {
  if (text === "auto") return { ok: true, value: availableParallelism() };
  const count = /^\d{1,3}$/.test(text) ? Number(text) : WORKERS_MAX + 1;
  if (count <= WORKERS_MAX) return { ok: true, value: count };
  return { ok: false, reason: `"${text}" is not auto or a number up to ${WORKERS_MAX}` };
}

function parseTime(text: string): Parsed<number> {
  const timeMs = readUnit("time", text);
  if (timeMs !== null && timeMs <= END_MS_MAX) return { ok: true, value: timeMs };
  return { ok: false, reason: `"${text}" is not a time up to an hour, such as 30s, 500ms or 2m` };
}

function about(flag: string, reason: string): Parsed<never> {
  return { ok: false, reason: `--${flag}: ${reason}` };
}
