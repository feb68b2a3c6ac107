/** A TLS client for tests: what it met in a handshake, and what it heard afterwards. */
import { X509Certificate } from "node:crypto";
import { connect, type ConnectionOptions, type TLSSocket } from "node:tls";
import type { KeyPair } from "../core/model.ts";
import type { KeyKind } from "./pki.ts";

/** A test that waits longer than this hangs; it is a guard, nothing measures with it. */
const HANG_MS = 15_000;
/** How a client says in TLS 1.3 which kind of key it takes, and how in 1.2. */
const ALGORITHMS = { ec: "ecdsa_secp256r1_sha256", rsa: "rsa_pss_rsae_sha256:rsa_pkcs1_sha256" };
const CIPHERS = { ec: "ECDHE-ECDSA-AES128-GCM-SHA256", rsa: "ECDHE-RSA-AES128-GCM-SHA256" };

/** What a client asks for. */
export type Asks = Readonly<{
  port: number;
  address?: string;
  /** SNI; "" asks for no name. */
  name?: string;
  /** The only version that it speaks. */
  version?: "1.1" | "1.2" | "1.3";
  /** The only kind of key that it takes. */
  kind?: KeyKind;
  /** Of TLS 1.2. */
  cipher?: string;
  alpn?: readonly string[];
  /** Shown when it is asked who it is. */
  identity?: KeyPair | null;
  /** PEM of those it trusts. */
  authority?: string;
  session?: Buffer;
}>;

/** What it met. `trusted`: the certificate is good for the name. `alpn` is "" for none. */
type Met = Readonly<{
  certificate: X509Certificate;
  kind: KeyKind;
  version: string;
  alpn: string;
  trusted: boolean;
  resumed: boolean;
}>;

/** Owns one connection from its handshake on. */
export class Visit {
  /** null: there was no handshake, and `refusal` says why. */
  met: Met | null = null;
  /** Code of the error that ended it: an alert, or ECONNRESET; "" as long as there is none. */
  refusal = "";
  /** What was heard and not taken, as latin1. */
  heard = "";
  /** How many bytes came in all. */
  received = 0;
  /** The other side said that it says no more; the connection is over. */
  ended = false;
  closed = false;
  /** The last ticket to resume with. */
  session: Buffer | undefined = undefined;
  readonly socket: TLSSocket;
  #waiters: Set<() => void> = new Set();

  constructor(asks: Asks) {
    this.socket = connect(optionsOf(asks));
    this.socket
      .on("secureConnect", () => this.#meet())
      .on("session", (session) => this.#note(() => (this.session = session)))
      .on("data", (bytes) => this.#hear(Buffer.from(bytes)))
      .on("end", () => this.#note(() => (this.ended = true)))
      .on("error", (error: NodeJS.ErrnoException) =>
        this.#note(() => (this.refusal = error.code ?? error.message)),
      )
      .on("close", () => this.#note(() => (this.closed = true)));
  }

  /** Sends `text` and gives what comes back, of the same length; less when the other end left. */
  async echo(text: string): Promise<string> {
    this.socket.write(text, "latin1");
    await this.until(() => this.heard.length >= text.length || this.closed, "an echo");
    return this.take(text.length);
  }

  /** Takes the first `size` unread bytes. */
  take(size: number): string {
    const taken = this.heard.slice(0, size);
    this.heard = this.heard.slice(size);
    return taken;
  }

  /** Waits until `ready` holds after some event of this connection. */
  until(ready: () => boolean, what: string): Promise<void> {
    if (ready()) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const late = (): void => {
        reject(new Error(`waited for ${what}: ${this.refusal} ${this.heard.slice(0, 300)}`));
      };
      const timer = setTimeout(late, HANG_MS);
      const look = (): void => {
        if (!ready()) return;
        this.#waiters.delete(look);
        clearTimeout(timer);
        resolve();
      };
      this.#waiters.add(look);
    });
  }

  /** Ends it, and waits until it is over. */
  async leave(): Promise<void> {
    this.socket.destroy();
    await this.until(() => this.closed, "the end");
  }

  #meet(): void {
    const { raw } = this.socket.getPeerCertificate();
    const certificate = new X509Certificate(raw);
    const alpn = this.socket.alpnProtocol;
    this.#note(() => {
      this.met = {
        certificate,
        kind: certificate.publicKey.asymmetricKeyType === "ec" ? "ec" : "rsa",
        version: (this.socket.getProtocol() ?? "").replace("TLSv", ""),
        alpn: typeof alpn === "string" ? alpn : "",
        trusted: this.socket.authorized,
        resumed: this.socket.isSessionReused(),
      };
    });
  }

  #hear(bytes: Buffer): void {
    this.#note(() => {
      this.received += bytes.length;
      this.heard += bytes.toString("latin1");
    });
  }

  #note(change: () => void): void {
    change();
    for (const look of [...this.#waiters]) look();
  }
}

/** Connects, and waits until the handshake is over, one way or the other. */
export async function visit(asks: Asks): Promise<Visit> {
  const visitor = new Visit(asks);
  await visitor.until(() => visitor.met !== null || visitor.closed, "a handshake");
  return visitor;
}

/** The common name of the certificate that was met, or "" without one. */
export function metName({ met }: Visit): string {
  return met === null ? "" : met.certificate.subject.replace("CN=", "");
}

function optionsOf(asks: Asks): ConnectionOptions {
  const { name = "", version, kind, identity, session } = asks;
  return {
    port: asks.port,
    host: asks.address ?? "127.0.0.1",
    ...(name === "" ? {} : { servername: name }),
    ...(version === undefined
      ? {}
      : { minVersion: `TLSv${version}`, maxVersion: `TLSv${version}` }),
    ...(kind === undefined ? {} : { sigalgs: ALGORITHMS[kind] }),
    ...(kind === undefined || version === "1.3" ? {} : { ciphers: CIPHERS[kind] }),
    ...(asks.cipher === undefined ? {} : { ciphers: asks.cipher }),
    ALPNProtocols: [...(asks.alpn ?? [])],
    ...(identity == null ? {} : { cert: identity.chain, key: identity.key }),
    ...(asks.authority === undefined ? {} : { ca: asks.authority }),
    ...(session === undefined ? {} : { session }),
    // What was met is looked at by the test.
    rejectUnauthorized: false,
  };
}
