import { test } from "uvu";
import * as assert from "uvu/assert";
import { bodyByte, type Row, ROWS } from "../rows.ts";
import { type Counts, faultOf, parseCounts, scriptOf, verify } from "../wrk.ts";

const BIG = ROWS.find((row) => row.name === "64k")!;
const SMALL = ROWS.find((row) => row.name === "small")!;
const UPLOAD = ROWS.find((row) => row.name === "upload64k")!;
const SOUND: Counts = { requests: 10, bytes: 657_000, refused: 0, broken: 0, late: 0, bad: 0 };
const OUTPUT =
  "Running 6s test\n  1 threads and 64 connections\nrind-bench 1000 65600000 0 0 0 0\n";

test("counts are read from among wrk's own lines", () => {
  assert.equal(parseCounts(OUTPUT), { ...SOUND, requests: 1000, bytes: 65_600_000 });
  assert.is(parseCounts("unable to connect to 127.0.0.1:1 Connection refused\n"), null);
});

const FAULTS: readonly [string, Counts, string | null][] = [
  ["sound", SOUND, null],
  ["silent", { ...SOUND, requests: 0, bytes: 0 }, "no request was answered"],
  ["one reset", { ...SOUND, broken: 1 }, "0 refused, 1 broken, 0 late, 0 with a bad status"],
  ["one 502", { ...SOUND, bad: 1 }, "0 refused, 0 broken, 0 late, 1 with a bad status"],
  ["redirects", { ...SOUND, bytes: 10 * 200 }, "bodies were short"],
];

for (const [name, counts, fault] of FAULTS) {
  test(`a run is judged: ${name}`, () => assert.is(faultOf(counts, BIG), fault));
}

test("the script asks for what the row says", () => {
  const script = scriptOf(UPLOAD);
  assert.match(script, 'wrk.method = "POST"');
  assert.match(script, 'wrk.headers["Host"] = "bench.example"');
  assert.match(script, 'string.rep("x", 65536)');
});

const ANSWERS: readonly [string, Row, () => Response, RegExp | null][] = [
  ["right", SMALL, () => new Response(body(64)), null],
  ["short", SMALL, () => new Response(body(63)), /^63 bytes of 64$/],
  ["404", SMALL, () => new Response(body(64), { status: 404 }), /^status 404$/],
  ["one byte off", BIG, () => new Response(body(65_536).fill(33, 40_000, 40_001)), /^byte 40000 /],
];

for (const [name, row, answer, wrong] of ANSWERS) {
  test(`one answer is compared byte by byte: ${name}`, async () => {
    const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: answer });
    const found = await verify(server.port!, row);
    await server.stop(true);
    if (wrong === null) assert.is(found, null);
    else assert.match(found ?? "", wrong);
  });
}

function body(length: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length }, (_, i) => bodyByte(i));
}

test.run();
