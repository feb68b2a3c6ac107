/** The churn itself: endpoints replaced, routes flipped, workers and whole proxies replaced. */
import type { Pod } from "./pod.ts";
import { Proxy, type Served, until } from "./proxy.ts";
import type { Site } from "./site.ts";

/** Services whose pods are replaced all the time. */
export const CHURNED = ["web", "api", "blue", "green"] as const;
/** Hosts that lead to blue, then green, then blue. */
export const FLIPPED = ["flip1.test", "flip2.test"] as const;
/** GETs only: its pods are killed without warning. */
export const FRAGILE = "fragile";
/** GETs only: its one pod closes idle connections about when they are used again. */
const HASTY = "hasty";
const HASTY_MS = 120;
/** Its one pod stays. */
const STEADY = "steady";

const PODS = 4;
const PODS_READY_MIN = 2;
/** What a pod waits at least between leaving and ending, as with a preStop hook. */
const PRE_STOP_MS = 300;
/** What a pod that ends gives its tunnels: longer than any of them lives. */
const GRACE_MS = 10_000;
const CONFIRM_MS = 10;

/** Gives every service its pods and every host its service, and writes it all. */
export function populate({ cluster }: Site): void {
  for (const service of [...CHURNED, FRAGILE, HASTY, STEADY]) {
    const count = service === STEADY || service === HASTY ? 1 : PODS;
    const idleMs = service === HASTY ? HASTY_MS : Infinity;
    for (let i = 0; i < count; i++) cluster.list(cluster.open(service, idleMs));
    cluster.writeService(service);
  }
  // Each service has a host that stays: what no route names is not in the model.
  const hosts = [...CHURNED, FRAGILE, HASTY, STEADY].map((service) => [`${service}.test`, service]);
  hosts.push(...FLIPPED.map((host) => [host, "blue"]));
  for (const [host, service] of hosts as [string, string][]) {
    cluster.lead(host, service);
    cluster.writeHost(host);
  }
}

/** Replaces the oldest pod of a service by a new one, as a rolling update does. */
export async function replacePod(site: Site, service: string): Promise<void> {
  const { cluster, score } = site;
  const old = cluster.pods(service)[0];
  if (old === undefined || cluster.pods(service).length < PODS_READY_MIN) return;
  const next = cluster.open(service);
  const from = performance.now();
  cluster.list(next);
  // Some clusters tell that a pod is ending, others just take it out.
  if (site.random.below(4) > 0) cluster.leave(old);
  else cluster.unlist(old);
  cluster.writeService(service);
  await applied(site, "a pod is replaced", (served) => {
    const uids = uidsOf(served);
    return uids.includes(next.name) && !uids.includes(old.name);
  });
  cluster.retired(old);
  score.served("(endpoints applied)", performance.now() - from);
  await Bun.sleep(PRE_STOP_MS);
  cluster.unlist(old);
  cluster.writeService(service);
  const ended = endPod(site, old);
  site.ending.add(ended);
  void ended.finally(() => site.ending.delete(ended));
}

/** Points a host at the other service. */
export async function flip(site: Site, host: string): Promise<void> {
  const { cluster, score } = site;
  const next = cluster.serviceOf(host) === "blue" ? "green" : "blue";
  const from = performance.now();
  cluster.lead(host, next);
  cluster.writeHost(host);
  await applied(site, "a route is flipped", ({ hosts }) => {
    const split = hosts.find(({ name }) => name === host)?.routes[0]?.action.split ?? [];
    return split[0]?.backend.startsWith(`default/${next}:`) === true;
  });
  cluster.settled(host);
  score.served("(route applied)", performance.now() - from);
}

/** Kills a pod, and tells only later: as a node that dies. */
export async function killPod(site: Site): Promise<void> {
  const { cluster } = site;
  const pods = cluster.pods(FRAGILE);
  const old = pods[site.random.below(pods.length)];
  if (old === undefined) return;
  cluster.kill(old);
  await Bun.sleep(200);
  cluster.unlist(old);
  cluster.list(cluster.open(FRAGILE));
  cluster.writeService(FRAGILE);
  // Its address may be somebody else's only when nobody asks for the dead one there any more.
  await applied(site, "a killed pod is gone", (served) => !uidsOf(served).includes(old.name));
  cluster.freed(old);
}

/** What an API does all day besides: the same again, and files that are broken for a while. */
export async function makeNoise(site: Site): Promise<void> {
  const { cluster, random } = site;
  const service = CHURNED[random.below(CHURNED.length)]!;
  cluster.writeService(service);
  for (const host of FLIPPED) cluster.writeHost(host);
  cluster.breakService(STEADY);
  cluster.writeText(`noise-${random.below(4)}`, `{"kind": "Ingress", "spec": {"rules": 1}}`);
  await Bun.sleep(50 + random.below(100));
  cluster.writeService(STEADY);
}

/** Starts a proxy and gives it to the front once it is ready. */
export async function addProxy(site: Site, args: readonly string[]): Promise<Proxy> {
  const proxy = new Proxy(args);
  site.front.add(proxy);
  await proxy.started();
  await until("rind is ready", async () => (await proxy.look())?.ready === true);
  return proxy;
}

/** Stops a proxy as Kubernetes stops a pod; a new one takes its place first. */
export async function restartProxy(site: Site, old: Proxy, args: readonly string[]): Promise<void> {
  await addProxy(site, args);
  await stopProxy(site, old);
}

/** Stops a proxy. An exit code is a failure, and so is an error in its log. */
export async function stopProxy({ front, score, lameDuckMs }: Site, proxy: Proxy): Promise<void> {
  const code = await proxy.stop(lameDuckMs);
  front.remove(proxy);
  if (code !== 0) score.failed("(end)", `exit code ${code}`, proxy.errors.join(" | "));
  for (const line of proxy.errors) score.failed("(log)", "rind logged an error", line);
}

async function endPod(site: Site, pod: Pod): Promise<void> {
  await pod.end(GRACE_MS);
  site.cluster.freed(pod);
}

function uidsOf({ backends }: Served): string[] {
  return backends.flatMap(({ endpoints }) => endpoints.map(({ uid }) => uid));
}

/** Resolves when every proxy that takes connections serves a model of which `holds` is true. */
async function applied(
  site: Site,
  what: string,
  holds: (served: Served) => boolean,
): Promise<void> {
  for (const proxy of site.front.all) {
    await until(what, async () => {
      if (!proxy.open || (await proxy.serves(holds))) return true;
      await Bun.sleep(CONFIRM_MS);
      return false;
    });
  }
}
