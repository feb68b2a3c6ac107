/**
 * Snapshot to model, again and again: a change costs what it touches. What did not change keeps its
 * identity, from the model down to the single route, so that whoever comes after can see it by ===.
 */
import type { Backend, Model, VirtualHost } from "../../core/model.ts";
import type { KubeObject } from "../objects.ts";
import type { Changes, Snapshot } from "../snapshot.ts";
import type { Kind } from "../resources.ts";
import { type Claim, NOTHING, type Output } from "./draft.ts";
import type { Draft, TranslateOptions, Translation } from "./draft.ts";
import { claimDefault } from "./fallback.ts";
import { translateIngress } from "./ingress.ts";
import { Counted, Counts, type Findings, Ledger, Roster } from "./roster.ts";
import { type HostTls, Secured } from "./secured.ts";
import { settle } from "./settle.ts";
import { type Made, Unit, Units } from "./units.ts";
import type { View } from "./view.ts";

/** Each claims what its kind of object asks for. A new kind is a new row. */
const TRANSLATORS: readonly Readonly<{
  kind: Kind;
  of: (snapshot: Snapshot) => ReadonlyMap<string, KubeObject>;
  translate: (view: View, draft: Draft, object: KubeObject) => void;
}>[] = [{ kind: "Ingress", of: (snapshot) => snapshot.ingresses, translate: translateIngress }];

type Routes = VirtualHost["routes"];

const NO_FINDINGS: Findings = new Map();

/** A host with all the claims on it, settled. */
type Site = { readonly claims: Set<Claim>; host: VirtualHost | null; findings: Findings };

type Owner = { readonly unit: Unit; object: KubeObject };

/** Keeps what it made of one cluster. One that threw is not to be used again. */
export class Translator {
  readonly #options: TranslateOptions;
  readonly #units: Units;
  readonly #secured: Secured;
  /** What the settings ask for, which belongs to no object. */
  readonly #settings = new Unit<void>("Rind", "", claimDefault, undefined);
  readonly #owners = new Map<Kind, Map<string, Owner>>();
  readonly #sites = new Map<string, Site>();
  /** Hosts whose claims changed, and backends that changed or are led to from now on or no more. */
  readonly #dirtySites = new Set<string>();
  readonly #dirtyBackends = new Set<string>();
  /** Backends that stand for something broken, and how many units say so. */
  readonly #broken = new Map<string, { backend: Backend; units: number }>();
  readonly #hosts = new Roster<VirtualHost>();
  readonly #backends = new Roster<Backend>();
  readonly #led = new Counts();
  readonly #ledger = new Ledger();
  readonly #ours = new Counted();
  readonly #secrets = new Counted();
  readonly #names = new Counted();
  #last: Translation = NOTHING;

  /**
   * `pause` is called now and then during a long translation, which leaves much behind that can be
   * collected: without it a process grows by several times of what it keeps.
   */
  constructor(options: TranslateOptions, pause: () => void = () => {}) {
    this.#options = options;
    const made: Made = (unit, before, now) => this.#made(unit, before, now);
    this.#units = new Units(options, made, pause);
    this.#units.soil(this.#settings);
    this.#secured = new Secured({
      pair: (secret) => this.#units.pair(secret),
      routes: (host) => [...(this.#sites.get(host)?.claims ?? [])],
      hosts: () => this.#sites.keys(),
      find: (before, now) => this.#ledger.replace(before, now),
      lead: (before, now) => this.#lead(before, now),
    });
  }

  /**
   * What should be served, and what is wrong with the objects. `changes` are all that happened to
   * the cluster since the last call; null: anything may have. Never throws, whatever the objects
   * hold; what is broken answers 503 and has a finding, and its siblings are served. Findings of
   * the source are not among them: those are in the snapshot.
   */
  translate(snapshot: Snapshot, changes: Changes | null): Translation {
    for (const row of TRANSLATORS) {
      const objects = row.of(snapshot);
      const known = this.#owners.get(row.kind);
      const keys =
        changes === null
          ? new Set([...objects.keys(), ...(known?.keys() ?? [])])
          : changes.get(row.kind);
      for (const key of keys ?? []) this.#touch(row, key, objects.get(key));
    }
    this.#units.touch(changes);
    this.#units.run(snapshot);
    // What a host asks of handshakes is known before its routes are settled.
    for (const name of this.#secured.settle()) {
      if (this.#sites.has(name)) this.#dirtySites.add(name);
    }
    for (const name of this.#dirtySites) this.#settle(name);
    this.#dirtySites.clear();
    for (const id of this.#dirtyBackends) this.#place(id);
    this.#dirtyBackends.clear();
    this.#last = this.#result();
    return this.#last;
  }

  /** An object is new, another one, or gone. */
  #touch(row: (typeof TRANSLATORS)[number], key: string, object: KubeObject | undefined): void {
    const owners = this.#owners.get(row.kind) ?? new Map<string, Owner>();
    this.#owners.set(row.kind, owners);
    const known = owners.get(key);
    if (object === undefined) {
      owners.delete(key);
      if (known !== undefined) this.#units.drop(known.unit);
      return;
    }
    const owner: Owner = known ?? {
      object,
      unit: new Unit<void>(
        row.kind,
        key,
        (view, draft) => row.translate(view, draft, owner.object),
        undefined,
      ),
    };
    owner.object = object;
    owners.set(key, owner);
    this.#units.soil(owner.unit);
  }

  /** Books what a unit says now in the place of what it said before. */
  #made(unit: Unit, before: Output, now: Output): void {
    if (unit.topic === "Backend") this.#dirtyBackends.add(unit.key);
    if (unit.topic === "Pair") this.#secured.touchPair(unit.key);
    this.#ledger.replace(before.findings, now.findings);
    this.#ours.replace(before.ours, now.ours);
    this.#secrets.replace(before.secrets, now.secrets);
    this.#names.replace(before.names, now.names);
    for (const backend of now.backends.values()) this.#putBroken(backend);
    for (const { id } of before.backends.values()) this.#dropBroken(id);
    // Of a unit that could not be made again they are the ones of before.
    if (now.tls !== before.tls) this.#secured.replace(before.tls, now.tls);
    if (now.claims === before.claims) return;
    for (const claim of now.claims) this.#claim(claim);
    for (const claim of before.claims) this.#unclaim(claim);
  }

  #putBroken(backend: Backend): void {
    const { id } = backend;
    const known = this.#broken.get(id);
    this.#broken.set(id, { backend, units: (known?.units ?? 0) + 1 });
    this.#dirtyBackends.add(id);
  }

