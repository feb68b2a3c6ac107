/** Authorities and certificates for tests, made by nothing but the runtime. */
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { isIP } from "node:net";
import { assert } from "../core/assert.ts";
import { parseCidr } from "../core/cidr.ts";
import type { KeyPair } from "../core/model.ts";
import { writeCertificate, type Name, type Party } from "../core/x509.ts";

const DAY_MS = 24 * 60 * 60 * 1_000;

/** The kinds of keys that certificates have. */
export type KeyKind = "ec" | "rsa";

/** What a certificate is for. Days count from now and may be negative. */
export type Leaf = Readonly<{
  /** DNS names and IP addresses; the common name is the first. */
  names: readonly string[];
  kind?: KeyKind;
  /** By default it is a server's; a client's has no alternative names. */
  use?: "server" | "client";
  fromDays?: number;
  untilDays?: number;
}>;

/** Issues certificates; their chains go up to, and leave out, the root. */
export type Authority = Readonly<{
  /** Its own certificate, PEM. */
  certificate: string;
  issue: (leaf: Leaf) => KeyPair;
  /** An authority between this one and what it issues. */
  intermediate: (commonName: string) => Authority;
}>;

/** A root of its own, which nobody else trusts. */
export function openAuthority(commonName = "rind test authority"): Authority {
  const keys = makeKeys("ec");
  const self = { commonName, publicKey: keys.publicKey };
  return authorityOf(self, keys.privateKey, {
    certificate: writeAuthority(self, self, keys.privateKey),
    chain: "",
  });
}

type Own = Readonly<{ certificate: string; chain: string }>;

function authorityOf(self: Party, key: KeyObject, { certificate, chain }: Own): Authority {
  return {
    certificate,
    issue: (leaf) => {
      const keys = makeKeys(leaf.kind ?? "ec");
      const use = leaf.use ?? "server";
      const contents = {
        subject: { commonName: leaf.names[0] ?? "", publicKey: keys.publicKey },
        notBeforeMs: Date.now() + (leaf.fromDays ?? -1) * DAY_MS,
        notAfterMs: Date.now() + (leaf.untilDays ?? 30) * DAY_MS,
        names: use === "server" ? leaf.names.map(nameOf) : [],
        use,
      };
      return { chain: writeCertificate(contents, self, key) + chain, key: toPem(keys.privateKey) };
    },
    intermediate: (commonName) => {
      const keys = makeKeys("ec");
      const below = { commonName, publicKey: keys.publicKey };
      const written = writeAuthority(below, self, key);
      return authorityOf(below, keys.privateKey, { certificate: written, chain: written + chain });
    },
  };
}

function writeAuthority(subject: Party, issuer: Party, key: KeyObject): string {
  const times = { notBeforeMs: Date.now() - DAY_MS, notAfterMs: Date.now() + 30 * DAY_MS };
  return writeCertificate({ subject, ...times, names: [], use: "authority" }, issuer, key);
}

function makeKeys(kind: KeyKind): Readonly<{ publicKey: KeyObject; privateKey: KeyObject }> {
  if (kind === "rsa") return generateKeyPairSync("rsa", { modulusLength: 2_048 });
  return generateKeyPairSync("ec", { namedCurve: "P-256" });
}

function nameOf(name: string): Name {
  if (isIP(name) === 0) return { dns: name };
  const parsed = parseCidr(name);
  assert(parsed.ok, `${name} is an address`);
  return { address: Uint8Array.from(parsed.value.groups.flatMap((x) => [x >> 8, x & 0xff])) };
}

function toPem(key: KeyObject): string {
  return String(key.export({ type: "pkcs8", format: "pem" }));
}
