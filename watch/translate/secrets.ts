/**
 * The Secrets that an Ingress names: noted, so that the source tells them and no others. Their
 * content never reaches a finding, and what might be a secret itself is not quoted either.
 */
import { type KubeObject, isFields, isName } from "../objects.ts";
import type { Draft } from "./draft.ts";
import { type Field, type Parsed, absent, at, items, mapped, text } from "./read.ts";
import type { View } from "./view.ts";

/** An Ingress names at most this many; those beyond are not read, which a finding says. */
const SECRETS_MAX = 100;
/** Base64 as Go reads it (RFC 4648 §4), line ends aside. */
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;
/** Characters of one value: a hundred certificates fit. */
const VALUE_MAX = 262_144;

/** Annotations whose value is `name` or `namespace/name` of a Secret. */
const ANNOTATIONS = [
  "nginx.ingress.kubernetes.io/auth-secret",
  "nginx.ingress.kubernetes.io/proxy-ssl-secret",
  "rind.dev/backend-tls-secret",
  "traefik.ingress.kubernetes.io/auth-secret",
  "traefik.ingress.kubernetes.io/auth-tls-secret",
  "ingress.kubernetes.io/auth-secret",
  "ingress.kubernetes.io/auth-tls-secret",
];

type Ask = Readonly<{ name: string; field: string; pair: boolean }>;
type Subject = Readonly<{ view: View; draft: Draft; object: KubeObject; field: Field }>;

/**
 * Notes the Secrets of an Ingress. One of another namespace is refused: whoever may write an
 * Ingress here need not be allowed to read there. One that is not there is remarked once that is
 * known: it could just be late. Answers the names in `spec.tls` whose pairs may be served.
 */
export function noteSecrets(subject: Subject): ReadonlySet<string> {
  const { draft, object, field } = subject;
  const { namespace } = object.metadata;
  const noted = new Set<string>();
  const pairs = new Set<string>();
  for (const ask of [...tlsAsks(field), ...annotationAsks(subject)]) {
    noted.add(ask.name);
    if (noted.size > SECRETS_MAX) {
      const reason = `names more than ${SECRETS_MAX} Secrets`;
      field.remark({
        field: ask.field,
        reason,
        effect: "this one and those after it are not read",
      });
      return pairs;
    }
    draft.wantSecret(`${namespace}/${ask.name}`);
    if (ask.pair) pairs.add(ask.name);
    else remarkMissing(subject, ask);
  }
  return pairs;
}

function tlsAsks(ingress: Field): readonly Ask[] {
  const asks: Ask[] = [];
  for (const entry of items(at(at(ingress, "spec"), "tls"))) {
    if (!mapped(entry)) continue;
    const field = at(entry, "secretName");
    const name = absent(field) ? "" : (text(field) ?? "");
    if (name === "") continue;
    if (isName(name)) asks.push({ name, field: field.path, pair: true });
    else ingress.remark({ field: field.path, reason: "is not the name of a Secret" });
  }
  return asks;
}

function annotationAsks({ object, field }: Subject): readonly Ask[] {
  const { namespace, annotations } = object.metadata;
  return ANNOTATIONS.flatMap((key) => {
    const value = annotations.get(key)?.trim() ?? "";
    if (value === "") return [];
    const place = `metadata.annotations[${key}]`;
    const slash = value.indexOf("/");
    const name = value.slice(slash + 1);
    const owner = slash < 0 ? namespace : value.slice(0, slash);
    if (!isName(name) || !isName(owner)) {
      field.remark({ field: place, reason: "is not the name of a Secret" });
      return [];
    }
    if (owner === namespace) return [{ name, field: place, pair: false }];
    const reason = `names a Secret of namespace ${owner}`;
    const hint = `copy it to namespace ${namespace}`;
    field.remark({ field: place, reason, hint, effect: "this Secret is not read" });
    return [];
  });
}

/** Of Secrets with other things than a pair: those are remarked where they are read. */
function remarkMissing({ view, draft, object, field }: Subject, ask: Ask): void {
  const { namespace } = object.metadata;
  const key = `${namespace}/${ask.name}`;
  if (view.secrets.has(key) || !(draft.options.allSecrets || view.absent.has(key))) return;
  const reason = `no Secret ${ask.name} in namespace ${namespace}`;
  field.remark({ level: "warning", field: ask.field, reason });
}

/**
 * One value of a Secret, decoded; `stringData` is how people write it. The reason follows the name
 * of its key, and quotes nothing.
 */
export function valueOf(secret: KubeObject, key: string): Parsed<string> {
  const plain = own(secret["stringData"], key);
  if (typeof plain === "string") return filled(plain);
  const coded = own(secret["data"], key);
  if (coded === undefined) return { ok: false, reason: "is missing" };
  const letters = typeof coded === "string" ? coded.replace(/[\r\n]/g, "") : "?";
  if (letters.length % 4 !== 0 || !BASE64.test(letters)) {
    return { ok: false, reason: "is not base64" };
  }
  return filled(Buffer.from(letters, "base64").toString());
}

function filled(value: string): Parsed<string> {
  if (value === "") return { ok: false, reason: "is empty" };
  if (value.length > VALUE_MAX) return { ok: false, reason: `is longer than ${VALUE_MAX} bytes` };
  return { ok: true, value };
}

/** Own keys only. An explicit null is nothing. */
function own(map: unknown, key: string): unknown {
  return isFields(map) && Object.hasOwn(map, key) ? (map[key] ?? undefined) : undefined;
}
