/** From the Service port that a path names to a backend of the model. */
import type { Balance } from "../../core/model.ts";
import type { Snapshot } from "../snapshot.ts";
import { readBalance } from "./balance.ts";
import type { Draft } from "./draft.ts";
import { findEndpoints } from "./endpoints.ts";
import { findNamed, readAlias } from "./external.ts";
import { nearest } from "./nearest.ts";
import { type Field, at, clip, integer, items, mapped, quote, text, whole } from "./read.ts";
import type { Member } from "./shares.ts";
import type { Target } from "./targets.ts";

/** A backend that cannot be found counts as one pod: it keeps a share, which is answered 503. */
const PODS_UNKNOWN = 1;

const SERVICE_LABEL = "kubernetes.io/service-name";

/** Longest name of a port (API validation of ServicePort.name: a DNS label). */
const PORT_NAME_MAX = 63;

/** Longest id of a backend: namespace, name and port of the longest names. */
const ID_MAX = 600;

/** Most ports listed in a finding. */
const LISTED_MAX = 8;

/** Who asks: the id of the route, its namespace, and what a broken target means for it. */
export type Site = Readonly<{ id: string; namespace: string; effect: string }>;

type Port = Readonly<{ name: string; number: number; protocol: string; target: unknown }>;
type ServiceTarget = Extract<Target, { kind: "service" }>;

/**
 * Puts the backend of a target into the draft and returns it as a member of its path. A target
 * that leads nowhere is remarked, and becomes a backend without endpoints that names the reason.
 */
export function resolve(snapshot: Snapshot, draft: Draft, target: Target, site: Site): Member {
  if (target.kind === "broken") {
    draft.put({ id: site.id, endpoints: [], reason: target.reason, balance: "leastRequest" });
    return { service: "", backend: site.id, pods: PODS_UNKNOWN };
  }
  const key = `${site.namespace}/${target.name}`;
  const broken = (where: Field, reason: string, hint: string): Member => {
    where.remark({ field: where.path, reason, hint, effect: site.effect });
    // No id of a real backend starts like this: a broken path never shares one with a whole path.
    const name = `?${key}:${target.port}`;
    const backend = name.length > ID_MAX ? site.id : name;
    draft.put({ id: backend, endpoints: [], reason, balance: "leastRequest" });
    return { service: target.name, backend, pods: PODS_UNKNOWN };
  };
  const service = snapshot.services.get(key);
  if (service === undefined) {
    const near = nearest(target.name, servicesOf(snapshot, site.namespace));
    const reason = `no Service ${quote(target.name)} in namespace ${site.namespace}`;
    return broken(target.nameAt, reason, near === null ? "" : `did you mean ${near}?`);
  }
  const field = whole(service, (finding) => draft.find(finding));
  const spec = at(field, "spec");
  const external = text(at(spec, "type")) === "ExternalName";
  const alias = external ? readAlias(spec, key, draft.options.externalNames) : null;
  if (alias?.ok === false) return broken(target.nameAt, alias.reason, alias.hint);
  const ports = readPorts(spec);
  // An alias need not list ports: then the path says where it goes.
  const free = alias !== null && ports.length === 0;
  const port = free ? freePort(target) : findPort(ports, target.port);
  if (port === null || port.protocol !== "TCP") {
    const [reason, hint] = explainPort(ports, port, target, key);
    return broken(target.portAt, reason, hint);
  }
  const balance = readBalance(field, service.metadata.annotations);
  const name = alias === null ? null : alias.name;
  return putBackend(snapshot, draft, { key, port, field, target, balance, name });
}

function putBackend(
  snapshot: Snapshot,
  draft: Draft,
  found: Readonly<{
    key: string;
    port: Port;
    field: Field;
    target: ServiceTarget;
    balance: Balance;
    /** The DNS name of an ExternalName Service. */
    name: string | null;
  }>,
): Member {
  const { key, port, field, target, balance, name } = found;
  const id = `${key}:${port.name || port.number}`;
  const known = draft.backend(id);
  const service = target.name;
  if (known !== undefined) return { service, backend: id, pods: known.endpoints.length };
  const { endpoints, reason } =
    name === null
      ? findEndpoints(snapshot, draft, key, port.name)
      : findNamed(snapshot, draft, field, { name, port: port.number });
  if (endpoints.length === 0) {
    const sliced = name !== null || snapshot.slices.has(key) || snapshot.endpoints.has(key);
    const hint = sliced ? "" : `add an EndpointSlice labelled ${SERVICE_LABEL}: ${service}`;
    field.remark({
      level: "warning",
      field: "",
      reason: `no ready endpoint for port ${labelOf(port)}: ${reason}`,
      hint,
      effect: "paths that lead to it answer 503",
    });
  }
  draft.put({
    id,
    endpoints,
    reason: reason === "" ? "" : `no ready endpoint: ${reason}`,
    balance,
  });
  return { service, backend: id, pods: endpoints.length };
}

/** The ports of a Service. One that cannot be read is remarked, and is not there. */
function readPorts(spec: Field): readonly Port[] {
  const ports = items(at(spec, "ports")).filter(mapped);
  return ports.flatMap((port) => {
    const number = integer(at(port, "port"));
    const name = text(at(port, "name")) ?? "";
    const protocol = text(at(port, "protocol")) ?? "TCP";
    if (name.length > PORT_NAME_MAX) {
      const reason = `${quote(name)} is longer than ${PORT_NAME_MAX} characters`;
      port.remark({ field: at(port, "name").path, reason, effect: "this port is ignored" });
      return [];
    }
    if (number === null || number === undefined) return [];
    return [{ name, number, protocol: clip(protocol), target: at(port, "targetPort").value }];
  });
}

/** A TCP port before another one of the same number: DNS has both. */
function findPort(ports: readonly Port[], wanted: number | string): Port | null {
  const fits = ports.filter((port) => port.name === wanted || port.number === wanted);
  return fits.find((port) => port.protocol === "TCP") ?? fits[0] ?? null;
}

function freePort({ port }: ServiceTarget): Port | null {
  if (typeof port !== "number") return null;
  return { name: "", number: port, protocol: "TCP", target: undefined };
}

function explainPort(
  ports: readonly Port[],
  port: Port | null,
  target: ServiceTarget,
  key: string,
): readonly [reason: string, hint: string] {
  const wanted = typeof target.port === "number" ? String(target.port) : quote(target.port);
  if (port !== null) return [`port ${wanted} of Service ${key} is ${port.protocol}, not TCP`, ""];
  const listed = ports.slice(0, LISTED_MAX).map(labelOf).join(", ");
  const reason = `Service ${key} has no port ${wanted}; it has ${listed || "no port"}`;
  const behind = ports.find((other) => other.target === target.port);
  if (behind !== undefined) {
    return [reason, `${wanted} is its targetPort, write the Service's port ${behind.number}`];
  }
  const numeric = ports.find((other) => String(other.number) === target.port);
  if (numeric !== undefined) return [reason, `write ${numeric.number} as a number, without quotes`];
  const names = ports.flatMap((other) => (other.name === "" ? [] : [other.name]));
  const near = nearest(String(target.port), names);
  return [reason, near === null ? "" : `did you mean ${near}?`];
}

function labelOf(port: Port): string {
  return port.name === "" ? String(port.number) : `${port.number} (${clip(port.name)})`;
}

function servicesOf(snapshot: Snapshot, namespace: string): readonly string[] {
  const prefix = `${namespace}/`;
  const names: string[] = [];
  for (const key of snapshot.services.keys()) {
    if (key.startsWith(prefix)) names.push(key.slice(prefix.length));
  }
  return names;
}
