/** `rind run`: serve a cluster, or a folder of manifests, until asked to stop. */
import { systemClock } from "../core/clock.ts";
import { log } from "../core/log.ts";
import { readConfig } from "./config.ts";
import { serve } from "./serve.ts";
import { openVoice } from "./voice.ts";
import type { OpenPlane } from "./serve.ts";
import type { Given } from "./flags.ts";

const DEFAULTS = {
  http: "0.0.0.0:8000",
  https: "0.0.0.0:8443",
  admin: "127.0.0.1:8080",
  lameDuck: "5s",
  cluster: true,
};

/** Resolves when drained; 1 when rind could not start, 2 when it was not told what to serve. */
export async function run(given: Given, openPlane: OpenPlane): Promise<number> {
  const config = readConfig(given, DEFAULTS);
  if (!config.ok) return misused(config.reason);
  const { cluster } = config.value;
  const inPod = process.env["KUBERNETES_SERVICE_HOST"] !== undefined;
  if (cluster !== null && cluster.kubeconfig === null && !inPod) {
    return misused(
      "what shall be served? Give --manifests DIR or --kubeconfig FILE; this is no pod",
    );
  }
  return serve(config.value, openVoice(systemClock, log), openPlane);
}

function misused(reason: string): number {
  console.error(`rind run: ${reason}`);
  return 2;
}
