/**
 * Certificates: the pair that a Secret holds, checked by the library that serves it, so that no
 * worker is ever given one that it cannot use. What was good stays until there is a better one.
 * Nothing of a key reaches a finding.
 */
import { X509Certificate, createPrivateKey } from "node:crypto";
import { createSecureContext } from "node:tls";

import type { Certificate } from "../../core/model.ts";
import type { KubeObject } from "../objects.ts";
import type { Draft } from "./draft.ts";
import { ANY_HOST, parseHost } from "./hosts.ts";
import { type Parsed, whole } from "./read.ts";
import { valueOf } from "./secrets.ts";
import type { View } from "./view.ts";

/** Certificates of one chain: clients get them all, with every handshake. */
const CHAIN_MAX = 20;
/** Names of one certificate: they are kept, and are ten times what they are in it. */
const NAMES_MAX = 2_000;
/** Names that a finding lists. */
const NAMES_SHOWN = 4;
/** Bits of an RSA key: with fewer there is no handshake in TLS 1.3, or clients refuse it. */
const RSA_BITS_MIN = 1_024;
const RSA_BITS_GOOD = 2_048;
/** With twice as many, each handshake holds a worker up for 35 ms, and all it serves with it. */
const RSA_BITS_MAX = 4_096;

export const PAIR_HINT = "kubectl create secret tls makes one";

const CERTIFICATES = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;
const KEY = /-----BEGIN ([A-Z ]*)PRIVATE KEY-----/;
/** Of the texts that the library has for why it refuses something, only the code is shown. */
const REFUSAL = /:([A-Z][A-Z0-9_]*)$/;

/** What there is to say of a certificate without its content. Times are milliseconds of Unix. */
export type CertificateFacts = Readonly<{
  /** As of the model: `namespace/name` of its Secret. */
  id: string;
  /** Kind of its key: `rsa`, `ec` or `ed25519`; clients choose by that. */
  key: string;
  /** The DNS names it is for, lower case. */
  names: readonly string[];
  notBeforeMs: number;
  notAfterMs: number;
}>;

/** A pair that can be served, and what there is to say of it. */
type Good = Readonly<{ certificate: Certificate; facts: CertificateFacts }>;

/**
 * The pair of a Secret. `good` is the last one that was, null if there never was one; `problem`
 * says what is wrong with the Secret as it is now, "" if nothing is known to be. `missing`: there
 * is no Secret.
 */
export type Pair = Readonly<{ good: Good | null; problem: string; missing: boolean }>;

/**
 * The pair of the Secret `key`, after `before`. A Secret that turns bad, or goes, leaves the last
 * good one. What is wrong with its content is remarked on the Secret.
 */
export function pairOf(view: View, draft: Draft, key: string, before: Pair | null): Pair {
  const good = before?.good ?? null;
  const secret = view.secrets.get(key);
  if (secret === undefined) {
    const missing = draft.options.allSecrets || view.absent.has(key);
    return { good, problem: missing ? "is not there" : "", missing };
  }
  const field = whole(secret, (finding) => draft.find(finding));
  const read = readPair(secret, key);
  if (!read.ok) {
    const effect = good === null ? "it is not used" : "the pair of before is used";
    const reason = `is no certificate: ${read.reason}`;
    field.remark({ field: "", reason, hint: PAIR_HINT, effect });
    return { good, problem: read.reason, missing: false };
  }
  const { notices, ...pair } = read.value;
  for (const reason of notices) field.remark({ level: "warning", field: "", reason });
  return { good: pair, problem: "", missing: false };
}

/** Whether a certificate is for a host, as clients see it (RFC 9525 §6.3). */
export function covers(facts: CertificateFacts, host: string): boolean {
  const names = known.get(facts.names) ?? new Set(facts.names);
  known.set(facts.names, names);
  return names.has(host) || names.has(above(host));
}

/** The wildcard that takes a host, "" where there is none: `*.example.com` of `a.example.com`. */
export function above(host: string): string {
  const dot = host.indexOf(".");
  return dot > 0 && !host.startsWith("*") ? `*${host.slice(dot)}` : "";
}

/** The first few names of a certificate, for a finding; `none` where it has none. */
export function listNames(names: readonly string[], none: string): string {
  if (names.length === 0) return none;
  const more = names.length - NAMES_SHOWN;
  return `${names.slice(0, NAMES_SHOWN).join(", ")}${more > 0 ? `, and ${more} more` : ""}`;
}

/** Of facts. One certificate can have thousands of names, and thousands of Ingresses name it. */
const known = new WeakMap<readonly string[], ReadonlySet<string>>();

/** One certificate of a chain, with the text it was read from. */
type Link = Readonly<{ pem: string; certificate: X509Certificate }>;

