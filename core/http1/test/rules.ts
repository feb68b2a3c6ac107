/**
 * The map from the rules of HTTP/1.1 to the cases that hold them. A rule without a case is a gap,
 * and a case of no rule is a rule that nobody wrote down.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { CHUNKED_CASES } from "./body.cases.ts";
import { REQUEST_FORWARDING, RESPONSE_FORWARDING } from "./forwarding.cases.ts";
import { REQUEST_CASES } from "./request.cases.ts";
import { RESPONSE_CASES } from "./response.cases.ts";
import { TRAILER_CASES } from "./trailers.cases.ts";

type Tables = readonly (readonly [table: string, names: readonly string[]])[];

const names = (cases: readonly (readonly [string, ...unknown[]])[]): string[] =>
  cases.map(([name]) => name);

const TABLES: Tables = [
  ["request", names(REQUEST_CASES)],
  ["response", names(RESPONSE_CASES)],
  ["chunked", names(CHUNKED_CASES)],
  ["trailers", names(TRAILER_CASES)],
  ["request fields", names(REQUEST_FORWARDING)],
  ["response fields", names(RESPONSE_FORWARDING)],
];

/** Rows: the table that holds a rule, how its cases' names start, and the rule. */
const RULES: readonly (readonly [string, string, string])[] = [
  ["request", "2.1 F1 ", "a coding in HTTP/1.0 is refused"],
  ["request", "2.1 F2 ", "a coding and a length are refused"],
  ["request", "2.1 F3 ", "a second coding line is refused"],
  ["request", "2.1 F4 ", "chunked, in any case, with white space around it"],
  ["request", "2.1 F5 ", "another coding is not implemented"],
  ["request", "2.1 F6 ", "what is no coding is refused"],
  ["request", "2.1 F7 ", "a second length is refused, even an equal one"],
  ["request", "2.1 F8 ", "a length is 1 to 19 digits"],
  ["request", "2.1 F9 ", "and at most 2^53 - 1"],
  ["request", "2.1 F10 ", "and travels in canonical form"],
  ["request", "2.1 F11 ", "neither is no body"],
  ["request", "2.1 F12 ", "any method may have a body"],
  ["request", "2.1 F13 ", "but TRACE, CONNECT and a handshake"],
  ["request", "2.1 alias:", "other spellings of framing fields are refused"],
  ["chunked", "2.2 chunks:", "chunks"],
  ["chunked", "2.2 size:", "1 to 16 hexadecimal digits, at most 2^53 - 1"],
  ["chunked", "2.2 space:", "white space behind a size, in responses only"],
  ["chunked", "2.2 extension:", "extensions are checked and dropped, 256 bytes a line"],
  ["chunked", "2.2 overhead:", "at most 16 KiB and twice the data"],
  ["chunked", "2.2 line end:", "CRLF only"],
  ["chunked", "2.2 data:", "CRLF behind the data"],
  ["chunked", "2.2 trailer:", "trailers obey the rules of fields, 32 lines, 8 KiB"],
  ["chunked", "2.2 end of stream:", "an unfinished body is unfinished"],
  ["trailers", "forbidden:", "names that frame, route, authenticate or belong to a hop"],
  ["trailers", "unfit:", "names that control the response"],
  ["trailers", "fit:", "other trailers are relayed to those who ask"],
  ["trailers", "nominated", "but not what Connection names"],
  ["request", "2.3 grammar:", "method SP target SP version CRLF"],
  ["request", "2.3 empty lines:", "at most two before it"],
  ["request", "2.3 method:", "a token of at most 32"],
  ["request", "2.3 version:", "HTTP/1.1 or HTTP/1.0"],
  ["request", "2.3 bytes:", "of a target: 0x21 to 0x7E without #"],
  ["request", "2.3 length:", "of a target: 8192"],
  ["request", "2.3 origin:", "origin-form"],
  ["request", "2.3 absolute:", "absolute-form, which agrees with Host"],
  ["request", "2.3 other form:", "no other form"],
  ["request", "2.3 star:", "* for OPTIONS only"],
  ["request", "2.4 line end:", "CRLF only"],
  ["request", "2.4 name:", "a token, and the colon right behind it"],
  ["request", "2.4 value:", "no control bytes, no folds"],
  ["request", "2.4 OWS:", "SP and HTAB are trimmed, nothing else"],
  ["request", "2.4 limits:", "128 lines, 16 KiB a line, 64 KiB, names of 256"],
  ["request", "2.4 order:", "kept, and never merged"],
  ["response", "2.4 fields:", "the same for responses"],
  ["request", "2.5 host:", "exactly one, and unambiguous"],
  ["response", "2.6 status line:", "version, three digits, any reason"],
  ["response", "2.6 framing:", "what cannot be framed is 502"],
  ["response", "2.6 connection:", "and who is kept"],
  ["response fields", "reason", "reason phrases are ours"],
  ["request", "2.7 connection:", "options are tokens, 64 of them, and name no framing"],
  ["request fields", "nominated", "what Connection names stays here"],
  ["response fields", "nominated", "in responses as well"],
  ["request fields", "hop:", "fields of one hop stay here"],
  ["response fields", "hop:", "in responses as well"],
  ["request fields", "managed:", "ours to write, under any spelling"],
  ["request fields", "odd name", "names read in two ways stay here"],
  ["response fields", "alias:", "other spellings of framing fields stay here"],
  ["request fields", "end to end:", "everything else travels"],
  ["response fields", "end to end:", "in responses as well"],
  ["request fields", "via:", "Via grows"],
  ["request", "2.7 via:", "and ends a loop"],
  ["request fields", "Max-Forwards", "counts down for OPTIONS"],
  ["request", "2.8 expect:", "100-continue and nothing else"],
  ["request", "2.8 upgrade:", "to WebSocket 13 and nothing else"],
  ["request", "2.9 path:", "canonical, or refused"],
  ["response", "7.3 keep-alive:", "how long a backend keeps its connection"],
];

