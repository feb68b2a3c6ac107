/**
 * The Secrets that an Ingress names: noted, so that the source tells them and no others. Their
 * content never reaches a finding, and what might be a secret itself is not quoted either.
 */
import { type KubeObject, isFields, isName } from "../objects.ts";
import type { Draft } from "./draft.ts";
import { type Field, absent, at, items, mapped, text } from "./read.ts";
import type { View } from "./view.ts";

/** An Ingress names at most this many; those beyond are not read, which a finding says. */
const SECRETS_MAX = 100;
/** Base64 as Go reads it (RFC 4648 §4), line ends aside. */
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;
/** What a Secret of a certificate holds (core/v1 SecretTypeTLS). */
const TLS_KEYS = ["tls.crt", "tls.key"];

/** Annotations whose value is `name` or `namespace/name` of a Secret. */
const ANNOTATIONS = [
  "nginx.ingress.kubernetes.io/auth-secret",
  "nginx.ingress.kubernetes.io/auth-tls-secret",
  "nginx.ingress.kubernetes.io/proxy-ssl-secret",
  "traefik.ingress.kubernetes.io/auth-secret",
  "traefik.ingress.kubernetes.io/auth-tls-secret",
  "ingress.kubernetes.io/auth-secret",
  "ingress.kubernetes.io/auth-tls-secret",
];

type Ask = Readonly<{ name: string; field: string; keys: readonly string[] }>;
type Subject = Readonly<{ view: View; draft: Draft; object: KubeObject; field: Field }>;

/**
 * Notes the Secrets of an Ingress. One of another namespace is refused: whoever may write an
 * Ingress here need not be allowed to read there. One that is not there or lacks what it is for
 * is remarked, the former only once that is known: it could just be late.
 */
export function noteSecrets(subject: Subject): void {
  const { draft, object, field } = subject;
  const { namespace } = object.metadata;
  const noted = new Set<string>();
  for (const ask of [...tlsAsks(field), ...annotationAsks(subject)]) {
    noted.add(ask.name);
    if (noted.size > SECRETS_MAX) {
      const reason = `names more than ${SECRETS_MAX} Secrets`;
      field.remark({
        field: ask.field,
        reason,
        effect: "this one and those after it are not read",
      });
      return;
    }
    draft.wantSecret(`${namespace}/${ask.name}`);
    remarkSecret(subject, ask);
  }
}

function tlsAsks(ingress: Field): readonly Ask[] {
  const asks: Ask[] = [];
  for (const entry of items(at(at(ingress, "spec"), "tls"))) {
    if (!mapped(entry)) continue;
    const field = at(entry, "secretName");
    const name = absent(field) ? "" : (text(field) ?? "");
    if (name === "") continue;
    if (isName(name)) asks.push({ name, field: field.path, keys: TLS_KEYS });
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
    if (owner === namespace) return [{ name, field: place, keys: [] }];
    const reason = `names a Secret of namespace ${owner}`;
    const hint = `copy it to namespace ${namespace}`;
    field.remark({ field: place, reason, hint, effect: "this Secret is not read" });
    return [];
  });
}

function remarkSecret({ view, draft, object, field }: Subject, ask: Ask): void {
  const { namespace } = object.metadata;
  const secret = view.secrets.get(`${namespace}/${ask.name}`);
  const level = "warning";
  if (secret === undefined) {
    if (!draft.options.allSecrets && !view.absent.has(`${namespace}/${ask.name}`)) return;
    const reason = `no Secret ${ask.name} in namespace ${namespace}`;
    return field.remark({ level, field: ask.field, reason });
  }
  const broken = ask.keys.flatMap((key) => {
    const problem = problemOf(secret, key);
    return problem === "" ? [] : [`${key} ${problem}`];
  });
  if (broken.length === 0) return;
  const reason = `Secret ${ask.name} is no certificate: ${broken.join(", ")}`;
  field.remark({ level, field: ask.field, reason, hint: "kubectl create secret tls makes one" });
}

/** What is wrong with one value of a Secret, or "". `stringData` is how people write it. */
function problemOf(secret: KubeObject, key: string): string {
  const plain = valueOf(secret["stringData"], key);
  if (plain !== undefined) return plain === "" ? "is empty" : "";
  const coded = valueOf(secret["data"], key);
  if (coded === undefined) return "is missing";
  if (coded === "") return "is empty";
  const letters = typeof coded === "string" ? coded.replace(/[\r\n]/g, "") : "?";
  return letters.length % 4 === 0 && BASE64.test(letters) ? "" : "is not base64";
}

/** Own keys only. An explicit null is nothing. */
function valueOf(map: unknown, key: string): unknown {
  return isFields(map) && Object.hasOwn(map, key) ? (map[key] ?? undefined) : undefined;
}
