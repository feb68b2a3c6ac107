/**
 * Exec plugins of a kubeconfig (client.authentication.k8s.io). The client library runs them, and
 * waits for them for ever, with all that they say in memory; here they get limits.
 */
import { type ChildProcess, spawn, type SpawnOptions } from "node:child_process";

/** Longer than any cloud takes to give a token. */
const RUN_MS_MAX = 30_000;
/** What a plugin may say, bytes. A token and a certificate are a few thousand. */
const TOLD_MAX = 1024 * 1024;

/** `config` is a KubeConfig of the library; a plugin may run for 30 s if nothing else is given. */
export function boundPlugins(config: object, timeoutMs = RUN_MS_MAX): void {
  // Not in its types, but the one way to the process; access.ts in test/ knows when it is gone.
  const { authenticators } = config as { authenticators: readonly object[] };
  const runner = authenticators.find((each) => "execFn" in each);
  if (runner === undefined) return;
  Object.assign(runner, {
    execFn: (command: string, args: readonly string[], options: SpawnOptions) =>
      run({ command, args, options }, timeoutMs),
  });
}

type Call = Readonly<{ command: string; args?: readonly string[]; options: SpawnOptions }>;

function run({ command, args, options }: Call, timeoutMs: number): ChildProcess {
  // Nobody is there to answer what it asks.
  const child = spawn(command, args ?? [], { ...options, stdio: ["ignore", "pipe", "pipe"] });
  const end = (): void => {
    child.kill("SIGKILL");
    // Whatever it started may hold them open.
    child.stdout?.destroy();
    child.stderr?.destroy();
  };
  const late = setTimeout(end, timeoutMs);
  child.on("exit", () => clearTimeout(late));
  child.on("error", () => clearTimeout(late));
  let told = 0;
  const count = (data: string): void => {
    told += data.length;
    if (told > TOLD_MAX) end();
  };
  child.stdout?.on("data", count);
  child.stderr?.on("data", count);
  return child;
}
