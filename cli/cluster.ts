/** The flags about a cluster behind an API server: parsed, nothing opened. */
import { isIP } from "node:net";
import { parseCidr } from "../core/cidr.ts";
import { isName } from "../watch/objects.ts";
import type { Parsed } from "./address.ts";
import type { FlagName, Given } from "./flags.ts";

/** A namespaced object. */
export type Reference = Readonly<{ namespace: string; name: string }>;

/** What rind writes back, and where it takes the addresses for `status` from. */
export type ReportConfig = Readonly<{
  /** null: `rind`, in the namespace of the pod. */
  lease: Reference | null;
  service: Reference | null;
  addresses: readonly string[];
  nodeAddress: "InternalIP" | "ExternalIP";
}>;

/** `kubeconfig` null: the cluster whose pod this is. */
export type ClusterConfig = Readonly<{
  kubeconfig: string | null;
  context: string | null;
  /** Empty: all. */
  namespaces: readonly string[];
  secrets: "named" | "all";
  pod: Reference | null;
  /** null: nothing is written. */
  report: ReportConfig | null;
}>;

/** Flags that say nothing where a folder is served. */
const ONLY: readonly FlagName[] = [
  "kubeconfig",
  "context",
  "namespaces",
  "secrets",
  "report",
  "lease",
  "publish-service",
  "publish-address",
  "node-address",
  "state",
];

/**
 * Reads them; null where no cluster is wanted, and where manifests are served, beside which most of
 * them are mistakes.
 */
export function readCluster(given: Given, wanted: boolean): Parsed<ClusterConfig | null> {
  if (!wanted) return { ok: true, value: null };
  if (given.all("manifests").length > 0) {
    const stray = ONLY.find((name) => given.last(name) !== undefined);
    if (stray === undefined) return { ok: true, value: null };
    return about(stray, "is about a cluster, and --manifests serves a folder: give one of them");
  }
  const namespaces = given.all("namespaces");
  const odd = namespaces.find((name) => !isName(name));
  if (odd !== undefined) return about("namespaces", `"${odd}" is not the name of a namespace`);
  const secrets = given.last("secrets") ?? "named";
  if (secrets !== "named" && secrets !== "all") {
    return about("secrets", `"${secrets}" is neither named nor all`);
  }
  const pod = readReference(given, "pod");
  if (!pod.ok) return pod;
  const report = readReport(given, pod.value !== null);
  if (!report.ok) return report;
  const kubeconfig = given.last("kubeconfig") ?? null;
  const context = given.last("context") ?? null;
  if (context !== null && kubeconfig === null) {
    return about("context", "is of a kubeconfig: give --kubeconfig FILE too");
  }
  const more = { pod: pod.value, report: report.value };
  return { ok: true, value: { kubeconfig, context, namespaces, secrets, ...more } };
}

/** A rind that somebody runs from a laptop must not speak for the nodes of the cluster. */
function readReport(given: Given, inPod: boolean): Parsed<ReportConfig | null> {
  const wish = given.last("report") ?? (inPod ? "on" : "off");
  if (wish !== "on" && wish !== "off") return about("report", `"${wish}" is neither on nor off`);
  const lease = readReference(given, "lease");
  if (!lease.ok) return lease;
  const service = readReference(given, "publish-service");
  if (!service.ok) return service;
  const addresses = given.all("publish-address");
  const odd = addresses.find((text) => isIP(text) === 0 && !isName(text));
  if (odd !== undefined) {
    return about("publish-address", `"${odd}" is neither an IP address nor a host name`);
  }
  if (service.value !== null && addresses.length > 0) {
    return about("publish-address", "and --publish-service: give one of them");
  }
  const nodeAddress = given.last("node-address") ?? "InternalIP";
  if (nodeAddress !== "InternalIP" && nodeAddress !== "ExternalIP") {
    return about("node-address", `"${nodeAddress}" is neither InternalIP nor ExternalIP`);
  }
  if (wish === "off") return { ok: true, value: null };
  const found = service.value !== null || addresses.length > 0 || inPod;
  if (!found) {
    const hint = "which addresses shall status show? Give --pod, --publish-service or";
    return about("report", `${hint} --publish-address`);
  }
  const where = { service: service.value, addresses, nodeAddress } as const;
  return { ok: true, value: { lease: lease.value, ...where } };
}

/** The ranges of `--allow-address`. */
export function readRanges(given: Given): Parsed<readonly string[]> {
  for (const text of given.all("allow-address")) {
    const cidr = parseCidr(text);
    if (!cidr.ok) return about("allow-address", cidr.reason);
  }
  return { ok: true, value: given.all("allow-address") };
}

function readReference(given: Given, flag: FlagName): Parsed<Reference | null> {
  const text = given.last(flag);
  if (text === undefined) return { ok: true, value: null };
  const [namespace, name, ...more] = text.split("/");
  const valid = more.length === 0 && isName(namespace ?? "") && isName(name ?? "");
  if (!valid) return about(flag, `"${text}" is not NAMESPACE/NAME`);
  return { ok: true, value: { namespace: namespace!, name: name! } };
}

function about(flag: FlagName, reason: string): Parsed<never> {
  return { ok: false, reason: `--${flag}: ${reason}` };
}
