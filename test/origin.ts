/**
 * An upstream for tests, friendly or hostile: a script says what each connection does, and every
 * connection keeps what it saw. Also an echo, which answers with what it was asked.
 */
import { valuesOf, type Message } from "./message.ts";
import { Peer, PEER_EVENTS } from "./peer.ts";

/** What one connection does, from accept to close. `index` counts connections from 0. */
export type Script = (peer: Peer, index: number) => Promise<void>;

/** A listening upstream. `failures` are the scripts that threw: a request that was malformed. */
export type Origin = Readonly<{
  address: string;
  port: number;
  peers: readonly Peer[];
  failures: readonly string[];
  stop: () => void;
}>;

/** What the echo answers, as JSON. `body` is latin1. */
export type Echoed = Readonly<{
  first: string;
  fields: readonly (readonly [string, string])[];
  body: string;
  framing: string;
}>;

/**
 * Listens on a port of `address`, 0 for a free one, and runs `script` for each connection; with
 * `tls` it is one over TLS.
 */
export function openOrigin(
  script: Script,
  address = "127.0.0.1",
  port = 0,
  tls: Bun.TLSOptions | null = null,
): Origin {
  const peers: Peer[] = [];
  const failures: string[] = [];
  const listener = Bun.listen<Peer>({
    hostname: address,
    port,
    allowHalfOpen: true,
    ...(tls === null ? {} : { tls }),
    socket: {
      ...PEER_EVENTS,
      open(socket) {
        const peer = new Peer(socket);
        socket.data = peer;
        const index = peers.push(peer) - 1;
        script(peer, index).catch((error: Error) => failures.push(`#${index}: ${error.message}`));
      },
    },
  });
  const stop = (): void => {
    for (const peer of peers) if (!peer.closed) peer.reset();
    listener.stop(true);
  };
  return { address, port: listener.port, peers, failures, stop };
}

/** Answers every request on a connection with `answer(request)`, until the other end leaves. */
export function answering(answer: (request: Message, index: number) => string | Buffer): Script {
  return async (peer, index) => {
    for (;;) {
      const request = await peer.request();
      if (request === null) break;
      peer.send(answer(request, index));
    }
    peer.shut();
  };
}

/** Answers with what it was asked, as JSON (`Echoed`), with a Content-Length. */
export const echo: Script = answering((request) => {
  const echoed: Echoed = {
    first: request.first,
    fields: request.fields,
    body: request.body.toString("latin1"),
    framing: request.framing,
  };
  return respond(200, JSON.stringify(echoed), "Content-Type: application/json\r\n");
});

/** A response with a Content-Length. `fields` is whole lines. */
export function respond(status: number, body: string, fields = ""): string {
  const bytes = Buffer.from(body, "utf8");
  const head = `HTTP/1.1 ${status} X\r\n${fields}Content-Length: ${bytes.length}\r\n\r\n`;
  return head + bytes.toString("latin1");
}

/** What an echo said. */
export function echoed(response: Message): Echoed {
  return JSON.parse(response.body.toString("utf8")) as Echoed;
}

/** The values of a field the echo was sent, in order. `name` in lower case. */
export function sawField(response: Message, name: string): string[] {
  return valuesOf(echoed(response).fields, name);
}
