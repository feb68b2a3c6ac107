/**
 * Every way an exchange can fail, by name. The table knows the status to answer, whose doing it was
 * and when a retry is allowed; the rest of the code only says which fault it is.
 */

/** Parsers answer OK, MORE, or one of the fault ids below. */
export const OK = 0;
export const MORE = 1;

export const BAD_REQUEST_LINE = 2;
export const BAD_TARGET = 3;
export const TARGET_TOO_LONG = 4;
export const METHOD_UNKNOWN = 5;
export const METHOD_REFUSED = 6;
export const BAD_VERSION = 7;
export const BAD_HEADER = 8;
export const HEAD_TOO_LARGE = 9;
export const BAD_FRAMING = 10;
export const CODING_UNKNOWN = 11;
export const BAD_HOST = 12;
export const BAD_PATH = 13;
export const BAD_EXPECT = 14;
export const BAD_UPGRADE = 15;
export const WEBSOCKET_VERSION = 16;
export const MISDIRECTED = 17;
export const BAD_CONNECTION = 18;
export const BAD_BODY = 19;
export const BODY_TOO_LARGE = 20;
export const NO_ROUTE = 21;
export const NO_ENDPOINT = 22;
export const CONNECT_FAILED = 23;
export const CONNECT_TIMEOUT = 24;
export const CONNECTION_LOST = 25;
export const RESPONSE_TIMEOUT = 26;
export const BAD_RESPONSE = 27;
export const RESPONSE_CUT = 28;
export const CLIENT_GONE = 29;
export const REQUEST_TIMEOUT = 30;
export const BUG = 31;
export const LOOP = 32;
export const FIRST_BYTE_TIMEOUT = 33;
export const BODY_TIMEOUT = 34;
export const BODY_TOO_SLOW = 35;
export const CLIENT_STALLED = 36;
export const CONNECTIONS_FULL = 37;
export const CLIENT_FULL = 38;
export const TUNNEL_IDLE = 39;
export const RESPONSE_STALLED = 40;
export const ENDPOINT_FULL = 41;
export const PENDING_TIMEOUT = 42;
/** Bytes behind a complete response: the response is good, the connection is not. */
export const RESPONSE_EXCESS = 43;
/** Bytes on an idle connection. */
export const UNSOLICITED = 44;
export const BAD_TRAILER = 45;
/** An idle connection made room for a new one. */
export const CONNECTION_SHED = 46;
/** A field that a request goes on without: its name is read differently by different backends. */
export const NAME_DROPPED = 47;
/** A request could go again, but too many do already; counted besides the fault that it meets. */
export const RETRIES_FULL = 48;
export const WAITING_FULL = 49;
/** The connection ended inside the head of a response. */
export const HEAD_CUT = 50;
/** A PROXY header that is none, from a peer that has to send one, or none in time. */
export const BAD_PROXY_HEADER = 51;
/** TLS with a client: it did not come to an end in time, or it failed. */
export const HANDSHAKE_TIMEOUT = 52;
export const HANDSHAKE_FAILED = 53;
/** Too many are on their way. */
export const HANDSHAKES_FULL = 54;
/** A client asked for a name that nobody has, and was refused. */
export const SNI_UNKNOWN = 55;
/** A host that is served was shown the certificate of nobody in particular. */
export const FALLBACK_SHOWN = 56;
/** TLS with a backend failed: its certificate is not good, or it does not speak TLS. */
export const UPSTREAM_TLS_FAILED = 57;
/** A connection that is handed on unopened found no backend. */
export const PASSTHROUGH_FAILED = 58;

/**
 * `retry`: `never`; `unsent` when no byte of the request reached the backend; `reused` when the
 * connection came from the pool and died before the first byte of a response (RFC 9110 §9.2.2).
 */
export type Fault = Readonly<{
  name: string;
  status: number;
  source: "client" | "upstream" | "rind";
  retry: "never" | "unsent" | "reused";
  /** What the client reads; one line. */
  text: string;
}>;

const none: Fault = { name: "none", status: 0, source: "rind", retry: "never", text: "" };

