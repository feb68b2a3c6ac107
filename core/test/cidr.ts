/** Address ranges: what is read, what is refused, and which addresses lie in them. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { isIP } from "node:net";
import { Cidrs, cidrsOf, clientOf, isAddress, parseCidr } from "../cidr.ts";
import { seeded, seedOfRun } from "../http1/test/cuts.cases.ts";

/** Rows: a range, addresses inside, addresses outside. */
const RANGES: readonly (readonly [string, readonly string[], readonly string[]])[] = [
  ["10.0.0.0/8", ["10.0.0.0", "10.255.255.255", "::ffff:10.1.2.3"], ["9.255.255.255", "11.0.0.0"]],
  ["10.1.2.3/8", ["10.9.9.9"], ["11.1.2.3"]],
  ["192.0.2.1", ["192.0.2.1", "::FFFF:c000:201"], ["192.0.2.0", "192.0.2.2"]],
  ["192.0.2.128/25", ["192.0.2.128", "192.0.2.255"], ["192.0.2.127", "192.0.3.0"]],
  ["172.16.0.0/12", ["172.16.0.1", "172.31.255.255"], ["172.32.0.0", "172.15.255.255"]],
  ["192.0.2.0/31", ["192.0.2.0", "192.0.2.1"], ["192.0.2.2"]],
  ["0.0.0.0/0", ["0.0.0.0", "255.255.255.255", "::ffff:1.2.3.4"], ["::1", "2001:db8::1"]],
  ["::/0", ["::", "::1", "2001:db8::1", "ffff::"], ["1.2.3.4", "::ffff:1.2.3.4"]],
  ["::1", ["::1", "0:0:0:0:0:0:0:1", "0000::0001"], ["::2", "::", "0.0.0.1"]],
  ["2001:db8::/32", ["2001:db8::", "2001:DB8:ffff::1"], ["2001:db9::", "2001:db7:ffff::"]],
  ["2001:db8::/33", ["2001:db8:7fff::"], ["2001:db8:8000::"]],
  ["fe80::/10", ["fe80::1", "febf::1", "fe80::1%eth0"], ["fec0::1", "::"]],
  ["2001:db8::1/127", ["2001:db8::", "2001:db8::1"], ["2001:db8::2"]],
  ["::ffff:10.0.0.0/104", ["10.1.2.3", "::ffff:10.1.2.3"], ["11.0.0.0", "::10.0.0.0"]],
  ["::ffff:192.0.2.1", ["192.0.2.1"], ["192.0.2.2"]],
  ["::192.0.2.0/120", ["::192.0.2.9", "::c000:209"], ["192.0.2.9"]],
  ["64:ff9b::192.0.2.0/120", ["64:ff9b::c000:205"], ["64:ff9b::c000:305", "192.0.2.5"]],
];

for (const [range, inside, outside] of RANGES) {
  test(`range ${range}`, () => {
    const cidrs = cidrsOf([range]);
    for (const address of inside) assert.ok(cidrs.hasAddress(address), address);
    for (const address of outside) assert.not.ok(cidrs.hasAddress(address), address);
  });
}

const REFUSED = [
  "",
  "/8",
  "10.0.0.0/",
  "10.0.0.0/33",
  "10.0.0.0/-1",
  "10.0.0.0/08",
  "10.0.0.0/8/8",
  "10.0.0.0/ 8",
  " 10.0.0.0/8",
  "10.0.0.0/255.0.0.0",
  "10.0.0/8",
  "10.0.0.0.0/8",
  "10.0.0.256/8",
  "10.0.0.01/8",
  "010.0.0.0/8",
  "10.0.0.0x/8",
  "0x0a.0.0.0/8",
  "10..0.0/8",
  "10.0.0.0./8",
  "::/129",
  "::1::/64",
  ":::/64",
  ":1/64",
  "1:/64",
  "1:2:3:4:5:6:7/64",
  "1:2:3:4:5:6:7:8:9/64",
  "1:2:3:4:5:6:7::8:9/64",
  "12345::/64",
  "g::/64",
  "[::1]/64",
  "fe80::1%eth0/64",
  "::ffff:10.0.0.0/8",
  "::1.2.3/64",
  "1.2.3.4::/64",
  "::1.2.3.4:5/64",
  "1:2:3:4:5:6:7:1.2.3.4/64",
  "example.com",
  "localhost/8",
  "١.٢.٣.٤/8",
];

for (const text of REFUSED) {
  test(`refused: ${JSON.stringify(text)}`, () => {
    const parsed = parseCidr(text);
    assert.not.ok(parsed.ok);
    assert.match(parsed.ok ? "" : parsed.reason, "is not an address range: expected");
  });
}

test("no range has no address, and many ranges have the addresses of each", () => {
  assert.not.ok(new Cidrs([]).hasAddress("10.0.0.1"));
  const cidrs = cidrsOf(["10.0.0.0/8", "2001:db8::/32", "192.0.2.1", "::1"]);
  assert.is(cidrs.size, 4);
  for (const address of ["10.1.1.1", "2001:db8::9", "192.0.2.1", "::1"]) {
    assert.ok(cidrs.hasAddress(address), address);
  }
  for (const address of ["11.1.1.1", "2001:db9::9", "192.0.2.2", "::2", "unknown", ""]) {
    assert.not.ok(cidrs.hasAddress(address), address);
  }
});

test("a text that was not looked at before is a programming error", () => {
  assert.throws(() => cidrsOf(["10.0.0.0/33"]), "at most 32 bits");
});

for (const [address, client] of [
  ["192.0.2.7", "192.0.2.7"],
  ["::ffff:192.0.2.7", "::ffff:192.0.2.7"],
  ["2001:db8:0:a1::7", "2001:db8:0:a1::/64"],
  ["2001:db8:0:a1:ffff::", "2001:db8:0:a1::/64"],
  ["2001:db8:0:a2::7", "2001:db8:0:a2::/64"],
  ["fe80::1%eth0", "fe80:0:0:0::/64"],
  ["unknown", "unknown"],
] as const) {
  test(`${address} is a connection of the client ${client}`, () => {
    assert.is(clientOf(address), client);
  });
}

test("what is an address is what everybody takes for one", () => {
  const seed = seedOfRun();
  console.log(`seed ${seed} (RIND_SEED=${seed} runs it again)`);
  const random = seeded(seed);
  const parts = ["::", ":", ".", "0", "1", "ff", "ffff", "255", "256", "12", "a", "1.2.3.4", "%"];
  let addresses = 0;
  for (let round = 0; round < 20_000; round++) {
    let text = "";
    for (let left = 1 + random(15); left > 0; left--) text += parts[random(parts.length)]!;
    const bytes = Buffer.from(text);
    const zoned = text.includes("%");
    assert.is(isAddress(bytes, 0, bytes.length), !zoned && isIP(text) !== 0, text);
    if (isIP(text) !== 0) addresses++;
  }
  assert.ok(addresses > 100, `${addresses} addresses`);
});

test.run();
