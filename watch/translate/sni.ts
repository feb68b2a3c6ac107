/**
 * What clients get that ask for a host by SNI (RFC 6066 §3), decided for one host at a time from
 * all claims on it. A host belongs to the namespace with its oldest path: another one neither
 * replaces its certificate nor adds one, and never takes over its connections.
 */
import type { SecureHost, TlsPolicy } from "../../core/model.ts";
import type { Finding } from "../finding.ts";
import type { Pair } from "./certificates.ts";
import { isChallenge, settlePolicies } from "./clientauth.ts";
import { type Age, type Claim, type TlsClaim, compareAges, note } from "./draft.ts";
import { ANY_HOST } from "./hosts.ts";
import type { Findings } from "./roster.ts";

/** The policy of virtual hosts whose connections rind does not open. */
const PASSTHROUGH = "passthrough";

type CertificateClaim = Extract<TlsClaim, { kind: "certificate" | "default" }>;
type PassthroughClaim = Extract<TlsClaim, { kind: "passthrough" }>;

/**
 * All that is claimed of a host, in any order, and the pairs of the Secrets that are named. `owner`
 * is the namespace that it belongs to. `spare`: the Secret whose certificate it has if it has none
 * of its own, or "".
 */
export type SniSite = Readonly<{
  name: string;
  claims: Iterable<TlsClaim>;
  routes: readonly Claim[];
  owner: string;
  spare: string;
  pair: (secret: string) => Pair | null;
}>;

/** What was decided, and what the routes of the host have to know of it. */
export type SniSettled = Readonly<{
  host: SecureHost;
  owner: string;
  /** Namespaces that asked for TLS: their routes can count on it. */
  spaces: readonly string[];
  /** Owners whose routes answer 503, and whether those of all do. */
  refused: ReadonlySet<string>;
  closed: boolean;
  findings: Findings;
}>;

/**
 * The namespace that a host belongs to: that of its oldest path, but for paths of challenges; where
 * it has none, of whoever was first to ask something of TLS; "" if nobody did.
 */
export function ownerOf(claims: Iterable<TlsClaim>, routes: readonly Claim[]): string {
  const paths = routes.filter(({ route }) => !isChallenge(route.match.path.value));
  const asks = paths.length > 0 ? paths : [...claims].filter(({ kind }) => kind !== "default");
  let first: Age | null = null;
  for (const { age } of asks) if (first === null || compareAges(age, first) < 0) first = age;
  return first === null ? "" : first.owner.slice(0, first.owner.indexOf("/"));
}

/** Settles one host. The order of the claims does not matter. */
export function settleSni(site: SniSite): SniSettled {
  const { name, routes, owner, spare } = site;
  const claims = [...site.claims].sort((a, b) => compareAges(a.age, b.age));
  const findings = new Map<string, Finding>();
  const through = settlePassthrough(site, claims, findings);
  const passthrough = through.backend;
  const policies = claims.filter((claim) => claim.kind === "policy");
  const asked = policies.length === 0 ? null : settlePolicies({ policies, routes });
  for (const finding of asked?.findings.values() ?? []) note(findings, finding);
  const own = settleCertificates(site, claims, findings);
  const certificates = own.length > 0 || spare === "" ? own : [spare];
  // Of a connection that is not opened nothing can be asked: see settlePassthrough.
  const policy = passthrough === "" ? (asked?.policy ?? null) : null;
  return {
    host: { name, certificates: passthrough === "" ? certificates : [], policy, passthrough },
    owner,
    spaces: spacesOf(claims, passthrough),
    refused: new Set([...(asked?.refused ?? []), ...through.refused]),
    closed: asked?.closed ?? false,
    findings,
  };
}

/** The id under which requests for a host must have come: see VirtualHost. */
export function policyOf(host: SecureHost | null): string {
  if (host === null) return "";
  return host.passthrough === "" ? idOf(host.policy) : PASSTHROUGH;
}

function idOf(policy: TlsPolicy | null): string {
  return policy === null ? "" : policy.id;
}

function spacesOf(claims: readonly TlsClaim[], passthrough: string): readonly string[] {
  const spaces = claims.flatMap(({ kind, origin }) => {
    const asks = kind === "certificate" || (kind === "passthrough" && passthrough !== "");
    return asks ? [origin.namespace] : [];
  });
  return [...new Set(spaces)].sort();
}

/** At most one certificate for each kind of key: clients choose by what they understand. */
function settleCertificates(
  { name, owner, pair }: SniSite,
  claims: readonly TlsClaim[],
  findings: Map<string, Finding>,
): readonly string[] {
  const wishes = claims.filter(isCertificate);
  const operator = wishes[0]?.kind === "default";
  const rules = ({ kind, origin }: CertificateClaim): boolean =>
    operator ? kind === "default" : origin.namespace === owner;
  const first = wishes.find(rules) ?? null;
  const chosen = new Map<string, CertificateClaim>();
  const lost = new Set<string>();
  for (const claim of wishes) {
    const ruling = rules(claim);
    const good = pair(claim.secret)?.good ?? null;
    const key = good?.facts.key ?? "";
    // What cannot be served has its finding, and an entry without a Secret asks for none.
    if (ruling && good === null) continue;
    const winner = ruling ? (chosen.get(key) ?? null) : first;
    if (ruling && winner === null) chosen.set(key, claim);
    else if (!same(pair, winner, claim) && !lost.has(claim.age.owner)) {
      lost.add(claim.age.owner);
      note(findings, lossOf(claim, { name, owner, winner, ruling, key }));
    }
  }
  return [...chosen.values()].map(({ secret }) => secret).sort();
}

