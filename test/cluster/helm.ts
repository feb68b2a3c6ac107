/**
 * Helm, which the chart in k8s/ is for: RIND_HELM, or what is in PATH, or built once per machine
 * from the version that binaries/helm pins.
 */
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Parsed } from "../../cli/address.ts";
import { lock } from "./lock.ts";
import { cacheOf, compile } from "./programs.ts";

const PACKAGE = "helm.sh/helm/v3/cmd/helm";

type Env = Readonly<Record<string, string | undefined>>;

/** The path of Helm 3, if this machine has it without building it. */
export function installedHelm(env: Env): string | null {
  const found = Bun.which(env["RIND_HELM"] || "helm");
  if (found !== null) return found;
  const built = builtHelm(env);
  return existsSync(built) ? built : null;
}

/** The same, built if need be; or one sentence on why not. `say` is told what takes long. */
export async function findHelm(env: Env, say: (line: string) => void): Promise<Parsed<string>> {
  const found = installedHelm(env);
  if (found !== null) return { ok: true, value: found };
  const go = Bun.which("go");
  if (go === null)
    return { ok: false, reason: "there is no Helm, and no Go toolchain to build it" };
  const built = builtHelm(env);
  mkdirSync(dirname(built), { recursive: true });
  const unlock = await lock(`${built}.lock`);
  const fresh = `${built}.${process.pid}`;
  try {
    if (existsSync(built)) return { ok: true, value: built };
    say(`building Helm as ${built}, once per machine; it takes about a minute`);
    const failure = await compile(go, "helm", ["-ldflags", "-s -w", "-o", fresh, PACKAGE]);
    if (failure !== null) return { ok: false, reason: failure };
    renameSync(fresh, built);
    return { ok: true, value: built };
  } finally {
    rmSync(fresh, { force: true });
    unlock();
  }
}

function builtHelm(env: Env): string {
  return join(cacheOf(env, "helm", ["helm"]), "helm");
}
