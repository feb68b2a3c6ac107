/**
 * The hosts that have something to say to clients over TLS, with their certificates: what changes
 * is settled anew, and all that did not change keeps its identity.
 */
import type { Certificate, SecureHost } from "../../core/model.ts";
import { type CertificateFacts, type Pair, above, covers } from "./certificates.ts";
import type { Claim, TlsClaim } from "./draft.ts";
import { ANY_HOST } from "./hosts.ts";
import { Counts, type Findings, Roster } from "./roster.ts";
import { type SniSettled, ownerOf, policyOf, settleSni } from "./sni.ts";

const NO_FINDINGS: Findings = new Map();
const NOBODY: ReadonlySet<string> = new Set();
/** Of a host without TLS. */
export const OPEN: HostTls = { secured: () => false, policy: "", refused: NOBODY, closed: false };

/** What the routes of a host have to know. `secured`: whether those of a namespace have TLS. */
export type HostTls = Readonly<{
  secured: (namespace: string) => boolean;
  policy: string;
  refused: ReadonlySet<string>;
  closed: boolean;
}>;

/** What this looks at, and whom it tells. */
type Around = Readonly<{
  pair: (secret: string) => Pair | null;
  /** The claims on the paths of a host. */
  routes: (host: string) => readonly Claim[];
  /** The hosts that have any. */
  hosts: () => Iterable<string>;
  find: (before: Findings, now: Findings) => void;
  /** Backends that connections are handed to. */
  lead: (before: readonly string[], now: readonly string[]) => void;
}>;

type Site = { readonly claims: Set<TlsClaim>; settled: SniSettled | null };

/** Whether something is another thing for the routes of a host, and for the hosts below it. */
type Moved = Readonly<{ routes: boolean; below: boolean }>;

export class Secured {
  readonly #around: Around;
  readonly #sites = new Map<string, Site>();
  readonly #dirty = new Set<string>();
  /** Wildcards, and any host, that ask for more than a certificate: see `#guarded`. */
  readonly #guards = new Set<string>();
  readonly #hosts = new Roster<SecureHost>();
  readonly #certificates = new Roster<Certificate>();
  readonly #facts = new Roster<CertificateFacts>();
  readonly #used = new Counts();
  /** Of the operator's certificate, which hosts have before that of somebody else's wildcard. */
  #spare: CertificateFacts | null = null;
  /** Secrets whose pairs changed, or are used from now on or no more. */
  readonly #pairs = new Set<string>();

  constructor(around: Around) {
    this.#around = around;
  }

  /** What a unit claims now, in the place of what it claimed before. */
  replace(before: readonly TlsClaim[], now: readonly TlsClaim[]): void {
    for (const claim of now) {
      const site = this.#sites.get(claim.host) ?? newSite();
      this.#sites.set(claim.host, site);
      site.claims.add(claim);
      this.#dirty.add(claim.host);
    }
    for (const claim of before) {
      const site = this.#sites.get(claim.host)!;
      site.claims.delete(claim);
      this.#dirty.add(claim.host);
    }
  }

