/** A pod as it is written in a manifest, in the words of a container runtime. */
import { readFileSync } from "node:fs";
import type { Run } from "./container.ts";

type EnvVar = Readonly<{
  name: string;
  value?: string;
  valueFrom?: Readonly<{ fieldRef: Readonly<{ fieldPath: string }> }>;
}>;
type Container = Readonly<{
  args: readonly string[];
  env: readonly EnvVar[];
  securityContext: Readonly<{
    allowPrivilegeEscalation: boolean;
    capabilities: Readonly<{ drop: readonly string[]; add?: readonly string[] }>;
  }>;
  volumeMounts: readonly Readonly<{ name: string; mountPath: string }>[];
}>;
type Workload = Readonly<{
  kind: string;
  spec: Readonly<{
    template: Readonly<{
      spec: Readonly<{
        containers: readonly Container[];
        volumes: readonly Readonly<{ name: string; emptyDir?: object; projected?: object }>[];
      }>;
    }>;
  }>;
}>;

/** What the kubelet says about a pod to the pod. */
const FIELDS: Readonly<Record<string, string>> = {
  "metadata.name": "rind-x7k2p",
  "metadata.namespace": "rind",
  "spec.nodeName": "node-1",
};

/** The container of the DaemonSet in `file`; its projected volume is the folder `account`. */
export function podIn(file: string, account: string) {
  const objects = Bun.YAML.parse(readFileSync(file, "utf8")) as readonly Workload[];
  const workload = objects.find(({ kind }) => kind === "DaemonSet");
  if (workload === undefined) throw new Error(`no DaemonSet in ${file}`);
  const { containers, volumes } = workload.spec.template.spec;
  const [{ args, env, securityContext, volumeMounts }] = containers as readonly [Container];
  const pathsOf = (source: "emptyDir" | "projected"): string[] =>
    volumeMounts
      .filter(({ name }) => volumes.some((volume) => volume.name === name && source in volume))
      .map(({ mountPath }) => mountPath);
  // Nothing of a runtime's own set is kept: what is added is all there is.
  if (!securityContext.capabilities.drop.includes("ALL")) throw new Error("not all are dropped");
  return {
    args,
    env: environmentOf(env),
    capabilities: (securityContext.capabilities.add ?? []).map((name) => `CAP_${name}`),
    noNewPrivileges: !securityContext.allowPrivilegeEscalation,
    volumes: new Map(pathsOf("projected").map((path) => [path, account])),
    memory: pathsOf("emptyDir"),
  } satisfies Run;
}

/** `$(NAME)` in a value stands for a variable before it. */
function environmentOf(env: readonly EnvVar[]): string[] {
  const values = new Map<string, string>();
  for (const { name, value, valueFrom } of env) {
    const text = value ?? FIELDS[valueFrom?.fieldRef.fieldPath ?? ""] ?? "";
    values.set(
      name,
      text.replace(/\$\((\w+)\)/g, (whole, other: string) => values.get(other) ?? whole),
    );
  }
  return [...values].map(([name, value]) => `${name}=${value}`);
}
