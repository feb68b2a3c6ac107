/** One soak: steady load and steady churn, clients and backends that misbehave, for a while. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Random } from "../../core/random.ts";
import { openSite, proxyArgs, startLoad } from "../churn/run.ts";
import {
  addProxy,
  CHURNED,
  flip,
  FLIPPED,
  killPod,
  makeNoise,
  populate,
  replacePod,
  stopProxy,
} from "../churn/scenario.ts";
import { Pace, type Site } from "../churn/site.ts";
import { OUT } from "../load/products.ts";
import { runHostile } from "./hostile.ts";
import { report } from "./report.ts";
import { Sampler, type Series } from "./samples.ts";

export type Soak = Readonly<{
  minutes: number;
  perSecond: number;
  workers: number;
  seed: number;
  /** Further flags of rind. */
  flags: readonly string[];
}>;

const HOSTILE_CLIENTS = 8;
/** Requests of every kind for one attack. */
const HOSTILE_SHARE = 10;
const PROGRESS_MS = 30_000;
const REPLACE_MS = 1_000;
const FLIP_MS = 3_000;
const NOISE_MS = 10_000;
const KILL_MS = 15_000;
/** How often a lane looks whether it is its time, or the end. */
const LANE_LOOK_MS = 100;
/** Longest wait for descriptors to be as few as before the load. */
const FALL_MS_MAX = 20_000;
/** Descriptors a runtime opens once and keeps: its own timers and threads. */
const FDS_KEPT = 4;

/** Runs a soak to its end and returns whether nothing was wrong. Leaves nothing behind. */
export async function soak(plan: Soak, say: (line: string) => void): Promise<boolean> {
  const ending = { drainMs: 5_000, lameDuckMs: 0 };
  const { site, folder, close } = openSite({ ...plan, ...ending });
  process.once("exit", close);
  try {
    populate(site);
    const args = proxyArgs(folder, { ...plan, ...ending });
    const proxy = await addProxy(site, args);
    const sampler = new Sampler(proxy.child.pid, () => proxy.heaps);
    const before = sampler.fds();
    const pids = [...proxy.pids].join();
    await load(site, plan, { sampler, say });
    sampler.stop();
    const wrong = [...(await fallen(site, sampler, before))];
    await proxy.look();
    if (proxy.pids.join() !== pids) wrong.push(`workers were ${pids} and are ${proxy.pids.join()}`);
    await stopProxy(site, proxy);
    say(`raw samples: ${keep([...sampler.series.values()])}`);
    const trends = report([...sampler.series.values()], plan.workers);
    for (const line of [...site.score.lines(), ...trends.lines]) say(line);
    wrong.push(...trends.wrong);
    if (site.score.failures > 0) wrong.push(`${site.score.failures} requests failed`);
    for (const line of wrong) say(`WRONG: ${line}`);
    return wrong.length === 0;
  } finally {
    process.off("exit", close);
    close();
  }
}

/** Load, churn and attacks for the time of the plan; resolves when all of them have ended. */
async function load(
  site: Site,
  plan: Soak,
  to: Readonly<{ sampler: Sampler; say: (line: string) => void }>,
): Promise<void> {
  const pace = new Pace(plan.perSecond / HOSTILE_SHARE, new Random(plan.seed + 1));
  const hostile: Site = { ...site, pace };
  const clients = [startLoad(site)];
  for (let i = 0; i < HOSTILE_CLIENTS; i++) clients.push(runHostile(hostile));
  const stop = Promise.withResolvers<void>();
  let turn = 0;
  const lanes = [
    every(site, REPLACE_MS, () => replacePod(site, CHURNED[turn++ % CHURNED.length]!)),
    every(site, FLIP_MS, () => flip(site, FLIPPED[turn % FLIPPED.length]!)),
    every(site, NOISE_MS, () => makeNoise(site)),
    every(site, KILL_MS, () => killPod(site)),
  ];
  // A lane that fails ends the soak at once.
  for (const lane of [...lanes, ...clients]) lane.catch(stop.reject);
  const progress = setInterval(() => {
    site.cluster.forget();
    const rss = [...to.sampler.series.values()].map(({ samples }) => samples.at(-1)!.rssKib);
    const sizes = rss.map((kib) => `${Math.round(kib / 1_024)}`).join("/");
    to.say(`${site.score.requests} answered, ${site.score.failures} failed, RSS ${sizes} MiB`);
  }, PROGRESS_MS);
  const timer = setTimeout(stop.resolve, plan.minutes * 60_000);
  try {
    await stop.promise;
  } finally {
    clearInterval(progress);
    clearTimeout(timer);
    site.running = false;
    hostile.running = false;
  }
  await Promise.all([...clients, ...lanes, ...site.ending]);
}

async function every(site: Site, ms: number, change: () => Promise<void>): Promise<void> {
  let next = performance.now();
  while (site.running) {
    if (performance.now() >= next) {
      await change();
      next = performance.now() + ms;
    }
    await Bun.sleep(LANE_LOOK_MS);
  }
}

/** Takes all pods away, and waits until descriptors are as few as before the load. */
async function fallen(site: Site, sampler: Sampler, before: number): Promise<string[]> {
  const pods = site.cluster.everyPod();
  for (const pod of pods) site.cluster.unlist(pod);
  for (const service of new Set(pods.map((pod) => pod.service))) site.cluster.writeService(service);
  const end = performance.now() + FALL_MS_MAX;
  while (sampler.fds() > before + FDS_KEPT && performance.now() < end) await Bun.sleep(100);
  const after = sampler.fds();
  for (const pod of pods) pod.kill();
  site.score.note(`descriptors: ${before} before the load, ${after} after it`);
  return after > before + FDS_KEPT ? [`${after} descriptors are left of ${before}`] : [];
}

/** Writes the samples to a file, for whoever wants to draw them, and returns its path. */
function keep(series: readonly Series[]): string {
  mkdirSync(OUT, { recursive: true });
  const path = join(OUT, "soak.json");
  writeFileSync(path, JSON.stringify(series));
  return path;
}
