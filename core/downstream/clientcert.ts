/**
 * Who a client has proved to be, for the host that it asked for; and how backends are told. The TLS
 * library has looked at signatures, times and purposes already; what it does not look at is how far
 * a certificate is from an authority, and the time when a session goes on.
 */
import { X509Certificate } from "node:crypto";
import { NONE } from "../model.ts";
import type { ClientAuth } from "../model.ts";

/** What a client showed. */
export type Credentials = Readonly<{
  /** Its certificate, DER; null: none. */
  certificate: Uint8Array | null;
  /** What it sent behind that; null: nobody knows. */
  chain: readonly Uint8Array[] | null;
  /** Why the TLS library does not believe it, in words; "" when it does. */
  doubt: string;
}>;

/** Whether the client may stay: whole header lines for its requests, or why not. */
export type Judgement = Readonly<{ ok: true; lines: string } | { ok: false; reason: string }>;

/** Ten times an ordinary one; what it becomes in a head must fit in there: 60 KiB at worst. */
const CERTIFICATE_BYTES_MAX = 8_192;
const BLOCK = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** Bundles of authorities that are kept parsed: many hosts share one. */
const BUNDLES_MAX = 64;

/** By their texts; all are forgotten when there are too many. */
const bundles = new Map<string, readonly X509Certificate[]>();

/**
 * Whether a client may stay by what `auth` asks, and what its requests say about it: as the headers
 * of ingress-nginx have it, and with `forward` also `Client-Cert` (RFC 9440).
 */
export function judge(auth: ClientAuth, credentials: Credentials, nowMs: number): Judgement {
  const { certificate, doubt } = credentials;
  if (certificate === null) {
    return auth.verify === "required"
      ? refused("no certificate")
      : { ok: true, lines: "ssl-client-verify: NONE\r\n" };
  }
  if (certificate.length > CERTIFICATE_BYTES_MAX) return refused("certificate too large");
  const leaf = parse(certificate);
  if (leaf === null) return refused("certificate not readable");
  const reason = doubt || doubtOf(leaf, auth, credentials.chain, nowMs);
  if (reason !== "" && auth.verify !== "unchecked") return refused(printable(reason));
  const verify = reason === "" ? "SUCCESS" : `FAILED:${printable(reason)}`;
  const lines =
    `ssl-client-verify: ${verify}\r\n` +
    `ssl-client-subject-dn: ${nameOf(leaf.subject)}\r\n` +
    `ssl-client-issuer-dn: ${nameOf(leaf.issuer)}\r\n`;
  return { ok: true, lines: auth.forward ? lines + forwarded(certificate) : lines };
}

function refused(reason: string): Judgement {
  return { ok: false, reason };
}

/** What the library did not look at; "" when all is well. */
function doubtOf(
  leaf: X509Certificate,
  auth: ClientAuth,
  chain: Credentials["chain"],
  nowMs: number,
): string {
  // A session may go on for longer than its certificate is valid.
  if (Date.parse(leaf.validTo) < nowMs) return "certificate has expired";
  const between = distance(leaf, chain, authoritiesOf(auth));
  if (between === NONE) return "unable to get issuer certificate";
  return between > auth.depth ? "certificate chain too long" : "";
}

/** How many certificates are between `leaf` and one of an authority; NONE when nobody knows. */
function distance(
  leaf: X509Certificate,
  chain: Credentials["chain"],
  trusted: readonly X509Certificate[],
): number {
  const others = (chain ?? []).map(parse);
  let certificate = leaf;
  for (let between = 0; between <= others.length; between++) {
    if (trusted.some((issuer) => isIssued(certificate, issuer))) return between;
    const next = others.find((issuer) => issuer !== null && isIssued(certificate, issuer));
    if (next === undefined || next === null) return NONE;
    certificate = next;
  }
  return NONE;
}

/** By name, and by signature: the names alone are whatever somebody wrote. */
function isIssued(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

function authoritiesOf({ authorities }: ClientAuth): readonly X509Certificate[] {
  const known = bundles.get(authorities);
  if (known !== undefined) return known;
  const parsed = (authorities.match(BLOCK) ?? []).map((pem) => parse(Buffer.from(pem)));
  const good = parsed.filter((certificate) => certificate !== null);
  if (bundles.size === BUNDLES_MAX) bundles.clear();
  bundles.set(authorities, good);
  return good;
}

/** DER or PEM; null when it is neither. */
function parse(bytes: Uint8Array): X509Certificate | null {
  try {
    return new X509Certificate(bytes);
  } catch {
    // What the library does not read is no certificate.
    return null;
  }
}

/**
 * A name as text (RFC 4514), as nginx writes it: the runtime has escaped all but what is not ASCII,
 * and writes a line for each part, the outermost first. Of a name without parts, which certificates
 * of workloads have that are for a URI, it says undefined, whatever its types are.
 */
function nameOf(lines: string | undefined): string {
  if (lines === undefined) return "";
  const parts = lines.split("\n").reverse();
  return printable(parts.map((part) => part.split(" + ").reverse().join("+")).join(","));
}

/** Other bytes than those of letters and signs of ASCII are written as `\C3`, in hexadecimal. */
function printable(text: string): string {
  return text.replace(/[^ -~]+/gu, (odd) =>
    Array.from(Buffer.from(odd), (byte) => `\\${hexOf(byte)}`).join(""),
  );
}

function hexOf(byte: number): string {
  return byte.toString(16).toUpperCase().padStart(2, "0");
}

/** The certificate itself: nginx's form, PEM as a part of a URL, and that of RFC 9440 §2.1. */
function forwarded(certificate: Uint8Array): string {
  const base64 = Buffer.from(certificate).toString("base64");
  const body = base64.replace(/.{1,64}/g, "$&\n");
  const pem = `-----BEGIN CERTIFICATE-----\n${body}-----END CERTIFICATE-----\n`;
  return `ssl-client-cert: ${encodeURIComponent(pem)}\r\nClient-Cert: :${base64}:\r\n`;
}
