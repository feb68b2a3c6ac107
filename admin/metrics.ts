/** `/metrics`: what the supervisor knows, as Prometheus reads it (text format 0.0.4). */
import { FAULTS } from "../core/fault.ts";
import type { View } from "./api.ts";
import type { ClusterState } from "./json.ts";

type Sample = Readonly<{ labels: Readonly<Record<string, string>>; value: number }>;
type Metric = Readonly<{
  name: string;
  help: string;
  samples: readonly Sample[];
  /** A counter only grows, and starts over with rind. */
  type?: "counter";
}>;

/** All of it, as the body of an answer. Every label has few values: feeds, levels, worker slots. */
export function metricsText(view: View): string {
  const { ready, version, heapBytes, bugs, workers, cluster } = view.readiness();
  const findings = view.findings();
  const level = (name: string): Sample => ({
    labels: { level: name },
    value: findings.filter((finding) => finding.level === name).length,
  });
  const metrics: readonly Metric[] = [
    single("rind_ready", "1 while more traffic is welcome.", Number(ready)),
    single("rind_model_version", "Version that every worker serves.", version),
    single("rind_hosts", "Hosts that are served.", view.model().hosts.length),
    single("rind_bugs", "Bugs in the control plane since its start.", bugs),
    single("rind_heap_bytes", "Heap of the supervisor after its last collection.", heapBytes),
    {
      name: "rind_findings",
      help: "What is wrong in the objects that rind reads.",
      samples: ["error", "warning"].map(level),
    },
    {
      name: "rind_worker_serving",
      help: "1 while the worker in this place serves.",
      samples: workers.map(({ serving }, i) => ({
        labels: { worker: String(i) },
        value: Number(serving),
      })),
    },
    ...trafficMetrics(view),
    ...(cluster === null ? [] : clusterMetrics(cluster)),
  ];
  return metrics.map(show).join("");
}

function trafficMetrics(view: View): readonly Metric[] {
  return [
    {
      name: "rind_faults_total",
      help: "What went wrong with connections and requests, by name, and whose doing it was.",
      type: "counter",
      samples: faultSamples(view.faults()),
    },
    {
      name: "rind_certificate_expiry_timestamp_seconds",
      help: "When a certificate that is served ends, in seconds since 1970.",
      samples: view.certificates().map(({ id, notAfterMs }) => ({
        labels: { certificate: id },
        value: Math.floor(notAfterMs / 1_000),
      })),
    },
  ];
}

/** All of them, also those that never happened: an alert needs a zero to rise from. */
function faultSamples(counts: readonly number[]): readonly Sample[] {
  return FAULTS.flatMap(({ name, source }, id) =>
    name === "none" ? [] : [{ labels: { fault: name, source }, value: counts[id] ?? 0 }],
  );
}

function clusterMetrics(cluster: ClusterState): readonly Metric[] {
  const { ageMs, saved, feeds, report } = cluster;
  const of = (value: (feed: (typeof feeds)[number]) => number): readonly Sample[] =>
    feeds.map((feed) => ({ labels: { feed: feed.name }, value: value(feed) }));
  return [
    single(
      "rind_api_age_seconds",
      "Since the kind that was heard of least lately was heard of.",
      ageMs / 1_000,
    ),
    single("rind_api_saved_state", "1 while the saved state is served.", Number(saved)),
    {
      name: "rind_api_feed_synced",
      help: "1 when the first list of this kind is here.",
      samples: of(({ synced }) => Number(synced)),
    },
    {
      name: "rind_api_feed_failing",
      help: "1 while this kind is not heard of.",
      samples: of(({ problem }) => Number(problem !== "")),
    },
    ...(report === null
      ? []
      : [
          single(
            "rind_leader",
            "1 while this rind writes status and Events.",
            Number(report.leader),
          ),
          single("rind_report_pending", "Writes that wait.", report.pending),
          single(
            "rind_events_dropped",
            "Findings without an Event, since the start.",
            report.dropped,
          ),
        ]),
  ];
}

function single(name: string, help: string, value: number): Metric {
  return { name, help, samples: [{ labels: {}, value }] };
}

function show({ name, help, samples, type }: Metric): string {
  const lines = samples.map(({ labels, value }) => {
    const inner = Object.entries(labels)
      .map(([key, text]) => `${key}="${text.replace(/[\\"\n]/g, escape)}"`)
      .join(",");
    return `${name}${inner === "" ? "" : `{${inner}}`} ${value}\n`;
  });
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type ?? "gauge"}\n${lines.join("")}`;
}

function escape(character: string): string {
  return character === "\n" ? "\\n" : `\\${character}`;
}
