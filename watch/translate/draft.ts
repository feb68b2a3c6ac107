/**
 * What translators write into, a draft for each piece: claims on a path of a host, backends and
 * findings. Translators only claim; settle.ts decides who gets a path that several claim.
 */
import {
  type Backend,
  EMPTY_MODEL,
  type Model,
  type Origin,
  type Route,
  type RoutePolicy,
  type TlsPolicy,
} from "../../core/model.ts";
import type { Finding } from "../finding.ts";
import { type KubeObject, keyOf } from "../objects.ts";
import { USUAL_ACCOUNT } from "../resources.ts";
import type { Wants } from "../source/source.ts";
import type { CertificateFacts } from "./certificates.ts";
import type { AddressRules } from "./forbidden.ts";
import type { Selector } from "./selector.ts";

/**
 * Findings of one piece: an object can have ten thousand faults, and every one of them would be a
 * line in the log, again with each edit.
 */
export const FINDINGS_MAX = 100;

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
  /** rind's own ServiceAccount, `namespace:name`, for the commands that findings give. */
  account: string;
  /** Secret, `namespace/name`, of the certificate for names that have none; "" is none. */
  defaultCertificate: string;
  /** Hosts with TLS are served over HTTPS only, unless their Ingress says otherwise. */
  sslRedirect: boolean;
  /** Strict-Transport-Security of hosts with TLS, unless their Ingress says otherwise; or "". */
  hsts: string;
  version: number;
}>;

/** What a folder is translated with: whoever writes it is trusted, and all of it is there. */
export const TRUSTING = {
  namespaceSelector: null,
  addresses: null,
  externalNames: [],
  allSecrets: true,
  account: USUAL_ACCOUNT,
  defaultCertificate: "",
  sslRedirect: true,
  hsts: "",
} satisfies Partial<TranslateOptions>;

/**
 * The result of translating a snapshot. Findings are in the order of their objects; hosts and
 * backends in the order of their names. What is as in the translation before is the same thing.
 */
export type Translation = Readonly<{
  model: Model;
  /** What there is to say of the certificates of the model, in their order. */
  certificates: readonly CertificateFacts[];
  findings: readonly Finding[];
  /** The findings that were not there in the translation before. */
  fresh: readonly Finding[];
  /** The Ingresses that are ours, by `namespace/name`, whatever is wrong with them. */
  ours: ReadonlySet<string>;
  /** What the objects name and the source may not have told yet. */
  wants: Wants;
}>;

/** Of no object at all. */
export const NOTHING: Translation = {
  model: EMPTY_MODEL,
  certificates: [],
  findings: [],
  fresh: [],
  ours: new Set(),
  wants: { secrets: new Set(), names: new Set() },
};

/** A path as it is written in a rule. */
export const RULE = 0;
/** What takes the rest of a host. */
export const REST = 1;
/** A path that nobody wrote: one that was refused, in its nearest valid form. It hides no other. */
export const REPAIRED = 2;

/**
 * A wish for a path of a host. A lower rank comes first, whatever the age. `secured` takes the
 * place of the policy of the route on a host that has TLS: only settle knows which one has.
 */
export type Claim = Readonly<{
  host: string;
  route: Route;
  secured: RoutePolicy;
  rank: typeof RULE | typeof REST | typeof REPAIRED;
  age: Age;
}>;

/**
 * A wish for what clients get that ask for a host by SNI. `certificate`: the pair of this Secret,
 * `namespace/name`, or with "" that of everybody. `default`: the same for names that have none, by
 * the operator's word. `policy`: handshakes have to be like this. `passthrough`: the connection
 * goes to this backend unopened.
 */
export type TlsClaim = Readonly<{ host: string; origin: Origin; age: Age }> &
  (
    | Readonly<{ kind: "certificate" | "default"; secret: string }>
    | Readonly<{ kind: "policy"; ask: PolicyAsk }>
    | Readonly<{ kind: "passthrough"; backend: string }>
  );

/**
 * What one Ingress asks of handshakes. `broken`: it asks who clients are, and there is no way to
 * find out, for this reason; "" otherwise. Then nobody may get in as if it had not asked.
 */
export type PolicyAsk = Omit<TlsPolicy, "id"> & Readonly<{ broken: string }>;

/** Who comes first: the oldest, then the first by namespace/name, then by uid, then by order. */
export type Age = Readonly<{ createdMs: number; owner: string; uid: string; order: number }>;

/** How old an object is. One without a readable time counts as younger than any with one. */
export function ageOf(object: KubeObject, order: number): Age {
  const { namespace, name, uid, creationTimestamp } = object.metadata;
  const createdMs = Date.parse(creationTimestamp);
  const known = Number.isNaN(createdMs) ? Number.POSITIVE_INFINITY : createdMs;
  return { createdMs: known, owner: `${namespace}/${name}`, uid, order };
}

