/** Response heads of backends and what becomes of them: one row a rule, a 502 or the facts. */

/** What a head that is accepted must say. Fields that are left out are not looked at. */
export type ResponseFacts = Readonly<{
  status?: number;
  minor?: number;
  /** -1: no Content-Length. */
  length?: number;
  chunked?: boolean;
  /** Seconds of `Keep-Alive: timeout`; -1: none. */
  keepAlive?: number;
  /** Whether the backend's connection may carry another request. */
  kept?: boolean;
  /** Header lines as `name: value`, all of them, in order. */
  fields?: readonly string[];
  /** Bytes behind the head. */
  rest?: string;
}>;

/** `bytes` is latin1; `false` is a head that must not be accepted: the client gets 502. */
export type ResponseCase = readonly [name: string, bytes: string, expected: ResponseFacts | false];

const line = (first: string): string => `${first}\r\n\r\n`;
const ok = (fields: string): string => `HTTP/1.1 200 OK\r\n${fields}\r\n`;
const te = (value: string): string => ok(`Transfer-Encoding:${value}\r\n`);
const cl = (value: string): string => ok(`Content-Length:${value}\r\n`);

const LINE: readonly ResponseCase[] = [
  ["smallest", line("HTTP/1.1 200 OK"), { status: 200, minor: 1, length: -1, chunked: false }],
  ["minor version 0", line("HTTP/1.0 200 OK"), { status: 200, minor: 0 }],
  ["a first byte of another protocol", "\0\0\x12\x04", false],
  ["no reason", line("HTTP/1.1 204 "), { status: 204 }],
  ["no reason, no space", line("HTTP/1.1 204"), { status: 204 }],
  ["reason of words", line("HTTP/1.1 404 Not Found at all"), { status: 404 }],
  ["reason with high bytes", line("HTTP/1.1 200 d\xe9j\xe0 vu"), { status: 200 }],
  ["reason with tab", line("HTTP/1.1 200 a\tb"), { status: 200 }],
  ["status 100", line("HTTP/1.1 100 Continue"), { status: 100 }],
  ["status 599", line("HTTP/1.1 599 x"), { status: 599 }],
  ["status 099", line("HTTP/1.1 099 x"), false],
  ["status 000", line("HTTP/1.1 000 x"), false],
  ["status of two digits", line("HTTP/1.1 20 OK"), false],
  ["status of four digits", line("HTTP/1.1 2000 OK"), false],
  ["status with sign", line("HTTP/1.1 +20 OK"), false],
  ["status of letters", line("HTTP/1.1 2xx OK"), false],
  ["status in hexadecimal", line("HTTP/1.1 0xc8 OK"), false],
  ["no status", line("HTTP/1.1 OK"), false],
  ["version alone", line("HTTP/1.1"), false],
  ["tab before the status", line("HTTP/1.1\t200 OK"), false],
  ["tab after the status", line("HTTP/1.1 200\tOK"), false],
  ["NUL in the reason", line("HTTP/1.1 200 O\0K"), false],
  ["control byte in the reason", line("HTTP/1.1 200 O\x1bK"), false],
  ["bare CR in the reason", line("HTTP/1.1 200 O\rK"), false],
  ["bare LF ends the line", "HTTP/1.1 200 OK\nA: b\r\n\r\n", false],
  ["CR CR LF ends the line", "HTTP/1.1 200 OK\r\r\nA: b\r\n\r\n", false],
  ["empty line before", `\r\n${line("HTTP/1.1 200 OK")}`, false],
  ["space before", line(" HTTP/1.1 200 OK"), false],
  ["HTTP/2.0", line("HTTP/2.0 200 OK"), false],
  ["HTTP/0.9", line("HTTP/0.9 200 OK"), false],
  ["HTTP/1.10", line("HTTP/1.10 200 OK"), false],
  ["HTTP/11", line("HTTP/11 200 OK"), false],
  ["lower case", line("http/1.1 200 OK"), false],
  ["ICY", line("ICY 200 OK"), false],
  ["a page and no head", "<html><body>hello</body></html>\r\n\r\n", false],
  [
    "HTTP/2 settings frame",
    "\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x80\0\x04\0\x01\0\0\r\n\r\n",
    false,
  ],
  ["TLS alert", "\x15\x03\x01\0\x02\x02\x46\r\n\r\n", false],
  ["SSH greeting", "SSH-2.0-OpenSSH_9.2p1\r\n\r\n", false],
  ["request", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", false],
  ["line without end", `HTTP/1.1 200 ${"r".repeat(140_000)}`, false],
];

const FIELD_CASES: readonly ResponseCase[] = [
  [
    "in order, apart",
    ok("Set-Cookie: a\r\nB: c\r\nSet-Cookie: d\r\n"),
    { fields: ["Set-Cookie: a", "B: c", "Set-Cookie: d"] },
  ],
  ["white space around a value", ok("A: \t b \t\r\n"), { fields: ["A: b"] }],
  ["empty value", ok("A:\r\n"), { fields: ["A: "] }],
  ["high bytes", ok("A: \x80\xff\r\n"), { fields: ["A: \x80\xff"] }],
  ["underscore in a name", ok("A_b: c\r\n"), { fields: ["A_b: c"] }],
  ["bytes behind the head", `${ok("")}abc`, { rest: "abc" }],
  ["bare LF ends a field", "HTTP/1.1 200 OK\r\nA: b\nC: d\r\n\r\n", false],
  ["bare LFs only", "HTTP/1.1 200 OK\nA: b\n\n", false],
  ["bare CR in a value", ok("A: b\rSet-Cookie: c\r\n"), false],
  ["CR CR LF ends a field", ok("A: b\r\r\n"), false],
  ["empty name", ok(": b\r\n"), false],
  ["no colon", ok("Ab\r\n"), false],
  ["space inside a name", ok("A b: c\r\n"), false],
  ["first field starts with a space", ok(" A: b\r\n"), false],
  ["folded", ok("A: b\r\n c\r\n"), false],
  ["folded with a tab", ok("A: b\r\n\tc\r\n"), false],
  ["fold hides a length", ok("A: b\r\n Content-Length: 5\r\n"), false],
  ["NUL in a value", ok("A: b\0\r\n"), false],
  ["control byte in a value", ok("A: \x08\r\n"), false],
  ["DEL in a value", ok("A: \x7f\r\n"), false],
  ["NUL in a name", ok("A\0: b\r\n"), false],
  ["high byte in a name", ok("\xc1: b\r\n"), false],
  ["256 lines", ok("A: b\r\n".repeat(256)), { status: 200 }],
  ["257 lines", ok("A: b\r\n".repeat(257)), false],
  ["line of 60000", ok(`A: ${"v".repeat(60_000)}\r\n`), { status: 200 }],
  ["line of 70000", ok(`A: ${"v".repeat(70_000)}\r\n`), false],
  ["head of 120000", ok(`A: ${"v".repeat(29_995)}\r\n`.repeat(4)), { status: 200 }],
  ["head of 140000", ok(`A: ${"v".repeat(34_995)}\r\n`.repeat(4)), false],
];

/** RFC 9112 §6.3 as a client sees it. A length beside a coding is dropped, the coding counts. */
const FRAMING: readonly ResponseCase[] = [
  ["length", cl(" 5"), { length: 5, chunked: false }],
  ["length 0", cl(" 0"), { length: 0 }],
  ["length with leading zeros", cl(" 007"), { length: 7 }],
  ["largest length", cl(" 9007199254740991"), { length: 9007199254740991 }],
  ["chunked", te(" chunked"), { chunked: true, length: -1 }],
  ["chunked in capitals", te(" Chunked"), { chunked: true }],
  [
    "coding and length",
    ok("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"),
    { chunked: true },
  ],
  [
    "coding and two lengths",
    ok("Content-Length: 5\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n"),
    false,
  ],
  ["coding and a bad length", ok("Transfer-Encoding: chunked\r\nContent-Length: +5\r\n"), false],
  ["length beyond 2^53-1", cl(" 9007199254740992"), false],
  ["length twice, equal", ok("Content-Length: 5\r\nContent-Length: 5\r\n"), false],
  ["length twice, different", ok("Content-Length: 5\r\nContent-Length: 6\r\n"), false],
  ["length and empty length", ok("Content-Length: 5\r\nContent-Length:\r\n"), false],
  ["length list", cl(" 5, 5"), false],
  ["length plus", cl(" +5"), false],
  ["length minus", cl(" -1"), false],
  ["length empty", cl(""), false],
  ["length hexadecimal", cl(" 0x5"), false],
  ["length with fraction", cl(" 5.0"), false],
  ["length in two words", cl(" 5 5"), false],
  ["length of 20 digits", cl(" 00000000000000000005"), false],
  ["length of 2^64 + 5", cl(" 18446744073709551621"), false],
  ["coding gzip", te(" gzip"), false],
  ["coding identity", te(" identity"), false],
  ["gzip, chunked", te(" gzip, chunked"), false],
  ["chunked not last", te(" chunked, gzip"), false],
  ["coding empty", te(""), false],
  ["coding twice", ok("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), false],
  ["chunked with a tail", te(" chunked,"), false],
  ["chunked with a parameter", te(" chunked;a"), false],
  ["vertical tab before chunked", te("\x0bchunked"), false],
  ["coding on 1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", false],
];

const NTLM = "WWW-Authenticate: NTLM\r\n";

/** RFC 9112 §9.3: what a backend says about its connection. */
const CONNECTION: readonly ResponseCase[] = [
  ["1.1 says nothing", cl(" 0"), { kept: true }],
  ["1.1 close", ok("Content-Length: 0\r\nConnection: close\r\n"), { kept: false }],
  ["1.1 close in a list", ok("Content-Length: 0\r\nConnection: a , CLOSE\r\n"), { kept: false }],
  ["1.1 close and keep-alive", ok("Connection: keep-alive, close\r\n"), { kept: false }],
  ["1.0 says nothing", "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", { kept: false }],
  [
    "1.0 keep-alive",
    "HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: Keep-Alive\r\n\r\n",
    { kept: true },
  ],
  ["coding and length", ok("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), { kept: false }],
  ["NTLM", ok(`Content-Length: 0\r\n${NTLM}`), { kept: false }],
  ["Negotiate", ok("Content-Length: 0\r\nWWW-Authenticate: negotiate x\r\n"), { kept: false }],
  ["Basic", ok("Content-Length: 0\r\nWWW-Authenticate: Basic\r\n"), { kept: true }],
  [
    "nominates the length",
    ok("Content-Length: 0\r\nConnection: content-length\r\n"),
    { length: 0 },
  ],
  ["64 options", ok(`Connection: ${Array(64).fill("x").join(",")}\r\n`), { status: 200 }],
  ["65 options", ok(`Connection: ${Array(65).fill("x").join(",")}\r\n`), false],
  ["option in quotes", ok('Content-Length: 0\r\nConnection: "close"\r\n'), { kept: true }],
];

const alive = (value: string): string => ok(`Keep-Alive:${value}\r\n`);

/** How long a backend keeps an idle connection: `Keep-Alive: timeout`, delta-seconds. */
const KEEP_ALIVE: readonly ResponseCase[] = [
  ["not said", ok("Connection: keep-alive\r\n"), { keepAlive: -1 }],
  ["said", alive(" timeout=5"), { keepAlive: 5 }],
  ["with max", alive(" timeout=5, max=1000"), { keepAlive: 5 }],
  ["behind max", alive("max=1000 ,\tTimeout=60"), { keepAlive: 60 }],
  ["0", alive(" timeout=0"), { keepAlive: 0 }],
  ["twice, the shorter counts", alive(" timeout=9, timeout=4, timeout=7"), { keepAlive: 4 }],
  ["on two lines", ok("Keep-Alive: timeout=9\r\nKeep-Alive: timeout=4\r\n"), { keepAlive: 4 }],
  ["max alone", alive(" max=5"), { keepAlive: -1 }],
  ["bare number", alive(" 300"), { keepAlive: -1 }],
  ["empty", alive(""), { keepAlive: -1 }],
  ["no number", alive(" timeout="), { keepAlive: -1 }],
  ["white space inside", alive(" timeout = 5"), { keepAlive: -1 }],
  ["fraction", alive(" timeout=1.5"), { keepAlive: -1 }],
  ["sign", alive(" timeout=-5"), { keepAlive: -1 }],
  ["quotes", alive(' timeout="5"'), { keepAlive: -1 }],
  ["ten digits", alive(" timeout=4294967301"), { keepAlive: -1 }],
  ["longer name", alive(" timeouts=5"), { keepAlive: -1 }],
];

const prefix = (what: string, cases: readonly ResponseCase[]): ResponseCase[] =>
  cases.map(([name, bytes, expected]) => [`${what} ${name}`, bytes, expected]);

/** Every rule about a response head, grouped. */
export const RESPONSE_CASES: readonly ResponseCase[] = [
  ...prefix("2.6 status line:", LINE),
  ...prefix("2.4 fields:", FIELD_CASES),
  ...prefix("2.6 framing:", FRAMING),
  ...prefix("2.6 connection:", CONNECTION),
  ...prefix("7.3 keep-alive:", KEEP_ALIVE),
];
