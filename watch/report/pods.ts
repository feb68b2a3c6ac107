/** Where rind runs: its pods, and the addresses of the nodes that they are on. */
import { isIP } from "node:net";
import { isFields } from "../objects.ts";

/** Two rinds in one namespace differ in this label (Kubernetes' recommended labels). */
const INSTANCE_LABEL = "app.kubernetes.io/instance";

/** `addresses` are those of its node, of every IP family. */
export type Pod = Readonly<{
  name: string;
  instance: string;
  node: string;
  ready: boolean;
  addresses: readonly string[];
}>;

type Fields = Readonly<Record<string, unknown>>;

/** A core/v1 Pod as the API server gives it; null when it has no name. */
export function readPod(raw: unknown): Pod | null {
  const pod = fields(raw);
  const metadata = fields(pod["metadata"]);
  const status = fields(pod["status"]);
  const name = text(metadata["name"]);
  if (name === "") return null;
  const going = metadata["deletionTimestamp"] !== undefined;
  // Older kubelets know one address only.
  const addresses = list(status["hostIPs"]).map((entry) => text(fields(entry)["ip"]));
  return {
    name,
    instance: text(fields(metadata["labels"])[INSTANCE_LABEL]),
    node: text(fields(pod["spec"])["nodeName"]),
    ready: !going && isReady(status),
    addresses: [...addresses, text(status["hostIP"])].filter((address) => isIP(address) !== 0),
  };
}

/** The addresses of one type that a core/v1 Node has, such as `ExternalIP`. */
export function readNode(raw: unknown, type: string): readonly string[] {
  return list(fields(fields(raw)["status"])["addresses"])
    .map(fields)
    .filter((entry) => entry["type"] === type)
    .map((entry) => text(entry["address"]))
    .filter((address) => isIP(address) !== 0);
}

/** Pods that take traffic: those of the same installation as `own`, where that is known. */
export function readyPods(pods: ReadonlyMap<string, Pod>, own: string): readonly Pod[] {
  const instance = pods.get(own)?.instance;
  return [...pods.values()].filter(
    (pod) => pod.ready && (instance === undefined || pod.instance === instance),
  );
}

function isReady(status: Fields): boolean {
  return list(status["conditions"])
    .map(fields)
    .some((condition) => condition["type"] === "Ready" && condition["status"] === "True");
}

function fields(value: unknown): Fields {
  return isFields(value) ? value : {};
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}
