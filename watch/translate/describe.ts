/**
 * A model and its findings as text: what `rind routes` prints, goldens compare and people paste
 * into reports.
 *
 *     shop.example.com  tls shop/cert
 *       =/healthz   shop/web:http                              Ingress shop/web rules[0].paths[0]
 *       /api        90 shop/api-v1:http | 10 shop/api-v2:http  Ingress shop/api rules[0].paths[0]
 *     shop/web:http  10.0.0.1:8080, 10.0.0.2:8080
 *     error   Ingress shop/api  spec.rules[0].host: …; hint; effect
 */
import {
  type Backend,
  DEFAULT_POLICY,
  type Match,
  type Model,
  type Route,
  type RoutePolicy,
  type SecureHost,
  type UpstreamTls,
  type ValueMatch,
  type VirtualHost,
  type Weighted,
} from "../../core/model.ts";
import { unreachable } from "../../core/assert.ts";
import type { Finding } from "../finding.ts";

/** Endpoints that are listed of one backend; the others are counted. */
const LISTED_MAX = 8;
/** Widest column that is padded: a longer cell pushes only its own line to the right. */
const WIDTH_MAX = 56;

/** A host; it can have certificates and no routes. */
type Named = Pick<VirtualHost, "name" | "routes">;

/**
 * The text form: hosts with their routes in the order in which they are tried, backends with their
 * endpoints, then findings. Ends with a line feed. Equal input gives equal text.
 */
export function describe(model: Model, findings: readonly Finding[]): string {
  const lines: string[] = [];
  const secure = new Map(model.secure.map((host) => [host.name, host]));
  const routed = new Set(model.hosts.map(({ name }) => name));
  const bare = model.secure.flatMap(({ name }) => (routed.has(name) ? [] : [{ name, routes: [] }]));
  for (const host of [...model.hosts, ...bare].sort(compareHosts)) {
    lines.push(...describeHost(host, secure.get(host.name) ?? null));
  }
  if (model.hosts.length === 0) lines.push("no routes");
  lines.push(...align(model.backends.map(cellsOfBackend)));
  for (const finding of findings) lines.push(describeFinding(finding));
  return lines.map((line) => `${line}\n`).join("");
}

/** A finding as one line: level, object, field, reason, then hint and effect where there are. */
export function describeFinding(finding: Finding): string {
  return `${finding.level.padEnd(7)} ${tellFinding(finding)}`;
}

/** The same without the level. */
export function tellFinding(finding: Finding): string {
  const { kind, namespace, name, field, reason, hint, effect } = finding;
  const object = namespace === "" ? `${kind} ${name}` : `${kind} ${namespace}/${name}`;
  const told = [field === "" ? reason : `${field}: ${reason}`, hint, effect];
  return `${object}  ${told.filter((part) => part !== "").join("; ")}`;
}

function describeHost(host: Named, secure: SecureHost | null): readonly string[] {
  const routes = host.routes.toSorted(compareRoutes).map(cellsOfRoute);
  const title = [host.name, ...(secure === null ? [] : describeSecure(secure))].join("  ");
  return [title, ...align(routes).map((line) => `  ${line}`)];
}

/** The Secrets of its certificates, then what is asked of clients. */
function describeSecure({ certificates, policy, passthrough }: SecureHost): readonly string[] {
  if (passthrough !== "") return [`passthrough ${passthrough}`];
  const words = [`tls ${certificates.length === 0 ? "default" : certificates.join(" ")}`];
  if (policy === null) return words;
  const { minVersion, ciphers, client } = policy;
  if (minVersion !== null) words.push(`tls>=${minVersion}`);
  if (ciphers !== "") words.push(`ciphers=${ciphers}`);
  if (client !== null) words.push(`client=${client.verify}`);
  return words;
}

function cellsOfRoute(route: Route): readonly string[] {
  const { kind, namespace, name } = route.origin;
  const origin = `${kind} ${namespace}/${name}`;
  // Ids start with the object; what follows says which of its rules this is.
  const place = route.id.startsWith(`${origin} `) ? route.id : origin;
  const action = [describeAction(route), ...describePolicy(route.policy)].join(" ");
  return [describeMatch(route.match), action, place];
}