/** `notices` are faults that do not keep it from being served. */
function readPair(secret: KubeObject, id: string): Parsed<Good & { notices: readonly string[] }> {
  const [crt, pem] = [valueOf(secret, "tls.crt"), valueOf(secret, "tls.key")];
  if (!crt.ok || !pem.ok) {
    const broken = [crt.ok ? "" : `tls.crt ${crt.reason}`, pem.ok ? "" : `tls.key ${pem.reason}`];
    return { ok: false, reason: broken.filter((each) => each !== "").join(", ") };
  }
  const key = keyIn(pem.value);
  if (key === "") return { ok: false, reason: "tls.key is not a private key in PEM" };
  const written = readChain(crt.value);
  if (!written.ok) return written;
  const served = arrange(written.value, key);
  if (!served.ok) return served;
  const leaf = served.value[0]!.certificate;
  const bits = bitsOf(leaf);
  if (bits !== null && (bits < RSA_BITS_MIN || bits > RSA_BITS_MAX)) {
    const reason = `its RSA key has ${bits} bits, not ${RSA_BITS_MIN} to ${RSA_BITS_MAX}`;
    return { ok: false, reason };
  }
  const names = namesOf(leaf);
  if (names.length > NAMES_MAX) {
    return { ok: false, reason: `its certificate is for more than ${NAMES_MAX} names` };
  }
  const notices = [];
  if (served.value.some((link, i) => link !== written.value[i])) {
    notices.push("tls.crt is out of order, and is shown as it should be: the leaf goes first");
  }
  if (bits !== null && bits < RSA_BITS_GOOD)
    notices.push(`its RSA key has only ${bits} bits: many peers refuse it`);
  const facts = {
    id,
    key: leaf.publicKey.asymmetricKeyType ?? "",
    names,
    notBeforeMs: leaf.validFromDate.getTime(),
    notAfterMs: leaf.validToDate.getTime(),
  };
  const certificate = { id, chain: textOf(served.value), key };
  return { ok: true, value: { certificate, facts, notices } };
}

/** The first private key of a text, "" if there is none. */
function keyIn(text: string): string {
  const start = KEY.exec(text);
  if (start === null) return "";
  const last = `-----END ${start[1]}PRIVATE KEY-----`;
  const end = text.indexOf(last, start.index);
  return end < 0 ? "" : `${text.slice(start.index, end + last.length)}\n`;
}

function readChain(text: string): Parsed<readonly Link[]> {
  const blocks = text.match(CERTIFICATES) ?? [];
  if (blocks.length === 0) return { ok: false, reason: "tls.crt is not a certificate in PEM" };
  if (blocks.length > CHAIN_MAX) {
    return { ok: false, reason: `tls.crt has more than ${CHAIN_MAX} certificates` };
  }
  const chain: Link[] = [];
  for (const pem of blocks) {
    const certificate = foreign(() => new X509Certificate(pem));
    if (certificate === null) {
      return { ok: false, reason: `certificate ${chain.length + 1} of tls.crt cannot be read` };
    }
    chain.push({ pem, certificate });
  }
  return { ok: true, value: chain };
}

function textOf(chain: readonly Link[]): string {
  return chain.map(({ pem }) => `${pem}\n`).join("");
}

/** The chain in its order, if the library takes it with this key. */
function arrange(chain: readonly Link[], key: string): Parsed<readonly Link[]> {
  // That the key belongs to the first one is something that the library looks at itself.
  const refusal = refusalOf(textOf(chain), key);
  if (refusal === "") return { ok: true, value: order(chain[0]!, chain) };
  const leaf = leafFor(key, chain);
  if (!leaf.ok) return leaf;
  const ordered = order(leaf.value, chain);
  const again = refusalOf(textOf(ordered), key);
  return again === "" ? { ok: true, value: ordered } : { ok: false, reason: again };
}

/** The one that the key belongs to. */
function leafFor(pem: string, chain: readonly Link[]): Parsed<Link> {
  const key = foreign(() => createPrivateKey(pem));
  if (key === null) {
    const locked = pem.includes("ENCRYPTED");
    const why = locked ? "has a passphrase, which rind is not told" : "cannot be read";
    return { ok: false, reason: `tls.key ${why}` };
  }
  const leaf = chain.find(({ certificate }) => foreign(() => certificate.checkPrivateKey(key)));
  if (leaf !== undefined) return { ok: true, value: leaf };
  return { ok: false, reason: "tls.key does not belong to the certificate in tls.crt" };
}

/** Each one's issuer behind it (RFC 5246 §7.4.2), and what is nobody's issuer at the end. */
function order(leaf: Link, chain: readonly Link[]): readonly Link[] {
  const ordered = [leaf];
  const rest = chain.filter((link) => link !== leaf);
  while (rest.length > 0) {
    const last = ordered[ordered.length - 1]!.certificate;
    const at = rest.findIndex(({ certificate }) => foreign(() => last.checkIssued(certificate)));
    ordered.push(...rest.splice(Math.max(at, 0), 1));
  }
  return ordered;
}

/** Why the library that serves them will not have them; "" if it will. */
function refusalOf(cert: string, key: string): string {
  try {
    createSecureContext({ cert, key });
    return "";
  } catch (error) {
    const code = REFUSAL.exec(error instanceof Error ? error.message : "")?.[1] ?? "UNKNOWN";
    if (code === "UNSUPPORTED_ALGORITHM") return "keys of its kind are not supported";
    return `it cannot be served: ${code.toLowerCase().replaceAll("_", " ")}`;
  }
}

/** Of an RSA key; null of others, of which the library takes good ones only. */
function bitsOf(leaf: X509Certificate): number | null {
  const details = foreign(() => leaf.publicKey.asymmetricKeyDetails);
  return details?.modulusLength ?? null;
}

/** What is no name of a host is left out. */
function namesOf(leaf: X509Certificate): readonly string[] {
  const entries = (leaf.subjectAltName ?? "").split(", ");
  return entries.flatMap((entry) => {
    const host = entry.startsWith("DNS:") ? parseHost(entry.slice("DNS:".length)) : null;
    return host?.ok === true && host.value !== ANY_HOST ? [host.value] : [];
  });
}

/** null where the library throws, as it does at whatever it cannot read. */
function foreign<T>(call: () => T): T | null {
  try {
    return call();
  } catch {
    return null;
  }
}
