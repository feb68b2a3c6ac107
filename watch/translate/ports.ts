/** The ports of a Service, read once for as long as the Service is this one. */
import type { Finding } from "../finding.ts";
import type { KubeObject } from "../objects.ts";
import type { Draft } from "./draft.ts";
import { at, clip, type Field, integer, items, mapped, quote, text, whole } from "./read.ts";

/** Longest name of a port (API validation of ServicePort.name: a DNS label). */
const NAME_MAX = 63;
/** Ports of a Service that are read: a slice has no more (discovery.k8s.io/v1). */
const PORTS_MAX = 100;
const IGNORED = "this port is ignored";

/** `target` is the targetPort as it is written; `app` is the appProtocol, or "". */
export type Port = Readonly<{
  name: string;
  number: number;
  protocol: string;
  target: unknown;
  app: string;
}>;

type Read = Readonly<{ ports: readonly Port[]; findings: readonly Finding[] }>;

/** Thousands of paths may lead to one Service. */
const known = new WeakMap<KubeObject, Read>();

/** The ports of a Service. One that cannot be read is remarked, and is not there. */
export function portsOf(draft: Draft, service: KubeObject): readonly Port[] {
  const read = known.get(service) ?? readService(service);
  known.set(service, read);
  for (const finding of read.findings) draft.find(finding);
  return read.ports;
}

function readService(service: KubeObject): Read {
  const findings: Finding[] = [];
  const field = whole(service, (finding) => findings.push(finding));
  const list = at(at(field, "spec"), "ports");
  const all = items(list);
  const ports = all
    .slice(0, PORTS_MAX)
    .filter(mapped)
    .flatMap((port) => readPort(port) ?? []);
  if (all.length > PORTS_MAX) {
    const reason = `has more than ${PORTS_MAX} ports`;
    field.remark({ field: list.path, reason, effect: "those after them are ignored" });
  }
  return { ports, findings };
}

function readPort(port: Field): Port | null {
  const number = integer(at(port, "port"));
  const name = text(at(port, "name")) ?? "";
  const protocol = text(at(port, "protocol")) ?? "TCP";
  if (name.length > NAME_MAX) {
    const reason = `${quote(name)} is longer than ${NAME_MAX} characters`;
    port.remark({ field: at(port, "name").path, reason, effect: IGNORED });
    return null;
  }
  if (number === null || number === undefined) return null;
  const app = text(at(port, "appProtocol")) ?? "";
  return { name, number, protocol: clip(protocol), target: at(port, "targetPort").value, app };
}
