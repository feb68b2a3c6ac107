/**
 * TLS towards backends (RFC 8446; RFC 9110 §4.3.4): what all connections with the same settings
 * have in common, and whether the other side of one is who it should be.
 */
import { createHash, type X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { createSecureContext } from "node:tls";

import { UPSTREAM_TLS_FAILED } from "../fault.ts";
import { log } from "../log.ts";
import type { KeyPair, UpstreamTls } from "../model.ts";
import { Notices } from "../notice.ts";
import type { Timers } from "../timers.ts";

/** Protocol names as they are offered (RFC 7301 §3.1): each behind its length. */
const ALPN = "\x08http/1.1";

/** What Bun says when the chain is good, and the name it looked for is not in the certificate. */
const MISNAMED = "ERR_TLS_CERT_ALTNAME_INVALID";
/** The connection is up, and nobody knows with whom. */
const UNPROVEN = "its certificate is not verified";
const UNTRUSTED = "no authority that is trusted vouches for its certificate";

/** What the codes of Bun and BoringSSL mean for who has to mend it. */
const REASONS = new Map([
  ["CERT_HAS_EXPIRED", "its certificate has expired"],
  ["CERT_NOT_YET_VALID", "its certificate is not valid yet"],
  ["DEPTH_ZERO_SELF_SIGNED_CERT", "its certificate is self-signed"],
  ["SELF_SIGNED_CERT_IN_CHAIN", UNTRUSTED],
  ["UNABLE_TO_GET_ISSUER_CERT", UNTRUSTED],
  ["UNABLE_TO_GET_ISSUER_CERT_LOCALLY", UNTRUSTED],
  ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", UNTRUSTED],
  ["EPROTO", "it does not speak TLS, or nothing that we speak"],
  ["ECONNRESET", "it closed the connection during the handshake"],
]);

/** Codes of the system, and of TLS itself: there was no handshake, whatever the certificate. */
const BROKEN = /^E[A-Z]+$/;

/** Texts whose digests are remembered; of more, all are forgotten, and digested again. */
const DIGESTS_MAX = 64;

/** SAN only, as RFC 9110 §4.3.4 asks, and a wildcard stands for a whole label (RFC 9525 §6.3). */
const NAMING = { subject: "never", wildcards: true, partialWildcards: false } as const;

/** What is said about a connection whose handshake is over. `Bun.Socket` has all of it. */
export type Shaken = Readonly<{
  authorized: boolean;
  getAuthorizationError: () => Error | null;
  getPeerX509Certificate: () => X509Certificate | undefined;
}>;

/** Settings, ready to dial with. */
export class Secure {
  /** Made from all of the settings: endpoints with another one are others, with their own pools. */
  readonly key: string;
  readonly #tls: Omit<UpstreamTls, "identity" | "authorities">;
  readonly #notices: Notices;
  /** What Bun.connect is given; null: nobody can connect with these settings. */
  readonly options: Bun.TLSOptions | null;

  constructor(key: string, tls: UpstreamTls, context: object | null, timers: Timers) {
    const { name, sni, verify } = tls;
    this.key = key;
    this.#tls = { name, sni, verify };
    this.#notices = new Notices(timers);
    // An address is no server name (RFC 6066 §3); "" sends none.
    const serverName = sni && isIP(name) === 0 ? name : "";
    // With another name than the one to look for, what Bun says of it is not to be acted on.
    const rejectUnauthorized = verify && serverName === name;
    const options = { secureContext: context, serverName, rejectUnauthorized, ALPNProtocols: ALPN };
    this.options = context === null ? null : (options as Bun.TLSOptions);
  }

  /**
   * Whether the other side of a finished handshake is who it should be: "", or what is wrong. What
   * Bun decided does not count alone (bun#33846): the chain has to be verified and the name, or
   * with none the address, has to be among those of the certificate.
   */
  judge(socket: Shaken, success: boolean, error: Error | null, address: string): string {
    const { name, sni, verify } = this.#tls;
    const code = codeOf(error) || codeOf(socket.getAuthorizationError());
    const certificate = socket.getPeerX509Certificate();
    if (certificate === undefined || BROKEN.test(code)) return reasonOf(code);
    if (!verify) return "";
    const wanted = name === "" ? address : name;
    const asked = sni && isIP(name) === 0 ? name : "";
    if (code !== "" && (code !== MISNAMED || asked === wanted)) return this.#reason(code, wanted);
    if (code === "" && !(success && socket.authorized)) return UNPROVEN;
    const named =
      isIP(wanted) === 0 ? certificate.checkHost(wanted, NAMING) : certificate.checkIP(wanted);
    return named === undefined ? this.#reason(MISNAMED, wanted) : "";
  }

  /** Tells operators why there is no TLS, at most every 10 s. */
  tell(reason: string, { address, port }: Readonly<{ address: string; port: number }>): void {
    const { name } = this.#tls;
    this.#notices.tell(UPSTREAM_TLS_FAILED, { address, port, name, reason });
  }

  #reason(code: string, wanted: string): string {
    return code === MISNAMED ? `its certificate is not for ${wanted}` : reasonOf(code);
  }
}

