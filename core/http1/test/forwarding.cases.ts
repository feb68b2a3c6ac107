/**
 * What travels on and what stays here (RFC 9110 §7.6): the lines a peer sends, and those of them
 * that the other side sees, in order. What rind writes itself is not listed.
 */

/** `first` is the first line. `lines` and `seen` are header lines without their CRLF. */
export type ForwardingCase = readonly [
  name: string,
  first: string,
  lines: readonly string[],
  seen: readonly string[],
];

const GET = "GET /x HTTP/1.1";
const OPTIONS = "OPTIONS /x HTTP/1.1";

/** Rows where nothing travels. */
const gone = (name: string, ...lines: string[]): ForwardingCase => [name, GET, lines, []];
/** Rows where all of it travels. */
const kept = (name: string, ...lines: string[]): ForwardingCase => [name, GET, lines, lines];

/** Names that are ours to write. Each is removed as it is, in other case, and as an alias. */
const MANAGED = [
  "X-Forwarded-For",
  "X-Forwarded-Host",
  "X-Forwarded-Proto",
  "X-Forwarded-Port",
  "X-Forwarded-Prefix",
  "X-Forwarded-Scheme",
  "X-Forwarded-Server",
  "X-Forwarded-Uri",
  "X-Forwarded-Method",
  "X-Forwarded-Ssl",
  "X-Forwarded-Tls-Client-Cert",
  "X-Forwarded-Tls-Client-Cert-Info",
  "X-Forwarded-Tls-Client-Cert-Anything",
  "X-Real-IP",
  "X-Original-URL",
  "X-Original-Method",
  "X-Original-Forwarded-For",
  "Forwarded",
  "ssl-client-verify",
  "ssl-client-subject-dn",
  "ssl-client-issuer-dn",
  "ssl-client-fingerprint",
  "ssl-client-cert",
  "Client-Cert",
  "Client-Cert-Chain",
];

const managed = (name: string): ForwardingCase =>
  gone(
    `managed: ${name}`,
    `${name}: evil`,
    `${name.toUpperCase()}: evil`,
    `${name.toLowerCase()}:evil`,
    `${name.replaceAll("-", "_")}_: evil`,
    `${name.replaceAll("-", "_")}.: evil`,
    `${name.replaceAll("-", ".")}~: evil`,
  );

/** A request of a client that nobody trusts. `Host: a` stands before these lines. */
export const REQUEST_FORWARDING: readonly ForwardingCase[] = [
  ["nominated", GET, ["Connection: X-A, b", "X-A: 1", "C: 2", "B: 3", "x-a: 4"], ["C: 2"]],
  ["nominated on two lines", GET, ["Connection: a", "A: 1", "Connection: b", "B: 2"], []],
  ["nominated before and after", GET, ["A: 1", "Connection: close, A", "A: 2", "B: 3"], ["B: 3"]],
  gone("nominated Cookie", "Connection: cookie", "Cookie: a=1"),
  gone("nominated Via", "Connection: via", "Via: 1.1 x"),
  ["nominated close is no name", GET, ["Connection: close", "Close: 1"], ["Close: 1"]],
  gone("hop: Connection", "Connection: keep-alive"),
  gone("hop: Keep-Alive", "Keep-Alive: timeout=5"),
  gone("hop: Proxy-Connection", "Proxy-Connection: keep-alive"),
  gone("hop: TE", "TE: trailers", "TE: gzip"),
  gone("hop: TE with its nomination", "TE: trailers", "Connection: TE"),
  gone("hop: Trailer", "Trailer: A"),
  gone("hop: Upgrade", "Upgrade: h2c", "Connection: upgrade"),
  gone("hop: Upgrade to another protocol", "Upgrade: foo/2", "Connection: Upgrade"),
  gone("hop: HTTP2-Settings", "HTTP2-Settings: AAMAAABk"),
  gone("hop: Proxy-Authenticate", "Proxy-Authenticate: Basic"),
  gone("hop: Expect", "Expect: 100-continue"),
  ["hop: Expect on 1.0", "GET /x HTTP/1.0", ["Expect: x"], []],
  kept("end to end: Authorization", "Authorization: Basic eA=="),
  kept("end to end: Cookie, line by line", "Cookie: a=1", "Cookie: b=2"),
  kept("end to end: bytes of the value", "A: \x80\xff", "B:  c \t d", "C:"),
  kept("end to end: names like ours", "X-Forwarded-Fo: 1", "X-Origin: 2", "X-Originals: 3"),
  kept(
    "end to end: not of ours",
    "Client-Certs: 1",
    "SSL-Client: 2",
    "Strict-Transport-Security: 3",
  ),
  kept("end to end: longer than ours", "X-Forwarded-Forx: 1", "X-Real-IPs: 2", "Forwarded2: 3"),
  ...MANAGED.map(managed),
  gone("odd names", "Some_Name: 1", "a.b: 2", "__proto__: 3", "a!: 4", "_: 5"),
  ["odd name between", GET, ["A: 1", "B_C: 2", "D: 3"], ["A: 1", "D: 3"]],
  kept("via: of others", "Via: 1.0 fred, 1.1 p.example"),
  ["Max-Forwards of OPTIONS", OPTIONS, ["Max-Forwards: 7", "A: 1"], ["A: 1", "Max-Forwards: 6"]],
  ["Max-Forwards of OPTIONS, 1", OPTIONS, ["Max-Forwards: 1"], ["Max-Forwards: 0"]],
  [
    "Max-Forwards of OPTIONS, twice",
    OPTIONS,
    ["Max-Forwards: 9", "Max-Forwards: 4"],
    ["Max-Forwards: 3"],
  ],
  ["Max-Forwards of OPTIONS, no number", OPTIONS, ["Max-Forwards: x"], ["Max-Forwards: x"]],
  kept("Max-Forwards of GET", "Max-Forwards: 0"),
];

