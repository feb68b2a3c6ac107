import { test } from "uvu";
import * as assert from "uvu/assert";

import { type Member, type Weights, divide, parseWeights } from "../shares.ts";

const SEED = Number(process.env["SEED"] ?? 7);

/** Entries of the annotation and their share in thousandths of a percent; null is a bad entry. */
const ENTRIES: readonly (readonly [entry: string, thousandths: number | null])[] = [
  ["50%", 50_000],
  ["50", 50_000],
  ["50.5%", 50_500],
  ["'50 %'", 50_000],
  ["0.1", 100],
  [".5", 500],
  ["5.", 5_000],
  ["33.3339", 33_333],
  ["1.005", 1_005],
  ["0.0001", 0],
  ["1e-7", 0],
  ["0", 0],
  ["100", 100_000],
  ["1000%", 1_000_000],
  ["-5", null],
  ["1e-7x", null],
  ["half", null],
  ["'%'", null],
  ["'.'", null],
  ["''", null],
  ["~", null],
  ["[50]", null],
  ["{a: 1}", null],
  [".nan", null],
  [".inf", null],
  ["50%%", null],
  ["1_000", null],
];

for (const [entry, thousandths] of ENTRIES) {
  test(`an entry of ${entry}`, () => {
    const parsed = parseWeights(`cheddar: ${entry}`);
    const share = parsed.ok ? parsed.value.shares.get("cheddar") : parsed.reason;
    if (thousandths === null) assert.match(String(share), /^the weight of cheddar is /);
    else assert.is(share, thousandths);
  });
}

test("names that objects have anyway are services like any other", () => {
  const parsed = parseWeights("__proto__: 40\nconstructor: 60");
  assert.ok(parsed.ok);
  assert.equal(
    [...(parsed.ok ? parsed.value.shares : [])],
    [
      ["__proto__", 40_000],
      ["constructor", 60_000],
    ],
  );
});

test("an empty annotation divides by pods, and text that is no map is refused", () => {
  assert.equal(parseWeights(""), { ok: true, value: { unreadable: false, shares: new Map() } });
  for (const raw of ["half", "[a, b]", "7", "{", "a: 1\n---\nb: 2", "*a"]) {
    assert.not(parseWeights(raw).ok, raw);
  }
});

test("a share is exact whatever the pods, and the rest goes by pods (seeded)", () => {
  console.log(`seed ${SEED}`);
  const random = generator(SEED);
  for (let round = 0; round < 2_000; round++) checkDivision(random);
});

/** Cross-multiplied integers against the definition: no division, so nothing can round. */
function checkDivision(random: (below: number) => number): void {
  const size = 1 + random(6);
  const members: Member[] = [];
  const shares = new Map<string, number>();
  let left = 100_000;
  for (let i = 0; i < size; i++) {
    members.push({ service: `s${i}`, backend: `b${i}`, pods: random(40) });
    if (i === size - 1 || random(3) === 0) continue;
    const share = random(left + 1);
    shares.set(`s${i}`, share);
    left -= share;
  }
  const weights: Weights = { unreadable: false, shares };
  const division = divide(members, weights);
  assert.ok(division.ok, JSON.stringify({ members, shares: [...shares], division }));
  if (!division.ok) return;
  const total = sumOf(division.value.map((share) => share.weight));
  const rest = members.filter((member) => !shares.has(member.service));
  const pods = sumOf(rest.map((member) => member.pods));
  members.forEach((member, i) => {
    const weight = BigInt(division.value[i]?.weight ?? -1);
    const listed = shares.get(member.service);
    if (listed !== undefined) {
      assert.is(weight * 100_000n, BigInt(listed) * total);
      return;
    }
    const part = pods === 0n ? 1n : BigInt(member.pods);
    const whole = pods === 0n ? BigInt(rest.length) : pods;
    assert.is(weight * 100_000n * whole, BigInt(left) * part * total);
  });
}

function sumOf(numbers: readonly number[]): bigint {
  return numbers.reduce((sum, number) => sum + BigInt(number), 0n);
}

/** A small linear congruential generator: the same numbers for the same seed. */
function generator(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

test("shares that no schedule could hold exactly are refused, not rounded", () => {
  const primes = [10_007, 10_009, 10_037, 10_039];
  const members = primes.flatMap((pods, i) => [
    { service: `s${i}`, backend: `s${i}:a`, pods: 1 },
    { service: `s${i}`, backend: `s${i}:b`, pods: pods - 1 },
  ]);
  const shares = new Map(primes.map((_, i) => [`s${i}`, 25_000]));
  const division = divide(members, { unreadable: false, shares });
  assert.not(division.ok);
});

test("the weights of the lesson are as small as they can be", () => {
  const members = ["cheddar", "wensleydale", "stilton"].map((service) => ({
    service,
    backend: service,
    pods: 9,
  }));
  const parsed = parseWeights("cheddar: 50%\nwensleydale: 25%\nstilton: 25%");
  const division = parsed.ok ? divide(members, parsed.value) : parsed;
  assert.equal(division, {
    ok: true,
    value: [
      { backend: "cheddar", weight: 2 },
      { backend: "wensleydale", weight: 1 },
      { backend: "stilton", weight: 1 },
    ],
  });
});

test.run();
