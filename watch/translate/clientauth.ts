/**
 * The policy of a host for which several ask. There is one, since a handshake comes before any
 * path. Asking more never ends in less: the strictest word of those who rule a host holds for all
 * of it, and whoever cannot have what they asked for is not served.
 */
import { createHash } from "node:crypto";

import type { ClientAuth, Origin, TlsPolicy } from "../../core/model.ts";
import type { Finding } from "../finding.ts";
import { type Age, type Claim, FINDINGS_MAX, compareAges, note } from "./draft.ts";
import type { PolicyAsk, TlsClaim } from "./draft.ts";
import { ANY_HOST } from "./hosts.ts";
import type { Findings } from "./roster.ts";

/** Where authorities look whether somebody has a host (RFC 8555 §8.3), over plain HTTP. */
const CHALLENGES = "/.well-known/acme-challenge";
/** Hexadecimal digits of an id: enough that nobody can make two policies with one id. */
const ID_DIGITS = 40;
const STRICTNESS = ["unchecked", "optional", "required"] as const;

/** Authorities are long, and an Ingress asks for the same ones on all of its hosts. */
const digests = new WeakMap<ClientAuth, string>();

/** A claim on how the handshakes of a host are. */
export type PolicyClaim = Extract<TlsClaim, { kind: "policy" }>;

/**
 * What was decided about a host. The routes of `refused` owners answer 503, and if it is `closed`
 * those of all; but routes for challenges, which are served in clear, are none of its business.
 */
export type SettledPolicy = Readonly<{
  policy: TlsPolicy | null;
  refused: ReadonlySet<string>;
  closed: boolean;
  findings: Findings;
}>;

/** Whether a path is one of challenges and takes nothing else (RFC 8555 §8.3). */
export function isChallenge(path: string): boolean {
  return path === CHALLENGES || path.startsWith(`${CHALLENGES}/`);
}

type Host = Readonly<{ policies: readonly PolicyClaim[]; routes: readonly Claim[] }>;
/** Who claims something of a host, and with what: for an owner, its first claim. */
type Party = Readonly<{ age: Age; origin: Origin; ask: PolicyAsk | null; routed: boolean }>;

/**
 * The policy of a host, in whatever order its claims come. Those of the namespace whose path is
 * the oldest rule: theirs are joined to the strictest. Other authorities than those of the oldest
 * of them are refused, and so is whoever asks from another namespace for more than that comes to.
 */
export function settlePolicies({ policies, routes }: Host): SettledPolicy {
  const parties = partiesOf(policies, routes);
  const ruler = (parties.find(({ routed }) => routed) ?? parties[0])?.origin.namespace;
  const ruling = parties.filter(({ origin }) => origin.namespace === ruler);
  const policy = join(ruling.flatMap(({ ask }) => ask ?? []));
  const broken = ruling.find(({ ask }) => ask !== null && ask.broken !== "");
  const closed = broken !== undefined && (policy === null || policy.client === null);
  const host = policies[0]?.host ?? ANY_HOST;
  const findings = new Map<string, Finding>();
  const refused = new Set<string>();
  const first = ruling.find(({ ask }) => (ask?.client ?? null) !== null) ?? broken;
  for (const party of parties) {
    const { age, ask } = party;
    if (ask !== null && !meets(policy, ask)) refused.add(age.owner);
    const finding = findingOf(party, { host, policy, closed, first, ruler });
    if (finding !== null && findings.size < FINDINGS_MAX) note(findings, finding);
  }
  return { policy, refused, closed, findings };
}

/** One party an owner, the oldest first. Who only answers challenges is none. */
function partiesOf(policies: readonly PolicyClaim[], routes: readonly Claim[]): readonly Party[] {
  const parties = new Map<string, Party>();
  for (const { age, route } of routes) {
    if (isChallenge(route.match.path.value)) continue;
    const known = parties.get(idOf(age));
    const origin = { ...route.origin, field: "" };
    if (known === undefined) parties.set(idOf(age), { age, origin, ask: null, routed: true });
  }
  for (const { age, origin, ask } of policies) {
    const routed = parties.has(idOf(age));
    parties.set(idOf(age), { age, origin, ask, routed });
  }
  return [...parties.values()].sort((a, b) => compareAges(a.age, b.age));
}