function isCertificate(claim: TlsClaim): claim is CertificateClaim {
  return claim.kind === "certificate" || claim.kind === "default";
}

/** Whether clients could not tell which of the two they are shown. */
function same(
  pair: SniSite["pair"],
  one: CertificateClaim | null,
  other: CertificateClaim,
): boolean {
  if (other.secret === "") return true;
  if (one === null || one.secret === other.secret) return one !== null;
  const chain = pair(one.secret)?.good?.certificate.chain;
  return chain !== undefined && chain === pair(other.secret)?.good?.certificate.chain;
}

/** `winner`: who has the place, or null where the owner asks for no certificate at all. */
function lossOf(
  claim: CertificateClaim,
  loss: Readonly<{
    name: string;
    owner: string;
    winner: CertificateClaim | null;
    ruling: boolean;
    key: string;
  }>,
): Finding {
  const { owner, winner, ruling } = loss;
  const place = shown(loss.name);
  const effect = `the certificate of Secret ${secretName(claim)} is not shown for ${place}`;
  const told = (reason: string, hint = ""): Finding => {
    return { level: "warning", ...about(claim), reason, hint, effect };
  };
  if (winner === null) {
    const hint = `an entry under spec.tls of an Ingress there can name one`;
    return told(`${place} belongs to namespace ${owner}, which claimed it first`, hint);
  }
  if (ruling) {
    const known = `${loss.key.toUpperCase()} certificate of Secret ${secretName(winner)}`;
    const hint = "a host can have one more of another kind: RSA and EC";
    return told(`${place} has the ${known} already`, hint);
  }
  if (winner.kind === "default") {
    return told("the certificate of any host is that of --default-certificate");
  }
  return told(`the certificate of ${place} is that of ${nameOf(winner)}, which claimed it first`);
}

/** The backend of a host whose connections are not opened: a word of its owner alone. */
function settlePassthrough(
  site: SniSite,
  claims: readonly TlsClaim[],
  findings: Map<string, Finding>,
): Readonly<{ backend: string; refused: ReadonlySet<string> }> {
  const { name, owner } = site;
  const refused = new Set<string>();
  const wishes = claims.filter((claim): claim is PassthroughClaim => claim.kind === "passthrough");
  if (wishes.length === 0) return { backend: "", refused };
  const winner = wishes.find(({ origin, backend }) => {
    return origin.namespace === owner && backend !== "";
  });
  for (const claim of wishes) {
    if (claim.backend === winner?.backend && claim.origin.namespace === owner) continue;
    refused.add(claim.age.owner);
    const reason =
      winner === undefined
        ? `${shown(name)} belongs to namespace ${owner}, which claimed it first`
        : `connections for ${shown(name)} are handed to ${winner.backend} already`;
    const effect = `its paths on ${shown(name)} answer 503`;
    note(findings, { level: "error", ...about(claim), reason, hint: "", effect });
  }
  if (winner === undefined) return { backend: "", refused };
  remarkUnopened(site, claims, { winner, refused, findings });
  return { backend: winner.backend, refused };
}

/** Everybody who counts on rind to look into connections of a host that it hands on. */
function remarkUnopened(
  { name, routes }: SniSite,
  claims: readonly TlsClaim[],
  {
    winner,
    refused,
    findings,
  }: Readonly<{
    winner: PassthroughClaim;
    refused: Set<string>;
    findings: Map<string, Finding>;
  }>,
): void {
  const reason = `connections for ${shown(name)} are not opened, as ${nameOf(winner)} asks`;
  for (const claim of claims) {
    if (claim.kind !== "policy") continue;
    const strict = claim.ask.client !== null || claim.ask.broken !== "";
    if (strict) refused.add(claim.age.owner);
    // An Ingress that asks for both has been told.
    if (claim.age.owner === winner.age.owner) continue;
    const level = strict ? "error" : "warning";
    const effect = "what it asks of handshakes is up to the backend";
    note(findings, { level, ...about(claim), reason, hint: "", effect });
  }
  const told = new Set(refused).add(winner.age.owner);
  for (const { age, route } of routes) {
    if (told.has(age.owner) || isChallenge(route.match.path.value)) continue;
    told.add(age.owner);
    const origin = { ...route.origin, field: "" };
    const effect = `its paths on ${shown(name)} are never looked at`;
    note(findings, { level: "warning", ...origin, reason, hint: "", effect });
  }
}

function about({ origin }: TlsClaim): Pick<Finding, "kind" | "namespace" | "name" | "field"> {
  return origin;
}

function shown(host: string): string {
  return host === ANY_HOST ? "any host" : host;
}

function nameOf({ origin: { kind, namespace, name } }: TlsClaim): string {
  return `${kind} ${namespace}/${name}`;
}

function secretName({ secret }: CertificateClaim): string {
  return secret.slice(secret.indexOf("/") + 1);
}