function describeMatch(match: Match): string {
  const path = `${match.path.kind === "exact" ? "=" : ""}${match.path.value}`;
  const conditions = [
    ...match.methods,
    ...match.headers.map((header) => describeValue("", header)),
    ...match.cookies.map((cookie) => describeValue("cookie:", cookie)),
    ...match.queries.map((query) => describeValue("?", query)),
  ];
  return [path, ...conditions].join(" ");
}

function describeValue(prefix: string, condition: ValueMatch): string {
  const { name, value } = condition;
  return value === null ? `${prefix}${name}` : `${prefix}${name}=${value}`;
}

function describeAction({ id, action }: Route): string {
  switch (action.kind) {
    case "forward":
      return describeSplit(id, action.split);
    case "redirect":
      return `redirect ${action.status} ${action.location}`;
    case "respond":
      return `respond ${action.status}`;
    default:
      return unreachable(action);
  }
}

/** Percentages where all of them are exact to a thousandth, else the weights as they are. */
function describeSplit(id: string, split: readonly Weighted[]): string {
  // A backend of the route's own stands for one that does not exist.
  const nameOf = (backend: string): string => (backend.startsWith(id) ? "503" : backend);
  const [first] = split;
  if (first !== undefined && split.length === 1) return nameOf(first.backend);
  const sum = split.reduce((total, share) => total + share.weight, 0);
  const exact = sum > 0 && split.every((share) => (share.weight * 100_000) % sum === 0);
  const shares = split.map(({ backend, weight }) => {
    return `${exact ? (weight * 100_000) / sum / 1_000 : weight} ${nameOf(backend)}`;
  });
  return shares.length === 0 ? "nowhere" : shares.join(" | ");
}

function describePolicy(policy: RoutePolicy): readonly string[] {
  const words: string[] = [];
  const { timeouts, bodyBytesMax } = policy;
  const usual = DEFAULT_POLICY.timeouts;
  if (timeouts.connectMs !== usual.connectMs) words.push(`connect=${timeouts.connectMs}ms`);
  if (timeouts.headMs !== usual.headMs) words.push(`head=${timeouts.headMs}ms`);
  if (timeouts.idleMs !== usual.idleMs) words.push(`idle=${timeouts.idleMs}ms`);
  if (bodyBytesMax !== null) words.push(`body<=${bodyBytesMax}`);
  if (policy.redirect) words.push("https");
  if (policy.hsts !== "") words.push(`hsts="${policy.hsts}"`);
  return words;
}

function cellsOfBackend(backend: Backend): readonly string[] {
  if (backend.endpoints.length === 0) return [backend.id, `503: ${backend.reason}`];
  const listed = backend.endpoints.slice(0, LISTED_MAX).map(({ address, port }) => {
    return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
  });
  const more = backend.endpoints.length - listed.length;
  const balance = backend.balance === "roundRobin" ? ["round-robin"] : [];
  const tls = backend.tls === null ? [] : [describeTls(backend.tls)];
  return [
    backend.id,
    `${listed.join(", ")}${more > 0 ? `, and ${more} more` : ""}`,
    ...balance,
    ...tls,
  ];
}

/** `tls` and the name that is checked. */
function describeTls({ name, verify, identity }: UpstreamTls): string {
  const checked = verify ? `tls=${name || "address"}` : "tls unverified";
  return identity === null ? checked : `${checked} with a certificate`;
}

function align(rows: readonly (readonly string[])[]): readonly string[] {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, i) => {
      if (cell.length <= WIDTH_MAX) widths[i] = Math.max(widths[i] ?? 0, cell.length);
    });
  }
  return rows.map((row) => {
    return row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join("  ")
      .trimEnd();
  });
}

/** Exact names in alphabetical order, then wildcards, then any host. */
function compareHosts(a: Named, b: Named): number {
  return rankOf(a) - rankOf(b) || order(a.name, b.name);
}

function rankOf(host: Named): number {
  return host.name === "*" ? 2 : host.name.startsWith("*.") ? 1 : 0;
}

/** The longest path first, an exact one before a prefix of the same length, else as they stand. */
function compareRoutes(a: Route, b: Route): number {
  const [pathA, pathB] = [a.match.path, b.match.path];
  const longer = pathB.value.length - pathA.value.length;
  return longer || order(pathA.kind, pathB.kind) || order(pathA.value, pathB.value);
}

function order(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1;
}
