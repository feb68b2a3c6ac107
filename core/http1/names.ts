/** The header names that mean something to a proxy, found by length and folded bytes. */
import { ascii, fold } from "../bytes.ts";

export const H_OTHER = 0;
export const H_HOST = 1;
export const H_CONNECTION = 2;
export const H_LENGTH = 3;
export const H_CODING = 4;
export const H_UPGRADE = 5;
export const H_EXPECT = 6;
/** Belongs to one connection only, always removed (RFC 9110 §7.6.1). */
const H_HOP = 7;
/** Written by this proxy alone; what clients send under these names is removed. */
export const H_MANAGED = 8;
export const H_VIA = 9;
export const H_WS_KEY = 10;
export const H_WS_VERSION = 11;
export const H_WS_ACCEPT = 12;
/** Never forwarded: named by `Connection`, or another spelling of a framing field. */
export const H_DROPPED = 13;
/** Not made of letters, digits and `-` alone: kept in responses, left out of requests. */
export const H_ODD = 14;
/** Authorization and WWW-Authenticate. */
export const H_AUTH = 15;
export const H_MAX_FORWARDS = 16;
export const H_KEEP_ALIVE = 17;
export const H_TE = 18;
// Managed as well, but a trusted proxy's word counts.
export const H_FORWARDED_FOR = 19;
export const H_FORWARDED_HOST = 20;
export const H_FORWARDED_PROTO = 21;
export const H_FORWARDED_PORT = 22;
export const H_DATE = 23;
export const H_HSTS = 24;

const NAMES: readonly (readonly [string, number])[] = [
  ["host", H_HOST],
  ["date", H_DATE],
  ["connection", H_CONNECTION],
  ["content-length", H_LENGTH],
  ["transfer-encoding", H_CODING],
  ["upgrade", H_UPGRADE],
  ["expect", H_EXPECT],
  ["te", H_TE],
  ["trailer", H_HOP],
  ["keep-alive", H_KEEP_ALIVE],
  ["proxy-connection", H_HOP],
  ["proxy-authenticate", H_HOP],
  ["http2-settings", H_HOP],
  ["via", H_VIA],
  ["sec-websocket-key", H_WS_KEY],
  ["sec-websocket-version", H_WS_VERSION],
  ["sec-websocket-accept", H_WS_ACCEPT],
  ["authorization", H_AUTH],
  ["www-authenticate", H_AUTH],
  ["max-forwards", H_MAX_FORWARDS],
  ["forwarded", H_MANAGED],
  ["x-real-ip", H_MANAGED],
  ["x-forwarded-for", H_FORWARDED_FOR],
  ["x-forwarded-host", H_FORWARDED_HOST],
  ["x-forwarded-proto", H_FORWARDED_PROTO],
  ["x-forwarded-port", H_FORWARDED_PORT],
  ["x-forwarded-prefix", H_MANAGED],
  ["x-forwarded-scheme", H_MANAGED],
  ["x-forwarded-server", H_MANAGED],
  ["x-forwarded-uri", H_MANAGED],
  ["x-forwarded-method", H_MANAGED],
  ["x-forwarded-ssl", H_MANAGED],
  // Who the client is by its certificate: as Envoy and nginx tell it, and RFC 9440.
  ["x-forwarded-client-cert", H_MANAGED],
  ["ssl-client-verify", H_MANAGED],
  ["ssl-client-subject-dn", H_MANAGED],
  ["ssl-client-issuer-dn", H_MANAGED],
  ["ssl-client-fingerprint", H_MANAGED],
  ["ssl-client-cert", H_MANAGED],
  ["client-cert", H_MANAGED],
  ["client-cert-chain", H_MANAGED],
  ["strict-transport-security", H_HSTS],
];

/** What a proxy says about the request as it came is believed from nobody: names that start so. */
const MANAGED_STARTS: readonly Uint8Array[] = ["x-forwarded-tls-client-cert", "x-original-"].map(
  ascii,
);
const STARTS_MIN = "x-original-".length;
const X = 0x78;
const HYPHEN = 0x2d;

type Name = Readonly<{ bytes: Uint8Array; id: number }>;

const NONE_OF_THEM: readonly Name[] = [];

/** Candidates by length of the name. */
const BY_LENGTH: readonly (readonly Name[])[] = Array.from({ length: 64 }, (_, length) =>
  NAMES.filter(([name]) => name.length === length).map(([name, id]) => ({
    bytes: ascii(name),
    id,
  })),
);

/** Names that frame a message or pick its route: an alias of one is never let through. */
const FRAMING: readonly string[] = ["content-length", "transfer-encoding", "host", "connection"];

// === hot ===

/** The `H_…` id of a field name, H_OTHER when it has none. Letters match in either case. */
export function knownName(bytes: Uint8Array, from: number, to: number): number {
  const candidates = to - from < 64 ? BY_LENGTH[to - from]! : NONE_OF_THEM;
  for (let i = 0; i < candidates.length; i++) {
    const name = candidates[i]!;
    if (sameName(bytes, from, name.bytes)) return name.id;
  }
  if (to - from < STARTS_MIN || bytes[from + 1] !== HYPHEN) return H_OTHER;
  return fold(bytes[from]!) === X ? startName(bytes, from, to) : H_OTHER;
}

function startName(bytes: Uint8Array, from: number, to: number): number {
  for (let i = 0; i < MANAGED_STARTS.length; i++) {
    const start = MANAGED_STARTS[i]!;
    if (to - from >= start.length && sameName(bytes, from, start)) return H_MANAGED;
  }
  return H_OTHER;
}

function sameName(bytes: Uint8Array, from: number, name: Uint8Array): boolean {
  // From the end: names of one length share their beginnings (x-forwarded-…), not their endings.
  for (let i = name.length - 1; i >= 0; i--) {
    if (fold(bytes[from + i]!) !== name[i]) return false;
  }
  return true;
}

// === cold ===

/** Whether an id is one of the names that this proxy writes in requests. */
export function isManaged(known: number): boolean {
  return known === H_MANAGED || (known >= H_FORWARDED_FOR && known <= H_FORWARDED_PORT);
}

/**
 * Whether a name that is not made of letters, digits and `-` alone would, to a backend that folds
 * other bytes to `-` or `_` (CGI, WSGI), be a field that frames the message.
 */
export function aliasesFraming(bytes: Uint8Array, from: number, to: number): boolean {
  return FRAMING.includes(foldedName(bytes, from, to));
}

/** A name in lower case, with `-` for every byte that is no letter and no digit. */
export function foldedName(bytes: Uint8Array, from: number, to: number): string {
  let folded = "";
  for (let i = from; i < to; i++) {
    const char = String.fromCharCode(fold(bytes[i]!));
    const plain = (char >= "a" && char <= "z") || (char >= "0" && char <= "9");
    folded += plain ? char : "-";
  }
  return folded;
}
