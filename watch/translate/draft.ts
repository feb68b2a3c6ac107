/**
 * What translators write into: claims on a path of a host, backends and findings. Translators only
 * claim; who gets a path that several objects claim is decided once, in `freeze`.
 */
import { type Backend, EMPTY_MODEL, type Model } from "../../core/model.ts";
import type { Route, VirtualHost } from "../../core/model.ts";
import type { Finding } from "../finding.ts";
import { type KubeObject, keyOf } from "../objects.ts";
import type { Wants } from "../source/source.ts";
import type { AddressRules } from "./forbidden.ts";
import { ANY_HOST } from "./hosts.ts";
import type { Selector } from "./selector.ts";

/** Digits that an index of a list can have in the order of findings. */
const INDEX_DIGITS = 6;

/** Which objects are ours, and the version that the model will carry. */
export type TranslateOptions = Readonly<{
  /** Class names that are adopted, in the field or in the annotation. */
  classes: readonly string[];
  /** An IngressClass with this `spec.controller` is ours, whatever its name. */
  controller: string;
  /** Adopt Ingresses that name no class, where no default IngressClass decides. */
  withoutClass: boolean;
  /** Only Ingresses of namespaces with these labels; null is of all. */
  namespaceSelector: Selector | null;
  /** Where endpoints may not be; null is nowhere. */
  addresses: AddressRules | null;
  /** Names that ExternalName Services may have (`parseNamePattern`); empty follows none. */
  externalNames: readonly string[];
  /** The source tells all Secrets: one that is not there is missing, not just late. */
  allSecrets: boolean;
  version: number;
}>;

/** What a folder is translated with: whoever writes it is trusted, and all of it is there. */
export const TRUSTING = {
  namespaceSelector: null,
  addresses: null,
  externalNames: [],
  allSecrets: true,
} satisfies Partial<TranslateOptions>;

/** The result of translating a snapshot. Findings are in the order of their objects. */
export type Translation = Readonly<{
  model: Model;
  findings: readonly Finding[];
  /** The Ingresses that are ours, by `namespace/name`, whatever is wrong with them. */
  ours: ReadonlySet<string>;
  /** What the objects name and the source may not have told yet. */
  wants: Wants;
}>;

/** Of no object at all. */
export const NOTHING: Translation = {
  model: EMPTY_MODEL,
  findings: [],
  ours: new Set(),
  wants: { secrets: new Set(), names: new Set() },
};

/** A path as it is written in a rule. */
export const RULE = 0;
/** What takes the rest of a host. */
export const REST = 1;
/** A path that nobody wrote: one that was refused, in its nearest valid form. It hides no other. */
export const REPAIRED = 2;

/** A wish for a path of a host. A lower rank comes first, whatever the age. */
export type Claim = Readonly<{
  host: string;
  route: Route;
  rank: typeof RULE | typeof REST | typeof REPAIRED;
  age: Age;
}>;

/** Who comes first: the oldest, then the first by namespace/name, then by uid, then by order. */
export type Age = Readonly<{ createdMs: number; owner: string; uid: string; order: number }>;

/** How old an object is. One without a readable time counts as younger than any with one. */
export function ageOf(object: KubeObject, order: number): Age {
  const { namespace, name, uid, creationTimestamp } = object.metadata;
  const createdMs = Date.parse(creationTimestamp);
  const known = Number.isNaN(createdMs) ? Number.POSITIVE_INFINITY : createdMs;
  return { createdMs: known, owner: `${namespace}/${name}`, uid, order };
}

/** Collects the wishes of translators, and settles them. Used for one translation. */
export class Draft {
  readonly options: TranslateOptions;
  readonly #claims: Claim[] = [];
  readonly #backends = new Map<string, Backend>();
  /** By content: two paths that meet the same broken object say so once. */
  readonly #findings = new Map<string, Finding>();
  readonly #ours = new Set<string>();
  readonly #secrets = new Set<string>();
  readonly #names = new Set<string>();

  constructor(options: TranslateOptions) {
    this.options = options;
  }

  /** Notes that an Ingress is ours. */
  own(object: KubeObject): void {
    this.#ours.add(keyOf(object));
  }

  /** Notes that a Secret is of use, by `namespace/name`. */
  wantSecret(key: string): void {
    this.#secrets.add(key);
  }

  /** Notes that the addresses of a DNS name are of use. */
  wantName(name: string): void {
    this.#names.add(name);
  }

