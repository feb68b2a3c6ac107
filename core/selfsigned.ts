/** The certificate of last resort: for names that nobody brought one for. */
import { generateKeyPairSync } from "node:crypto";
import type { KeyPair } from "./model.ts";
import { writeCertificate } from "./x509.ts";

const COMMON_NAME = "rind default certificate";
/** No client may take it for the right one: `.invalid` is nobody's (RFC 6761 §6.4). */
const NAME = "rind.invalid";
const DAY_MS = 24 * 60 * 60 * 1_000;
/** Clocks of clients may be behind ours. */
const BEFORE_MS = DAY_MS;
const VALID_MS = 365 * DAY_MS;

/**
 * A new P-256 key with a certificate for nobody, valid from a day before `nowMs` (since 1970) for a
 * year. Takes about a millisecond, and is another one each time.
 */
export function selfSigned(nowMs: number): KeyPair {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const self = { commonName: COMMON_NAME, publicKey };
  const notBeforeMs = nowMs - BEFORE_MS;
  const chain = writeCertificate(
    {
      subject: self,
      notBeforeMs,
      notAfterMs: notBeforeMs + VALID_MS,
      names: [{ dns: NAME }],
      use: "server",
    },
    self,
    privateKey,
  );
  return { chain, key: String(privateKey.export({ type: "pkcs8", format: "pem" })) };
}
