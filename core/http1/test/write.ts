/** Heads on their way out: what was accepted is written with one meaning, and reads back equal. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { OK } from "../../fault.ts";
import { ASTERISK, Head } from "../../head.ts";
import { canonicalPath } from "../../route/path.ts";
import { Slab } from "../../slab.ts";
import { readMessage, valuesOf, type Message } from "../../../test/message.ts";
import { writeAnswer } from "../answer.ts";
import { BY_CHUNKS, BY_CLOSE, BY_LENGTH, NO_BODY } from "../body.ts";
import { forwardedLines } from "../forwarded.ts";
import { parseRequest } from "../request.ts";
import { parseResponse } from "../response.ts";
import { LAST_CHUNK, SAY_CLOSE, SAY_KEEP_ALIVE, SAY_NOTHING, SAY_UPGRADE } from "../write.ts";
import { writeChunk, writeRequest, writeResponse } from "../write.ts";
import { REQUEST_CASES } from "./request.cases.ts";
import { RESPONSE_CASES } from "./response.cases.ts";

const FORWARDED = forwardedLines({ address: "192.0.2.1", port: 8000, scheme: "http" });
const RESPONSE = { response: true, bodiless: true, ended: true };
const REQUEST = { response: false, bodiless: false, ended: true };

/** What the writer made, without what the slab held before. */
const written = (write: (slab: Slab) => void): Buffer => {
  const slab = new Slab();
  slab.add(Buffer.from("before"));
  write(slab);
  return Buffer.from(slab.bytes.subarray(6, slab.end));
};

const requestOf = (bytes: string): Head | null => {
  const head = new Head();
  const buffer = Buffer.from(bytes, "latin1");
  head.reset(buffer, 0);
  const parsed = parseRequest(head, buffer.length);
  return parsed === OK && (head.flags & ASTERISK) === 0 && canonicalPath(head) ? head : null;
};

const rewrite = (head: Head): Buffer =>
  written((slab) => writeRequest(slab, head, FORWARDED, false));

test("every request that is accepted reads back with the same meaning", () => {
  let count = 0;
  for (const [name, bytes] of REQUEST_CASES) {
    const head = requestOf(bytes);
    // Our own Via may be one too many where it stands already.
    if (head === null || head.hops > 0) continue;
    count++;
    const again = requestOf(rewrite(head).toString("latin1"));
    // 1.0 without a Host: an empty one is written. A full head does not fit again with our lines.
    if (head.hostEnd === head.hostStart || head.count > 120) continue;
    assert.ok(again !== null, name);
    assert.is(again.end, again.bytes.length, name);
    assert.equal([again.length, again.chunked], [head.length, head.chunked], name);
    assert.equal(meaning(again), meaning(head), name);
    const fields = fieldsOf(rewrite(again));
    assert.equal(withoutVia(fields), withoutVia(fieldsOf(rewrite(head))), name);
  }
  assert.ok(count > 80, `${count} cases`);
});

test("managed lines of a request are ours alone", () => {
  const lines =
    "X-Forwarded-For: 10.0.0.1\r\nB: 1\r\nx-real-ip: 10.0.0.1\r\nForwarded: for=x\r\nC: 2\r\n" +
    "TE: trailers\r\nConnection: c\r\nX_Forwarded_For: 10.0.0.1\r\nVia: 1.0 x\r\nHost: a:81\r\n";
  const fields = fieldsOf(rewrite(requestOf(`GET /x HTTP/1.1\r\n${lines}\r\n`)!));
  assert.equal(
    fields.map(([name, value]) => `${name}: ${value}`),
    [
      "B: 1",
      "Via: 1.0 x",
      "Host: a:81",
      "X-Forwarded-For: 192.0.2.1",
      "X-Real-IP: 192.0.2.1",
      "X-Forwarded-Proto: http",
      "X-Forwarded-Port: 8000",
      "Via: 1.1 rind",
      "X-Forwarded-Host: a:81",
    ],
  );
});

const responseOf = (bytes: string): Head | null => {
  const head = new Head();
  const buffer = Buffer.from(bytes, "latin1");
  head.reset(buffer, 0);
  return parseResponse(head, buffer.length) === OK ? head : null;
};

const respond = (bytes: string, kind: number, say: number): Message => {
  const head = responseOf(bytes);
  assert.ok(head !== null, bytes);
  const out = written((slab) => writeResponse(slab, head, kind, say));
  const message = readMessage(out, RESPONSE);
  assert.ok(message !== null && message.size === out.length, out.toString());
  return message;
};

test("every response that is accepted reads back", () => {
  for (const [name, bytes, expected] of RESPONSE_CASES) {
    const head = responseOf(bytes);
    // A full head does not fit again with our lines.
    if (head === null || expected === false || head.count > 250) continue;
    const kind = head.chunked ? BY_CHUNKS : head.length >= 0 ? BY_LENGTH : NO_BODY;
    const out = written((slab) => writeResponse(slab, head, kind, SAY_NOTHING));
    const again = responseOf(out.toString("latin1"));
    assert.ok(again !== null, name);
    assert.equal(
      [again.status, again.length, again.chunked],
      [head.status, head.length, head.chunked],
      name,
    );
  }
});

