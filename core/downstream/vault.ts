/**
 * What clients get for the name that they ask for (SNI): certificates as contexts of the TLS
 * library, made when the model changes, and found by one look or two in a handshake.
 *
 *   certificates   id ──► pair, and the number of its version
 *   hosts          name ──► what the model says
 *   shown          name ──► what is shown, with a context
 *   contexts       policy and versions of certificates ──► context     (hosts may share one)
 */
import tls from "node:tls";
import { assert } from "../assert.ts";
import { log } from "../log.ts";
import type { Delta, KeyPair, SecureHost, TlsPolicy } from "../model.ts";
import type { TlsSettings } from "../protocol.ts";

/** A handle of the TLS library, which the runtime's sockets take. */
export type Context = Readonly<object>;

/** What whoever asks for a name gets. */
export type Shown = Readonly<{
  /** null: no handshake, since what its policy asks for cannot be had. */
  context: Context | null;
  policy: TlsPolicy | null;
  /** Id of the backend that gets the connection unopened, or "". */
  passthrough: string;
  /** The certificate is that of nobody in particular. */
  fallback: boolean;
}>;

type Version = Readonly<{ pair: KeyPair; number: number }>;

type Pairs = Readonly<{ versions: readonly Version[]; fallback: boolean }>;

/** The longest name of a host; a longer one is nobody's (RFC 1035 §2.3.4). */
const NAME_MAX = 255;
const ANY = "*";

/**
 * Of TLS 1.2, where nobody says which: those with forward secrecy and authenticated encryption, as
 * ingress-nginx has them. The library's own list has plain RSA and CBC as well, for clients that
 * are older than 2014.
 */
const CIPHERS = [
  "ECDHE-ECDSA-AES128-GCM-SHA256",
  "ECDHE-RSA-AES128-GCM-SHA256",
  "ECDHE-ECDSA-AES256-GCM-SHA384",
  "ECDHE-RSA-AES256-GCM-SHA384",
  "ECDHE-ECDSA-CHACHA20-POLY1305",
  "ECDHE-RSA-CHACHA20-POLY1305",
].join(":");

/** The part of a delta that the vault looks at. */
export type VaultDelta = Pick<Delta, "certificates" | "certificatesGone" | "secure" | "secureGone">;

/** Who asks for no name, or for one that nobody has, where the model does not say. */
const NOBODY: SecureHost = { name: ANY, certificates: [], policy: null, passthrough: "" };

export class Vault {
  readonly #settings: TlsSettings;
  readonly #fallback: Version;
  readonly #certificates = new Map<string, Version>();
  readonly #hosts = new Map<string, SecureHost>();
  #shown = new Map<string, Shown>();
  #contexts = new Map<string, Context>();
  #any: Shown;
  /** How many versions of certificates there were; 0 is the fallback. */
  #versions = 0;

  /** With nothing but the fallback pair of `settings`; throws when the library refuses that. */
  constructor(settings: TlsSettings) {
    this.#settings = settings;
    this.#fallback = { pair: settings.fallback, number: 0 };
    const context = contextOf(settings, [settings.fallback], null);
    this.#any = { context, policy: null, passthrough: "", fallback: true };
    this.#contexts.set(keyOf([this.#fallback], null), context);
  }

  /** What whoever asks for no name gets, or for one that nobody has. */
  get any(): Shown {
    return this.#any;
  }

  /** What is shown to whoever asks for `name`, as it came; "" is no name. */
  lookup(name: string): Shown {
    if (name === "" || name.length > NAME_MAX) return this.#any;
    const bare = name.endsWith(".") ? name.slice(0, -1) : name;
    const folded = bare.toLowerCase();
    return this.#shown.get(folded) ?? this.#shown.get(wildcardOf(folded)) ?? this.#any;
  }

  /** Whether a host asks for more than a certificate: only a look at ClientHellos tells which. */
  peeks(): boolean {
    for (const { policy, passthrough } of this.#hosts.values()) {
      if (policy !== null || passthrough !== "") return true;
    }
    return false;
  }

