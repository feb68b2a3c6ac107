/** How long a rind that starts behind an API server takes until it shows every certificate. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ApiServer, kubeconfigOf } from "../cluster/apiserver.ts";
import type { ApiObject } from "../cluster/objects.ts";
import { freePort } from "../load/arena.ts";
import { ingressOf, secretOf } from "../load/manifests.ts";
import { mortal } from "../load/namespace.ts";
import { Issuer } from "../load/pairs.ts";
import { OUT } from "../load/products.ts";
import { shownTo } from "./client.ts";

const RIND = join(import.meta.dir, "../../rind.ts");
const NAMESPACE = "bench";
const LOOK_MS = 5;
const START_MS_MAX = 120_000;

const CLASS: ApiObject = {
  apiVersion: "networking.k8s.io/v1",
  kind: "IngressClass",
  metadata: { name: "rind" },
  spec: { controller: "rind.dev/ingress-controller" },
};

/** How rind reads Secrets: each that an Ingress names, or all there are. */
const READINGS = ["named", "all"] as const;
type Reading = (typeof READINGS)[number];

/** `early`: the first client was shown another certificate than its own. */
export type Start = Readonly<{ reading: Reading; ms: number; early: boolean; wrong: number }>;

/** Starts rind once for each way of reading. Whatever was started has ended when this resolves. */
export async function measureStarts(count: number): Promise<Start[]> {
  const names = Array.from({ length: count }, (_, i) => `app-${i}.many.example`);
  const folder = mkdtempSync(join(tmpdir(), "rind-certificates-"));
  const api = await ApiServer.start();
  try {
    await api.fill([CLASS, ...objectsOf(names)]);
    const file = join(folder, "kubeconfig");
    writeFileSync(file, kubeconfigOf(api.url));
    const starts: Start[] = [];
    for (const reading of READINGS) starts.push(await start(file, reading, names));
    return starts;
  } finally {
    api.stop();
    rmSync(folder, { recursive: true });
  }
}

async function start(kubeconfig: string, reading: Reading, names: readonly string[]) {
  const port = freePort();
  const at = (port: number): string => `127.0.0.1:${port}`;
  const log = Bun.file(join(OUT, `start-${reading}.log`));
  const began = performance.now();
  const child = Bun.spawn(
    [
      ...[...mortal(), process.execPath, RIND, "run", "--kubeconfig", kubeconfig],
      ...["--secrets", reading, "--workers", "1", "--http", at(freePort()), "--https", at(port)],
      ...["--admin", at(freePort()), "--report", "off", "--lame-duck", "0s"],
    ],
    { stdio: ["ignore", log, log] },
  );
  try {
    const last = names.at(-1)!;
    let shown = await shownTo(port, last);
    while (shown === "" && performance.now() - began < START_MS_MAX) {
      await Bun.sleep(LOOK_MS);
      shown = await shownTo(port, last);
    }
    const early = shown !== last;
    while (shown !== last && performance.now() - began < START_MS_MAX) {
      await Bun.sleep(LOOK_MS);
      shown = await shownTo(port, last);
    }
    const ms = performance.now() - began;
    let wrong = 0;
    for (const name of names) if ((await shownTo(port, name)) !== name) wrong++;
    return { reading, ms, early, wrong };
  } finally {
    child.kill("SIGKILL");
    await child.exited;
  }
}

function objectsOf(names: readonly string[]): ApiObject[] {
  const issuer = new Issuer();
  return names.flatMap((host) => {
    const name = host.replaceAll(".", "-");
    const metadata = { name, namespace: NAMESPACE };
    const ingress = ingressOf(name, host, true);
    const spec = { ...ingress.spec, ingressClassName: "rind" };
    return [
      { ...ingress, metadata, spec },
      { ...secretOf(name, issuer.issue(host, "ec")), metadata },
    ];
  });
}
