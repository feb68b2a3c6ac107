import { test } from "uvu";
import * as assert from "uvu/assert";
import { NONE } from "../../model.ts";
import { compileHosts, type Hosts, idOf, isHostName, lookupHost, patchHosts } from "../hosts.ts";
import { seeded } from "./random.cases.ts";

const random = seeded();

function lookup(hosts: Hosts, host: string): number {
  const bytes = Buffer.from(`Host: ${host}\r\n`, "latin1");
  return lookupHost(hosts, bytes, 6, 6 + host.length);
}

/** The name that takes the host, by the letter; "" when none does. */
function naive(names: readonly string[], host: string): string {
  const folded = host.replace(/[A-Z]/g, (char) => char.toLowerCase());
  const first = folded.indexOf(".");
  const wild = first > 0 ? `*${folded.slice(first)}` : "";
  const dotted = folded.startsWith(".") || folded.length > 255;
  if (folded !== "" && !dotted) {
    if (names.includes(folded)) return folded;
    if (names.includes(wild)) return wild;
  }
  return names.includes("*") ? "*" : "";
}

const NAMES = [
  "a.example",
  "*.example",
  "*.a.example",
  "b.a.example",
  "localhost",
  "[::1]",
  "10.0.0.1",
];

/** Hosts and who takes them among NAMES, with and without `*`. */
const CASES: readonly (readonly [host: string, taker: string])[] = [
  ["a.example", "a.example"],
  ["A.Example", "a.example"],
  ["b.example", "*.example"],
  ["example", ""],
  ["b.a.example", "b.a.example"],
  ["c.a.example", "*.a.example"],
  ["C.A.EXAMPLE", "*.a.example"],
  ["d.c.a.example", ""],
  ["x.b.example", ""],
  [".example", ""],
  [".a.example", ""],
  ["", ""],
  [".", ""],
  ["a.example.", ""],
  ["aexample", ""],
  ["localhost", "localhost"],
  ["localhos", ""],
  ["localhost2", ""],
  ["[::1]", "[::1]"],
  ["{::1}", ""],
  ["10.0.0.1", "10.0.0.1"],
  ["a\u00c5.example", "*.example"],
  [`${"x".repeat(300)}.example`, ""],
];

for (const [host, taker] of CASES) {
  test(`'${host.slice(0, 40)}' is taken by '${taker}'`, () => {
    const without = compileHosts(NAMES);
    const withAny = compileHosts([...NAMES, "*"]);
    assert.is(lookup(without, host), taker === "" ? NONE : NAMES.indexOf(taker));
    assert.is(lookup(withAny, host), taker === "" ? NAMES.length : NAMES.indexOf(taker));
    assert.is(naive(NAMES, host), taker, "the naive version");
  });
}

for (const [name, kept] of [
  ["*", true],
  ["*.a", true],
  ["a.b-c_d", true],
  ["", false],
  ["*.", true],
  [".a", false],
  ["a b", false],
  ["caf\u00e9.example", false],
  ["x".repeat(256), false],
] as const) {
  test(`'${name.slice(0, 20)}' ${kept ? "can" : "cannot"} be a name`, () => {
    assert.is(isHostName(name), kept);
  });
}

test("random tables, changed at random, against the naive version", () => {
  const labels = ["a", "b", "shop", "shop-1", "shop-2", "xn--p1ai", "www"];
  const hostOf = (): string => {
    let host = random.one(labels);
    for (let more = random.below(3); more > 0; more--) host += `.${random.one(labels)}`;
    return host;
  };
  const nameOf = (): string => {
    const kind = random.below(10);
    return kind === 0 ? "*" : kind < 4 ? `*.${hostOf()}` : hostOf();
  };
  for (let round = 0; round < 150; round++) {
    /** Which name has which id. */
    const held: (string | null)[] = [...new Set(Array.from({ length: random.below(20) }, nameOf))];
    let hosts = compileHosts(held.map((name) => name!));
    for (let change = 0; change < 12; change++) {
      const added: [string, number][] = [];
      const gone: string[] = [];
      for (let left = random.below(6); left > 0; left--) {
        const name = nameOf();
        if (gone.includes(name)) continue;
        const at = held.indexOf(name);
        if (at === -1) {
          added.push([name, held.length]);
          held.push(name);
        } else if (!added.some(([other]) => other === name)) {
          gone.push(name);
          held[at] = null;
        }
      }
      const before = hosts;
      const answers = ["a.b", "shop.a"].map((host) => lookup(before, host));
      hosts = patchHosts(hosts, { added, gone });
      assert.equal(
        ["a.b", "shop.a"].map((host) => lookup(before, host)),
        answers,
        "untouched",
      );
      const names = held.filter((name) => name !== null);
      for (const name of names) assert.is(idOf(hosts, name), held.indexOf(name), name);
      for (const name of gone) assert.is(idOf(hosts, name), NONE, name);
      for (let asked = 0; asked < 10; asked++) {
        const host = random.below(4) === 0 ? hostOf().toUpperCase() : hostOf();
        const taker = naive(names, host);
        assert.is(lookup(hosts, host), taker === "" ? NONE : held.indexOf(taker), host);
      }
    }
  }
});

/** Names that all hash alike from seed 0 on: the last word brings each to the same state. */
function colliding(count: number): string[] {
  const LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789";
  const names = new Set<string>();
  const text = Buffer.alloc(16);
  while (names.size < count) {
    let hash = text.length;
    for (let at = 0; at < 12; at++) text[at] = LETTERS.charCodeAt(random.below(LETTERS.length));
    for (let at = 0; at < 12; at += 4) {
      const mixed = Math.imul(hash ^ text.readInt32LE(at), 0x9e3779b1);
      hash = mixed ^ (mixed >>> 15);
    }
    text.writeInt32LE(hash ^ 0x5a5a1234, 12);
    const name = text.toString("latin1");
    if (/^[a-z0-9]{16}$/.test(name)) names.add(name);
  }
  return [...names];
}

/** How many different hashes the names have. */
function hashesOf({ slots }: Hosts): number {
  const hashes = new Set<number>();
  for (let at = 0; at < slots.length; at += 2) if (slots[at + 1]! >= 0) hashes.add(slots[at]!);
  return hashes.size;
}

test("who does not know the seed cannot choose names that collide", () => {
  const names = colliding(200);
  assert.is(hashesOf(compileHosts(names)), 1, "the names are chosen well");
  const hosts = compileHosts(names, 20_251_125);
  const more = patchHosts(hosts, { added: [["more.example", 200]], gone: [names[0]!] });
  assert.is(hashesOf(hosts), 200);
  assert.is(hashesOf(more), 200, "a patch keeps the seed");
  for (const [id, name] of names.entries()) {
    assert.is(lookup(hosts, name), id);
    assert.is(lookup(more, name), id === 0 ? NONE : id);
  }
});

test("names that come and go leave no room behind", () => {
  let hosts = compileHosts(Array.from({ length: 100 }, (_, i) => `h${i}.example`));
  for (let i = 0; i < 5_000; i++) {
    hosts = patchHosts(hosts, { added: [[`new${i}.example`, 100]], gone: [] });
    hosts = patchHosts(hosts, { added: [], gone: [`new${i}.example`] });
  }
  assert.ok(hosts.slots.length <= 4_096, `${hosts.slots.length} slots`);
  assert.ok(hosts.words.length <= 8_192, `${hosts.words.length} words`);
  assert.is(lookup(hosts, "h99.example"), 99);
});

test.run();
