/**
 * TLS with clients whose ClientHello was read before anybody answered it: each handshake is that of
 * the host that was asked for, with all that the host asks of it, and some get none at all.
 */
import { HANDSHAKE_FAILED, SNI_UNKNOWN } from "../fault.ts";
import type { ClientAuth, TlsPolicy } from "../model.ts";
import { tally } from "../tally.ts";
import { INTERNAL_ERROR, UNEXPECTED_MESSAGE, UNRECOGNIZED_NAME } from "../tls/alert.ts";
import { HELLO_BYTES_MAX } from "../tls/hello.ts";
import { chainOf } from "../tls/session.ts";
import { judge } from "./clientcert.ts";
import type { Credentials } from "./clientcert.ts";
import { addressOf } from "./entrance.ts";
import { Handshake } from "./handshake.ts";
import type { Way } from "./handshake.ts";
import { passThrough } from "./passthrough.ts";
import type { Opening } from "./preface.ts";
import { choose, PROTOCOLS, TLS_CALLBACKS } from "./secure.ts";
import type { SecureSite } from "./secure.ts";
import { SECURE } from "./socket.ts";
import type { Attached, DownstreamSocket } from "./socket.ts";
import type { Context } from "./vault.ts";

/**
 * The longest opening that is kept until its turn. Behind its ClientHello a client waits for an
 * answer, but for early data (RFC 8446 §2.3) that it still has a ticket of another server for.
 */
const OPENING_MAX = 2 * HELLO_BYTES_MAX;

/** What the runtime asks for to go on with TLS; it is missing from the types of 1.4.5 in parts. */
type Upgrade = Readonly<{
  isServer: true;
  initialData: Buffer;
  tls: Readonly<{
    secureContext: Context;
    requestCert: boolean;
    rejectUnauthorized: boolean;
    ALPNProtocols: string;
  }>;
  data: Attached;
  socket: typeof TLS_CALLBACKS;
}>;

/** The socket as it was, which does nothing any more, and the one of TLS. */
type Upgraded = readonly [unknown, DownstreamSocket];

type Upgradable = Readonly<{ upgradeTLS: (upgrade: Upgrade) => Upgraded }>;

/** The part of a TLS socket that tells about its client. */
type Verified = Readonly<{
  authorized: boolean;
  getAuthorizationError: () => Error | null;
  getPeerCertificate: () => Readonly<{ raw?: Uint8Array }> | undefined;
  getSession: () => Uint8Array | undefined;
}>;

/** Goes on with a client by what the host that it asks for says. */
export function beginSecure(socket: DownstreamSocket, site: SecureSite, opening: Opening): void {
  const { name } = opening.hello;
  const { vault, unknown } = site;
  const found = vault.lookup(name);
  if (found.passthrough !== "") return passThrough(socket, site, opening, found.passthrough);
  const stranger = name !== "" && found === vault.any && !site.serves(name);
  if (stranger && unknown === "refuse") return refuse(socket, SNI_UNKNOWN, UNRECOGNIZED_NAME);
  const { context, policy } = choose(site, name);
  if (context === null) return refuse(socket, HANDSHAKE_FAILED, INTERNAL_ERROR);
  const { length } = opening.bytes;
  if (length > OPENING_MAX) return refuse(socket, HANDSHAKE_FAILED, UNEXPECTED_MESSAGE);
  const verify = policy?.client?.verify;
  const tls = {
    secureContext: context,
    requestCert: verify !== undefined,
    rejectUnauthorized: verify === "required",
    ALPNProtocols: PROTOCOLS,
  };
  const way: Way = {
    begin: (handshake, it) => upgrade(it, handshake, opening.bytes, tls),
    verdict: verdictOf(site, opening, policy),
  };
  const handshake = new Handshake(socket, site, opening, way);
  socket.data = handshake;
  handshake.start();
}

function refuse(socket: DownstreamSocket, fault: number, alert: Buffer): void {
  tally(fault);
  socket.write(alert);
  socket.end();
}

/** From here on the client's socket is the runtime's: what it tells is ciphertext. */
function upgrade(
  socket: DownstreamSocket,
  handshake: Handshake,
  initialData: Buffer,
  tls: Upgrade["tls"],
): DownstreamSocket {
  socket.data = null as unknown as Attached;
  const callbacks = TLS_CALLBACKS;
  const made = { isServer: true, initialData, tls, data: handshake, socket: callbacks } as const;
  return (socket as unknown as Upgradable).upgradeTLS(made)[1];
}

/** How the connection came, once TLS is there; or the fault for which it may not stay. */
function verdictOf(
  site: SecureSite,
  { address, port, hello }: Opening,
  policy: TlsPolicy | null,
): Way["verdict"] {
  if (policy === null) return () => ({ ...SECURE, address, port });
  const { id, client } = policy;
  if (client === null) return () => ({ ...SECURE, address, port, policy: id });
  return (socket) => {
    const judged = judge(client, credentialsOf(socket, client), site.wallMs());
    if (judged.ok) return { ...SECURE, address, port, policy: id, lines: judged.lines };
    // The runtime closes without an alert: nobody else says why.
    const peer = address || addressOf(socket);
    site.notices.tell(HANDSHAKE_FAILED, { peer, host: hello.name, reason: judged.reason });
    return HANDSHAKE_FAILED;
  };
}

function credentialsOf(socket: DownstreamSocket, { verify }: ClientAuth): Credentials {
  const verified = socket as unknown as Verified;
  const certificate = verified.getPeerCertificate()?.raw ?? null;
  if (certificate === null) return { certificate, chain: [], doubt: "" };
  const doubt = verified.authorized
    ? ""
    : (verified.getAuthorizationError()?.message ?? "not authorized");
  const judged = doubt === "" || verify === "unchecked";
  const session = judged ? verified.getSession() : undefined;
  return { certificate, chain: session === undefined ? null : chainOf(session), doubt };
}
