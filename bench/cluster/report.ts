/** Results against targets, a line each. */
import type { Result } from "./run.ts";

/** One figure. `missed` only where there is a target. */
export type Line = Readonly<{ text: string; missed: boolean }>;

const SERVING_MS_MAX = 3_000;
/** 250 MB. */
const RSS_MIB_MAX = 238;
const OBJECT_MS_MAX = 30;
const ENDPOINT_MS_MAX = 20;
const CHURN_CORES_MAX = 0.3;

/** The lines of one size of cluster. */
export function linesOf(result: Result): Line[] {
  const { size, objectMs, endpointMs, client } = result;
  const cores = result.churnCores - result.idleCores;
  const churn = `churn, ${result.churned} endpoint updates in ${result.churnSeconds} s`;
  const parts = `with ${result.churnCores.toFixed(3)}, without ${result.idleCores.toFixed(3)}`;
  const served = `${client.failed} of ${client.requests} failed`;
  const { ingresses, services, endpoints } = size;
  const live = "change live in every worker";
  return [
    plain(`== ${ingresses} Ingresses, ${services} Services, ${endpoints} endpoints`),
    line("from the start of rind to serving", result.servingMs, SERVING_MS_MAX, "ms"),
    line("RSS of the supervisor once settled", result.rssMib, RSS_MIB_MAX, "MiB"),
    line("RSS of the supervisor, highest until then", result.rssStartMib, RSS_MIB_MAX, "MiB"),
    plain(`object ${live}, p50: ${quantile(objectMs, 0.5).toFixed(1)} ms`),
    line(`object ${live}, p99`, quantile(objectMs, 0.99), OBJECT_MS_MAX, "ms"),
    plain(`endpoint ${live}, p50: ${quantile(endpointMs, 0.5).toFixed(1)} ms`),
    line(`endpoint ${live}, p99`, quantile(endpointMs, 0.99), ENDPOINT_MS_MAX, "ms"),
    plain(`RSS, highest after every Ingress changed at once: ${result.rssPeakMib.toFixed(1)} MiB`),
    plain(`while changes were timed, rind waited ${result.waitedMs.toFixed(0)} ms for a CPU`),
    line(`${churn} (${parts})`, cores, CHURN_CORES_MAX, "cores"),
    line(`requests meanwhile, ${served}`, client.failed, 0, "failed"),
    ...client.examples.map((example) => plain(`  ${example}`)),
  ];
}

/** The value that so large a part of them does not exceed; NaN of none. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)] ?? Number.NaN;
}

/** A figure is in whole numbers or not, by its unit. */
const DIGITS: Readonly<Record<string, number>> = { cores: 3, failed: 0 };

function line(what: string, value: number, most: number, unit: string): Line {
  const missed = !(value <= most);
  const figure = value.toFixed(DIGITS[unit] ?? 1);
  const text = `${what}: ${figure} ${unit} (at most ${most}) ${missed ? "MISSED" : "ok"}`;
  return { text, missed };
}

function plain(text: string): Line {
  return { text, missed: false };
}
