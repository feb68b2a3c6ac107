/** What one end saw on one connection, read message by message with the naive reader of tests. */
import { readMessage, statusOf, type Message } from "../message.ts";

export type Transcript = Readonly<{
  messages: readonly Message[];
  /** Statuses of interim responses. */
  interims: readonly number[];
  /** What follows the last whole message: an unfinished one, or a tunnel's bytes. */
  rest: Buffer;
  /** The last message was a 101. */
  tunnel: boolean;
  /** Why reading stopped, or "". */
  malformed: string;
}>;

/** Reads responses to requests with these methods; more than those are malformed. */
export function readResponses(
  bytes: Buffer,
  methods: readonly string[],
  ended: boolean,
): Transcript {
  const messages: Message[] = [];
  const interims: number[] = [];
  let rest = bytes;
  let malformed = "";
  while (rest.length > 0) {
    const method = methods[messages.length];
    const message = attempt(() =>
      readMessage(rest, { response: true, bodiless: method === "HEAD", ended }),
    );
    if (typeof message === "string") malformed = message;
    if (message === null || typeof message === "string") break;
    if (method === undefined) malformed = "a response that nobody asked for";
    rest = rest.subarray(message.size);
    const status = statusOf(message);
    if (status < 200 && status !== 101) interims.push(status);
    else messages.push(message);
    if (status === 101) return { messages, interims, rest, tunnel: true, malformed };
  }
  return { messages, interims, rest, tunnel: false, malformed };
}

/** Reads requests. */
export function readRequests(bytes: Buffer): Transcript {
  const messages: Message[] = [];
  let rest = bytes;
  let malformed = "";
  while (rest.length > 0) {
    const reading = { response: false, bodiless: false, ended: false };
    const message = attempt(() => readMessage(rest, reading));
    if (typeof message === "string") malformed = message;
    if (message === null || typeof message === "string") break;
    rest = rest.subarray(message.size);
    messages.push(message);
    if (isHandshake(message)) return { messages, interims: [], rest, tunnel: true, malformed };
  }
  return { messages, interims: [], rest, tunnel: false, malformed };
}

/** The body of an unfinished response, as far as it is here. */
export function bodySoFar(bytes: Buffer): Buffer {
  const headEnd = bytes.indexOf("\r\n\r\n");
  if (headEnd < 0) return Buffer.alloc(0);
  const body = bytes.subarray(headEnd + 4);
  if (!/\r\nTransfer-Encoding: chunked\r\n/i.test(bytes.toString("latin1", 0, headEnd + 2))) {
    return body;
  }
  const parts: Buffer[] = [];
  for (let at = 0; at < body.length;) {
    const lineEnd = body.indexOf("\r\n", at);
    if (lineEnd < 0) break;
    const size = Number.parseInt(body.toString("latin1", at, lineEnd), 16);
    parts.push(body.subarray(lineEnd + 2, lineEnd + 2 + size));
    at = lineEnd + 2 + size + 2;
  }
  return Buffer.concat(parts);
}

function isHandshake({ fields }: Message): boolean {
  return fields.some(([name]) => name.toLowerCase() === "upgrade");
}

function attempt(read: () => Message | null): Message | string | null {
  try {
    return read();
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
