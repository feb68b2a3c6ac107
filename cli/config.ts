/** From flags to what a running rind needs to know: everything parsed, nothing opened. */
import { availableParallelism } from "node:os";
import { parseAddress } from "./address.ts";
import type { Parsed } from "./address.ts";
import type { Given } from "./flags.ts";
import type { Address } from "../core/protocol.ts";
import type { TranslateOptions } from "../watch/translate/draft.ts";

const WORKERS_MAX = 256;
const DRAIN_MS_MAX = 3_600_000;
const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000 };

/** Which Ingresses are ours. */
export type Adoption = Omit<TranslateOptions, "version">;

/** `workers: 0` serves from the supervisor's own process. */
export type Config = Readonly<{
  manifests: readonly string[];
  http: readonly Address[];
  admin: Address;
  workers: number;
  adoption: Adoption;
  drainMs: number;
}>;

/** Where a command listens when it is not told. */
export type Defaults = Readonly<{ http: string; admin: string }>;

/** Reads the flags of `run` and `demo`; the first that does not parse is the reason. */
export function readConfig(given: Given, defaults: Defaults): Parsed<Config> {
  const http: Address[] = [];
  for (const text of given.last("http") === undefined ? [defaults.http] : given.all("http")) {
    const address = parseAddress(text);
    if (!address.ok) return about("http", address.reason);
    http.push(address.value);
  }
  const admin = parseAddress(given.last("admin") ?? defaults.admin);
  if (!admin.ok) return about("admin", admin.reason);
  const workers = parseWorkers(given.last("workers") ?? "auto");
  if (!workers.ok) return about("workers", workers.reason);
  const drain = parseTime(given.last("drain") ?? "30s");
  if (!drain.ok) return about("drain", drain.reason);
  const value = {
    manifests: given.all("manifests"),
    http,
    admin: admin.value,
    workers: workers.value,
    adoption: readAdoption(given),
    drainMs: drain.value,
  };
  return { ok: true, value };
}

/** Whose Ingresses to take. A folder has one reader: what has no class there is meant for us. */
export function readAdoption(given: Given): Adoption {
  return {
    classes: given.last("class") === undefined ? ["rind"] : given.all("class"),
    controller: given.last("controller") ?? "rind.dev/ingress-controller",
    withoutClass: true,
  };
}

function parseWorkers(text: string): Parsed<number> {
  if (text === "auto") return { ok: true, value: availableParallelism() };
  const count = /^\d{1,3}$/.test(text) ? Number(text) : WORKERS_MAX + 1;
  if (count <= WORKERS_MAX) return { ok: true, value: count };
  return { ok: false, reason: `"${text}" is not auto or a number up to ${WORKERS_MAX}` };
}

function parseTime(text: string): Parsed<number> {
  const match = /^(\d{1,7})(ms|s|m)$/.exec(text);
  const timeMs = match === null ? DRAIN_MS_MAX + 1 : Number(match[1]) * UNIT_MS[match[2]!]!;
  if (timeMs <= DRAIN_MS_MAX) return { ok: true, value: timeMs };
  return { ok: false, reason: `"${text}" is not a time up to an hour, such as 30s, 500ms or 2m` };
}

function about(flag: string, reason: string): Parsed<never> {
  return { ok: false, reason: `--${flag}: ${reason}` };
}