/** Negative when `a` comes first. By code unit, not by locale: the same everywhere. */
export function compareAges(a: Age, b: Age): number {
  if (a.createdMs !== b.createdMs) return a.createdMs < b.createdMs ? -1 : 1;
  return compare(a.owner, b.owner) || compare(a.uid, b.uid) || a.order - b.order;
}

function compare(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1;
}

const NO_FINDINGS: ReadonlyMap<string, Finding> = new Map();
const NO_BACKENDS: ReadonlyMap<string, Backend> = new Map();
const NO_TEXTS: readonly string[] = [];

/** What one piece of the translation came to. */
export type Output = Readonly<{
  ours: readonly string[];
  claims: readonly Claim[];
  tls: readonly TlsClaim[];
  /** Backends that are this piece's own: those that stand for something broken. */
  backends: ReadonlyMap<string, Backend>;
  /** By what they say. */
  findings: ReadonlyMap<string, Finding>;
  secrets: readonly string[];
  names: readonly string[];
}>;

/** Of a piece that was not made yet, or that has nothing to say. */
export const NO_OUTPUT: Output = {
  ours: NO_TEXTS,
  claims: [],
  tls: [],
  backends: NO_BACKENDS,
  findings: NO_FINDINGS,
  secrets: NO_TEXTS,
  names: NO_TEXTS,
};

/** Collects what one piece says. Most pieces say little, so it holds only what they said. */
export class Draft {
  readonly options: TranslateOptions;
  readonly #claims: Claim[] = [];
  readonly #tls: TlsClaim[] = [];
  #ours = NO_TEXTS;
  #backends: Map<string, Backend> | null = null;
  #findings: Map<string, Finding> | null = null;
  #secrets: Set<string> | null = null;
  #names: Set<string> | null = null;

  constructor(options: TranslateOptions) {
    this.options = options;
  }

  /** Notes that an Ingress is ours. */
  own(object: KubeObject): void {
    this.#ours = [keyOf(object)];
  }

  /** Notes a wish. It may lose against another one. */
  claim(claim: Claim): void {
    this.#claims.push(claim);
  }

  /** Notes a wish about the handshakes of a host. It may lose against another one. */
  secure(claim: TlsClaim): void {
    this.#tls.push(claim);
  }

  /** Notes a backend for something broken. Another one with the same id takes its place. */
  put(backend: Backend): void {
    this.#backends ??= new Map();
    this.#backends.set(backend.id, backend);
  }

  /** Notes a finding; the same one again is not noted twice. */
  find(finding: Finding): void {
    this.#findings ??= new Map();
    if (this.#findings.size < FINDINGS_MAX) note(this.#findings, finding);
    else if (this.#findings.size === FINDINGS_MAX) note(this.#findings, surplusOf(finding));
  }

  /** Notes that this Secret, by `namespace/name`, has to be known. */
  wantSecret(key: string): void {
    this.#secrets ??= new Set();
    this.#secrets.add(key);
  }

  /** Notes that the addresses of this DNS name have to be known. */
  wantName(name: string): void {
    this.#names ??= new Set();
    this.#names.add(name);
  }

  /** All that was noted. The draft is used no more. */
  output(): Output {
    return {
      ours: this.#ours,
      claims: this.#claims.length === 0 ? NO_OUTPUT.claims : this.#claims,
      tls: this.#tls.length === 0 ? NO_OUTPUT.tls : this.#tls,
      backends: this.#backends ?? NO_BACKENDS,
      findings: this.#findings ?? NO_FINDINGS,
      secrets: this.#secrets === null ? NO_TEXTS : [...this.#secrets],
      names: this.#names === null ? NO_TEXTS : [...this.#names],
    };
  }
}

/** Stands for all that is wrong beyond what is told. */
export function surplusOf({ kind, namespace, name }: Finding): Finding {
  const reason = `more than ${FINDINGS_MAX} things are wrong here, and not all of them are told`;
  const about = { kind, namespace, name, field: "" };
  return { level: "error", ...about, reason, hint: "", effect: "" };
}

/** Adds a finding under a key in whose order findings are shown; the same one is there once. */
export function note(findings: Map<string, Finding>, finding: Finding): void {
  const { kind, namespace, name, field, reason, hint, effect, level } = finding;
  // Numbers in a field path are padded, so that paths[2] stands before paths[10].
  const place = field.replace(/\d+/g, (digits) => digits.padStart(INDEX_DIGITS, "0"));
  const key = JSON.stringify([namespace, name, kind, place, reason, hint, effect, level]);
  findings.set(key, finding);
}
