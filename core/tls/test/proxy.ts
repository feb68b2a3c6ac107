/** PROXY headers: the rows of the specification, whole, cut and spoiled. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { BAD_PROXY_HEADER, MORE, OK } from "../../fault.ts";
import { Random } from "../../random.ts";
import { PROXY_BYTES_MAX, ProxyHeader, readProxyHeader } from "../proxy.ts";

const MUTANTS = 30_000;
const seed = Number(process.env["RIND_SEED"] ?? 1 + (Date.now() % 1_000_000));
console.log(`seed ${seed} (RIND_SEED=${seed} runs it again)`);

const SIGNATURE = Buffer.from("0d0a0d0a000d0a515549540a", "hex");
const REQUEST = Buffer.from("GET / HTTP/1.1\r\n\r\n");
const HERE = { address: "", port: 0 };
const V4 = "c0000201 c6336402 d431 01bb";
const V6 = `${"20010db8".padEnd(32, "0")} ${"20010db8".padEnd(31, "0")}1 d431 01bb`;

/** Version 2: a command, a family, and what follows, as hexadecimal. */
function binary(command: number, family: number, rest: string, length?: number): Buffer {
  const bytes = Buffer.from(rest.replaceAll(" ", ""), "hex");
  const size = length ?? bytes.length;
  return Buffer.concat([SIGNATURE, Buffer.from([command, family, size >> 8, size & 255]), bytes]);
}

function read(bytes: Buffer): readonly [number, ProxyHeader] {
  const header = new ProxyHeader();
  const padded = Buffer.concat([Buffer.from("xx"), bytes]);
  const found = readProxyHeader(padded, 2, padded.length, header);
  header.end -= 2;
  return [found, header];
}

const GOOD: readonly (readonly [Buffer | string, Readonly<{ address: string; port: number }>])[] = [
  ["PROXY TCP4 192.0.2.1 198.51.100.2 54321 443\r\n", { address: "192.0.2.1", port: 443 }],
  ["PROXY TCP6 2001:db8::1 ::1 1 65535\r\n", { address: "2001:db8::1", port: 65_535 }],
  [
    `PROXY TCP6 ${"ffff:".repeat(7)}ffff ${"ffff:".repeat(7)}ffff 65535 65535\r\n`,
    { address: `${"ffff:".repeat(7)}ffff`, port: 65_535 },
  ],
  ["PROXY UNKNOWN\r\n", HERE],
  [`PROXY UNKNOWN ${"ffff:".repeat(7)}ffff ${"ffff:".repeat(7)}ffff 65535 65535\r\n`, HERE],
  [binary(0x21, 0x11, V4), { address: "192.0.2.1", port: 443 }],
  [binary(0x21, 0x21, V6), { address: "2001:db8::", port: 443 }],
  [binary(0x20, 0x00, ""), HERE],
  [binary(0x20, 0x11, V4), HERE],
  [binary(0x20, 0xff, "010203"), HERE],
  [binary(0x21, 0x00, ""), HERE],
  [binary(0x21, 0x00, "04 0002 0000"), HERE],
  [binary(0x21, 0x31, "2f".repeat(216)), HERE],
  [binary(0x21, 0x12, V4), HERE],
  // TLVs: the authority, padding, one that nobody knows; and the most there may be.
  [
    binary(0x21, 0x11, `${V4} 02 0001 61 04 0002 0000 ea 0000`),
    { address: "192.0.2.1", port: 443 },
  ],
  [binary(0x21, 0x11, `${V4} 04 0ff1 ${"00".repeat(0xff1)}`), { address: "192.0.2.1", port: 443 }],
  [summed(`${V4} 02 0001 61 03 0004 00000000 04 0001 00`), { address: "192.0.2.1", port: 443 }],
];

/** Version 2, IPv4, with the checksum where four zeros behind its kind and length are. */
function summed(rest: string): Buffer {
  const bytes = binary(0x21, 0x11, rest);
  const at = bytes.indexOf(Buffer.from("03000400000000", "hex")) + 3;
  bytes.writeUInt32BE(crc32c(bytes), at);
  return bytes;
}

/** By the definition, a bit at a time. */
function crc32c(bytes: Buffer): number {
  let sum = 0xffff_ffff;
  for (const byte of bytes) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit++) sum = (sum >>> 1) ^ (sum & 1 ? 0x82f63b78 : 0);
  }
  return ~sum >>> 0;
}

test("who the client is, and which port it came to", () => {
  assert.is(crc32c(Buffer.from("123456789")), 0xe3069283, "the check value of CRC-32C");
  for (const [given, expected] of GOOD) {
    const bytes = Buffer.from(given);
    const what = bytes.toString("latin1");
    for (const behind of [Buffer.alloc(0), REQUEST]) {
      const [found, header] = read(Buffer.concat([bytes, behind]));
      assert.is(found, OK, what);
      assert.equal({ address: header.address, port: header.port }, expected, what);
      assert.is(header.end, bytes.length, what);
    }
    for (let cut = 0; cut < bytes.length; cut++) {
      assert.is(read(bytes.subarray(0, cut))[0], MORE, `${what} cut at ${cut}`);
    }
  }
});

