/** What is known of a rind that serves, as the admin address shows it. */
import { heapSize } from "bun:jsc";
import { showAddress } from "../core/protocol.ts";
import type { ClusterState, Readiness } from "../admin/json.ts";
import { EMPTY_MODEL, type Model } from "../core/model.ts";
import type { Workers } from "../core/supervisor.ts";
import type { Finding } from "../watch/finding.ts";
import type { CertificateFacts } from "../watch/translate/certificates.ts";
import type { FeedState } from "../watch/source/source.ts";

/** Longer than a watch is ever silent: after 90 s it is asked for anew. Milliseconds. */
const LATE_MS = 100_000;

/** What is known at the moment. `synced`: something is served, be it only the saved state. */
export type Board = {
  model: Model;
  findings: readonly Finding[];
  certificates: readonly CertificateFacts[];
  /** Of rind about its own reporting. */
  own: readonly Finding[];
  synced: boolean;
  draining: boolean;
  /** Bugs of ours in the control plane, since the start. */
  bugs: () => number;
  /** null where a folder is served. */
  cluster: () => ClusterState | null;
};

/** Before anything is known. */
export const BLANK: Board = {
  model: EMPTY_MODEL,
  findings: [],
  certificates: [],
  own: [],
  synced: false,
  draining: false,
  bugs: () => 0,
  cluster: () => null,
};

/** All findings there are. */
export function standing({ findings, own }: Board): readonly Finding[] {
  return own.length === 0 ? findings : [...findings, ...own];
}

/** Ready: the first sync is served by every worker, and nothing speaks against more traffic. */
export function readiness(board: Board, workers: Workers): Readiness {
  const states = workers.states();
  const serving = states.filter((state) => state.serving);
  const cluster = board.cluster();
  const bugs = board.bugs();
  const reason = board.draining
    ? "draining"
    : !board.synced || serving.length === 0
      ? `no worker serves yet${awaited(cluster)}`
      : workers.stormy()
        ? "workers keep crashing"
        : "";
  const { http, https } = workers.addresses();
  return {
    ready: reason === "",
    reason,
    bugs,
    notes: [...bugNotes(bugs), ...(cluster === null ? [] : notes(cluster))],
    version: serving.length === 0 ? 0 : Math.min(...serving.map((state) => state.version)),
    http: http.map(showAddress),
    https: https.map(showAddress),
    heapBytes: heapSize(),
    workers: states,
    cluster,
  };
}

/**
 * Whether what was read is what the cluster has. A kind that may be denied counts for as long as
 * the API server says so: it would be no other after the next start.
 */
export function isCurrent(feeds: readonly FeedState[]): boolean {
  return feeds.every(({ synced, ageMs }) => synced && ageMs <= LATE_MS);
}

/** What the first sync waits for. */
function awaited(cluster: ClusterState | null): string {
  const missing = cluster?.feeds.filter(({ synced }) => !synced) ?? [];
  if (missing.length === 0) return "";
  // A server that is away fails every feed alike, and is one thing to say.
  const named = [...Map.groupBy(missing, ({ problem }) => problem)].map(([problem, group]) => {
    const names = group.map(({ name }) => name).join(", ");
    return problem === "" ? names : `${names}: ${problem}`;
  });
  return `; waiting for ${named.join("; ")}`;
}

function bugNotes(bugs: number): readonly string[] {
  if (bugs === 0) return [];
  return [`${bugs} bugs of rind since its start, see the log: it may not see what changes`];
}

function notes({ feeds, saved, report }: ClusterState): readonly string[] {
  const found = saved ? ["serves the saved state: the API server has not answered yet"] : [];
  const problems = Map.groupBy(
    feeds.filter(({ synced, problem, ageMs }) => synced && (problem !== "" || ageMs > LATE_MS)),
    ({ problem }) => problem,
  );
  for (const [problem, group] of problems) {
    const seconds = Math.round(Math.max(...group.map(({ ageMs }) => ageMs)) / 1_000);
    const names = group.map(({ name }) => name).join(", ");
    const why = problem === "" ? "" : `: ${problem}`;
    found.push(`what was read last is served: ${names} not heard of for ${seconds} s${why}`);
  }
  if (report !== null && report.problem !== "") found.push(`report: ${report.problem}`);
  return found;
}
