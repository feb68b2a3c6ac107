/** Starts the API server if there is none yet, runs the tests of this folder, and ends both. */
import type { Programs } from "./programs.ts";
import { startCluster, type Cluster } from "./server.ts";

const RUNNER = `${import.meta.dir}/../run.ts`;

process.exit(await main(process.argv.slice(2)));

async function main(words: readonly string[]): Promise<number> {
  const given = process.env["RIND_TEST_PROGRAMS"];
  if (given === undefined) return runTests(words, {});
  const programs = JSON.parse(given) as Programs;
  const startedAt = performance.now();
  const cluster = await startCluster(programs);
  const took = ((performance.now() - startedAt) / 1_000).toFixed(1);
  process.stdout.write(`kube-apiserver is ready after ${took} s\n`);
  try {
    return await runTests(words, environmentOf(cluster, programs));
  } finally {
    await cluster.stop();
  }
}

function environmentOf({ kubeconfig, etcd, pid }: Cluster, { kubectl }: Programs) {
  return {
    RIND_TEST_KUBECONFIG: kubeconfig,
    RIND_TEST_KUBECTL: kubectl,
    RIND_TEST_ETCD: etcd,
    RIND_TEST_API_PID: String(pid),
  };
}

async function runTests(
  words: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<number> {
  const paths = words.length === 0 ? ["test/cluster/"] : words.map((w) => `test/cluster/${w}`);
  const child = Bun.spawn([process.execPath, RUNNER, ...paths], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "inherit", "inherit"],
  });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => child.kill(signal));
  }
  return child.exited;
}
