import { test } from "uvu";
import * as assert from "uvu/assert";
import { linesOf } from "../report.ts";
import { parseAnswers, type Round } from "../run.ts";

/** A hundred answers, the slowest of which took so long. */
function answers(slowest: number, failed = 0): Round["quiet"] {
  return { failed, us: [...Array.from({ length: 98 }, () => 50), slowest, slowest] };
}

function round(change: Partial<Round>): Round {
  return {
    product: "rind",
    flood: "full",
    quiet: answers(100),
    flooded: answers(150),
    handshakes: 2_000,
    broken: 0,
    busy: 0.5,
    ...change,
  };
}

const CASES: readonly [string, Partial<Round>, RegExp, boolean][] = [
  ["kept", {}, /^PASS flood of full handshakes, rind: p99 × 1\.50 /m, false],
  ["missed", { flooded: answers(300) }, /^MISS .*: p99 × 3\.00 /m, true],
  ["an attack", { flood: "hello", flooded: answers(900) }, /^ {5}.*: p99 × 9\.00 /m, false],
  ["another", { product: "nginx", flooded: answers(900) }, /^ {5}.*nginx: p99 × 9\.00 /m, false],
  ["wrong answers", { flooded: answers(100, 2) }, /^VOID .*: 2 requests failed$/m, true],
  ["nothing", { flooded: parseAnswers("") }, /^VOID /m, true],
  ["handshakes that broke", { broken: 3 }, /^note .*: 3 handshakes broke$/m, false],
];

for (const [name, change, line, missed] of CASES) {
  test(`a flood is judged: ${name}`, () => {
    const lines = linesOf([round(change)]);
    assert.match(lines.map(({ text }) => text).join("\n"), line);
    assert.is(
      lines.some((line) => line.missed),
      missed,
    );
  });
}

test("answers are read as they were printed", () => {
  assert.equal(parseAnswers("failed 1\n70\n1200\n"), { failed: 1, us: [70, 1_200] });
  assert.is(parseAnswers("paced: no handshake\n").failed, 1);
});

test.run();
