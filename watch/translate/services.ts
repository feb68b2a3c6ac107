/** From the Service port that a path names to a backend of the model. */
import type { Backend } from "../../core/model.ts";
import { type KubeObject, SERVICE_LABEL } from "../objects.ts";
import {
  wayOf,
  type Doubt,
  doubtOf,
  overId,
  overlay,
  plainId,
  readServiceAsk,
  remarkDoubt,
  settingsOf,
  type Kept,
} from "./backendtls.ts";
import { readBalance } from "./balance.ts";
import type { AskedBackend } from "./dialects/dialect.ts";
import type { Draft } from "./draft.ts";
import { findEndpoints } from "./endpoints.ts";
import { type Alias, findNamed, readAlias } from "./external.ts";
import { nearest } from "./nearest.ts";
import { type Port, portsOf } from "./ports.ts";
import { type Field, at, clip, quote, text, whole } from "./read.ts";
import type { View } from "./view.ts";

/** Most ports listed in a finding. */
const LISTED_MAX = 8;

/**
 * Endpoints of one Service, of all its ports together: a slice is small, and a hundred ports make
 * a hundred thousand endpoints of it.
 */
const ENDPOINTS_MAX = 20_000;

/** Among more Services than that, none is suggested: a thousand paths may each look for one. */
const SIBLINGS_MAX = 200;
const NOBODY: ReadonlySet<string> = new Set();

/** Where a Service port leads: to a backend, or nowhere, which is to be said of name or port. */
export type Aim =
  | Readonly<{
      ok: true;
      backend: string;
      /** How it is spoken to, where that is not for the Service alone to say. */
      over: Readonly<AskedBackend> | null;
      /** What an Ingress may not have meant. */
      doubt: Doubt;
    }>
  | Readonly<{ ok: false; at: "name" | "port"; reason: string; hint: string }>;

/** A port as an Ingress writes it, of the Service under `key`, and what it asks of the way. */
type Wanted = Readonly<{
  key: string;
  wanted: number | string;
  over: Readonly<AskedBackend> | null;
}>;

/** Finds the backend that a port leads to. */
export function aimAt(view: View, draft: Draft, { key, wanted, over }: Wanted): Aim {
  const service = view.services.get(key);
  if (service === undefined) return missing(view, key);
  const field = whole(service, (finding) => draft.find(finding));
  const alias = aliasOf(draft, at(field, "spec"), key);
  if (alias?.ok === false) return { ...alias, at: "name" };
  const ports = portsOf(draft, service);
  // An alias need not list ports: then the path says where it goes.
  const free = alias !== null && ports.length === 0;
  const port = free ? freePort(wanted) : findPort(ports, wanted);
  if (port !== null && port.protocol === "TCP") {
    const own = readServiceAsk(field, service.metadata.annotations, port.app);
    if (own.problem !== "") return { ok: false, at: "name", reason: own.problem, hint: "" };
    return aimOver(`${key}:${port.name || port.number}`, own.ask, over);
  }
  const [reason, hint] = explainPort(ports, port, wanted, key);
  return { ok: false, at: "port", reason, hint };
}

/** Ingresses that ask for what the Service says anyway share its backend with all others. */
function aimOver(
  id: string,
  own: Readonly<AskedBackend>,
  over: Readonly<AskedBackend> | null,
): Aim {
  const ask = over === null ? own : overlay(own, over);
  const same = wayOf(ask) === wayOf(own);
  const doubt = over === null ? null : doubtOf(ask);
  return { ok: true, backend: same ? id : overId(id, ask), over: same ? null : ask, doubt };
}

/** A backend to be made: how it is spoken to if not as its Service says, and what is remembered. */
type Making = Readonly<{
  id: string;
  over: Readonly<AskedBackend> | null;
  kept: Kept;
}>;

/**
 * The backend under `id`: `namespace/name:port`, with the name of the port if it has one, and with
 * how it is spoken to if that is not as its Service says.
 */