  /** Notes a wish. It may lose against another one. */
  claim(claim: Claim): void {
    this.#claims.push(claim);
  }

  /** Notes a backend. Two with one id are the same backend. */
  put(backend: Backend): void {
    this.#backends.set(backend.id, backend);
  }

  /** The backend that was put under `id`. */
  backend(id: string): Backend | undefined {
    return this.#backends.get(id);
  }

  /** Notes a finding; the same one again is not noted twice. */
  find(finding: Finding): void {
    const { kind, namespace, name, field, reason } = finding;
    // Numbers in a field path are padded, so that paths[2] stands before paths[10].
    const place = field.replace(/\d+/g, (digits) => digits.padStart(INDEX_DIGITS, "0"));
    this.#findings.set(JSON.stringify([namespace, name, kind, place, reason]), finding);
  }

  /** Settles every claim: the winner is routed, a loser gets a finding that names the winner. */
  freeze(): Translation {
    const hosts = new Map<string, Route[]>();
    const taken = new Map<string, Claim>();
    for (const claim of this.#claims.toSorted(precede)) {
      const { kind, value } = claim.route.match.path;
      const key = `${claim.host} ${kind} ${value}`;
      const winner = taken.get(key);
      if (winner !== undefined) {
        this.#refuse(claim, winner);
        continue;
      }
      taken.set(key, claim);
      const routes = hosts.get(claim.host);
      if (routes === undefined) hosts.set(claim.host, [claim.route]);
      else routes.push(claim.route);
    }
    const findings = [...this.#findings.entries()].sort(([a], [b]) => order(a, b));
    const model = { version: this.options.version, ...this.#settle(hosts) };
    return {
      model,
      findings: findings.map(([, finding]) => finding),
      ours: this.#ours,
      wants: { secrets: this.#secrets, names: this.#names },
    };
  }

  #refuse(loser: Claim, winner: Claim): void {
    const same = loser.age.owner === winner.age.owner;
    // A rule for / beside a default backend of the same Ingress says what it means, and the path
    // that was repaired has its finding.
    if (loser.rank === REPAIRED || (same && loser.rank > winner.rank)) return;
    const { path } = loser.route.match;
    const host = loser.host === ANY_HOST ? "any host" : loser.host;
    const place = `${path.kind === "exact" ? "Exact " : ""}${path.value} of ${host}`;
    const { kind, namespace, name, field } = loser.route.origin;
    this.find({
      level: "error",
      kind,
      namespace,
      name,
      field,
      reason: `${place} is already served by ${winnerOf(loser, winner)}`,
      hint: same ? "to split requests between services, add service-weights" : "",
      effect: loser.rank === REST ? "the default backend is not used here" : "this path is ignored",
    });
  }

  #settle(hosts: ReadonlyMap<string, Route[]>): Pick<Model, "hosts" | "backends"> {
    const settled: VirtualHost[] = [];
    const used = new Map<string, Backend>();
    for (const name of [...hosts.keys()].sort(order)) {
      const routes = hosts.get(name) ?? [];
      settled.push({ name, routes });
      for (const { action } of routes) {
        if (action.kind !== "forward") continue;
        for (const { backend: id } of action.split) {
          const backend = this.#backends.get(id);
          if (backend !== undefined) used.set(id, backend);
        }
      }
    }
    const backends = [...used.values()].sort((a, b) => order(a.id, b.id));
    return { hosts: settled, backends };
  }
}

/** Who has the path, and why. */
function winnerOf(loser: Claim, winner: Claim): string {
  const { kind, namespace, name, field } = winner.route.origin;
  const same = loser.age.owner === winner.age.owner;
  const named = same ? field : `${kind} ${namespace}/${name} ${field}`;
  if (loser.rank !== winner.rank) return `${named}, and a rule comes before a default backend`;
  if (same) return named;
  const older = winner.age.createdMs < loser.age.createdMs;
  return `${named}, which ${older ? "is older" : "comes first by name"}`;
}

function precede(a: Claim, b: Claim): number {
  if (a.rank !== b.rank) return a.rank - b.rank;
  if (a.age.createdMs !== b.age.createdMs) return a.age.createdMs < b.age.createdMs ? -1 : 1;
  const named = order(a.age.owner, b.age.owner);
  if (named !== 0) return named;
  return order(a.age.uid, b.age.uid) || a.age.order - b.age.order;
}

/** By code unit, not by locale: the same everywhere. */
function order(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1;
}