/** Rows: a rule that only sockets can show, a file below test/wire, the start of a test there. */
const OVER_SOCKETS: readonly (readonly [string, string, string])[] = [
  ["a body beyond the route's limit is 413", "bodies", "F9 a body beyond"],
  ["an early answer leaves no request behind", "bodies", "F14 an early answer to a small body"],
  ["a body is framed anew", "bodies", "F4 a chunked request is chunked again"],
  ["a broken body never completes upstream", "bodies", "2.2 a malformed body never completes"],
  ["trailers of a response", "trailers", "every rule about the trailers of a response"],
  ["trailers of a request", "trailers", "every rule about the trailers of a request"],
  ["a bad response is 502, and its connection is not kept", "upstream", "2.6 an invalid response"],
  ["a coding beside a length", "bodies", "2.6 response: coding beside a length"],
  ["until close", "bodies", "2.6 response: until close becomes chunked"],
  ["until close, cut", "bodies", "2.6 a response until close that is cut"],
  ["HEAD, 204 and 304 have no body", "upstream", "2.6 ${name} is dropped, and its connection"],
  ["closed inside a head", "upstream", "2.6 upstream sends ${name} and leaves"],
  ["closed inside a body", "bodies", "2.6 a response cut by"],
  ["more bytes than the response", "upstream", "2.6 bytes behind a response"],
  ["bytes while idle", "upstream", "2.6 a byte on an idle connection"],
  ["interim responses", "responses", "2.6 interim responses go to clients that know them"],
  ["authentication of a connection", "upstream", "2.6 ${name} is the last of its upstream"],
  ["limits of a request head", "fields", "2.4 limits of a request head can be set"],
];

/** Trailer cases about syntax, and a reason that is missing: they belong to rules above. */
const SHARED = /^(none|in order|unfit|forbidden|malformed|space|folded|bare|NUL|name|\d|no r)/;
/^(none|in order|unfit |forbidden|malformed|space|folded|bare|NUL|name of|\d+ |no reason)/;

test("every rule has a case", () => {
  for (const [table, start, rule] of RULES) {
    const [, cases] = TABLES.find(([name]) => name === table)!;
    assert.ok(
      cases.some((name) => name.startsWith(start)),
      `${table} ${start} ${rule}`,
    );
  }
});

test("rules that only sockets can show have a test there", async () => {
  for (const [rule, file, start] of OVER_SOCKETS) {
    const source = await Bun.file(`${import.meta.dir}/../../../test/wire/${file}.ts`).text();
    const found = source.includes(`test("${start}`) || source.includes(`test(\`${start}`);
    assert.ok(found, `${rule}: ${file}: ${start}`);
  }
});

test("every case has a rule", () => {
  for (const [table, cases] of TABLES) {
    const starts = RULES.filter(([name]) => name === table).map(([, start]) => start);
    for (const name of cases) {
      const held = starts.some((start) => name.startsWith(start)) || SHARED.test(name);
      assert.ok(held, `${table}: ${name}`);
    }
  }
});

test("no two cases of a table have one name", () => {
  for (const [table, cases] of TABLES) {
    const twice = cases.filter((name, i) => cases.indexOf(name) !== i);
    assert.equal(twice, [], table);
  }
});

test.run();
