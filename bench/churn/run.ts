/** One run of the churn: clients of every kind, and everything that changes under them. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Random } from "../../core/random.ts";
import { type Kind, runClient } from "./clients.ts";
import { Cluster } from "./cluster.ts";
import {
  addProxy,
  CHURNED,
  flip,
  FLIPPED,
  killPod,
  makeNoise,
  populate,
  replacePod,
  restartProxy,
  stopProxy,
} from "./scenario.ts";
import { Score } from "./score.ts";
import { Executions, Front, Pace, type Site } from "./site.ts";
import { runTunnels } from "./tunnels.ts";

/** How much of everything. `secondsMax` ends a run that does not get there. */
export type Plan = Readonly<{
  seed: number;
  perSecond: number;
  workers: number;
  /** Two proxies behind a balancer, so that each may be restarted. */
  proxies: number;
  replacements: number;
  flips: number;
  workerReplacements: number;
  restarts: number;
  kills: number;
  drainMs: number;
  lameDuckMs: number;
  /** Further flags of rind, such as `--limit NAME=VALUE`. */
  flags: readonly string[];
  secondsMax: number;
}>;

export type Outcome = Readonly<{ done: Done; score: Score }>;

const OFTEN = ["web.test", "api.test", ...FLIPPED];
const BASE = {
  hosts: OFTEN,
  fresh: false,
  method: "GET",
  up: 0,
  down: 2_000,
  chunked: false,
} as const;

/** Clients by kind, and how many of each. */
const CLIENTS: readonly (readonly [number, Kind])[] = [
  [8, { ...BASE, name: "GET, kept" }],
  [2, { ...BASE, name: "GET, in bursts", burst: 5 }],
  [6, { ...BASE, name: "GET, new", fresh: true }],
  [6, { ...BASE, name: "POST, kept", method: "POST", up: 4_000 }],
  [4, { ...BASE, name: "POST, new", method: "POST", up: 4_000, fresh: true }],
  [4, { ...BASE, name: "POST, chunked", method: "POST", up: 20_000, down: 20_000, chunked: true }],
  [2, { ...BASE, name: "GET, large", down: 600_000 }],
  [2, { ...BASE, name: "POST, large", method: "POST", up: 600_000, chunked: true }],
  [3, { ...BASE, name: "GET, fragile", hosts: ["fragile.test"] }],
  [3, { ...BASE, name: "GET, hasty", hosts: ["hasty.test"] }],
];
const TUNNELS = 4;
const TUNNEL_MS = 3_000;
const NOISE_MS = 500;
const LOOK_MS = 50;
const KILL_MS = 1_000;

/** Opens a site with its manifests in a folder of its own. `close` ends what it started. */
export function openSite(
  plan: Pick<Plan, "seed" | "perSecond" | "drainMs" | "lameDuckMs">,
): Readonly<{ site: Site; folder: string; close: () => void }> {
  const folder = mkdtempSync(join(tmpdir(), "rind-churn-"));
  const random = new Random(plan.seed);
  const executions = new Executions();
  const site: Site = {
    cluster: new Cluster(folder, (id, method) => executions.witness(id, method)),
    score: new Score(),
    front: new Front(random),
    pace: new Pace(plan.perSecond, random),
    random,
    executions,
    drainMs: plan.drainMs,
    lameDuckMs: plan.lameDuckMs,
    ending: new Set(),
    running: true,
  };
  const close = (): void => {
    site.running = false;
    for (const proxy of site.front.all) proxy.child.kill("SIGKILL");
    for (const pod of site.cluster.everyPod()) pod.kill();
    rmSync(folder, { recursive: true, force: true });
  };
  return { site, folder, close };
}

/** Runs a plan to its end. Leaves nothing behind, whether it fails or not. */
export async function runChurn(plan: Plan): Promise<Outcome> {
  const { site, folder, close } = openSite(plan);
  process.once("exit", close);
  const args = proxyArgs(folder, plan);
  try {
    populate(site);
    for (let i = 0; i < plan.proxies; i++) await addProxy(site, args);
    const load = startLoad(site);
    const done = await churn(site, plan, args);
    site.running = false;
    await load;
    await Promise.all(site.ending);
    await Promise.all(site.front.all.map((proxy) => stopProxy(site, proxy)));
    return { done, score: site.score };
  } finally {
    process.off("exit", close);
    close();
  }
}

/** Starts every client and tunnel; resolves when the site stopped and all of them are done. */
export async function startLoad(site: Site): Promise<void> {
  const clients = CLIENTS.flatMap(([count, kind]) =>
    Array.from({ length: count }, () => runClient(site, kind)),
  );
  const tunnels = Array.from({ length: TUNNELS }, () => [
    runTunnels(site, "web.test", TUNNEL_MS),
    runTunnels(site, "steady.test", Infinity),
  ]);
  const look = setInterval(() => {
    for (const proxy of site.front.all) void proxy.look();
  }, LOOK_MS);
  await Promise.all([...clients, ...tunnels.flat()]);
  clearInterval(look);
}

/** The flags of rind for a run. */
export function proxyArgs(
  folder: string,
  plan: Pick<Plan, "workers" | "drainMs" | "lameDuckMs" | "flags">,
): readonly string[] {
  const ending = ["--drain", `${plan.drainMs}ms`, "--lame-duck", `${plan.lameDuckMs}ms`];
  return ["--manifests", folder, "--workers", `${plan.workers}`, ...ending, ...plan.flags];
}

type Done = Record<"replacements" | "flips" | "workerReplacements" | "restarts" | "kills", number>;

/** Makes all changes of the plan, and goes on with each until there were enough of all. */
async function churn(site: Site, plan: Plan, args: readonly string[]): Promise<Done> {
  const end = performance.now() + plan.secondsMax * 1e3;
  const done: Done = { replacements: 0, flips: 0, workerReplacements: 0, restarts: 0, kills: 0 };
  const names = Object.keys(done) as (keyof Done)[];
  const open = (): boolean =>
    performance.now() < end && names.some((name) => done[name] < plan[name]);
  const lane = async (name: keyof Done, change: () => Promise<void>): Promise<void> => {
    while (plan[name] > 0 && open()) {
      await change();
      done[name]++;
    }
  };
  const lanes = [...CHURNED, ...CHURNED].map((service) =>
    lane("replacements", () => replacePod(site, service)),
  );
  lanes.push(...FLIPPED.map((host) => lane("flips", () => flip(site, host))));
  lanes.push(lane("kills", async () => void (await killPod(site), await Bun.sleep(KILL_MS))));
  lanes.push(upkeep(site, plan, { args, done, open }));
  lanes.push(noise(site, open));
  await Promise.all(lanes);
  return done;
}

/** Replaces the workers of each proxy, then the proxies themselves, and so on in turn. */
async function upkeep(
  site: Site,
  plan: Plan,
  by: Readonly<{ args: readonly string[]; done: Done; open: () => boolean }>,
): Promise<void> {
  const { args, done, open } = by;
  const due = (name: keyof Done): boolean => done[name] < plan[name] && open();
  while (due("workerReplacements") || due("restarts")) {
    for (const proxy of [...site.front.all]) {
      if (due("workerReplacements")) done.workerReplacements += await proxy.replaceWorkers();
    }
    if (!due("restarts")) continue;
    for (const proxy of [...site.front.all]) await restartProxy(site, proxy, args);
    done.restarts++;
  }
}

async function noise(site: Site, open: () => boolean): Promise<void> {
  while (open()) {
    await makeNoise(site);
    await Bun.sleep(NOISE_MS);
  }
}
