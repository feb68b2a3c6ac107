/**
 * `npm run test:cluster [WORD…]`: the tests of this folder on a real API server. It is the cluster
 * of RIND_TEST_KUBECONFIG or KUBECONFIG if there is one, where the tests make namespaces of their
 * own; else etcd and kube-apiserver are found or built (programs.ts) and run for the tests alone,
 * in a network namespace where pods can have addresses that the API server accepts (inside.ts).
 * Says `skip: REASON` where neither can be had. Ends with `N passed, N failed`.
 */
import { hasOpenssl } from "./authority.ts";
import { findHelm } from "./helm.ts";
import { findPrograms } from "./programs.ts";

const INSIDE = `${import.meta.dir}/inside.ts`;
/** A /16 on lo: every address in it is this machine's (RFC 2544's test network). */
const NETWORK = "ip link set lo up && ip address add 198.18.0.1/16 dev lo";

process.exit(await main(process.argv.slice(2)));

async function main(words: readonly string[]): Promise<number> {
  const given = process.env["RIND_TEST_KUBECONFIG"] || process.env["KUBECONFIG"];
  if (given) return onGiven(given, words);
  if (!hasOpenssl()) return skip("there is no openssl to make certificates with");
  const programs = await findPrograms(process.env, say);
  if (!programs.ok && process.env["KUBEBUILDER_ASSETS"]) return fail(programs.reason);
  if (!programs.ok) return skip(programs.reason);
  say(`kube-apiserver, etcd and kubectl are those in ${programs.value.from}`);
  const helm = await findHelm(process.env, say);
  if (!helm.ok) say(`skip: the chart is not rendered: ${helm.reason}`);
  const env = {
    RIND_TEST_PROGRAMS: JSON.stringify(programs.value),
    ...(helm.ok ? { RIND_HELM: helm.value } : {}),
  };
  return run([...(await wayInside()), process.execPath, INSIDE, ...words], env);
}

function onGiven(kubeconfig: string, words: readonly string[]): Promise<number> | number {
  const kubectl = Bun.which("kubectl");
  if (kubectl === null) return skip("there is no kubectl in PATH for the cluster that was given");
  say(`using the cluster of ${kubeconfig}, in namespaces of its own`);
  const env = { RIND_TEST_KUBECONFIG: kubeconfig, RIND_TEST_KUBECTL: kubectl };
  return run([process.execPath, INSIDE, ...words], env);
}

/** What to put before a command so that it runs in a network of its own; nothing if that fails. */
async function wayInside(): Promise<string[]> {
  const shell = ["sh", "-c", `${NETWORK} && exec "$@"`, "sh"];
  for (const way of [
    ["unshare", "--net"],
    ["unshare", "--map-root-user", "--net"],
  ]) {
    if (Bun.which("unshare") === null) break;
    const trial = Bun.spawnSync([...way, ...shell, "true"], { stderr: "pipe" });
    if (trial.exitCode === 0) return [...way, ...shell];
  }
  say("note: no network namespace can be made here, so the lesson is skipped");
  return [];
}

async function run(command: string[], env: Readonly<Record<string, string>>): Promise<number> {
  const child = Bun.spawn(command, {
    env: { ...process.env, ...env },
    stdio: ["ignore", "inherit", "inherit"],
  });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => child.kill(signal));
  }
  return child.exited;
}

/** What somebody asked for by name is not passed over. */
function fail(reason: string): number {
  say(`failed: ${reason}`);
  say("0 passed, 1 failed");
  return 1;
}

function skip(reason: string): number {
  say(`skip: ${reason}`);
  say("0 passed, 0 failed");
  return 0;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
