/** Authorities: the certificates in a Secret by which other certificates are judged. */
import { X509Certificate } from "node:crypto";

import type { KubeObject } from "../objects.ts";
import type { Parsed } from "./read.ts";
import { valueOf } from "./secrets.ts";

/** Where a Secret has them, by the custom of ingress-nginx and cert-manager. */
const CERTIFICATES_KEY = "ca.crt";
const REVOKED_KEY = "ca.crl";
/** Authorities of one Secret: their names go to every client that is asked for a certificate. */
const AUTHORITIES_MAX = 100;
/** Characters of all of them together: a worker may have to keep them for each host. */
const LENGTH_MAX = 65_536;
/** RFC 7468 §5: what is around the blocks is for people. */
const BLOCK = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

/** Of objects, which never change: many Ingresses name one Secret. */
const known = new WeakMap<KubeObject, Parsed<string>>();

/**
 * The authorities in a Secret as PEM, the same text for the same set of them. Refused with a
 * reason that quotes nothing: what cannot be parsed, what is not an authority, and a list of what
 * was revoked, which nobody here would look at. Whether they have expired is not asked.
 */
export function readAuthorities(secret: KubeObject): Parsed<string> {
  let read = known.get(secret);
  if (read === undefined) {
    read = parse(secret);
    known.set(secret, read);
  }
  return read;
}

function parse(secret: KubeObject): Parsed<string> {
  const revoked = valueOf(secret, REVOKED_KEY);
  if (revoked.ok || !/missing|empty/.test(revoked.reason)) {
    return refuse(`has ${REVOKED_KEY}, and lists of revoked certificates are not supported`);
  }
  const bundle = valueOf(secret, CERTIFICATES_KEY);
  if (!bundle.ok) return refuse(`${CERTIFICATES_KEY} ${bundle.reason}`);
  const blocks = bundle.value.match(BLOCK) ?? [];
  if (blocks.length === 0) return refuse(`${CERTIFICATES_KEY} has no certificate in PEM`);
  if (blocks.length > AUTHORITIES_MAX) {
    return refuse(`${CERTIFICATES_KEY} has more than ${AUTHORITIES_MAX} certificates`);
  }
  const texts = new Set<string>();
  for (const [i, block] of blocks.entries()) {
    const certificate = parseCertificate(block);
    if (certificate === null) {
      return refuse(`certificate ${i + 1} of ${CERTIFICATES_KEY} cannot be read`);
    }
    // One of version 1 cannot say that it is an authority; that it vouches for itself does.
    if (!certificate.ca && !certificate.checkIssued(certificate)) {
      return refuse(`certificate ${i + 1} of ${CERTIFICATES_KEY} is not that of an authority`);
    }
    texts.add(certificate.toString().trim());
  }
  const value = `${[...texts].sort().join("\n")}\n`;
  if (value.length <= LENGTH_MAX) return { ok: true, value };
  return refuse(`the certificates of ${CERTIFICATES_KEY} have more than ${LENGTH_MAX} characters`);
}

/** null: it is none, or of a kind that the library does not know. */
function parseCertificate(pem: string): X509Certificate | null {
  try {
    return new X509Certificate(pem);
  } catch {
    return null;
  }
}

function refuse(reason: string): Parsed<never> {
  return { ok: false, reason };
}
