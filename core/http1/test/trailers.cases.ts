/**
 * Trailer sections behind a chunked body, one row a rule of RFC 9110 §6.5: what becomes of them in
 * a request, and which lines of a response travel on to a client that asked for trailers.
 */

/**
 * `lines` are whole lines, latin1. `request`: whether the request is good (its trailers never
 * travel). `response`: the lines that are relayed, or `bad`.
 */
export type TrailerCase = readonly [
  name: string,
  lines: string,
  request: "good" | "bad",
  response: string | "bad",
];

/** Names that frame, route, authenticate, or belong to one connection: forbidden, in any case. */
const FORBIDDEN = [
  "Content-Length: 5",
  "Transfer-Encoding: chunked",
  "Host: b",
  "Connection: close",
  "Keep-Alive: timeout=5",
  "Proxy-Connection: close",
  "TE: trailers",
  "Trailer: A",
  "Upgrade: websocket",
  "HTTP2-Settings: AAMAAABk",
  "Expect: 100-continue",
  "Max-Forwards: 1",
  "Via: 1.1 rind",
  "Authorization: Basic eA==",
  "Proxy-Authorization: Basic eA==",
  "WWW-Authenticate: Basic",
  "Proxy-Authenticate: Basic",
  "Cookie: a=1",
  "Set-Cookie: a=1",
  "Forwarded: for=10.0.0.1",
  "X-Forwarded-For: 10.0.0.1",
  "X-Forwarded-Proto: https",
  "X-Forwarded-Tls-Client-Cert-Info: x",
  "X-Forwarded-Anything: x",
  "X-Real-IP: 10.0.0.1",
  "SSL-Client-Verify: SUCCESS",
  "ssl_client_cert: x",
  "Client-Cert: :eA==:",
  "Client-Cert-Chain: :eA==:",
  "X-Original-URL: /admin",
  "Sec-WebSocket-Accept: x",
  "content-length: 5",
  "CONTENT-LENGTH: 5",
  "Content_Length: 5",
  "Transfer.Encoding: chunked",
  "X_Forwarded_For: 10.0.0.1",
  "x~real~ip: 10.0.0.1",
];

/** Control of a response and of how its content is read: left out, but nobody is refused. */
const UNFIT = [
  "Content-Type: text/html",
  "Content-Encoding: gzip",
  "Content-Range: bytes 0-1/2",
  "Cache-Control: no-store",
  "Location: /x",
  "Strict-Transport-Security: max-age=0",
  "Retry-After: 1",
  "Date: x",
  "Vary: *",
];

/** Trailers that travel. */
const FIT = [
  "Server-Timing: db;dur=5",
  "Grpc-Status: 0",
  "ETag: x",
  "Content-Digest: sha-256=:eA==:",
  "X-Trailer: \xe9\t x",
  "Some_Name: 1",
  "Content-Length2: 5",
  "A:",
];

const alone = (line: string): string => `${line}\r\n`;

/** Every rule about trailers. The response's head nominates `X-Hop` and `some-hop`. */
export const TRAILER_CASES: readonly TrailerCase[] = [
  ...FORBIDDEN.map((line): TrailerCase => [`forbidden: ${line}`, alone(line), "bad", ""]),
  ...UNFIT.map((line): TrailerCase => [`unfit: ${line}`, alone(line), "good", ""]),
  ...FIT.map((line): TrailerCase => [`fit: ${line}`, alone(line), "good", alone(line)]),
  ["none", "", "good", ""],
  ["in order", "B: 1\r\nA: 2\r\nB: 3\r\n", "good", "B: 1\r\nA: 2\r\nB: 3\r\n"],
  ["unfit first", "Date: x\r\nA: 2\r\n", "good", "A: 2\r\n"],
  ["unfit between", "A: 1\r\nDate: x\r\nDate: y\r\nB: 2\r\n", "good", "A: 1\r\nB: 2\r\n"],
  ["unfit last", "A: 1\r\nDate: x\r\n", "good", "A: 1\r\n"],
  ["forbidden between", "A: 1\r\nHost: b\r\nB: 2\r\n", "bad", "A: 1\r\nB: 2\r\n"],
  ["nominated", "X-Hop: 1\r\nA: 1\r\nSOME-HOP: 2\r\nx-hop: 3\r\n", "good", "A: 1\r\n"],
  ["forbidden, then malformed", "Host: b\r\nA b: c\r\n", "bad", "bad"],
  ["malformed", "A: 1\r\nB\r\n", "bad", "bad"],
  ["space before the colon", "A : 1\r\n", "bad", "bad"],
  ["folded", "A: 1\r\n b\r\n", "bad", "bad"],
  ["bare CR", "A: 1\rHost: b\r\n", "bad", "bad"],
  ["bare LF", "A: 1\nB: 2\r\n", "bad", "bad"],
  ["NUL", "A: \0\r\n", "bad", "bad"],
  ["name of 256", `${"n".repeat(256)}: v\r\n`, "good", `${"n".repeat(256)}: v\r\n`],
  ["name of 257", `${"n".repeat(257)}: v\r\n`, "bad", "bad"],
  ["32 lines", "A: b\r\n".repeat(32), "good", "A: b\r\n".repeat(32)],
  ["33 lines", "A: b\r\n".repeat(33), "bad", "bad"],
  ["33 lines, unfit", "Date: b\r\n".repeat(33), "bad", "bad"],
  ["8000 bytes", `A: ${"v".repeat(7_990)}\r\n`, "good", `A: ${"v".repeat(7_990)}\r\n`],
  ["8200 bytes", `A: ${"v".repeat(8_200)}\r\n`, "bad", "bad"],
  ["8400 bytes of unfit lines", `Date: ${"v".repeat(922)}\r\n`.repeat(9), "bad", "bad"],
];
