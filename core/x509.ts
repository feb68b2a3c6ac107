/** Writes certificates (RFC 5280 §4.1). Reading them is left to node:crypto. */
import { createHash, randomBytes, sign, type KeyObject } from "node:crypto";
import * as asn from "./der.ts";

/** RFC 5280 §4.1.2.2: at most 20 octets, and not zero. */
const SERIAL_BYTES = 16;
const CODES = {
  commonName: "2.5.4.3",
  keyId: "2.5.29.14",
  keyUsage: "2.5.29.15",
  names: "2.5.29.17",
  constraints: "2.5.29.19",
  issuerKeyId: "2.5.29.35",
  purposes: "2.5.29.37",
  server: "1.3.6.1.5.5.7.3.1",
  client: "1.3.6.1.5.5.7.3.2",
  ecdsaSha256: "1.2.840.10045.4.3.2",
  rsaSha256: "1.2.840.113549.1.1.11",
} as const;
/** X.509 version 3, counted from 0. */
const VERSION = asn.der(0xa0, asn.integer(Uint8Array.of(2)));
/** Bits of KeyUsage, and how many at the end of the byte are unused. */
const SIGNS = { bits: 0x80, unused: 7 };
const ISSUES = { bits: 0x06, unused: 1 };

/** Who a certificate is for, or who issued it: a common name, and a public key. */
export type Party = Readonly<{ commonName: string; publicKey: KeyObject }>;

/** What it says. Times are milliseconds since 1970. */
export type Contents = Readonly<{
  subject: Party;
  notBeforeMs: number;
  notAfterMs: number;
  /** Names and IP addresses of a server. */
  names: readonly Name[];
  use: "authority" | "server" | "client";
}>;

/** `address`: the 4 or 16 bytes of an IP address. */
export type Name = Readonly<{ dns: string }> | Readonly<{ address: Uint8Array }>;

/** Issues a certificate, with a random serial number, as PEM; EC P-256 and RSA keys sign. */
export function writeCertificate(contents: Contents, issuer: Party, key: KeyObject): string {
  const { subject } = contents;
  const algorithm = algorithmOf(key);
  const signed = asn.sequence(
    VERSION,
    asn.integer(serial()),
    algorithm,
    distinguishedName(issuer.commonName),
    asn.sequence(asn.time(contents.notBeforeMs), asn.time(contents.notAfterMs)),
    distinguishedName(subject.commonName),
    publicKeyOf(subject),
    asn.der(0xa3, asn.sequence(...extensionsOf(contents, issuer))),
  );
  const signature = sign("sha256", signed, key);
  return toPem(asn.sequence(signed, algorithm, asn.bits(signature)));
}

function serial(): Uint8Array {
  const bytes = randomBytes(SERIAL_BYTES);
  // Neither zero, nor negative.
  bytes[0] = (bytes[0]! & 0x7f) | 0x40;
  return bytes;
}

function algorithmOf(key: KeyObject): Uint8Array {
  if (key.asymmetricKeyType === "ec") return asn.sequence(asn.objectId(CODES.ecdsaSha256));
  return asn.sequence(asn.objectId(CODES.rsaSha256), asn.NULL);
}

/** Nobody at all with "", as certificates have it that say by other names who they are for. */
function distinguishedName(commonName: string): Uint8Array {
  if (commonName === "") return asn.sequence();
  const type = asn.objectId(CODES.commonName);
  return asn.sequence(asn.setOf(asn.sequence(type, asn.utf8(commonName))));
}

function publicKeyOf({ publicKey }: Party): Uint8Array {
  return publicKey.export({ type: "spki", format: "der" });
}

function extensionsOf({ use, subject, names }: Contents, issuer: Party): Uint8Array[] {
  const authority = use === "authority";
  const usage = authority ? ISSUES : SIGNS;
  const extensions = [
    extension(CODES.keyId, asn.octets(keyId(subject))),
    extension(CODES.issuerKeyId, asn.sequence(asn.der(0x80, keyId(issuer)))),
    critical(CODES.constraints, authority ? asn.sequence(asn.TRUE) : asn.sequence()),
    critical(CODES.keyUsage, asn.bits(Uint8Array.of(usage.bits), usage.unused)),
  ];
  if (!authority) {
    extensions.push(extension(CODES.purposes, asn.sequence(asn.objectId(CODES[use]))));
  }
  if (names.length > 0) {
    extensions.push(extension(CODES.names, asn.sequence(...names.map(generalName))));
  }
  return extensions;
}

/** RFC 5280 §4.2.1.2 leaves open what it is a hash of. */
function keyId(party: Party): Uint8Array {
  return createHash("sha1").update(publicKeyOf(party)).digest();
}

function extension(code: string, value: Uint8Array): Uint8Array {
  return asn.sequence(asn.objectId(code), asn.octets(value));
}

function critical(code: string, value: Uint8Array): Uint8Array {
  return asn.sequence(asn.objectId(code), asn.TRUE, asn.octets(value));
}

/** RFC 5280 §4.2.1.6. */
function generalName(name: Name): Uint8Array {
  return "dns" in name
    ? asn.der(0x82, Buffer.from(name.dns, "latin1"))
    : asn.der(0x87, name.address);
}

function toPem(certificate: Uint8Array): string {
  const lines =
    Buffer.from(certificate)
      .toString("base64")
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}