const OK = "HTTP/1.1 200 OK";
const given = (name: string, ...lines: string[]): ForwardingCase => [name, OK, lines, lines];
const taken = (name: string, ...lines: string[]): ForwardingCase => [name, OK, lines, []];

/** A response of a backend: what the client sees. */
export const RESPONSE_FORWARDING: readonly ForwardingCase[] = [
  given("end to end: Set-Cookie, line by line", "Set-Cookie: a=1", "Set-Cookie: b=2"),
  given("end to end: order and bytes", "B: 1", "A: \x80\xff", "B:  2 \t 3", "C:"),
  given("end to end: odd names", "Some_Name: 1", "a.b: 2", "__proto__: 3"),
  given("end to end: names that are ours in requests", "X-Forwarded-For: 1", "X-Real-IP: 2"),
  given("end to end: Strict-Transport-Security", "Strict-Transport-Security: max-age=1"),
  given("end to end: names that are ours", "SSL-Client-Verify: 1", "Client-Cert: 2"),
  given("end to end: WWW-Authenticate", "WWW-Authenticate: Basic"),
  given("end to end: Date and Server", "Date: x", "Server: y", "Via: 1.1 z"),
  ["nominated", OK, ["Connection: X-Hop", "X-Hop: 1", "A: 2", "x-hop: 3"], ["A: 2"]],
  ["nominated: Date", OK, ["Connection: date", "Date: x", "A: 2"], ["A: 2"]],
  taken("nominated and managed", "Connection: x-forwarded-for", "X-Forwarded-For: 1"),
  taken("hop: Connection", "Connection: keep-alive"),
  taken("hop: Keep-Alive", "Keep-Alive: timeout=5"),
  taken("hop: Proxy-Connection", "Proxy-Connection: keep-alive"),
  taken("hop: Proxy-Authenticate", "Proxy-Authenticate: Basic"),
  taken("hop: Trailer", "Trailer: A"),
  taken("hop: TE", "TE: trailers"),
  taken("hop: Upgrade", "Upgrade: h2c"),
  taken("hop: HTTP2-Settings", "HTTP2-Settings: AAMAAABk"),
  taken("alias: Content_Length", "Content_Length: 9"),
  taken("alias: Transfer.Encoding", "Transfer.Encoding: chunked", "transfer_encoding: chunked"),
  taken("alias: in capitals", "CONTENT~LENGTH: 9"),
  ["reason is ours", "HTTP/1.1 200 Very\tFine \xe9", ["A: 1"], ["A: 1"]],
  ["no reason", "HTTP/1.1 200", ["A: 1"], ["A: 1"]],
];
