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
import { readTls } from "./tls.ts";
import type { Address, EdgeSettings, TlsSettings } from "../core/protocol.ts";

const WORKERS_MAX = 256;
/** In place of an address: there is no such door. */
const NOWHERE = "none";
/** Of a drain, and of the lame duck before it. */
const END_MS_MAX = 3_600_000;

/** `workers: 0` serves from the supervisor's own process. */
export type Config = Omit<EdgeSettings, "tls"> &
  Readonly<{
    /** But for the certificate of last resort, which is made at the start. */
    tls: Omit<TlsSettings, "fallback">;
    manifests: readonly string[];
    /** null where manifests are served. */
    cluster: ClusterConfig | null;
    /** Ranges that endpoints may be in although they are not trusted otherwise. */
    ranges: readonly string[];
    /** Where what is served is kept for the next start, or null. */
    state: string | null;
    admin: Address;
    workers: number;
    adoption: Adoption;
    /** How long to serve on after SIGTERM, before `drainMs` begins. */
    lameDuckMs: number;
    drainMs: number;
  }>;

/**
 * Where a command listens, and how it ends, when it is not told. `cluster`: what it serves without
 * manifests is a cluster.
 */
export type Defaults = Readonly<{
  http: string;
  https: string;
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
  for (const flag of ["trusted-proxy", "proxy-protocol"] as const) {
    for (const text of given.all(flag)) {
      const cidr = parseCidr(text);
      if (!cidr.ok) return about(flag, cidr.reason);
    }
  }
  const tls = readTls(given, doors.value.https);
  if (!tls.ok) return tls;
  const cluster = readCluster(given, defaults.cluster);
  if (!cluster.ok) return cluster;
  const ranges = readRanges(given);
  if (!ranges.ok) return ranges;
  const adoption = readAdoption(given, cluster.value !== null);
  if (!adoption.ok) return adoption;
  // Whether anybody in front of it speaks HTTPS is not known: then only who asks is redirected.
  const sure = doors.value.https.length > 0 || given.last("ssl-redirect") !== undefined;
  const value = {
    ...doors.value,
    manifests: given.all("manifests"),
    cluster: cluster.value,
    ranges: ranges.value,
    state: given.last("state") ?? null,
    workers: workers.value,
    adoption: sure ? adoption.value : { ...adoption.value, sslRedirect: false },
    lameDuckMs: lameDuck.value,
    drainMs: drain.value,
    limits: limits.value,
    tls: tls.value,
    proxies: given.all("proxy-protocol"),
    trusted: given.all("trusted-proxy"),
  };
  return { ok: true, value };
}

type Doors = Pick<Config, "http" | "https" | "admin">;

/** Two doors at one address would share its traffic without a word. */
function readDoors(given: Given, defaults: Defaults): Parsed<Doors> {
  const doors: { http: Address[]; https: Address[] } = { http: [], https: [] };
  for (const flag of ["http", "https"] as const) {
    const texts = given.last(flag) === undefined ? [defaults[flag]] : given.all(flag);
    if (texts.length > 1 && texts.includes(NOWHERE)) {
      return about(flag, `${NOWHERE} does not go with other addresses`);
    }
    for (const text of texts.filter((each) => each !== NOWHERE)) {
      const address = parseAddress(text);
      if (!address.ok) return about(flag, address.reason);
      const shown = showAddress(address.value);
      if (doors[flag].some((other) => other.port !== 0 && showAddress(other) === shown)) {
        return about(flag, `${shown} is given twice`);
      }
      if (flag === "https" && doors.http.some((other) => meet(other, address.value))) {
        return about(flag, `${shown} is an address for HTTP already (--http)`);
      }
      doors[flag].push(address.value);
    }
  }
  if (doors.http.length + doors.https.length === 0) return about("http", "nothing is served");
  const admin = parseAddress(given.last("admin") ?? defaults.admin);
  if (!admin.ok) return about("admin", admin.reason);
  for (const flag of ["http", "https"] as const) {
    if (!doors[flag].some((address) => meet(address, admin.value))) continue;
    const shown = showAddress(admin.value);
    return about("admin", `${shown} is an address for ${flag.toUpperCase()} already (--${flag})`);
  }
  return { ok: true, value: { ...doors, admin: admin.value } };
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
