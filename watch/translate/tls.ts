/** `spec.tls` of an Ingress: each entry claims certificates for hosts. */
import type { KubeObject } from "../objects.ts";
import { grantOf } from "../resources.ts";
import {
  type CertificateFacts,
  PAIR_HINT,
  type Pair,
  above,
  covers,
  listNames,
} from "./certificates.ts";
import { type Draft, FINDINGS_MAX, ageOf } from "./draft.ts";
import { ANY_HOST, parseHost } from "./hosts.ts";
import { nearest } from "./nearest.ts";
import { type Field, absent, at, clip, items, mapped, text } from "./read.ts";
import type { View } from "./view.ts";

/** Claims of one Ingress; those beyond are not made, which a finding says. */
const CLAIMS_MAX = 10_000;
/** In an Ingress of more hosts than that nobody looks for the one that a misspelt one may mean. */
const HOSTS_COMPARED_MAX = 50;
const NO_NAME = "no DNS name at all";

/**
 * `hosts` are those of the rules. `secrets` are the names of Secrets that may be asked for: others
 * have been remarked.
 */
type Subject = Readonly<{
  view: View;
  draft: Draft;
  object: KubeObject;
  field: Field;
  hosts: ReadonlySet<string>;
  secrets: ReadonlySet<string>;
}>;

/** A host, and where it is written. */
type Site = Readonly<{ host: string; field: string }>;

/** One entry. `secret` is `namespace/name`, or "" to be shown the certificate of everybody. */
type Entry = Readonly<{
  field: Field;
  order: number;
  secret: string;
  listed: readonly Site[];
  /** It lists no hosts, not even broken ones: it is for those of the rules. */
  open: boolean;
}>;

/**
 * Claims the certificates that an Ingress names. Each entry is for the hosts that it lists. A host
 * of the rules that no entry lists gets what covers it, as in ingress-nginx; an entry without hosts
 * is for these too while nothing is known of its certificate.
 */
export function claimTls(subject: Subject): void {
  const entries = readEntries(subject);
  const listed = new Set(entries.flatMap((entry) => entry.listed.map(({ host }) => host)));
  const rest = [...subject.hosts].filter((host) => !listed.has(host));
  const rules = new Set([...subject.hosts].flatMap((host) => [host, above(host)]));
  const claims = new Claims(subject);
  const seen = new Set<string>();
  for (const entry of entries) {
    const pair = entry.secret === "" ? null : subject.view.pair(entry.secret);
    if (pair !== null) remarkPair(subject, entry, pair);
    const facts = pair?.good?.facts ?? null;
    for (const site of entry.listed) {
      if (claims.add(entry, site)) remarkHost(subject, site, { entry, facts, rules });
    }
    // The same certificate is for no other hosts when it is named again.
    const key = `${entry.open} ${entry.secret}`;
    if (!seen.has(key)) claims.addAll(entry, rest, facts);
    seen.add(key);
  }
  const open = entries.find((entry) => entry.open);
  const bare = open === undefined ? [] : rest.filter((host) => !claims.has(host));
  for (const host of bare.slice(0, FINDINGS_MAX + 1)) remarkBare(subject, open!, host);
}

/** So many and no more. */
class Claims {
  readonly #subject: Subject;
  readonly #hosts = new Set<string>();
  #count = 0;

  constructor(subject: Subject) {
    this.#subject = subject;
  }

  has(host: string): boolean {
    return this.#hosts.has(host);
  }

  /** Those of the hosts that an entry is for, though it does not list them. */
  addAll(entry: Entry, hosts: readonly string[], facts: CertificateFacts | null): void {
    for (const host of hosts) {
      // No certificate is for any host, and the entry may well be for clients that name none.
      const fits = facts === null || host === ANY_HOST ? entry.open : covers(facts, host);
      if (fits && !this.add(entry, { host, field: entry.field.path })) return;
    }
  }

  /** False: there is no room. */
  add({ secret, order }: Entry, { host, field }: Site): boolean {
    const { draft, object, field: ingress } = this.#subject;
    if (this.#count === CLAIMS_MAX) {
      const reason = `asks for more than ${CLAIMS_MAX} certificates for its hosts`;
      const effect = "those beyond are not served";
      ingress.remark({ field: "spec.tls", reason, hint: "use several Ingresses", effect });
      return false;
    }
    this.#hosts.add(host);
    this.#count += 1;
    const { kind } = object;
    const { namespace, name } = object.metadata;
    const origin = { kind, namespace, name, field };
    draft.secure({ kind: "certificate", host, secret, origin, age: ageOf(object, order) });
    return true;
  }
}

