/**
 * A session as the TLS library writes it down (BoringSSL, ssl_asn1.cc): the only place where the
 * runtime shows all certificates of a client.
 *
 * ```text
 *   SSLSession ::= SEQUENCE { …, peer [3] Certificate, …, certChain [19] Certificate …, … }
 * ```
 */
const SEQUENCE = 0x30;
const CHAIN = 0xb3;
const LENGTH_BYTES_MAX = 3;
/** Certificates that are looked at; whoever sends more is not believed. */
const CHAIN_MAX = 16;

/**
 * The certificates (DER) that a client sent behind its own, in its order; null when `session` is
 * nothing that can be read, or has more than CHAIN_MAX.
 */
export function chainOf(session: Uint8Array): readonly Uint8Array[] | null {
  const whole = elementAt(session, 0, session.length);
  if (whole === null || session[0] !== SEQUENCE) return null;
  for (let at = whole.start; at < whole.end;) {
    const element = elementAt(session, at, whole.end);
    if (element === null) return null;
    if (session[at] === CHAIN) return certificatesIn(session, element.start, element.end);
    at = element.end;
  }
  return [];
}

function certificatesIn(bytes: Uint8Array, from: number, to: number): Uint8Array[] | null {
  const certificates: Uint8Array[] = [];
  for (let at = from; at < to;) {
    const element = elementAt(bytes, at, to);
    if (element === null || bytes[at] !== SEQUENCE || certificates.length === CHAIN_MAX)
      return null;
    certificates.push(bytes.subarray(at, element.end));
    at = element.end;
  }
  return certificates;
}

/** Where the contents of the element at `at` begin and end (X.690 §8.1), all before `to`. */
function elementAt(
  bytes: Uint8Array,
  at: number,
  to: number,
): Readonly<{ start: number; end: number }> | null {
  if (at + 2 > to) return null;
  const first = bytes[at + 1]!;
  const more = first < 0x80 ? 0 : first - 0x80;
  const start = at + 2 + more;
  if (first === 0x80 || more > LENGTH_BYTES_MAX || start > to) return null;
  let length = more === 0 ? first : 0;
  for (let i = at + 2; i < start; i++) length = length * 256 + bytes[i]!;
  return start + length > to ? null : { start, end: start + length };
}
