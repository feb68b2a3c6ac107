/**
 * Requests and responses that are meant to be valid, made from a grammar, and the case tables as
 * further seeds. Everything is drawn from the generator it is given: the same seed, the same bytes.
 */
import type { Random } from "../../core/http1/test/cuts.cases.ts";
import { CHUNKED_CASES } from "../../core/http1/test/body.cases.ts";
import { REQUEST_CASES } from "../../core/http1/test/request.cases.ts";
import { RESPONSE_CASES } from "../../core/http1/test/response.cases.ts";

/** Seeds above this are left out: they are the business of the case tables, and slow to repeat. */
const SEED_CHARS_MAX = 3_000;
/** A request that must never be read as one of its own where it lies inside a body. */
const INNER = "GET /inner HTTP/1.1\r\nHost: inner\r\nX-Real-IP: 192.0.2.7\r\n\r\n";

const CHUNKED_HEAD = "POST /corpus HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
const CHUNKED_ANSWER = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
/** The requests of the case tables by name, and their chunked bodies with a head. */
export const TABLES: readonly (readonly [name: string, bytes: string])[] = [
  ...REQUEST_CASES.map(([name, bytes]) => [name, bytes] as const),
  ...CHUNKED_CASES.map(([name, bytes]) => [name, CHUNKED_HEAD + bytes] as const),
];
const REQUESTS = TABLES.map(([, bytes]) => bytes).filter(isShort);
const RESPONSES = [
  ...RESPONSE_CASES.map(([, bytes]) => bytes),
  ...CHUNKED_CASES.map(([, bytes]) => CHUNKED_ANSWER + bytes),
].filter(isShort);

export const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"];
const BODIED = ["POST", "PUT", "PATCH", "DELETE", "GET", "OPTIONS", "REPORT"];
const PATHS = [
  "/",
  "/a/b",
  "//x",
  "/a%2Fb",
  "/%7euser",
  "/a/./b/../c",
  "/a;p=1/b",
  "/a..b",
  "/~",
].concat("/%41?", "/?", "/a?b=c&d", "/a?b=%zz\\", "/x?http://y/?", "/..", `/${"l".repeat(300)}`);
const HOSTS = ["a", "a.test", "A.Test:80", "[::1]:8080", "127.0.0.1", "a_b.c", "a.:8080"];
const FIELDS = ["Accept: */*", "X-A:", "X-A: \t b \t", "x-high: \x80\xe9\xff", "Cookie: a=b; c=d"]
  .concat("Cookie: e", `X-Long: ${"v".repeat(200)}`, "Via: 1.0 fred", "Via: 1.1 rind, 1.1 x")
  .concat("X-Forwarded-For: 192.0.2.9", "X-Real-IP: 192.0.2.9", "X_Under: 1", "TE: trailers")
  .concat("Connection: x-hop", "X-Hop: gone", "Connection: keep-alive", "Keep-Alive: timeout=5")
  .concat("Max-Forwards: 3", "Authorization: NTLM abc", "Authorization: Basic abc", "Trailer: t")
  .concat("Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQ", "Content-Type: text/plain", "Forwarded: x")
  .concat("X-!#$%&'*+^`|~: odd", "Expect: 100-continue", "Proxy-Connection: keep-alive")
  .concat("Content_Length: 7", "Accept-Encoding: gzip;q=0.5", "X-Original-URL: /admin");
const EXTENSIONS = ["", "", "", ";a", ";a=b", ' ; a = "b;\\"c"', ";a;b=c"];
const TRAILERS = ["X-T: u\r\n", "x-sum: 1\r\nX-Two:\r\n", "X-H: \x80\r\n", "Content-Length: 3\r\n"];
/** Fields of a WebSocket handshake. */
export const HANDSHAKE =
  "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

function isShort(bytes: string): boolean {
  return bytes.length <= SEED_CHARS_MAX;
}

/** One of `from`. */
export function oneOf<T>(from: readonly T[], pick: Random): T {
  return from[pick(from.length)]!;
}

/** One request, from the grammar mostly, else from the tables. */
export function requestSeed(pick: Random): string {
  return pick(4) === 0 ? oneOf(REQUESTS, pick) : grammarRequest(pick);
}

