import { test } from "uvu";
import * as assert from "uvu/assert";
import { logLine } from "../log.ts";
import type { Fields } from "../log.ts";

const AT = new Date(Date.UTC(2026, 10, 25, 9, 30));

const CASES: readonly [string, Fields, string][] = [
  ["listening", { port: 8000 }, "info  listening port=8000"],
  ["no fields", {}, "info  no fields"],
  ["spaces are quoted", { why: "port in use" }, 'info  spaces are quoted why="port in use"'],
  ["quotes", { why: 'say "hi" \\' }, 'info  quotes why="say \\"hi\\" \\\\"'],
  ["empty and null", { a: "", b: null, c: true }, 'info  empty and null a="" b=null c=true'],
  ["two\nlines", { a: "x\ny" }, 'info  two\\u000alines a="x\\u000ay"'],
  ["colour", { a: "\u001b[31m\u009b1m" }, "info  colour a=\\u001b[31m\\u009b1m"],
  ["line separators", { a: "x\u2028" }, 'info  line separators a="x\\u2028"'],
];

for (const [message, fields, expected] of CASES) {
  test(`a log line: ${message}`, () => {
    const line = logLine(AT, { level: "info", message, fields });
    assert.is(line, `2026-11-25T09:30:00.000Z ${expected}`);
  });
}

test("a log line has a bound, however long its message and fields are", () => {
  const long = "x\n".repeat(100_000);
  const fields = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`key${i}`, long]));
  for (const message of ["short", long]) {
    const line = logLine(AT, { level: "error", message, fields });
    assert.ok(line.length <= 2_000);
    assert.ok(line.endsWith("…"));
    assert.not.match(line, /\n/);
  }
});

test.run();
