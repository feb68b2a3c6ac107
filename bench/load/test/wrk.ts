import { test } from "uvu";
import * as assert from "uvu/assert";
import { Issuer } from "../pairs.ts";
import { bodyByte, HOSTS, type RequestRow, type Row, ROWS } from "../rows.ts";
import { type Counts, faultOf, parseCounts, scriptOf, verify } from "../wrk.ts";

const BIG = requestRow("64k");
const SMALL = requestRow("small");
const UPLOAD = requestRow("upload64k");
const HANDSHAKE = ROWS.find((row) => row.name === "handshake")!;
const SOUND: Counts = { requests: 10, bytes: 657_000, refused: 0, broken: 0, late: 0, bad: 0 };
const OUTPUT =
  "Running 6s test\n  1 threads and 64 connections\nrind-bench 1000 65600000 0 0 0 0\n";

test("counts are read from among wrk's own lines", () => {
  assert.equal(parseCounts(OUTPUT), { ...SOUND, requests: 1000, bytes: 65_600_000 });
  assert.is(parseCounts("unable to connect to 127.0.0.1:1 Connection refused\n"), null);
});

const FAULTS: readonly [string, Row, Counts, string | null][] = [
  ["sound", BIG, SOUND, null],
  ["silent", BIG, { ...SOUND, requests: 0, bytes: 0 }, "no request was answered"],
  ["one reset", BIG, { ...SOUND, broken: 1 }, "0 refused, 1 broken, 0 late, 0 with a bad status"],
  ["one 502", BIG, { ...SOUND, bad: 1 }, "0 refused, 0 broken, 0 late, 1 with a bad status"],
  ["redirects", BIG, { ...SOUND, bytes: 10 * 200 }, "bodies were short"],
  ["handshakes", HANDSHAKE, { ...SOUND, bytes: 0 }, null],
  ["none", HANDSHAKE, { ...SOUND, requests: 0, bytes: 0 }, "no handshake was done"],
  ["not resumed", HANDSHAKE, { ...SOUND, bad: 2 }, "0 refused, 0 broken, 0 late, 2 not as asked"],
];

for (const [name, row, counts, fault] of FAULTS) {
  test(`a run is judged: ${name}`, () => assert.is(faultOf(counts, row), fault));
}

test("the script asks for what the row says", () => {
  const script = scriptOf(UPLOAD);
  assert.match(script, 'wrk.method = "POST"');
  assert.match(script, 'wrk.headers["Host"] = "bench.example"');
  assert.match(script, 'string.rep("x", 65536)');
});

const ANSWERS: readonly [string, RequestRow, () => Response, RegExp | null][] = [
  ["right", SMALL, () => new Response(body(64)), null],
  ["short", SMALL, () => new Response(body(63)), /^63 bytes of 64$/],
  ["404", SMALL, () => new Response(body(64), { status: 404 }), /^status 404$/],
  ["one byte off", BIG, () => new Response(body(65_536).fill(33, 40_000, 40_001)), /^byte 40000 /],
];

for (const [name, row, answer, wrong] of ANSWERS) {
  test(`one answer is compared byte by byte: ${name}`, async () => {
    const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: answer });
    const found = await verify(server.port!, row, "");
    await server.stop(true);
    if (wrong === null) assert.is(found, null);
    else assert.match(found ?? "", wrong);
  });
}

test("an answer over TLS counts only behind the right certificate", async () => {
  const issuer = new Issuer();
  const row = requestRow("tls");
  for (const [name, reason] of [
    [HOSTS.secure, null],
    [HOSTS.rsa, /ALTNAME/],
  ] as const) {
    const { chain, key } = issuer.issue(name, "ec");
    const server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      tls: { cert: chain, key },
      fetch: () => new Response(body(64)),
    });
    const found = await verify(server.port!, row, issuer.root);
    await server.stop(true);
    if (reason === null) assert.is(found, null);
    else assert.match(found ?? "", reason);
  }
});

function requestRow(name: string): RequestRow {
  const row = ROWS.find((row) => row.name === name);
  if (row?.kind !== "requests") throw new Error(`no row ${name}`);
  return row;
}

function body(length: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length }, (_, i) => bodyByte(i));
}

test.run();