test("addresses are written as people write them", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["2001 0db8 0000 0000 0001 0000 0000 0001", "2001:db8::1:0:0:1"],
    ["2001 0db8 0000 0001 0000 0000 0000 0001", "2001:db8:0:1::1"],
    ["0000 0000 0000 0000 0000 0000 0000 0000", "::"],
    ["0000 0000 0000 0000 0000 0000 0000 0001", "::1"],
    ["0010 0000 0001 0000 0000 0001 0000 0001", "10:0:1::1:0:1"],
    ["0001 0002 0003 0004 0005 0006 0007 0000", "1:2:3:4:5:6:7:0"],
    ["fe80 0000 0000 0000 0000 0000 0000 0000", "fe80::"],
    ["0000 0000 0000 0000 0000 ffff c000 0201", "192.0.2.1"],
  ];
  for (const [groups, address] of cases) {
    const [found, header] = read(binary(0x21, 0x21, `${groups} ${"00".repeat(16)} 0001 0002`));
    assert.is(found, OK, address);
    assert.is(header.address, address);
  }
});

test("what is no header is refused", () => {
  const cases: readonly (readonly [string, Buffer | string])[] = [
    ["a request", REQUEST],
    ["TLS", "\x16\x03\x01\x02\x00"],
    ["another case", "proxy TCP4 192.0.2.1 192.0.2.2 1 2\r\n"],
    ["another word", "PROXIED"],
    ["another family", "PROXY TCP5 192.0.2.1 192.0.2.2 1 2\r\n"],
    ["UDP", "PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n"],
    ["no family", "PROXY \r\n"],
    ["two spaces", "PROXY  TCP4 192.0.2.1 192.0.2.2 1 2\r\n"],
    ["a space at the end", "PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n"],
    ["too few words", "PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n"],
    ["the other family", "PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n"],
    ["the other family, too", "PROXY TCP4 ::1 ::1 1 2\r\n"],
    ["a leading zero", "PROXY TCP4 192.0.02.1 192.0.2.2 1 2\r\n"],
    ["a number too large", "PROXY TCP4 192.0.256.1 192.0.2.2 1 2\r\n"],
    ["a name", "PROXY TCP4 localhost 192.0.2.2 1 2\r\n"],
    ["a port too large", "PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n"],
    ["a port with a zero", "PROXY TCP4 192.0.2.1 192.0.2.2 1 0443\r\n"],
    ["a negative port", "PROXY TCP4 192.0.2.1 192.0.2.2 -1 443\r\n"],
    ["LF alone", "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n"],
    ["NUL", "PROXY TCP4 192.0.2.1\0 192.0.2.2 1 2\r\n"],
    ["a line too long", `PROXY UNKNOWN ${"x".repeat(107 - 14)}`],
    ["another signature", Buffer.concat([SIGNATURE.subarray(0, 11), Buffer.from("x")])],
    ["version 1 in binary", binary(0x11, 0x11, V4)],
    ["version 3", binary(0x31, 0x11, V4)],
    ["another command", binary(0x22, 0x11, V4)],
    ["another family", binary(0x21, 0x41, V4)],
    ["another transport", binary(0x21, 0x13, V4)],
    ["too short for its addresses", binary(0x21, 0x11, V4.slice(0, -2))],
    ["too short for those of IPv6", binary(0x21, 0x21, V4)],
    ["too long", binary(0x21, 0x11, V4, 4_097)],
    ["half a TLV", binary(0x21, 0x11, `${V4} 02 00`)],
    ["a TLV beyond the end", binary(0x21, 0x11, `${V4} 02 0002 61`)],
    ["a wrong sum", binary(0x21, 0x11, `${V4} 03 0004 01020304`)],
    ["half a sum", binary(0x21, 0x11, `${V4} 03 0002 0102`)],
  ];
  for (const [what, given] of cases) {
    const bytes = Buffer.from(given as string, "latin1");
    assert.is(read(bytes)[0], BAD_PROXY_HEADER, what);
    assert.is(read(Buffer.concat([bytes, REQUEST]))[0], BAD_PROXY_HEADER, `${what}, and more`);
  }
});

test("spoiled headers are read to an end, and MORE only within bounds", () => {
  const random = new Random(seed);
  for (let i = 0; i < MUTANTS; i++) {
    const [given] = GOOD[random.below(GOOD.length)]!;
    const bytes = Buffer.from(given as Buffer);
    const many = 1 + random.below(3);
    for (let n = 0; n < many; n++) bytes[random.below(bytes.length)] = random.below(256);
    const [found, header] = read(bytes);
    assert.ok([OK, MORE, BAD_PROXY_HEADER].includes(found), `case ${i}: ${found}`);
    if (found === OK) {
      assert.ok(header.end <= bytes.length && header.port < 65_536, `case ${i}`);
      assert.ok(/^[0-9a-fA-F:.]*$/.test(header.address), `case ${i}: ${header.address}`);
    }
    const filled = Buffer.concat([bytes, Buffer.alloc(PROXY_BYTES_MAX)]);
    assert.is.not(read(filled)[0], MORE, `case ${i}`);
  }
});

test.run();
