/** Bodies: every framing, whole and cut in every way. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { BY_CHUNKS, BY_CLOSE, BY_LENGTH, Body, NO_BODY } from "../body.ts";
import { BROKEN, DATA, ENDED, WANT } from "../found.ts";
import { CHUNKED_CASES, type Decoded } from "./body.cases.ts";
import { cutsOf, seeded, seedOfRun } from "./cuts.cases.ts";

type Start = Readonly<{ kind: number; length: number; lenient: boolean }>;

const seed = seedOfRun();
console.log(`seed ${seed} (RIND_SEED=${seed} runs it again)`);
const random = seeded(seed);

for (const [name, bytes, request, response] of CHUNKED_CASES) {
  for (const [lenient, expected] of [
    [false, request],
    [true, response],
  ] as const) {
    test(`chunked ${lenient ? "response" : "request"}: ${name}`, () => {
      const start = { kind: BY_CHUNKS, length: -1, lenient };
      const whole = feed(start, bytes, [bytes.length]);
      expectDecoded(whole, expected);
      for (const ends of cutsOf(bytes.length, random)) {
        assert.equal(feed(start, bytes, ends), whole, `read up to ${ends.slice(0, 12).join(", ")}`);
      }
    });
  }
}

const PLAIN: readonly (readonly [string, Start, string, Decoded])[] = [
  ["no body", { kind: NO_BODY, length: -1, lenient: false }, "abc", { data: "", rest: "abc" }],
  ["length 0", { kind: BY_LENGTH, length: 0, lenient: false }, "abc", { data: "", rest: "abc" }],
  [
    "length",
    { kind: BY_LENGTH, length: 3, lenient: false },
    "abcdef",
    { data: "abc", rest: "def" },
  ],
  [
    "exact length",
    { kind: BY_LENGTH, length: 3, lenient: false },
    "abc",
    { data: "abc", rest: "" },
  ],
  ["short of its length", { kind: BY_LENGTH, length: 4, lenient: false }, "abc", "more"],
  ["length beyond 2^32", { kind: BY_LENGTH, length: 2 ** 33, lenient: false }, "abc", "more"],
  ["until close", { kind: BY_CLOSE, length: -1, lenient: false }, "abc", "more"],
];

for (const [name, start, bytes, expected] of PLAIN) {
  test(name, () => {
    const whole = feed(start, bytes, [bytes.length]);
    expectDecoded(whole, expected);
    for (const ends of cutsOf(bytes.length, random)) {
      assert.equal(feed(start, bytes, ends), whole, `read up to ${ends.join(", ")}`);
    }
  });
}

test("a body that ended or broke stays so", () => {
  for (const [bytes, verdict] of [
    ["0\r\n\r\n", ENDED],
    ["x", BROKEN],
  ] as const) {
    for (const behind of ["\r\n0\r\n\r\n", ";a\r\n0\r\n\r\n", "0\r\n\r\n"]) {
      const body = new Body();
      body.start(BY_CHUNKS, -1, false);
      const buffer = Buffer.from(bytes + behind, "latin1");
      assert.is(body.next(buffer, 0, buffer.length), verdict);
      assert.is(body.next(buffer, bytes.length, buffer.length), verdict, behind);
    }
  }
});

test("a body that was used is as good as a new one", () => {
  const body = new Body();
  for (const [name, bytes, expected] of CHUNKED_CASES) {
    body.start(BY_CHUNKS, -1, false);
    expectDecoded(decode(body, bytes, [bytes.length]), expected, name);
  }
});

test("data is counted", () => {
  const body = new Body();
  body.start(BY_CHUNKS, -1, false);
  decode(body, "3;a=b\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", [25]);
  assert.is(body.total, 5);
});

type Fed = Readonly<{ verdict: number; data: string; rest: string }>;

function feed(start: Start, bytes: string, ends: readonly number[]): Fed {
  const body = new Body();
  body.start(start.kind, start.length, start.lenient);
  return decode(body, bytes, ends);
}

function decode(body: Body, bytes: string, ends: readonly number[]): Fed {
  const source = Buffer.from(bytes, "latin1");
  let data = "";
  let from = 0;
  for (const end of ends) {
    let verdict = body.next(source, from, end);
    while (verdict === DATA) {
      assert.ok(
        body.from >= from && body.to <= end && body.to > body.from,
        "a segment of the read",
      );
      data += source.toString("latin1", body.from, body.to);
      from = body.at;
      verdict = body.next(source, from, end);
    }
    if (verdict === BROKEN) return { verdict, data: "", rest: "" };
    if (verdict === ENDED) return { verdict, data, rest: bytes.slice(body.at) };
    assert.equal([verdict, body.at], [WANT, end], "all of the read is used up");
    from = end;
  }
  return { verdict: WANT, data, rest: "" };
}

function expectDecoded(got: Fed, expected: Decoded, what = ""): void {
  const verdicts = { bad: BROKEN, more: WANT };
  if (typeof expected === "string") return assert.is(got.verdict, verdicts[expected], what);
  assert.is(got.verdict, ENDED, what);
  assert.is(got.data, expected.data, what);
  if (expected.rest !== undefined) assert.is(got.rest, expected.rest, what);
}

test.run();