function grammarRequest(pick: Random): string {
  const bodied = pick(2) === 0;
  const version = pick(8) === 0 ? "1.0" : "1.1";
  const host = oneOf(HOSTS, pick);
  const lines = version === "1.0" && pick(3) === 0 ? [] : [`Host: ${host}`];
  if (pick(40) === 0) lines.push(`X-Longer: ${"w".repeat(pick(9_000))}`);
  for (let left = pick(6); left > 0; left--) {
    lines.splice(pick(lines.length + 1), 0, oneOf(FIELDS, pick));
  }
  const method = oneOf(bodied ? BODIED : METHODS, pick);
  const head = `${method} ${target(method, host, pick)} HTTP/${version}\r\n`;
  const before = pick(12) === 0 ? "\r\n" : "";
  if (pick(30) === 0) return `GET /ws HTTP/1.1\r\nHost: ${host}\r\n${HANDSHAKE}\r\n`;
  if (!bodied) return `${before}${head}${lines.map((line) => `${line}\r\n`).join("")}\r\n`;
  const chunked = version === "1.1" && pick(2) === 0;
  const data = bodyData(pick);
  const zeros = "0".repeat(pick(8) === 0 ? 3 : 0);
  const framing = chunked ? "Transfer-Encoding: chunked" : `Content-Length: ${zeros}${data.length}`;
  lines.splice(pick(lines.length + 1), 0, framing);
  const fields = lines.map((line) => `${line}\r\n`).join("");
  return `${before}${head}${fields}\r\n${chunked ? chunks(data, pick) : data}`;
}

function target(method: string, host: string, pick: Random): string {
  if (method === "OPTIONS" && pick(3) === 0) return "*";
  const path = oneOf(PATHS, pick);
  if (pick(8) !== 0) return path;
  return `http://${host}${oneOf(["", "?q", "/", path], pick)}`;
}

function bodyData(pick: Random): string {
  // More than the buffers in which pieces are collected hold at first.
  if (pick(10) === 0) return oneOf(["z", "\r\n", INNER], pick).repeat(9_000).slice(-pick(12_000));
  const kind = pick(5);
  if (kind === 0) return "";
  if (kind === 1) return INNER;
  if (kind === 2) return `0\r\n\r\n${INNER}`;
  if (kind === 3) return "\0\r\n\xff".repeat(1 + pick(5));
  return "x".repeat(1 + pick(40));
}

/** `data` in chunks of any sizes, with extensions and trailers now and then. */
function chunks(data: string, pick: Random): string {
  let text = "";
  for (let at = 0; at < data.length;) {
    const size = 1 + pick(data.length - at);
    const digits = size.toString(16);
    const shown = pick(4) === 0 ? `00${digits.toUpperCase()}` : digits;
    text += `${shown}${oneOf(EXTENSIONS, pick)}\r\n${data.slice(at, at + size)}\r\n`;
    at += size;
  }
  const trailers = pick(4) === 0 ? oneOf(TRAILERS, pick) : "";
  return `${text}0${oneOf(EXTENSIONS, pick)}\r\n${trailers}\r\n`;
}

const STATUSES = [200, 200, 200, 201, 204, 206, 301, 304, 404, 418, 500, 599];
const ANSWER_FIELDS = ["Set-Cookie: a", "Set-Cookie: b", "Server: x", "X-A: \t b", "X-High: \xe9"]
  .concat("Connection: close", "Connection: keep-alive", "Keep-Alive: timeout=5", "X_U: 1")
  .concat("Upgrade: websocket", "Trailer: x", "Via: 1.1 y", "Content_Length: 7", "ETag: W/1")
  .concat("WWW-Authenticate: NTLM", "Location: http://z/", "Date: Thu, 01 Jan 1970 00:00:00 GMT");
const STOLEN = "HTTP/1.1 200 OK\r\nX-Address: stolen\r\nContent-Length: 6\r\n\r\nstolen";

/** The right answer to the handshake above, and what a tunnel might carry. */
const SWITCH =
  "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
  `Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n${STOLEN}`;

/** One response as a backend might mean it, and perhaps what a hostile one puts behind it. */
export function responseSeed(pick: Random): string {
  if (pick(4) === 0) return oneOf(RESPONSES, pick);
  if (pick(20) === 0) return SWITCH;
  const status = oneOf(STATUSES, pick);
  const lines: string[] = [];
  for (let left = pick(5); left > 0; left--) lines.push(oneOf(ANSWER_FIELDS, pick));
  const data = bodyData(pick);
  const framing = pick(5);
  const bodiless = status === 204 || status === 304;
  if (framing < 2) lines.push("Transfer-Encoding: chunked");
  else if (framing < 4) lines.push(`Content-Length: ${data.length}`);
  const interim = pick(8) === 0 ? `HTTP/1.1 ${oneOf([100, 102, 103], pick)} X\r\nA: b\r\n\r\n` : "";
  const first = `HTTP/1.${pick(8) === 0 ? 0 : 1} ${status} Reason\r\n`;
  const body = bodiless ? "" : framing < 2 ? chunks(data, pick) : data;
  const behind = pick(10) === 0 ? STOLEN : "";
  return `${interim}${first}${lines.map((line) => `${line}\r\n`).join("")}\r\n${body}${behind}`;
}
