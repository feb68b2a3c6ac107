/** Which addresses rind connects to in a cluster. */
import { test } from "uvu";
import * as assert from "uvu/assert";

import { slice } from "../../test/fixture/objects.ts";
import { type AddressRules, judgeOf } from "../forbidden.ts";

const RULES: AddressRules = {
  allowed: ["127.0.0.9", "10.0.0.5/32", "192.0.2.0/24"],
  admin: [
    { address: "192.0.2.1", port: 8080 },
    { address: "2001:db8::1", port: 8080 },
    // As a machine may call an address of its own.
    { address: "fe80::1%eth0", port: 8080 },
  ],
  apiServer: [
    { address: "10.96.0.1", port: 443 },
    { address: "2001:db8::6", port: 6443 },
    { address: "10.0.0.5", port: 6443 },
    { address: "api.example.com", port: 443 },
  ],
};

/** Address, port, and what it is; "" may be connected to. */
const CASES: readonly (readonly [string, number, string])[] = [
  ["10.0.0.1", 80, ""],
  ["2001:db8::2", 80, ""],
  ["126.255.255.255", 80, ""],
  ["128.0.0.1", 80, ""],
  ["127.0.0.1", 80, "loopback"],
  ["127.255.255.254", 80, "loopback"],
  ["::1", 80, "loopback"],
  ["0:0:0:0:0:0:0:1", 80, "loopback"],
  ["::ffff:127.0.0.1", 80, "loopback"],
  ["::ffff:7f00:1", 80, "loopback"],
  ["::127.0.0.1", 80, "IPv4-compatible"],
  ["0.0.0.0", 80, "unspecified"],
  ["0.1.2.3", 80, "unspecified"],
  ["::", 80, "unspecified"],
  ["::ffff:0.0.0.0", 80, "unspecified"],
  ["169.254.169.254", 80, "link-local"],
  ["::ffff:169.254.169.254", 80, "link-local"],
  ["169.253.255.255", 80, ""],
  ["fe80::1", 80, "link-local"],
  ["febf::1", 80, "link-local"],
  ["fec0::1", 80, ""],
  ["fd00:ec2::254", 80, "metadata"],
  ["fd00:ec2::253", 80, ""],
  ["fd20:ce::254", 80, "metadata"],
  ["168.63.129.16", 80, "metadata"],
  ["64:ff9b::a9fe:a9fe", 80, "link-local"],
  ["64:ff9b::127.0.0.1", 80, "loopback"],
  ["64:ff9b::a00:1", 80, ""],
  ["2002:a9fe:a9fe::1", 80, "link-local"],
  ["2002:7f00:1::", 80, "loopback"],
  ["2002:a00:1::1", 80, ""],
  ["224.0.0.1", 80, "multicast"],
  ["239.255.255.255", 80, "multicast"],
  ["ff02::1", 80, "multicast"],
  ["240.0.0.1", 80, ""],
  ["255.255.255.255", 80, "broadcast"],
  // What is allowed, and what allowing does not open.
  ["127.0.0.9", 80, ""],
  ["::ffff:127.0.0.9", 80, ""],
  ["192.0.2.1", 80, ""],
  ["192.0.2.1", 8080, "admin"],
  ["192.0.2.2", 8080, ""],
  ["2001:db8:0::1", 8080, "admin"],
  ["10.0.0.5", 6443, ""],
  // The API server, by the address that rind uses and by its own slice.
  ["10.96.0.1", 443, "API server"],
  ["::ffff:10.96.0.1", 443, "API server"],
  ["10.96.0.1", 80, ""],
  ["2001:db8:0:0::6", 6443, "API server"],
  ["10.0.0.77", 6443, "API server"],
  ["10.0.0.77", 80, ""],
  ["10.0.0.88", 6443, ""],
];

const served = (name: string, address: string) => ({
  ...slice(name, "kubernetes", [address]),
  ports: [{ name: "https", port: 6443 }],
});
const SLICES = new Map([
  ["default/kubernetes", [served("forged", "10.0.0.88"), served("kubernetes", "10.0.0.77")]],
]);

for (const [address, port, what] of CASES) {
  test(`${address} port ${port}: ${what || "allowed"}`, () => {
    const denial = judgeOf(RULES, SLICES)(address, port);
    if (what === "") assert.is(denial, null);
    else assert.match(denial?.reason ?? "", what);
    assert.is(judgeOf(null, SLICES)(address, port), null, "a folder has no filter");
  });
}

test("a denial says how to allow it, unless it is our own admin API", () => {
  const judge = judgeOf(RULES, SLICES);
  assert.match(judge("127.0.0.1", 80)?.hint ?? "", "--allow-address");
  assert.equal(judge("2001:db8::1", 8080), {
    reason: "[2001:db8::1]:8080 is the admin API of rind itself",
    hint: "",
  });
});

test.run();
