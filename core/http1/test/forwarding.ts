/** What travels on and what stays here, through parser and writer. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { readMessage } from "../../../test/message.ts";
import { NAME_DROPPED, OK } from "../../fault.ts";
import { Head } from "../../head.ts";
import { Slab } from "../../slab.ts";
import { tallied } from "../../tally.ts";
import { NO_BODY } from "../body.ts";
import { forwardedLines } from "../forwarded.ts";
import { parseRequest } from "../request.ts";
import { parseResponse } from "../response.ts";
import { SAY_NOTHING, writeRequest, writeResponse } from "../write.ts";
import { REQUEST_FORWARDING, RESPONSE_FORWARDING } from "./forwarding.cases.ts";

const FORWARDED = forwardedLines({ address: "192.0.2.1", port: 8000, scheme: "http" });
/** What stands in every forwarded request. */
const OURS = [
  "Host: a",
  "X-Forwarded-For: 192.0.2.1",
  "X-Real-IP: 192.0.2.1",
  "X-Forwarded-Proto: http",
  "X-Forwarded-Port: 8000",
  "X-Forwarded-Host: a",
];

/** What a response gets that came without (RFC 9110 §6.6.1). */
const NOW = "Date: now";
const DATE = /^Date: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$/;

const parsed = (text: string, parse: (head: Head, available: number) => number): Head => {
  const head = new Head();
  const bytes = Buffer.from(text, "latin1");
  head.reset(bytes, 0);
  assert.is(parse(head, bytes.length), OK, text);
  return head;
};

/** The lines of what was written, as they stand there. */
const linesOf = (slab: Slab, response: boolean): string[] => {
  const bytes = Buffer.from(slab.bytes.subarray(0, slab.end));
  const message = readMessage(bytes, { response, bodiless: true, ended: true });
  assert.is(message?.size, bytes.length);
  return bytes.toString("latin1").split("\r\n").slice(1, -2);
};

for (const [name, first, lines, seen] of REQUEST_FORWARDING) {
  test(`2.7 request: ${name}`, () => {
    const head = parsed(`${[first, "Host: a", ...lines].join("\r\n")}\r\n\r\n`, parseRequest);
    const slab = new Slab();
    writeRequest(slab, head, FORWARDED, false);
    const via = first.endsWith("0") ? "Via: 1.0 rind" : "Via: 1.1 rind";
    const written = linesOf(slab, false);
    for (const line of [...OURS, via]) {
      const at = written.lastIndexOf(line);
      assert.ok(at >= 0, `${line} is missing`);
      written.splice(at, 1);
    }
    assert.equal(written, seen);
  });
}

for (const [name, first, lines, seen] of RESPONSE_FORWARDING) {
  test(`2.7 response: ${name}`, () => {
    const head = parsed(`${[first, ...lines].join("\r\n")}\r\n\r\n`, parseResponse);
    const slab = new Slab();
    writeResponse(slab, head, NO_BODY, SAY_NOTHING);
    const dated = seen.some((line) => line.startsWith("Date:")) ? seen : [...seen, NOW];
    assert.equal(
      linesOf(slab, true).map((line) => line.replace(DATE, NOW)),
      dated,
    );
    assert.is(slab.bytes.toString("latin1", 0, 17), "HTTP/1.1 200 OK\r\n", "the reason is ours");
  });
}

test("2.4 a field that is left out for its name is counted, in requests only", () => {
  const before = tallied(NAME_DROPPED);
  parsed("GET / HTTP/1.1\r\nHost: a\r\nA_b: 1\r\nC.d: 2\r\nE-f: 3\r\n\r\n", parseRequest);
  assert.is(tallied(NAME_DROPPED), before + 2);
  parsed("HTTP/1.1 200 OK\r\nA_b: 1\r\n\r\n", parseResponse);
  assert.is(tallied(NAME_DROPPED), before + 2);
});

test.run();
