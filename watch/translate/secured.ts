/**
 * The hosts that have something to say to clients over TLS, with their certificates: what changes
 * is settled anew, and all that did not change keeps its identity.
 */
import type { Certificate, SecureHost } from "../../core/model.ts";
import { type CertificateFacts, type Pair, above } from "./certificates.ts";
import type { Claim, TlsClaim } from "./draft.ts";
import { ANY_HOST } from "./hosts.ts";
import { Counts, type Findings, Roster } from "./roster.ts";
import { type SniSettled, policyOf, settleSni } from "./sni.ts";

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

/** `asking`: how many of the claims are on more than a certificate. */
type Site = { readonly claims: Set<TlsClaim>; asking: number; settled: SniSettled | null };

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
      site.asking += asks(claim);
      this.#dirty.add(claim.host);
    }
    for (const claim of before) {
      const site = this.#sites.get(claim.host)!;
      site.claims.delete(claim);
      site.asking -= asks(claim);
      this.#dirty.add(claim.host);
    }
  }

  /** The claims on the paths of a host changed. Nearly all hosts take no notice. */
  touchRoutes(host: string): void {
    const asking = this.#sites.get(host)?.asking ?? 0;
    if (asking > 0 || this.#guards.size > 0) this.#dirty.add(host);
  }

  /** The pair of a Secret may be another one. */
  touchPair(secret: string): void {
    this.#pairs.add(secret);
  }

  /** Settles what changed, and answers the hosts whose routes have to be settled again. */
  settle(): ReadonlySet<string> {
    const moved = new Set<string>();
    const wide = new Set<string>();
    for (const name of this.#dirty) if (this.#settle(name)) note(name, moved, wide);
    if (wide.size > 0) {
      for (const name of this.#around.hosts()) {
        if (!wide.has(above(name)) && !wide.has(ANY_HOST)) continue;
        this.#settle(name);
        moved.add(name);
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

  /** Whether that changed anything for routes. */
  #settle(name: string): boolean {
    const site = this.#sites.get(name) ?? newSite();
    const { settled: before } = site;
    const routes = this.#around.routes(name);
    const there = site.claims.size > 0 || (routes.length > 0 && this.#guarded(name));
    const { pair } = this.#around;
    const now = there ? settleSni({ name, claims: site.claims, routes, pair }) : null;
    const known = before?.host ?? null;
    const same = now !== null && known !== null && Bun.deepEquals(known, now.host, true);
    const host = same ? known : (now?.host ?? null);
    site.settled = now === null ? null : { ...now, host: host! };
    if (site.settled === null) this.#sites.delete(name);
    else this.#sites.set(name, site);
    this.#around.find(before?.findings ?? NO_FINDINGS, now?.findings ?? NO_FINDINGS);
    if (host !== known) this.#replace(name, known, host);
    return !sameForRoutes(before, site.settled);
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
  return { claims: new Set(), asking: 0, settled: null };
}

function asks({ kind }: TlsClaim): number {
  return kind === "policy" || kind === "passthrough" ? 1 : 0;
}

function note(name: string, moved: Set<string>, wide: Set<string>): void {
  moved.add(name);
  if (name === ANY_HOST || name.startsWith("*.")) wide.add(name);
}

function backendOf(host: SecureHost | null): readonly string[] {
  return host === null || host.passthrough === "" ? [] : [host.passthrough];
}

/** Whether the routes of a host would be the same for both. */
function sameForRoutes(before: SniSettled | null, now: SniSettled | null): boolean {
  if (before === null || now === null) return before === now;
  return Bun.deepEquals(seenBy(before), seenBy(now), true);
}

function seenBy({ host, spaces, refused, closed }: SniSettled): unknown {
  return [policyOf(host), spaces, refused, closed];
}