  /**
   * Takes a change of the model. It costs a look at every host, or at the new ones if there is
   * nothing but new ones, and a context for what changed.
   * What the library refuses is logged and keeps what it showed before: control has found it good,
   * so this is a bug, and must not take a host down.
   */
  patch(delta: VaultDelta): void {
    const { certificates, certificatesGone, secure, secureGone } = delta;
    const gone = certificatesGone.length + secureGone.length;
    if (certificates.length + secure.length + gone === 0) return;
    const grows = gone === 0 && this.#onlyGrows(delta);
    for (const id of certificatesGone) this.#certificates.delete(id);
    for (const pair of certificates) {
      this.#certificates.set(pair.id, { pair, number: ++this.#versions });
    }
    for (const name of secureGone) this.#hosts.delete(name);
    for (const host of secure) this.#hosts.set(host.name, host);
    if (grows) {
      for (const host of secure) this.#shown.set(host.name, this.#show(host, this.#contexts));
      return;
    }
    const contexts = new Map<string, Context>();
    const shown = new Map<string, Shown>();
    for (const host of this.#hosts.values()) shown.set(host.name, this.#show(host, contexts));
    this.#any = shown.get(ANY) ?? this.#show(NOBODY, contexts);
    this.#shown = shown;
    this.#contexts = contexts;
  }

  /** Nothing in it can change what another host shows: a host that names a new pair is new too. */
  #onlyGrows({ certificates, secure }: VaultDelta): boolean {
    return (
      certificates.every(({ id }) => !this.#certificates.has(id)) &&
      secure.every(({ name }) => !name.startsWith(ANY) && !this.#hosts.has(name))
    );
  }

  #show(host: SecureHost, contexts: Map<string, Context>): Shown {
    const { policy, passthrough } = host;
    const { versions, fallback } = this.#pairsOf(host);
    const key = keyOf(versions, policy);
    const made = contexts.get(key) ?? this.#contexts.get(key) ?? this.#make(host, versions);
    if (made !== null) contexts.set(key, made);
    return { context: made ?? this.#before(host), policy, passthrough, fallback };
  }

  /** The certificates of a host: its own, or those of the wildcard above it, or of everybody. */
  #pairsOf(host: SecureHost): Pairs {
    const own = this.#versionsOf(host);
    if (own.length > 0) return { versions: own, fallback: host.name === ANY };
    const above = this.#versionsOf(this.#hosts.get(wildcardOf(host.name)));
    if (above.length > 0) return { versions: above, fallback: false };
    const shared = this.#versionsOf(this.#hosts.get(ANY));
    return { versions: shared.length > 0 ? shared : [this.#fallback], fallback: true };
  }

  #versionsOf(host: SecureHost | undefined): readonly Version[] {
    const versions: Version[] = [];
    for (const id of host?.certificates ?? []) {
      const version = this.#certificates.get(id);
      if (version !== undefined) versions.push(version);
    }
    return versions;
  }

  #make(host: SecureHost, versions: readonly Version[]): Context | null {
    const pairs = versions.map(({ pair }) => pair);
    try {
      return contextOf(this.#settings, pairs, host.policy);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      log("error", "a host keeps the certificate it had", { host: host.name, reason });
      return null;
    }
  }

  /** What a host showed so far; never under another policy, and never no policy for one. */
  #before({ name, policy }: SecureHost): Context | null {
    const before = this.#shown.get(name);
    if (before !== undefined && idOf(before.policy) === idOf(policy)) return before.context;
    return policy === null ? this.#any.context : null;
  }
}

/** What a context is made of, in short. */
function keyOf(versions: readonly Version[], policy: TlsPolicy | null): string {
  return `${versions.map(({ number }) => number).join()} ${idOf(policy)}`;
}

function idOf(policy: TlsPolicy | null): string {
  return policy?.id ?? "";
}

/** `a.b.c` → `*.b.c`; a name of one label, or a wildcard, has none. */
function wildcardOf(name: string): string {
  const dot = name.indexOf(".");
  return dot > 0 && !name.startsWith(ANY) ? ANY + name.slice(dot) : "";
}

/** Throws what the library says when pairs, authorities or ciphers are not good. */
function contextOf(
  settings: TlsSettings,
  pairs: readonly KeyPair[],
  policy: TlsPolicy | null,
): Context {
  const authorities = policy?.client?.authorities ?? "";
  // Without any of its own the library would take those of the system.
  assert(authorities !== "" || !policy?.client, "clients are judged by somebody");
  const ciphers = policy?.ciphers || settings.ciphers || CIPHERS;
  const made = tls.createSecureContext({
    key: pairs.map(({ key }) => key),
    cert: pairs.map(({ chain }) => chain),
    // A host asks for more than all others, never for less.
    minVersion: `TLSv${policy?.minVersion === "1.3" ? "1.3" : settings.minVersion}`,
    ciphers,
    ...(authorities === "" ? {} : { ca: authorities }),
  });
  return made.context as Context;
}