/** Rows: response, framing, word, then what the client reads of framing and connection. */
const RESPONSES: readonly (readonly [string, number, number, readonly string[]])[] = [
  ["200 OK\r\nContent-Length: 05", BY_LENGTH, SAY_NOTHING, ["content-length: 5"]],
  ["200 OK\r\nContent-Length: 5", NO_BODY, SAY_NOTHING, ["content-length: 5"]],
  ["304 X\r\nContent-Length: 5", NO_BODY, SAY_NOTHING, ["content-length: 5"]],
  ["204 X\r\nContent-Length: 5", NO_BODY, SAY_NOTHING, []],
  ["103 X\r\nContent-Length: 5", NO_BODY, SAY_NOTHING, []],
  ["200 OK\r\nTransfer-Encoding: chunked", BY_CHUNKS, SAY_NOTHING, ["transfer-encoding: chunked"]],
  ["200 OK\r\nTransfer-Encoding: chunked", BY_CLOSE, SAY_CLOSE, ["connection: close"]],
  ["200 OK\r\nA: b", BY_CHUNKS, SAY_NOTHING, ["transfer-encoding: chunked"]],
  ["200 OK\r\nConnection: close", NO_BODY, SAY_NOTHING, []],
  ["200 OK\r\nConnection: a\r\nA: b", NO_BODY, SAY_KEEP_ALIVE, ["connection: keep-alive"]],
  ["101 X\r\nUpgrade: x", NO_BODY, SAY_UPGRADE, ["connection: Upgrade", "upgrade: websocket"]],
];

for (const [first, kind, say, expected] of RESPONSES) {
  test(`response ${JSON.stringify(first)}, framing ${kind}, word ${say}`, () => {
    const { fields } = respond(`HTTP/1.1 ${first}\r\n\r\n`, kind, say);
    const names = ["content-length", "transfer-encoding", "connection", "upgrade"];
    const seen = fields
      .map(([name, value]) => `${name.toLowerCase()}: ${value}`)
      .filter((line) => names.includes(line.slice(0, line.indexOf(":"))));
    assert.equal(seen, expected);
  });
}

test("a reason phrase is not reflected", () => {
  assert.is(
    respond("HTTP/1.1 404 evil\r\n\r\n", NO_BODY, SAY_NOTHING).first,
    "HTTP/1.1 404 Not Found",
  );
});

test("an unknown status has an empty reason", () => {
  assert.is(respond("HTTP/1.1 599 x\r\n\r\n", NO_BODY, SAY_NOTHING).first, "HTTP/1.1 599 ");
});

test("chunks carry their size in canonical form", () => {
  const data = Buffer.alloc(70_000, "x");
  for (const size of [1, 9, 10, 15, 16, 255, 256, 4_095, 65_536, 70_000]) {
    const out = written((slab) => {
      writeChunk(slab, data, 0, size);
      slab.add(LAST_CHUNK);
    }).toString("latin1");
    assert.is(out, `${size.toString(16)}\r\n${"x".repeat(size)}\r\n0\r\n\r\n`);
  }
});

test("answers of our own are framed", () => {
  const answer = { status: 404, length: 3, extra: "A: b\r\n", close: false };
  const out = written((slab) => writeAnswer(slab, answer));
  const message = readMessage(Buffer.concat([out, Buffer.from("no\n")]), {
    ...RESPONSE,
    bodiless: false,
  });
  assert.is(message?.body.toString(), "no\n");
  assert.equal(valuesOf(message!.fields, "a"), ["b"]);
  assert.equal(valuesOf(message!.fields, "connection"), []);
  const last = written((slab) => writeAnswer(slab, { ...answer, close: true }));
  assert.equal(valuesOf(readMessage(last, RESPONSE)!.fields, "connection"), ["close"]);
});

/** Lines of our own, and whether they may leave: nobody may end one early or start another. */
const OWN_LINES: readonly (readonly [string, boolean])[] = [
  ["Location: https://a.example/b?c", true],
  ["Location: /caf\xe9", true],
  ["Allow: GET, HEAD", true],
  // Bytes keep the low half of a code point: these would be CR and LF.
  ["Location: /\u010d\u010aSet-Cookie: a=1", false],
  ["Location: /\u0161", false],
  ["Location: /\rSet-Cookie: a=1", false],
  ["Location: /\nSet-Cookie: a=1", false],
  ["Location: /\0", false],
  ["Location: /\x7f", false],
  ["Location : /", false],
  ["Loc ation: /", false],
  ["\u010dLocation: /", false],
  [": /", false],
  ["no colon", false],
];

for (const [line, leaves] of OWN_LINES) {
  test(`2.6 a line of our own: ${JSON.stringify(line)}`, () => {
    const extra = `${line}\r\nA: b\r\n`;
    const out = written((slab) =>
      writeAnswer(slab, { status: 308, length: 0, extra, close: false }),
    );
    const text = out.toString("latin1");
    assert.is(text.includes(`${line}\r\n`), leaves);
    assert.not.match(text, /Set-Cookie|\0/);
    const lines = text.split("\r\n");
    assert.ok(lines.every((other) => !/[\r\n]/.test(other)));
    assert.is(lines.length, leaves ? 7 : 6, text);
    assert.ok(lines.includes("A: b"), "one bad line takes no other along");
  });
}

/** Request line, host and query of a head. */
function meaning(head: Head): unknown {
  const text = (from: number, to: number): string => head.bytes.toString("latin1", from, to);
  return {
    method: text(head.methodStart, head.methodEnd),
    path: head.path.toString("latin1", head.pathStart, head.pathEnd),
    query: head.queryStart < 0 ? null : text(head.queryStart, head.queryEnd),
    authority: text(head.authorityStart, head.authorityEnd),
  };
}

/** Field lines of a request head, its framing left out. */
function fieldsOf(bytes: Buffer): Message["fields"] {
  const unframed = bytes
    .toString("latin1")
    .replace(/\r\n(Content-Length|Transfer-Encoding): .*/g, "");
  return readMessage(Buffer.from(unframed, "latin1"), REQUEST)?.fields ?? [];
}

function withoutVia(fields: Message["fields"]): Message["fields"] {
  return fields.filter(([name]) => name !== "Via");
}

test.run();
