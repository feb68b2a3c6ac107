/** Results against targets, a line each. */
import type { Result } from "./run.ts";

/** One figure. `missed` only where there is a target. */
export type Line = Readonly<{ text: string; missed: boolean }>;

const SERVING_MS_MAX = 3_000;
const RSS_MIB_MAX = 250;
const OBJECT_MS_MAX = 30;
const ENDPOINT_MS_MAX = 20;
const CHURN_CORES_MAX = 0.3;

/** The lines of one size of cluster. */
export function linesOf(result: Result): Line[] {
  const { size, objectMs, endpointMs, client } = result;
  const cores = result.churnCores - result.idleCores;
  const churn = `churn, ${result.churned} endpoint updates in 20 s`;
  const parts = `with ${result.churnCores.toFixed(3)}, without ${result.idleCores.toFixed(3)}`;
  const served = `${client.failed} of ${client.requests} failed`;
  const { ingresses, services, endpoints } = size;
  const head = `== ${ingresses} Ingresses, ${services} Services, ${endpoints} endpoints`;
  return [
    { text: head, missed: false },
    line("from the start of rind to serving", result.servingMs, SERVING_MS_MAX, "ms"),
    line("RSS of the supervisor once settled", result.rssMib, RSS_MIB_MAX, "MiB"),
    line("RSS of the supervisor, highest", result.rssPeakMib, RSS_MIB_MAX, "MiB"),
    plain(`object change live in every worker, p50 ${at(objectMs, 0.5).toFixed(1)} ms`),
    line("object change live in every worker, p99", at(objectMs, 0.99), OBJECT_MS_MAX, "ms"),
    plain(`endpoint change live in every worker, p50 ${at(endpointMs, 0.5).toFixed(1)} ms`),
    line("endpoint change live in every worker, p99", at(endpointMs, 0.99), ENDPOINT_MS_MAX, "ms"),
    line(`${churn} (${parts})`, cores, CHURN_CORES_MAX, "cores"),
    line(`requests meanwhile, ${served}`, client.failed, 0, "failed"),
    ...client.examples.map((example) => plain(`  ${example}`)),
  ];
}

function line(what: string, value: number, most: number, unit: string): Line {
  const digits = unit === "cores" ? 3 : unit === "failed" ? 0 : 1;
  const missed = !(value <= most);
  const verdict = missed ? "MISSED" : "ok";
  const text = `${what}: ${value.toFixed(digits)} ${unit} (at most ${most}) ${verdict}`;
  return { text, missed };
}

function plain(text: string): Line {
  return { text, missed: false };
}

/** The value below which this part of them lies. */
function at(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}