function readEntries(subject: Subject): readonly Entry[] {
  const { object, field } = subject;
  const tls = at(at(field, "spec"), "tls");
  return items(tls).flatMap((item, order) => {
    if (!mapped(item)) return [];
    const name = text(at(item, "secretName")) ?? "";
    const secret = subject.secrets.has(name) ? `${object.metadata.namespace}/${name}` : "";
    const list = at(item, "hosts");
    const hosts = items(list);
    const open = absent(list) || (Array.isArray(list.value) && hosts.length === 0);
    return [{ field: item, order, secret, listed: readHosts(hosts), open }];
  });
}

/** Each host once, at its first place. */
function readHosts(fields: readonly Field[]): readonly Site[] {
  const sites = new Map<string, Site>();
  for (const site of fields.flatMap(readHost)) {
    if (!sites.has(site.host)) sites.set(site.host, site);
  }
  return [...sites.values()];
}

function readHost(field: Field): readonly Site[] {
  const raw = text(field);
  if (raw === null) return [];
  const host = parseHost(raw ?? "");
  const reason = host.ok ? (host.value === ANY_HOST ? "is empty" : "") : host.reason;
  if (host.ok && reason === "") return [{ host: host.value, field: field.path }];
  field.remark({ field: field.path, reason, effect: "it has no certificate" });
  return [];
}

function remarkPair({ view, draft, object, field }: Subject, entry: Entry, pair: Pair): void {
  const { namespace } = object.metadata;
  const name = entry.secret.slice(namespace.length + 1);
  const path = at(entry.field, "secretName").path;
  const effect =
    pair.good === null
      ? "clients get the default certificate"
      : "the certificate of before is served";
  if (pair.missing) {
    const reason = `no Secret ${name} in namespace ${namespace}`;
    field.remark({ level: "warning", field: path, reason, hint: PAIR_HINT, effect });
  } else if (pair.problem !== "") {
    const reason = `Secret ${name} is no certificate: ${pair.problem}`;
    field.remark({ level: "warning", field: path, reason, hint: PAIR_HINT, effect });
  } else if (!view.secrets.has(entry.secret)) {
    // A model waits for what it is the first to name: this one is late, or it is denied.
    const reason = `Secret ${name} has not been read yet`;
    const hint = `if that stays so, rind may not: ${grantOf(namespace, draft.options.account)}`;
    field.remark({ level: "warning", field: path, reason, hint, effect });
  }
}

/** `rules`: the hosts of the rules and what is above them; `facts`: of the certificate, if any. */
function remarkHost(
  { hosts, field: ingress }: Subject,
  { host, field }: Site,
  {
    entry,
    facts,
    rules,
  }: Readonly<{
    entry: Entry;
    facts: CertificateFacts | null;
    rules: ReadonlySet<string>;
  }>,
): void {
  const level = "warning";
  if (!rules.has(host) && !hosts.has(above(host)) && !hosts.has(ANY_HOST)) {
    const many = hosts.size + entry.listed.length > HOSTS_COMPARED_MAX;
    const near = many ? null : nearest(host, hosts);
    const hint = near === null ? "" : `did you mean ${near}?`;
    const reason = `no rule of this Ingress is for ${host}`;
    ingress.remark({ level, field, reason, hint, effect: "its certificate is served" });
  }
  if (facts === null || covers(facts, host)) return;
  const name = clip(entry.secret.slice(entry.secret.indexOf("/") + 1));
  const reason = `the certificate of Secret ${name} is not for ${host}`;
  const effect = "clients refuse it";
  ingress.remark({
    level,
    field,
    reason,
    hint: `it is for ${listNames(facts.names, NO_NAME)}`,
    effect,
  });
}

/** The entry is for all hosts of the rules, and its certificate is not. */
function remarkBare({ field }: Subject, { field: { path } }: Entry, host: string): void {
  const reason = `its certificate is not for ${host}`;
  const hint = `list ${host} under hosts to have it served over HTTPS all the same`;
  const effect = `${host} is served over plain HTTP`;
  field.remark({ level: "warning", field: path, reason, hint, effect });
}
