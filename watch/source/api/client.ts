/**
 * Requests to the API server over fetch. Every failure is a value with a reason for people; nothing
 * is tried twice here, since only who asks knows whether that is safe.
 */
import type { Clock } from "../../../core/clock.ts";
import { isFields } from "../../objects.ts";
import type { Access, ApiAnswer, ApiClient, ApiEvents, ApiFailure, ApiRequest } from "./api.ts";
import { FORBIDDEN, readPatience, UNAUTHORIZED } from "./codes.ts";
import { bugFailure } from "./faults.ts";
import { LINE_MAX, Lines } from "./lines.ts";

const ASK_MS = 30_000;
/** For the answer to begin. A watch is answered at once, its events come later. */
const OPEN_MS = 60_000;
/** The largest answer, bytes: lists come in pages, but an old server may ignore that. */
const ANSWER_MAX = 256 * 1024 * 1024;
/** Of a failure's text only this much is shown to people, characters. */
const REASON_MAX = 400;
/** Bytes of a stream that are read in one go: a few milliseconds. */
const SLICE = 64 * 1024;
const SECOND_MS = 1_000;

/** What the runtime calls the ways a connection fails, in words. */
const CAUSES = new Map([
  ["ConnectionRefused", "connection refused"],
  ["ECONNREFUSED", "connection refused"],
  ["ConnectionClosed", "connection closed"],
  ["ECONNRESET", "connection reset"],
  ["ENOTFOUND", "no such host"],
  ["FailedToOpenSocket", "no route to it, or no such host"],
  ["SELF_SIGNED_CERT_IN_CHAIN", "its certificate is signed by an unknown authority"],
  ["DEPTH_ZERO_SELF_SIGNED_CERT", "its certificate is signed by an unknown authority"],
  ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", "its certificate is signed by an unknown authority"],
  ["UNABLE_TO_GET_ISSUER_CERT_LOCALLY", "its certificate is signed by an unknown authority"],
  ["ERR_TLS_CERT_ALTNAME_INVALID", "its certificate is for another name"],
  ["CERT_HAS_EXPIRED", "its certificate has expired"],
]);

/** A client of one API server. Credentials are asked for anew before each request. */
export function openClient(access: Access, clock: Clock): ApiClient {
  return {
    ask: (request, timeoutMs) => ask({ access, clock }, request, timeoutMs ?? ASK_MS),
    stream: (request, events) => {
      const abort = new AbortController();
      let ended = false;
      const told: ApiEvents = {
        opened: () => ended || events.opened(),
        line: (line) => ended || events.line(line),
        closed: (failure) => {
          if (ended) return;
          ended = true;
          events.closed(failure);
        },
      };
      stream({ access, clock }, request, told, abort).catch((error: unknown) => {
        abort.abort();
        told.closed(bugFailure(error));
      });
      return () => {
        ended = true;
        abort.abort();
      };
    },
  };
}

type Way = Readonly<{ access: Access; clock: Clock }>;

async function ask(way: Way, request: ApiRequest, timeoutMs: number): Promise<ApiAnswer> {
  const abort = new AbortController();
  const late = `no answer within ${timeoutMs / SECOND_MS} s`;
  const cancel = way.clock.after(timeoutMs, () => abort.abort(new Error(late)));
  try {
    const response = await send(way.access, request, abort.signal);
    const text = await readText(response);
    if (text === null) return unreachable(way.access, `its answer exceeds ${ANSWER_MAX} bytes`);
    return answerOf(way.access, response, text);
  } catch (error) {
    const reason = abort.signal.aborted ? late : causeOf(error);
    return unreachable(way.access, reason);
  } finally {
    cancel();
  }
}

/** Rejects only with what `events` throw. */
async function stream(
  way: Way,
  request: ApiRequest,
  events: ApiEvents,
  abort: AbortController,
): Promise<void> {
  const response = await open(way, request, abort);
  if (!(response instanceof Response)) return events.closed(response);
  events.opened();
  const lines = new Lines(events.line);
  const reader = response.body?.getReader();
  for (;;) {
    const chunk = reader === undefined ? null : await readChunk(way.access, reader);
    if (!(chunk instanceof Uint8Array)) return events.closed(chunk);
    if (await takeInSlices(lines, chunk)) continue;
    abort.abort();
    return events.closed(unreachable(way.access, `a line exceeds ${LINE_MAX} bytes`));
  }
}

