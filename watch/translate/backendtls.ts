/**
 * TLS to backends: what an Ingress and a Service ask for, and what becomes of it. Whatever is asked
 * and cannot be done closes the backend: nothing is sent in clear, or to who was not checked, that
 * was meant to be safe.
 */
import { isIP } from "node:net";

import type { UpstreamTls } from "../../core/model.ts";
import { readAuthorities } from "./authorities.ts";
import { PROTOCOL, RIND_BACKEND, backendAskOf } from "./dialects/backend.ts";
import { type AskedBackend, type Row, askedOf } from "./dialects/dialect.ts";
import type { Draft } from "./draft.ts";
import { nearest } from "./nearest.ts";
import { type Field, type Parsed, clip } from "./read.ts";
import { valueOf } from "./secrets.ts";
import type { View } from "./view.ts";

const RIND = "rind.dev/";
const BACKEND = `${RIND}backend-`;
const NGINX = "nginx.ingress.kubernetes.io/";
const SCHEME = "traefik.ingress.kubernetes.io/service.serversscheme";
const TRANSPORT = "traefik.ingress.kubernetes.io/service.serverstransport";

/** What a Service says of the way to its endpoints. */
const ROWS: readonly (readonly [string, Row])[] = [
  [SCHEME, PROTOCOL],
  ...RIND_BACKEND.map(([name, row]) => [`${RIND}${name}`, row] as const),
];

/** Annotations of a Service that are read here. */
export const SERVICE_KEYS: readonly string[] = ROWS.map(([key]) => key);

/** Values of `appProtocol` that mean TLS: the name IANA has for it, and KEP-3726. */
const SECURE_PROTOCOLS = ["https", "kubernetes.io/wss"];

/** Between the id of a backend and how it is spoken to, where an Ingress says that. */
const OVER = " over ";

const EVERY_PATH = "paths that lead to it answer 503";

/** What a Service asks for one of its ports; `problem` is why nothing may go there, or "". */
export type ServiceAsk = Readonly<{ ask: Readonly<AskedBackend>; problem: string }>;

/** Reads what a Service says of one of its ports, whose `appProtocol` this is. */
export function readServiceAsk(
  service: Field,
  annotations: ReadonlyMap<string, string>,
  appProtocol: string,
): ServiceAsk {
  const asked = askedOf();
  if (SECURE_PROTOCOLS.includes(appProtocol.toLowerCase())) asked.backend.https = true;
  let problem = "";
  for (const [key, row] of ROWS) {
    const raw = annotations.get(key) ?? "";
    if (raw.trim() === "" || row.kind !== "applied") continue;
    const reason = row.read(raw, asked, key);
    if (reason === "") continue;
    const effect = row.locks ? EVERY_PATH : row.bad;
    service.remark({ field: `metadata.annotations[${key}]`, reason, effect });
    if (row.locks) problem ||= `its annotation ${key}: ${reason}`;
  }
  for (const key of annotations.keys()) {
    if (!key.startsWith(BACKEND) || SERVICE_KEYS.includes(key)) continue;
    // As on an Ingress: a misspelled lock is still a lock.
    problem ||= `its annotation ${clip(key)} is unknown`;
    const near = nearest(key, SERVICE_KEYS);
    const hint = near === null ? "" : `did you mean ${near}?`;
    const field = `metadata.annotations[${clip(key)}]`;
    service.remark({ field, reason: "is unknown", hint, effect: EVERY_PATH });
  }
  if (annotations.has(TRANSPORT)) {
    const reason = "is not supported yet";
    const hint = `write ${RIND}backend-tls-secret, -verify or -name`;
    const effect = "served as if it were not set";
    const field = `metadata.annotations[${TRANSPORT}]`;
    service.remark({ level: "warning", field, reason, hint, effect });
  }
  return { ask: asked.backend, problem };
}

/** What holds when an Ingress asks for `over`: it has the last word, wherever it says something. */
export function overlay(own: Readonly<AskedBackend>, over: Readonly<AskedBackend>): AskedBackend {
  return {
    key: over.key || own.key,
    https: over.https ?? own.https,
    secret: over.secret ?? own.secret,
    verify: over.verify ?? own.verify,
    name: over.name ?? own.name,
    sni: over.sni ?? own.sni,
  };
}

/** Whether an Ingress says anything of the way to its backends. */
export function asksBackend(ask: Readonly<AskedBackend>): boolean {
  return !Bun.deepEquals(ask, backendAskOf());
}

/** How a backend is spoken to, for its id: the same text means the same settings. */
export function wayOf(ask: Readonly<AskedBackend>): string {
  const { https, secret, verify, name, sni } = ask;
  if (https !== true) return "http";
  const words = ["https"];
  if (secret !== null) words.push(`secret=${secret}`);
  if (verify !== null) words.push(`verify=${verify}`);
  if (name !== null) words.push(`name=${name}`);
  if (sni !== null) words.push(`sni=${sni}`);
  return words.join(" ");
}

/** The id of a backend that is spoken to in another way than its Service says. */
export function overId(id: string, ask: Readonly<AskedBackend>): string {
  return `${id}${OVER}${wayOf(ask)}`;
}

/** The id that it has when the Service decides. */
export function plainId(id: string): string {
  const end = id.indexOf(OVER);
  return end < 0 ? id : id.slice(0, end);
}

/**
 * What may not be meant. `unjudged`: TLS is asked for, and nothing says how to know the endpoints;
 * ingress-nginx then checks nothing. `clear`: TLS is described, and not asked for.
 */