/** An object that was made anew under its old name is another one. */
function idOf({ owner, uid }: Age): string {
  return `${owner} ${uid}`;
}

/** All that is asked by those who rule, the oldest first; null when that is nothing. */
function join(asks: readonly PolicyAsk[]): TlsPolicy | null {
  const minVersion = asks.some((ask) => ask.minVersion === "1.3")
    ? "1.3"
    : (asks.find((ask) => ask.minVersion !== null)?.minVersion ?? null);
  const ciphers = asks.find((ask) => ask.ciphers !== "")?.ciphers ?? "";
  let client: ClientAuth | null = null;
  for (const ask of asks) {
    if (ask.client === null) continue;
    if (client === null) client = ask.client;
    else if (client.authorities === ask.client.authorities) client = stricter(client, ask.client);
  }
  if (client === null && minVersion === null && ciphers === "") return null;
  const id = digest([minVersion, ciphers, client === null ? "" : digestOf(client)]);
  return { id, minVersion, ciphers, client };
}

function digestOf(client: ClientAuth): string {
  const known = digests.get(client) ?? digest(client);
  digests.set(client, known);
  return known;
}

function digest(content: unknown): string {
  const hash = createHash("sha256").update(JSON.stringify(content));
  return hash.digest("hex").slice(0, ID_DIGITS);
}

function stricter(a: ClientAuth, b: ClientAuth): ClientAuth {
  return {
    authorities: a.authorities,
    verify: rank(a) > rank(b) ? a.verify : b.verify,
    depth: Math.min(a.depth, b.depth),
    forward: a.forward || b.forward,
  };
}

function rank({ verify }: ClientAuth): number {
  return STRICTNESS.indexOf(verify);
}

/** Whether a policy asks of clients at least what was asked for. */
function meets(policy: TlsPolicy | null, ask: PolicyAsk): boolean {
  if (ask.broken !== "") return false;
  if (ask.minVersion === "1.3" && policy?.minVersion !== "1.3") return false;
  if (ask.client === null) return true;
  const client = policy?.client ?? null;
  return (
    client !== null &&
    client.authorities === ask.client.authorities &&
    rank(client) >= rank(ask.client) &&
    client.depth <= ask.client.depth
  );
}

// === what is said about it ===

type Verdict = Readonly<{
  host: string;
  policy: TlsPolicy | null;
  closed: boolean;
  /** Who asked first for certificates of clients. */
  first: Party | undefined;
  ruler: string | undefined;
}>;

/** What its owner should know: why it is not served, or under what it is without having asked. */
function findingOf({ origin, ask }: Party, verdict: Verdict): Finding | null {
  const { host, policy, closed, first, ruler } = verdict;
  const { kind, namespace, name, field } = origin;
  const about = { kind, namespace, name, field };
  const place = host === ANY_HOST ? "any host" : host;
  // What is wrong with it has been remarked on it, and none of its routes is served.
  if (ask !== null && ask.broken !== "") return null;
  const by = first === undefined ? "" : `${first.origin.namespace}/${first.origin.name}`;
  if (closed) {
    const reason = `clients of ${place} cannot be checked, as Ingress ${by} asks for`;
    const effect = `every path of ${place} answers 503`;
    return { level: "error", ...about, reason, hint: "", effect };
  }
  if (ask !== null && !meets(policy, ask)) {
    const foreign = namespace !== ruler;
    const reason = foreign
      ? `the handshakes of ${place} belong to namespace ${ruler}, which asks for less`
      : `the clients of ${place} are judged by the authorities of Ingress ${by}`;
    const effect = `its paths on ${place} answer 503`;
    const hint = foreign ? "use a host of your own" : "name the same authorities in both";
    return { level: "error", ...about, reason, hint, effect };
  }
  if (policy === null) return null;
  if (policy.client !== null && (ask?.client ?? null) === null) {
    const reason = `clients of ${place} are asked for certificates, as Ingress ${by} wants`;
    const effect = "its own paths there are served like that as well";
    return { level: "warning", ...about, reason, hint: "", effect };
  }
  if (ask === null || ask.ciphers === "" || ask.ciphers === policy.ciphers) return null;
  const reason = `${place} has other ciphers, which an older Ingress asks for`;
  return { level: "warning", ...about, reason, hint: "", effect: "those are used" };
}
