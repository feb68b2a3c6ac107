/** Chunked bodies, byte by byte: what they decode to, or that they are malformed. */

/** The decoded data and what lies behind the body; `bad`; or `more`: not ended yet. */
export type Decoded = Readonly<{ data: string; rest?: string }> | "bad" | "more";

/** One column a direction: requests are read strictly, responses with one leniency. */
export type BodyCase = readonly [name: string, bytes: string, request: Decoded, response: Decoded];

/** RFC 9112 §7.1. */
export const CHUNKED_CASES: readonly BodyCase[] = [
  both("2.2 chunks: one chunk", "3\r\nabc\r\n0\r\n\r\n", { data: "abc", rest: "" }),
  both("2.2 chunks: no chunk", "0\r\n\r\n", { data: "", rest: "" }),
  both("2.2 chunks: many chunks", "1\r\na\r\n2\r\nbc\r\n3\r\ndef\r\n0\r\n\r\n", { data: "abcdef" }),
  both("2.2 chunks: next message behind it", "1\r\na\r\n0\r\n\r\nGET /", {
    data: "a",
    rest: "GET /",
  }),
  both("2.2 chunks: CRLF behind it", "0\r\n\r\n\r\n", { data: "", rest: "\r\n" }),
  both("2.2 chunks: size in lower case", "a\r\n0123456789\r\n0\r\n\r\n", { data: "0123456789" }),
  both("2.2 chunks: size in upper case", "A\r\n0123456789\r\n0\r\n\r\n", { data: "0123456789" }),
  both("2.2 chunks: size with leading zeros", "0000000000000003\r\nabc\r\n0\r\n\r\n", {
    data: "abc",
  }),
  both("2.2 chunks: last chunk of many zeros", "3\r\nabc\r\n0000\r\n\r\n", {
    data: "abc",
    rest: "",
  }),
  both("2.2 chunks: data that looks like a chunk", "5\r\n0\r\n\r\n\r\n0\r\n\r\n", {
    data: "0\r\n\r\n",
    rest: "",
  }),
  both("2.2 chunks: data of every kind", "4\r\n\0\r\n\xff\r\n0\r\n\r\n", { data: "\0\r\n\xff" }),
  both("2.2 end of stream: nothing", "", "more"),
  both("2.2 end of stream: size alone", "3", "more"),
  both("2.2 end of stream: size and CR", "3\r", "more"),
  both("2.2 end of stream: half the data", "3\r\nab", "more"),
  both("2.2 end of stream: data without CRLF", "3\r\nabc", "more"),
  both("2.2 end of stream: data with CR", "3\r\nabc\r", "more"),
  both("2.2 end of stream: no last chunk", "3\r\nabc\r\n", "more"),
  both("2.2 end of stream: last chunk without end", "3\r\nabc\r\n0\r\n", "more"),
  both("2.2 end of stream: last chunk with CR", "3\r\nabc\r\n0\r\n\r", "more"),
  both("2.2 size: largest size", "1fffffffffffff\r\nabc", "more"),
  both("2.2 size: size beyond 2^53-1", "20000000000000\r\nabc", "bad"),
  both("2.2 size: size of 2^64", "10000000000000000\r\nabc", "bad"),
  both("2.2 size: size of 2^64 + 3", "10000000000000003\r\nabc\r\n0\r\n\r\n", "bad"),
  both("2.2 size: size of 17 digits", "00000000000000003\r\nabc\r\n0\r\n\r\n", "bad"),
  both("2.2 size: size of f", "ffffffffffffffff\r\nabc", "bad"),
  both("2.2 size: size without end", "0".repeat(400), "bad"),
  both("2.2 size: size 0x3", "0x3\r\nabc\r\n0\r\n\r\n", "bad"),
  both("2.2 size: size +3", "+3\r\nabc\r\n0\r\n\r\n", "bad"),
  both("2.2 size: size -3", "-3\r\nabc\r\n0\r\n\r\n", "bad"),
  both("2.2 size: size 0_3", "0_3\r\nabc\r\n0\r\n\r\n", "bad"),
  both("2.2 size: size 3g", "3g\r\nabc\r\n0\r\n\r\n", "bad"),
  both("2.2 size: size 3.0", "3.0\r\nabc\r\n0\r\n\r\n", "bad"),
  both("2.2 size: size in superscript", "\xb3\r\nabc\r\n0\r\n\r\n", "bad"),
  both("2.2 size: size in quotes", '"3"\r\nabc\r\n0\r\n\r\n', "bad"),
  both("2.2 size: empty size", "\r\nabc\r\n0\r\n\r\n", "bad"),
  both("2.2 size: empty second size", "3\r\nabc\r\n\r\n0\r\n\r\n", "bad"),
  both("2.2 size: space before the size", " 3\r\nabc\r\n0\r\n\r\n", "bad"),
  both("2.2 size: tab before the size", "\t3\r\nabc\r\n0\r\n\r\n", "bad"),
  both("2.2 size: space inside the size", "1 0\r\n0123456789abcdef\r\n0\r\n\r\n", "bad"),
  apart("2.2 space: space after the size", "3 \r\nabc\r\n0\r\n\r\n", "bad", {
    data: "abc",
    rest: "",
  }),
  apart("2.2 space: tab after the size", "3\t\r\nabc\r\n0\r\n\r\n", "bad", {
    data: "abc",
    rest: "",
  }),
  apart("2.2 space: spaces after the size", "3   \r\nabc\r\n0 \r\n\r\n", "bad", {
    data: "abc",
    rest: "",
  }),
  both("2.2 size: no-break space after the size", "3\xa0\r\nabc\r\n0\r\n\r\n", "bad"),
  both("2.2 size: vertical tab after the size", "3\x0b\r\nabc\r\n0\r\n\r\n", "bad"),
  both("2.2 size: bare LF ends the size", "3\nabc\r\n0\r\n\r\n", "bad"),
  both("2.2 size: bare CR ends the size", "3\rabc\r\n0\r\n\r\n", "bad"),
  both("2.2 size: CR CR LF ends the size", "3\r\r\nabc\r\n0\r\n\r\n", "bad"),
  both("2.2 size: NUL in the size", "3\0\r\nabc\r\n0\r\n\r\n", "bad"),
  both("2.2 data: more data than the size", "3\r\nabcd\r\n0\r\n\r\n", "bad"),
  both("2.2 data: less data than the size", "4\r\nabc\r\n0\r\n\r\n", "bad"),
  both("2.2 data: bare LF ends the data", "3\r\nabc\n0\r\n\r\n", "bad"),
  both("2.2 data: bare CR ends the data", "3\r\nabc\r0\r\n\r\n", "bad"),
  both("2.2 data: nothing ends the data", "3\r\nabc0\r\n\r\n", "bad"),
  both("2.2 data: two other bytes end the data", "3\r\nabcXX0\r\n\r\n", "bad"),
  both("2.2 line end: bare LF ends the last chunk", "0\n\r\n", "bad"),
  both("2.2 line end: bare LF ends the body", "0\r\n\n", "bad"),
  both("2.2 line end: bare CR ends the body", "0\r\n\rX\r\n\r\n", "bad"),
  both("2.2 line end: two bytes end the body", "0\r\nXX", "more"),
  both("2.2 line end: two bytes and CRLF end the body", "0\r\nXX\r\n\r\n", "bad"),
  both("2.2 extension: extension", "3;a\r\nabc\r\n0\r\n\r\n", { data: "abc" }),
  both("2.2 extension: extension with a value", "3;a=b\r\nabc\r\n0;c=d\r\n\r\n", { data: "abc" }),
  both("2.2 extension: extension in quotes", '3;a="b;c"\r\nabc\r\n0\r\n\r\n', { data: "abc" }),
  both("2.2 extension: extension with an escape", '3;a="b\\"c"\r\nabc\r\n0\r\n\r\n', {
    data: "abc",
  }),
  both("2.2 extension: extensions", '3;a;b=c;d="e"\r\nabc\r\n0\r\n\r\n', { data: "abc" }),
  both("2.2 extension: extension in white space", "3 ; a = b\r\nabc\r\n0\r\n\r\n", { data: "abc" }),
  both("2.2 extension: extension empty", "3;\r\nabc\r\n0\r\n\r\n", "bad"),
  both("2.2 extension: extension without a name", "3;=b\r\nabc\r\n0\r\n\r\n", "bad"),
  both("2.2 extension: extension without a value", "3;a=\r\nabc\r\n0\r\n\r\n", "bad"),
  both("2.2 extension: quote not closed", '3;a="b\r\nabc\r\n0\r\n\r\n', "bad"),
  both("2.2 extension: quote and a tail", '3;a="b"c\r\nabc\r\n0\r\n\r\n', "bad"),
  both("2.2 extension: quote inside a value", '3;a=b"c"\r\nabc\r\n0\r\n\r\n', "bad"),
  both("2.2 extension: escape at the end", '3;a="b\\\r\nabc\r\n0\r\n\r\n', "bad"),
  both("2.2 extension: bare LF in an extension", "3;a\nabc\r\n0\r\n\r\n", "bad"),
  both("2.2 extension: bare LF in a quote", '3;a="\n"\r\nabc\r\n0\r\n\r\n', "bad"),
  both("2.2 extension: bare CR in an extension", "3;a\rb\r\nabc\r\n0\r\n\r\n", "bad"),
  both("2.2 extension: bare CR in a quote", '3;a="\r"\r\nabc\r\n0\r\n\r\n', "bad"),
  both("2.2 extension: CR CR LF ends an extension", "3;a\r\r\nabc\r\n0\r\n\r\n", "bad"),
  both("2.2 extension: NUL in an extension", "3;a\0\r\nabc\r\n0\r\n\r\n", "bad"),
  both("2.2 extension: DEL in a quote", '3;a="\x7f"\r\nabc\r\n0\r\n\r\n', "bad"),
  both("2.2 extension: high byte in an extension name", "3;\xe9\r\nabc\r\n0\r\n\r\n", "bad"),
  both("2.2 extension: two words in an extension", "3;a b\r\nabc\r\n0\r\n\r\n", "bad"),
  both("2.2 extension: comma for a semicolon", "3,a\r\nabc\r\n0\r\n\r\n", "bad"),
  both("2.2 extension: extension of 200", `3;${"a".repeat(200)}\r\nabc\r\n0\r\n\r\n`, {
    data: "abc",
  }),
  both("2.2 extension: extension of 300", `3;${"a".repeat(300)}\r\nabc\r\n0\r\n\r\n`, "bad"),
  both("2.2 extension: extension without end", `3;${"a".repeat(2000)}`, "bad"),
  both(
    "2.2 overhead: more extension than data",
    `1;${"a".repeat(200)}\r\nx\r\n`.repeat(100),
    "bad",
  ),
  both("2.2 overhead: tiny chunks", `${"1\r\nx\r\n".repeat(500)}0\r\n\r\n`, {
    data: "x".repeat(500),
  }),
  both("2.2 overhead: a long stream of tiny chunks", `${"1\r\nx\r\n".repeat(20_000)}0\r\n\r\n`, {
    data: "x".repeat(20_000),
  }),
  both("2.2 trailer: trailer", "0\r\nA: b\r\n\r\n", { data: "", rest: "" }),
  both("2.2 trailer: trailers", "1\r\nx\r\n0\r\nA: b\r\nC: \xe9\r\n\r\nGET", {
    data: "x",
    rest: "GET",
  }),
  both("2.2 trailer: trailer without an end", "0\r\nA: b\r\n", "more"),
  both("2.2 trailer: trailer without a colon", "0\r\nAb\r\n\r\n", "bad"),
  both("2.2 trailer: trailer without a name", "0\r\n: b\r\n\r\n", "bad"),
  both("2.2 trailer: trailer folded", "0\r\nA: b\r\n c\r\n\r\n", "bad"),
  both("2.2 trailer: trailer starts with a space", "0\r\n A: b\r\n\r\n", "bad"),
  both("2.2 trailer: bare LF ends a trailer", "0\r\nA: b\n\r\n", "bad"),
  both("2.2 trailer: bare CR in a trailer", "0\r\nA: b\rc\r\n\r\n", "bad"),
  both("2.2 trailer: NUL in a trailer", "0\r\nA: \0\r\n\r\n", "bad"),
  both("2.2 trailer: 32 trailers", `0\r\n${"A: b\r\n".repeat(32)}\r\n`, { data: "" }),
  both("2.2 trailer: 33 trailers", `0\r\n${"A: b\r\n".repeat(33)}\r\n`, "bad"),
  both(
    "2.2 trailer: trailers of 9000",
    `0\r\n${`A: ${"v".repeat(895)}\r\n`.repeat(10)}\r\n`,
    "bad",
  ),
  both("2.2 trailer: trailer without end", `0\r\nA: ${"v".repeat(9000)}`, "bad"),
  both("2.2 trailer: space before the colon of a trailer", "0\r\nA : b\r\n\r\n", "bad"),
];

function both(name: string, bytes: string, decoded: Decoded): BodyCase {
  return [name, bytes, decoded, decoded];
}

function apart(name: string, bytes: string, request: Decoded, response: Decoded): BodyCase {
  return [name, bytes, request, response];
}