export type Doubt = "unjudged" | "clear" | null;

/** The doubt about what is asked for, all in all. */
export function doubtOf({ https, secret, verify, name }: Readonly<AskedBackend>): Doubt {
  if (https === true) return secret === null && verify === null ? "unjudged" : null;
  return secret !== null || verify === true || name !== null ? "clear" : null;
}

/** Says, on the object that says `ask`, what may be missing there. */
export function remarkDoubt(field: Field, ask: Readonly<AskedBackend>, doubt: Doubt): void {
  if (doubt === null) return;
  const level = "warning";
  const { key } = ask;
  const place = key === "" ? "" : `metadata.annotations[${clip(key)}]`;
  if (doubt === "clear") {
    const reason = "describes TLS to the backend, which is spoken to without";
    const hint = `ask for it by ${RIND}backend-protocol or ${NGINX}backend-protocol`;
    return field.remark({ level, field: place, reason, hint, effect: "served without" });
  }
  const [secret, verify] = key.startsWith(NGINX)
    ? [`${NGINX}proxy-ssl-secret`, `${NGINX}proxy-ssl-verify: "off"`]
    : [`${RIND}backend-tls-secret`, `${RIND}backend-tls-verify: "false"`];
  const reason = "asks for TLS to the backend, and not by whose word its certificate is good";
  const hint = `name a Secret with ca.crt by ${secret}, or check nothing with ${verify}`;
  const effect = "endpoints with a certificate that no public authority vouches for answer 502";
  field.remark({ level, field: place, reason, hint, effect });
}

/** What the Secret that a backend names held when it was good; of another Secret, nothing. */
export type Kept = { secret: string; material: Material | null };

/** Who asks: the Service, the name its endpoints should have, and what is remembered of it. */
type Subject = Readonly<{
  view: View;
  draft: Draft;
  service: Field;
  namespace: string;
  name: string;
  kept: Kept;
}>;

/**
 * The settings for `ask`: null for none, or why the backend has to stay closed. A Secret that turns
 * bad or goes away leaves what it was the last time that it was good.
 */
export function settingsOf(
  subject: Subject,
  ask: Readonly<AskedBackend>,
): Parsed<UpstreamTls | null> {
  const { service } = subject;
  if (ask.https !== true) return { ok: true, value: null };
  const material = materialOf(subject, ask.secret);
  if (!material.ok) {
    const reason = material.reason;
    if (!awaited(subject, ask.secret)) service.remark({ field: "", reason, effect: EVERY_PATH });
    return material;
  }
  const name = ask.name ?? subject.name;
  const verify = ask.verify ?? true;
  // A name that nobody wrote and nobody checks is not worth an alert of a server that has another
  // one. An address is not sent (RFC 6066 §3).
  const wished = ask.sni ?? (verify || ask.name !== null);
  return { ok: true, value: { name, sni: wished && isIP(name) === 0, verify, ...material.value } };
}

/** The source has not told of the Secret yet: it could just be late. */
function awaited({ view, draft, namespace }: Subject, secret: string | null): boolean {
  const key = `${namespace}/${secret ?? ""}`;
  return !(draft.options.allSecrets || view.secrets.has(key) || view.absent.has(key));
}

type Material = Pick<UpstreamTls, "authorities" | "identity">;

/** Without a Secret the authorities are the public ones, and nothing is shown. */
function materialOf(subject: Subject, secret: string | null): Parsed<Material> {
  const { service, kept, namespace } = subject;
  const key = secret === null || secret.includes("/") ? (secret ?? "") : `${namespace}/${secret}`;
  if (key !== kept.secret) {
    kept.secret = key;
    kept.material = null;
  }
  if (secret === null) return { ok: true, value: { authorities: "", identity: null } };
  if (!key.startsWith(`${namespace}/`)) {
    return refuse(`Secret ${secret}, for TLS to it, is of another namespace`);
  }
  const read = readMaterial(subject, key);
  if (read.ok) kept.material = read.value;
  if (read.ok || kept.material === null || awaited(subject, secret)) return read;
  service.remark({ field: "", reason: read.reason, effect: "what was in it before is used" });
  return { ok: true, value: kept.material };
}

function readMaterial({ view, draft }: Subject, key: string): Parsed<Material> {
  draft.wantSecret(key);
  const secret = view.secrets.get(key);
  const what = `Secret ${key}, for TLS to it,`;
  if (secret === undefined) return refuse(`${what} is not there`);
  const holds = (name: string): boolean => {
    const value = valueOf(secret, name);
    return value.ok || value.reason !== "is missing";
  };
  const paired = holds("tls.crt") || holds("tls.key");
  if (!paired && !holds("ca.crt")) return refuse(`${what} has neither ca.crt nor tls.crt`);
  const pair = paired ? view.pair(key) : null;
  if (pair !== null && pair.good === null) return refuse(`${what} is no pair: ${pair.problem}`);
  const authorities = holds("ca.crt") ? readAuthorities(secret) : null;
  if (authorities?.ok === false) return refuse(`${what} is bad: ${authorities.reason}`);
  const shown = pair?.good?.certificate ?? null;
  return {
    ok: true,
    value: {
      authorities: authorities?.value ?? "",
      identity: shown === null ? null : { chain: shown.chain, key: shown.key },
    },
  };
}

function refuse(reason: string): Parsed<never> {
  return { ok: false, reason };
}
