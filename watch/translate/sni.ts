/**
 * What clients get that ask for a host by SNI (RFC 6066 §3), decided for one host at a time from
 * all claims on it. A host belongs to the namespace that claimed it first: another one neither
 * replaces its certificate nor adds one, and never takes over its connections.
 */
import type { SecureHost, TlsPolicy } from "../../core/model.ts";
import type { Finding } from "../finding.ts";
import type { Pair } from "./certificates.ts";
import { isChallenge, settlePolicies } from "./clientauth.ts";
import { type Claim, type TlsClaim, compareAges, note } from "./draft.ts";
import { ANY_HOST } from "./hosts.ts";
import type { Findings } from "./roster.ts";

/** The policy of virtual hosts whose connections rind does not open. */
const PASSTHROUGH = "passthrough";

type CertificateClaim = Extract<TlsClaim, { kind: "certificate" | "default" }>;
type PassthroughClaim = Extract<TlsClaim, { kind: "passthrough" }>;

/** All that is claimed of a host, in any order, and the pairs of the Secrets that are named. */
export type SniSite = Readonly<{
  name: string;
  claims: Iterable<TlsClaim>;
  routes: readonly Claim[];
  pair: (secret: string) => Pair | null;
}>;

/** What was decided, and what the routes of the host have to know of it. */
export type SniSettled = Readonly<{
  host: SecureHost;
  /** Namespaces that asked for TLS: their routes can count on it. */
  spaces: readonly string[];
  /** Owners whose routes answer 503, and whether those of all do. */
  refused: ReadonlySet<string>;
  closed: boolean;
  findings: Findings;
}>;

/** Settles one host. The order of the claims does not matter. */
export function settleSni(site: SniSite): SniSettled {
  const { name, routes } = site;
  const claims = [...site.claims].sort((a, b) => compareAges(a.age, b.age));
  const findings = new Map<string, Finding>();
  const through = settlePassthrough(site, claims, findings);
  const passthrough = through.backend;
  const policies = claims.filter((claim) => claim.kind === "policy");
  const asked = policies.length === 0 ? null : settlePolicies({ policies, routes });
  for (const finding of asked?.findings.values() ?? []) note(findings, finding);
  const certificates = settleCertificates(site, claims, findings);
  // Of a connection that is not opened nothing can be asked: see settlePassthrough.
  const policy = passthrough === "" ? (asked?.policy ?? null) : null;
  return {
    host: { name, certificates: passthrough === "" ? certificates : [], policy, passthrough },
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
  { name, pair }: SniSite,
  claims: readonly TlsClaim[],
  findings: Map<string, Finding>,
): readonly string[] {
  const wishes = claims.filter(isCertificate);
  const [first] = wishes;
  if (first === undefined) return [];
  const chosen = new Map<string, CertificateClaim>();
  const lost = new Map<string, CertificateClaim>();
  for (const claim of wishes) {
    const ruling = claim.kind === first.kind && claim.origin.namespace === first.origin.namespace;
    const good = pair(claim.secret)?.good ?? null;
    const winner = ruling ? chosen.get(good?.facts.key ?? "") : first;
    // What cannot be served has its finding, and an entry without a Secret asks for none.
    if (ruling && good === null) continue;
    if (winner === undefined) chosen.set(good?.facts.key ?? "", claim);
    else if (!same(pair, winner, claim) && !lost.has(claim.age.owner)) {
      lost.set(claim.age.owner, claim);
      note(findings, lossOf(name, claim, { winner, ruling, key: good?.facts.key ?? "" }));
    }
  }
  return [...chosen.values()].map(({ secret }) => secret).sort();
}

function isCertificate(claim: TlsClaim): claim is CertificateClaim {
  return claim.kind === "certificate" || claim.kind === "default";
}

/** Whether clients could not tell which of the two they are shown. */
function same(pair: SniSite["pair"], one: CertificateClaim, other: CertificateClaim): boolean {
  if (one.secret === other.secret || other.secret === "") return true;
  const chain = pair(one.secret)?.good?.certificate.chain;
  return chain !== undefined && chain === pair(other.secret)?.good?.certificate.chain;
}

function lossOf(
  host: string,
  claim: CertificateClaim,
  { winner, ruling, key }: Readonly<{ winner: CertificateClaim; ruling: boolean; key: string }>,
): Finding {
  const name = claim.secret.slice(claim.secret.indexOf("/") + 1);
  const place = shown(host);
  const kind = key.toUpperCase();
  const reason = ruling
    ? `${place} has the ${kind} certificate of Secret ${secretName(winner)} already`
    : winner.kind === "default"
      ? "the certificate of any host is that of --default-certificate"
      : `the certificate of ${place} is that of ${ownerOf(winner)}, which claimed it first`;
  const hint = ruling ? "a host can have one more of another kind: RSA and EC" : "";
  const effect = `the certificate of Secret ${name} is not shown for ${place}`;
  return { level: "warning", ...about(claim), reason, hint, effect };
}

/**
 * The backend of a host whose connections are not opened. Taking them is all or nothing, so it is
 * for the namespace that was first to claim anything of the host, paths included.
 */
function settlePassthrough(
  site: SniSite,
  claims: readonly TlsClaim[],
  findings: Map<string, Finding>,
): Readonly<{ backend: string; refused: ReadonlySet<string> }> {
  const { name, routes } = site;
  const refused = new Set<string>();
  const wishes = claims.filter((claim): claim is PassthroughClaim => claim.kind === "passthrough");
  if (wishes.length === 0) return { backend: "", refused };
  const known = [...claims.filter(({ kind }) => kind !== "default"), ...routes];
  const ages = known.map(({ age }) => age).sort(compareAges);
  const ruler = spaceOf(ages[0]?.owner ?? "");
  const winner = wishes.find(({ origin, backend }) => {
    return origin.namespace === ruler && backend !== "";
  });
  for (const claim of wishes) {
    if (claim.backend === winner?.backend && claim.origin.namespace === ruler) continue;
    refused.add(claim.age.owner);
    const reason =
      winner === undefined
        ? `${shown(name)} belongs to namespace ${ruler}, which claimed it first`
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
  const reason = `connections for ${shown(name)} are not opened, as ${ownerOf(winner)} asks`;
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

function ownerOf({ origin: { kind, namespace, name } }: TlsClaim): string {
  return `${kind} ${namespace}/${name}`;
}

function secretName({ secret }: CertificateClaim): string {
  return secret.slice(secret.indexOf("/") + 1);
}

function spaceOf(owner: string): string {
  return owner.slice(0, owner.indexOf("/"));
}
