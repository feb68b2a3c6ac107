/** Certificates to measure with: below an intermediate that nobody trusts, as real chains are. */
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import type { KeyPair } from "../../core/model.ts";
import { type Party, writeCertificate } from "../../core/x509.ts";

const DAY_MS = 24 * 60 * 60 * 1_000;
const RSA_BITS = 2_048;

/** ECDSA P-256, or RSA with 2 048 bits. */
export type KeyKind = "ec" | "rsa";

/** Signs what it is asked for. Chains do not have the root, as usual. */
export class Issuer {
  /** PEM of who stands above it: what clients would have to trust. */
  readonly root: string;
  readonly #keys = makeKeys("ec");
  readonly #self: Party = { commonName: "rind bench", publicKey: this.#keys.publicKey };
  readonly #own: string;

  constructor() {
    const keys = makeKeys("ec");
    const above = { commonName: "rind bench root", publicKey: keys.publicKey };
    const contents = { ...validity(), names: [], use: "authority" } as const;
    this.root = writeCertificate({ ...contents, subject: above }, above, keys.privateKey);
    this.#own = writeCertificate({ ...contents, subject: this.#self }, above, keys.privateKey);
  }

  /** A new key for a DNS name, and the chain that says so: two certificates. */
  issue(name: string, kind: KeyKind): KeyPair {
    const keys = makeKeys(kind);
    const subject = { commonName: name, publicKey: keys.publicKey };
    const contents = { ...validity(), subject, names: [{ dns: name }], use: "server" } as const;
    const leaf = writeCertificate(contents, this.#self, this.#keys.privateKey);
    const key = String(keys.privateKey.export({ type: "pkcs8", format: "pem" }));
    return { chain: leaf + this.#own, key };
  }
}

function validity() {
  const now = Date.now();
  return { notBeforeMs: now - DAY_MS, notAfterMs: now + 90 * DAY_MS };
}

function makeKeys(kind: KeyKind): Readonly<{ publicKey: KeyObject; privateKey: KeyObject }> {
  if (kind === "rsa") return generateKeyPairSync("rsa", { modulusLength: RSA_BITS });
  return generateKeyPairSync("ec", { namedCurve: "P-256" });
}