type Counted<T> = { readonly value: T; users: number };

/** One of each, for as long as an endpoint uses it. */
export class Secures {
  readonly #timers: Timers;
  readonly #all = new Map<string, Counted<Secure>>();
  /** By authorities and identity: a thousand names can share one, and a bundle is large. */
  readonly #contexts = new Map<string, Counted<object | null>>();
  /** Of texts: to digest a bundle again for each backend would keep clients waiting. */
  readonly #digests = new Map<string, string>();

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  /** How many there are. */
  get size(): number {
    return this.#all.size;
  }

  /** The one with these settings. Who takes one gives it back. */
  take(tls: UpstreamTls): Secure {
    const { name, sni, verify, authorities, identity } = tls;
    const texts = [authorities, identity?.chain ?? "", identity?.key ?? ""];
    const material = digest(texts.map((text) => this.#digestOf(text)));
    const key = `${material} ${digest([name, sni, verify])}`;
    let known = this.#all.get(key);
    if (known === undefined) {
      const made = this.#contexts.get(material);
      const context = made ?? { value: contextOf(authorities, identity), users: 0 };
      context.users++;
      this.#contexts.set(material, context);
      known = { value: new Secure(key, tls, context.value, this.#timers), users: 0 };
      this.#all.set(key, known);
    }
    known.users++;
    return known.value;
  }

  /** It is used once less. */
  give(secure: Secure): void {
    const known = this.#all.get(secure.key)!;
    if (--known.users > 0) return;
    this.#all.delete(secure.key);
    const [material = ""] = secure.key.split(" ", 1);
    const context = this.#contexts.get(material)!;
    if (--context.users === 0) this.#contexts.delete(material);
  }

  #digestOf(text: string): string {
    let known = this.#digests.get(text);
    if (known !== undefined) return known;
    if (this.#digests.size === DIGESTS_MAX) this.#digests.clear();
    known = digest([text]);
    this.#digests.set(text, known);
    return known;
  }
}

/**
 * TLS 1.2 and 1.3 only, no renegotiation, no session of another connection. Null for material that
 * is none, which the control plane lets nobody ask for: then no request goes out at all.
 */
function contextOf(authorities: string, identity: KeyPair | null): object | null {
  const trust = authorities === "" ? {} : { ca: authorities };
  const own = identity === null ? {} : { cert: identity.chain, key: identity.key };
  try {
    return createSecureContext({ ...trust, ...own, minVersion: "TLSv1.2" }).context as object;
  } catch (error) {
    log("error", "TLS to a backend is impossible", { reason: codeOf(error) });
    return null;
  }
}

function digest(parts: readonly unknown[]): string {
  return createHash("sha256").update(JSON.stringify(parts)).digest("base64url");
}

function reasonOf(code: string): string {
  return REASONS.get(code) ?? (code || "the handshake failed");
}

function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return "";
  return "code" in error ? String(error.code) : error.name;
}