  #dropBroken(id: string): void {
    const known = this.#broken.get(id)!;
    known.units -= 1;
    if (known.units === 0) this.#broken.delete(id);
    this.#dirtyBackends.add(id);
  }

  #claim(claim: Claim): void {
    const site = this.#sites.get(claim.host) ?? {
      claims: new Set(),
      host: null,
      findings: NO_FINDINGS,
    };
    this.#sites.set(claim.host, site);
    site.claims.add(claim);
    this.#dirtySites.add(claim.host);
    this.#secured.touchRoutes(claim.host);
  }

  #unclaim(claim: Claim): void {
    this.#sites.get(claim.host)?.claims.delete(claim);
    this.#dirtySites.add(claim.host);
    this.#secured.touchRoutes(claim.host);
  }

  #settle(name: string): void {
    const site = this.#sites.get(name)!;
    const { host: before } = site;
    const tls = this.#secured.of(name);
    const { routes, findings } = settle([...site.claims], tls);
    this.#ledger.replace(site.findings, findings);
    site.findings = findings;
    if (site.claims.size === 0) this.#sites.delete(name);
    site.host = routes.length === 0 ? null : hostOf({ name, routes, tls }, before);
    if (site.host === before) return;
    this.#hosts.set(name, site.host);
    this.#leadRoutes(before?.routes ?? [], site.host?.routes ?? []);
  }

  #leadRoutes(before: Routes, now: Routes): void {
    let start = 0;
    while (start < before.length && before[start] === now[start]) start += 1;
    let more = 0;
    const most = Math.min(before.length, now.length) - start;
    while (more < most && before.at(-1 - more) === now.at(-1 - more)) more += 1;
    this.#lead(
      backendsOf(before.slice(start, before.length - more)),
      backendsOf(now.slice(start, now.length - more)),
    );
  }

  /** Backends are in the model when something leads to them. */
  #lead(left: readonly string[], taken: readonly string[]): void {
    this.#led.replace(left, taken);
    for (const id of left) this.#dirtyBackends.add(id);
    for (const id of taken) this.#dirtyBackends.add(id);
  }

  #place(id: string): void {
    const backend = this.#broken.get(id)?.backend ?? this.#units.backend(id);
    if (backend === null || !this.#led.has(id)) return this.#backends.set(id, null);
    const known = this.#backends.get(id);
    const same = known !== null && (known === backend || Bun.deepEquals(known, backend, true));
    this.#backends.set(id, same ? known : backend);
  }

  #result(): Translation {
    const last = this.#last;
    const hosts = this.#hosts.list();
    const backends = this.#backends.list();
    const { certificates, secure, facts } = this.#secured.lists();
    const same =
      last !== NOTHING &&
      hosts === last.model.hosts &&
      backends === last.model.backends &&
      certificates === last.model.certificates &&
      secure === last.model.secure;
    const { version } = this.#options;
    const model: Model = same ? last.model : { version, hosts, backends, certificates, secure };
    const secrets = this.#secrets.set();
    const names = this.#names.set();
    const unwanted = secrets === last.wants.secrets && names === last.wants.names;
    const wants = unwanted ? last.wants : { secrets, names };
    const ours = this.#ours.set();
    return { model, certificates: facts, ...this.#ledger.list(), ours, wants };
  }
}

/** The host with these routes; routes that are as before are the same ones, and so is the host. */
function hostOf(
  { name, routes, tls }: Readonly<{ name: string; routes: Routes; tls: HostTls }>,
  before: VirtualHost | null,
): VirtualHost {
  const known = new Map((before?.routes ?? []).map((route) => [route.id, route]));
  const kept = routes.map((route) => {
    const same = known.get(route.id);
    return same !== undefined && Bun.deepEquals(same, route, true) ? same : route;
  });
  const unchanged =
    before?.policy === tls.policy &&
    before.routes.length === kept.length &&
    kept.every((route, i) => route === before.routes[i]);
  return unchanged ? before : { name, policy: tls.policy, routes: kept };
}

/** The id of a backend for each time that a route leads to it. */
function backendsOf(routes: Routes): readonly string[] {
  return routes.flatMap(({ action }) => {
    return action.kind === "forward" ? action.split.map(({ backend }) => backend) : [];
  });
}