  /** The claims on the paths of a host changed: it may belong to somebody else. */
  touchRoutes(host: string): void {
    const asked = this.#sites.has(host) || this.#sites.has(above(host));
    if (asked || this.#guards.size > 0) this.#dirty.add(host);
  }

  /** The pair of a Secret may be another one. */
  touchPair(secret: string): void {
    this.#pairs.add(secret);
  }

  /** Settles what changed, and answers the hosts whose routes have to be settled again. */
  settle(): ReadonlySet<string> {
    const moved = new Set<string>();
    // From the top down, so that each host is settled once, below what is settled already.
    for (const level of [isAny, isWildcard, isPlain]) {
      const wide = new Map<string, Moved>();
      for (const name of this.#dirty) {
        if (!level(name)) continue;
        const { routes, below } = this.#settle(name);
        if (routes) moved.add(name);
        if (below) wide.set(name, { routes, below });
      }
      if (level === isPlain || wide.size === 0) continue;
      for (const name of [...this.#around.hosts(), ...this.#sites.keys()]) {
        const from = wide.get(level === isAny ? ANY_HOST : above(name));
        if (from === undefined || level(name)) continue;
        this.#dirty.add(name);
        if (from.routes && level === isWildcard) moved.add(name);
      }
    }
    this.#dirty.clear();
    for (const secret of this.#pairs) this.#place(secret);
    this.#pairs.clear();
    return moved;
  }

  /** What the routes of a host have to know. Certificates are of a wildcard, too. */
  of(name: string): HostTls {
    const own = this.#sites.get(name)?.settled ?? null;
    const wild = this.#sites.get(above(name))?.settled ?? null;
    if (own === null && wild === null) return OPEN;
    return {
      secured: (space) =>
        (own?.spaces.includes(space) ?? false) || (wild?.spaces.includes(space) ?? false),
      policy: policyOf(own?.host ?? null),
      refused: own?.refused ?? NOBODY,
      closed: own?.closed ?? false,
    };
  }

  /** All there is for the model, and what there is to say of its certificates. */
  lists(): Readonly<{
    secure: readonly SecureHost[];
    certificates: readonly Certificate[];
    facts: readonly CertificateFacts[];
  }> {
    return {
      secure: this.#hosts.list(),
      certificates: this.#certificates.list(),
      facts: this.#facts.list(),
    };
  }

  #settle(name: string): Moved {
    const site = this.#sites.get(name) ?? newSite();
    const { settled: before } = site;
    const routes = this.#around.routes(name);
    const owner = ownerOf(site.claims, routes);
    const spare = this.#spareFor(name, owner);
    const apart = routes.length > 0 && (spare !== "" || this.#guarded(name));
    const { pair } = this.#around;
    const now =
      site.claims.size > 0 || apart
        ? settleSni({ name, claims: site.claims, routes, owner, spare, pair })
        : null;
    const known = before?.host ?? null;
    const same = now !== null && known !== null && Bun.deepEquals(known, now.host, true);
    const host = same ? known : (now?.host ?? null);
    site.settled = now === null ? null : { ...now, host: host! };
    if (site.settled === null) this.#sites.delete(name);
    else this.#sites.set(name, site);
    this.#around.find(before?.findings ?? NO_FINDINGS, now?.findings ?? NO_FINDINGS);
    if (host !== known) this.#replace(name, known, host);
    const lent = name === ANY_HOST && this.#keepSpare(site.claims);
    return {
      routes: !alike(before, site.settled, seenByRoutes),
      below: lent || !alike(before, site.settled, name === ANY_HOST ? seenByAll : seenBelow),
    };
  }

  /** Whether the operator's certificate is for other names than before. */
  #keepSpare(claims: Iterable<TlsClaim>): boolean {
    let facts: CertificateFacts | null = null;
    for (const claim of claims) {
      if (claim.kind === "default") facts = this.#around.pair(claim.secret)?.good?.facts ?? null;
    }
    const before = this.#spare;
    this.#spare = facts;
    return before?.id !== facts?.id || !Bun.deepEquals(before?.names, facts?.names, true);
  }

  /**
   * The operator's certificate, if it is for a host, and what is above that host shows the
   * certificate of another namespace: that may be for nobody. "" otherwise.
   */
  #spareFor(name: string, owner: string): string {
    const wild = this.#sites.get(above(name))?.settled ?? null;
    if (this.#spare === null || wild === null || wild.owner === owner) return "";
    const lends = wild.host.certificates.length > 0;
    return lends && covers(this.#spare, name) ? this.#spare.id : "";
  }

  #replace(name: string, before: SecureHost | null, now: SecureHost | null): void {
    this.#hosts.set(name, now);
    const [left, taken] = [before?.certificates ?? [], now?.certificates ?? []];
    this.#used.replace(left, taken, (secret) => this.#pairs.add(secret));
    this.#around.lead(backendOf(before), backendOf(now));
    if (name !== ANY_HOST && !name.startsWith("*.")) return;
    if (policyOf(now) === "") this.#guards.delete(name);
    else this.#guards.add(name);
  }

  /**
   * Whether what is above a host would be asked of its clients, if it did not say by itself that it
   * asks for nothing: it may belong to somebody else.
   */
  #guarded(name: string): boolean {
    return this.#guards.has(above(name)) || (name !== ANY_HOST && this.#guards.has(ANY_HOST));
  }

  #place(secret: string): void {
    const good = this.#used.has(secret) ? (this.#around.pair(secret)?.good ?? null) : null;
    const { certificate = null, facts = null } = good ?? {};
    const [one, other] = [this.#certificates.get(secret), this.#facts.get(secret)];
    const same = Bun.deepEquals([one, other], [certificate, facts], true);
    this.#certificates.set(secret, same ? one : certificate);
    this.#facts.set(secret, same ? other : facts);
  }
}

function newSite(): Site {
  return { claims: new Set(), settled: null };
}

function isAny(name: string): boolean {
  return name === ANY_HOST;
}

function isWildcard(name: string): boolean {
  return name.startsWith("*.");
}

function isPlain(name: string): boolean {
  return !isAny(name) && !isWildcard(name);
}

function backendOf(host: SecureHost | null): readonly string[] {
  return host === null || host.passthrough === "" ? [] : [host.passthrough];
}

/** Whether both are the same for whoever sees so much of them. */
function alike(
  before: SniSettled | null,
  now: SniSettled | null,
  seen: (settled: SniSettled) => unknown,
): boolean {
  const [one, other] = [before, now].map((settled) => (settled === null ? null : seen(settled)));
  return Bun.deepEquals(one, other, true);
}

function seenByRoutes({ host, spaces, refused, closed }: SniSettled): unknown {
  return [policyOf(host), spaces, refused, closed];
}

/** What is for any host lends its certificate to whoever has none, without a word. */
function seenByAll({ host }: SniSettled): unknown {
  return policyOf(host);
}

function seenBelow({ host, owner, spaces }: SniSettled): unknown {
  return [policyOf(host), owner, spaces, host.certificates.length > 0];
}