/** The table, by fault id. */
export const FAULTS: readonly Fault[] = [
  none,
  none,
  client("badRequestLine", 400, "bad request: request line"),
  client("badTarget", 400, "bad request: target"),
  client("targetTooLong", 414, "request target too long"),
  client("methodUnknown", 501, "method not implemented"),
  client("methodRefused", 405, "method not allowed"),
  client("badVersion", 505, "HTTP version not supported"),
  client("badHeader", 400, "bad request: header section"),
  client("headTooLarge", 431, "request header fields too large"),
  client("badFraming", 400, "bad request: message framing"),
  client("codingUnknown", 501, "transfer coding not implemented"),
  client("badHost", 400, "bad request: Host"),
  client("badPath", 400, "bad request: path"),
  client("badExpect", 417, "expectation failed"),
  client("badUpgrade", 400, "bad request: WebSocket handshake"),
  client("websocketVersion", 426, "upgrade required: WebSocket version 13"),
  client("misdirected", 421, "misdirected request"),
  client("badConnection", 400, "bad request: Connection"),
  client("badBody", 400, "bad request: body framing"),
  client("bodyTooLarge", 413, "request body too large"),
  client("noRoute", 404, "404 page not found"),
  upstream("noEndpoint", 503, "never", "503 no endpoint is ready"),
  upstream("connectFailed", 502, "unsent", "502 cannot connect to the backend"),
  upstream(
    "connectTimeout",
    504,
    "unsent",
    "504 the backend did not accept the connection in time",
  ),
  upstream("connectionLost", 502, "reused", "502 the backend closed the connection"),
  upstream("responseTimeout", 504, "never", "504 the backend did not answer in time"),
  upstream("badResponse", 502, "never", "502 the backend sent an invalid response"),
  upstream("responseCut", 502, "never", "502 the backend stopped in the middle of a response"),
  client("clientGone", 499, "client closed the connection"),
  client("requestTimeout", 408, "request timeout"),
  own("bug", 500, "500 internal error"),
  client("loop", 508, "508 loop detected"),
  client("firstByteTimeout", 408, "request timeout"),
  client("bodyTimeout", 408, "request timeout: body"),
  client("bodyTooSlow", 408, "request timeout: the body comes too slowly"),
  client("clientStalled", 499, "client takes too little of its answer"),
  own("connectionsFull", 503, "503 too many connections"),
  own("clientFull", 503, "503 too many connections of one client"),
  own("tunnelIdle", 504, "504 nothing came through the tunnel"),
  upstream("responseStalled", 504, "never", "504 the backend stopped sending its response"),
  own("endpointFull", 503, "503 too many requests wait for the backend"),
  own("pendingTimeout", 503, "503 no connection to the backend became free in time"),
  upstream("responseExcess", 502, "never", "502 the backend sent more than its response"),
  upstream("unsolicited", 502, "never", "502 the backend spoke unasked"),
  client("badTrailer", 400, "bad request: trailer section"),
  own("connectionShed", 503, "503 too many connections"),
  client("nameDropped", 400, "bad request: field name"),
  own("retriesFull", 502, "502 too many requests are sent again"),
  own("waitingFull", 503, "503 too much waits for clients that do not read"),
  upstream("headCut", 502, "never", "502 the backend stopped in the middle of a response head"),
  client("badProxyHeader", 400, "bad request: PROXY header"),
  client("handshakeTimeout", 408, "request timeout: TLS handshake"),
  client("handshakeFailed", 400, "bad request: TLS handshake"),
  own("handshakesFull", 503, "503 too many TLS handshakes"),
  client("sniUnknown", 421, "misdirected request: unknown server name"),
  own("fallbackShown", 421, "421 no certificate for this host"),
  upstream("upstreamTlsFailed", 502, "unsent", "502 TLS with the backend failed"),
  upstream("passthroughFailed", 502, "never", "502 no backend took the connection"),
];

function client(name: string, status: number, text: string): Fault {
  return { name, status, source: "client", retry: "never", text };
}

function own(name: string, status: number, text: string): Fault {
  return { name, status, source: "rind", retry: "never", text };
}

function upstream(name: string, status: number, retry: Fault["retry"], text: string): Fault {
  return { name, status, source: "upstream", retry, text };
}