export function backendOf(view: View, draft: Draft, { id, over, kept }: Making): Backend {
  const colon = id.indexOf(":");
  const key = id.slice(0, colon);
  const label = plainId(id).slice(colon + 1);
  const service = view.services.get(key);
  if (service === undefined) return nobody(id, "its Service is gone");
  const field = whole(service, (finding) => draft.find(finding));
  const spec = at(field, "spec");
  const alias = aliasOf(draft, spec, key);
  if (alias?.ok === false) return nobody(id, alias.reason);
  const ports = portsOf(draft, service);
  const port = portOf(ports, label, alias !== null);
  if (port === null) return nobody(id, "its port is gone");
  const balance = readBalance(field, service.metadata.annotations);
  const own = readServiceAsk(muted(field), service.metadata.annotations, port.app).ask;
  if (over === null) remarkDoubt(field, own, doubtOf(own));
  const { namespace } = service.metadata;
  const subject = { view, draft, service: field, namespace, name: nameOf(service, alias), kept };
  const settings = settingsOf(subject, over ?? own);
  if (!settings.ok) return nobody(id, settings.reason);
  const tls = settings.value;
  const max = Math.floor(ENDPOINTS_MAX / Math.max(1, ports.length));
  const { endpoints, reason } =
    alias === null
      ? findEndpoints(view, draft, field, { key, port: port.name, max })
      : findNamed(view, draft, field, { name: alias.name, port: port.number });
  if (endpoints.length > 0) return { id, endpoints, reason: "", balance, tls };
  const sliced = alias !== null || view.slices.has(key) || view.endpoints.has(key);
  field.remark({
    level: "warning",
    field: "",
    reason: `no ready endpoint for port ${labelOf(port)}: ${reason}`,
    hint: sliced ? "" : `add an EndpointSlice labelled ${SERVICE_LABEL}: ${service.metadata.name}`,
    effect: "paths that lead to it answer 503",
  });
  return { id, endpoints, reason: `no ready endpoint: ${reason}`, balance, tls };
}

/** What endpoints are expected to be called: as the API server calls webhooks, or as DNS does. */
function nameOf({ metadata }: KubeObject, alias: Extract<Alias, { ok: true }> | null): string {
  return alias === null ? `${metadata.name}.${metadata.namespace}.svc` : alias.name;
}

/** Where something has been remarked before. */
function muted(field: Field): Field {
  return { ...field, remark: () => {} };
}

/** A backend to which nothing should lead: the aim that did changes together with the Service. */
export function nobody(id: string, reason: string): Backend {
  return { id, endpoints: [], reason, balance: "leastRequest", tls: null };
}

/** The DNS name that an ExternalName Service stands for; null for a Service with endpoints. */
function aliasOf(draft: Draft, spec: Field, key: string): Alias | null {
  const external = text(at(spec, "type")) === "ExternalName";
  return external ? readAlias(spec, key, draft.options.externalNames) : null;
}

/** The port with this label, which is its name or else its number. */
function portOf(ports: readonly Port[], label: string, external: boolean): Port | null {
  if (external && ports.length === 0) return freePort(Number(label));
  const labelled = ports.filter(({ name, number }) => (name || String(number)) === label);
  return labelled.find(({ protocol }) => protocol === "TCP") ?? null;
}

function missing(view: View, key: string): Aim {
  const slash = key.indexOf("/");
  const namespace = key.slice(0, slash);
  const name = key.slice(slash + 1);
  const siblings = view.siblings.get(namespace) ?? NOBODY;
  const near = siblings.size > SIBLINGS_MAX ? null : nearest(name, siblings);
  const reason = `no Service ${quote(name)} in namespace ${namespace}`;
  return { ok: false, at: "name", reason, hint: near === null ? "" : `did you mean ${near}?` };
}

/** A TCP port before another one of the same number: DNS has both. */
function findPort(ports: readonly Port[], wanted: number | string): Port | null {
  const fits = ports.filter((port) => port.name === wanted || port.number === wanted);
  return fits.find((port) => port.protocol === "TCP") ?? fits[0] ?? null;
}

function freePort(number: number | string): Port | null {
  if (typeof number !== "number" || !Number.isInteger(number)) return null;
  return { name: "", number, protocol: "TCP", target: undefined, app: "" };
}

function explainPort(
  ports: readonly Port[],
  port: Port | null,
  target: number | string,
  key: string,
): readonly [reason: string, hint: string] {
  const wanted = typeof target === "number" ? String(target) : quote(target);
  if (port !== null) return [`port ${wanted} of Service ${key} is ${port.protocol}, not TCP`, ""];
  const listed = ports.slice(0, LISTED_MAX).map(labelOf).join(", ");
  const reason = `Service ${key} has no port ${wanted}; it has ${listed || "no port"}`;
  const behind = ports.find((other) => other.target === target);
  if (behind !== undefined) {
    return [reason, `${wanted} is its targetPort, write the Service's port ${behind.number}`];
  }
  const numeric = ports.find((other) => String(other.number) === target);
  if (numeric !== undefined) return [reason, `write ${numeric.number} as a number, without quotes`];
  const names = ports.flatMap((other) => (other.name === "" ? [] : [other.name]));
  const near = nearest(String(target), names);
  return [reason, near === null ? "" : `did you mean ${near}?`];
}

function labelOf(port: Port): string {
  return port.name === "" ? String(port.number) : `${port.number} (${clip(port.name)})`;
}
