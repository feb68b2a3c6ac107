/** Sessions as the library writes them; real ones are in test/wire/peek.ts. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { openAuthority } from "../../../test/pki.ts";
import { der, integer, octets, sequence } from "../../der.ts";
import { Random } from "../../random.ts";
import { chainOf } from "../session.ts";

const MUTANTS = 20_000;
const seed = Number(process.env["RIND_SEED"] ?? 1 + (Date.now() % 1_000_000));
console.log(`seed ${seed} (RIND_SEED=${seed} runs it again)`);

const ROOT = openAuthority();
const FIRST = ROOT.intermediate("first");
const SECOND = FIRST.intermediate("second");

/** The certificates of a chain, DER. */
function bytesOf(chain: string): Buffer[] {
  return chain
    .split("-----END CERTIFICATE-----")
    .slice(0, -1)
    .map((block) => Buffer.from(block.replace(/-+BEGIN CERTIFICATE-+|\s/g, ""), "base64"));
}

const [LEAF, ...CHAIN] = bytesOf(SECOND.issue({ names: ["leaf"], use: "client" }).chain);

/** A session: version, cipher, id, master key, the certificates, and what comes behind them. */
function session(chain: readonly Uint8Array[]): Uint8Array {
  return sequence(
    integer(Uint8Array.of(1)),
    integer(Uint8Array.of(3, 4)),
    octets(Uint8Array.of(0x13, 1)),
    octets(new Uint8Array(32)),
    octets(new Uint8Array(48)),
    der(0xa3, LEAF!),
    der(0xa6, octets(Buffer.from("a.example"))),
    ...(chain.length === 0 ? [] : [der(0xb3, ...chain)]),
    der(0xb5, octets(new Uint8Array(300))),
  );
}

test("what a client sent behind its certificate", () => {
  assert.is(CHAIN.length, 2);
  for (const chain of [[], CHAIN.slice(0, 1), CHAIN]) {
    const found = chainOf(session(chain))!;
    assert.equal(
      found.map((it) => Buffer.from(it)),
      chain,
    );
  }
});

test("what cannot be read is not half read", () => {
  const whole = session(CHAIN);
  for (let cut = 0; cut < whole.length; cut++) assert.is(chainOf(whole.subarray(0, cut)), null);
  const odd: readonly (readonly [string, Uint8Array])[] = [
    ["nothing", new Uint8Array(0)],
    ["something else", Buffer.from("a session")],
    ["no certificate in the chain", session([Uint8Array.of(2, 1, 1)])],
    ["half a certificate", session([CHAIN[0]!.subarray(0, 100)])],
    ["an endless length", Uint8Array.of(0x30, 0x80, 0, 0)],
    ["a length of many bytes", Uint8Array.of(0x30, 0x84, 0, 0, 0, 1, 0)],
    ["too many", session(Array.from({ length: 17 }, () => CHAIN[0]!))],
  ];
  for (const [what, bytes] of odd) assert.is(chainOf(bytes), null, what);
});

test("spoiled sessions are read to an end, and within their bounds", () => {
  const random = new Random(seed);
  const whole = Buffer.from(session(CHAIN));
  for (let i = 0; i < MUTANTS; i++) {
    const bytes = Buffer.from(whole);
    for (let n = 0; n < 3; n++) bytes[random.below(bytes.length)] = random.below(256);
    const found = chainOf(bytes);
    if (found === null) continue;
    for (const it of found) assert.is(it.buffer, bytes.buffer, `case ${i}`);
  }
});

test.run();