/** The answer to a request for a stream, when it is one. */
async function open(
  { access, clock }: Way,
  request: ApiRequest,
  abort: AbortController,
): Promise<Response | ApiFailure> {
  let late = "";
  const cancel = clock.after(OPEN_MS, () => {
    late = `no answer within ${OPEN_MS / SECOND_MS} s`;
    abort.abort();
  });
  try {
    const response = await send(access, request, abort.signal);
    if (response.ok) return response;
    return failureOf(access, response, (await readText(response)) ?? "");
  } catch (error) {
    return unreachable(access, late === "" ? causeOf(error) : late);
  } finally {
    cancel();
  }
}

/** The next bytes, or null at the end. */
async function readChunk(
  access: Access,
  reader: Readonly<{ read: () => Promise<Readonly<{ value?: Uint8Array | undefined }>> }>,
): Promise<Uint8Array | ApiFailure | null> {
  try {
    return (await reader.read()).value ?? null;
  } catch (error) {
    return unreachable(access, causeOf(error));
  }
}

/** A streamed list of a large cluster comes at once; nothing else must wait for all of it. */
async function takeInSlices(lines: Lines, chunk: Uint8Array): Promise<boolean> {
  for (let at = 0; at < chunk.length; at += SLICE) {
    if (!lines.take(chunk.subarray(at, at + SLICE))) return false;
    if (chunk.length >= SLICE) await new Promise((resolve) => setImmediate(resolve));
  }
  return true;
}

async function send(access: Access, request: ApiRequest, signal: AbortSignal): Promise<Response> {
  const credentials = await within(access.credentials(), signal);
  const { ca, cert, key, serverName, verify, headers } = credentials;
  const query = request.query === undefined ? "" : `?${new URLSearchParams(request.query)}`;
  const response = await fetch(`${access.server}${request.path}${query}`, {
    method: request.method,
    headers: {
      accept: "application/json",
      "user-agent": "rind",
      ...(request.body === undefined
        ? {}
        : { "content-type": request.contentType ?? "application/json" }),
      ...headers,
    },
    ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }),
    signal,
    redirect: "manual",
    // A connection that the server closed meanwhile must not fail a request: each has its own.
    keepalive: false,
    // The runtime ends streams that are silent for five minutes; watches have their own bound.
    timeout: false,
    tls: {
      rejectUnauthorized: verify,
      ...(ca === null ? {} : { ca }),
      ...(cert === null ? {} : { cert }),
      ...(key === null ? {} : { key }),
      ...(serverName === null ? {} : { serverName }),
    },
  });
  if (response.status === UNAUTHORIZED) access.renew(credentials);
  return response;
}

/** A plugin that gives credentials may hang; then the request fails, and the plugin is left. */
function within<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    promise.then(resolve, reject);
  });
}

/** The whole body, or null when it exceeds ANSWER_MAX. */
async function readText(response: Response): Promise<string | null> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > ANSWER_MAX) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size).toString();
}

function answerOf(access: Access, response: Response, text: string): ApiAnswer {
  const { status } = response;
  if (!response.ok) return failureOf(access, response, text);
  const body = parse(text);
  if (body !== undefined) return { ok: true, status, body };
  // What was cut off may be a Secret: it is described, and not shown.
  const type = cut(response.headers.get("content-type") ?? "no type");
  return unreachable(access, `its answer is not JSON, but ${text.length} characters of ${type}`);
}

function failureOf(access: Access, response: Response, text: string): ApiFailure {
  const { status } = response;
  const body = parse(text);
  return {
    ok: false,
    status,
    reason: reasonOf(access, status, body, text),
    retryAfterMs: readRetryAfter(response.headers.get("retry-after")),
    body: body ?? null,
  };
}

function reasonOf(access: Access, status: number, body: unknown, text: string): string {
  const told = isFields(body) && typeof body["message"] === "string" ? body["message"] : text;
  const message = cut(told.trim());
  if (status === FORBIDDEN) return `RBAC denies it: ${message}`;
  if (status === UNAUTHORIZED) {
    const why = "expired, or of an account that is gone";
    return `${access.server} refuses our credentials (${access.from}): ${why}`;
  }
  return `${access.server} answers ${status}${message === "" ? "" : `: ${message}`}`;
}

function unreachable(access: Access, cause: string): ApiFailure {
  const reason = `cannot reach ${access.server}: ${cause}`;
  return { ok: false, status: 0, reason, retryAfterMs: null, body: null };
}

function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return cut(String(error));
  const code = "code" in error ? String(error.code) : "";
  return CAUSES.get(code) ?? cut(error.message);
}

/** Seconds, or an HTTP date, which API servers do not send (RFC 9110 section 10.2.3). */
function readRetryAfter(text: string | null): number | null {
  return text !== null && /^\d{1,9}$/.test(text) ? readPatience(Number(text)) : null;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function cut(text: string): string {
  return text.length > REASON_MAX ? `${text.slice(0, REASON_MAX)}…` : text;
}
