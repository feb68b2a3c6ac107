import { test } from "uvu";
import * as assert from "uvu/assert";
import { linesOf, startLines } from "../report.ts";
import type { Result } from "../run.ts";

const RESULT: Result = {
  count: 2_000,
  servedMs: 640,
  cpuMs: 500,
  workerCpuMs: 120,
  wrong: 0,
  workerBeforeMb: 60,
  workerAfterMb: 85,
  supervisorAfterMb: 190,
  singleMs: [12, 14, 30],
  singlePathMs: 1.4,
  singleWorkerMs: 0.3,
  singleCpuMs: 2.1,
};

const CASES: readonly [string, Partial<Result>, RegExp, boolean][] = [
  ["kept", {}, /^PASS 2000 certificates, all served: 640 ms \(≤ 1000 ms\)$/m, false],
  ["late", { servedMs: 1_200 }, /^MISS 2000 certificates, all served: 1200 ms /m, true],
  ["one is another's", { wrong: 1 }, /^MISS names with another's certificate: 1 names /m, true],
  ["heavy", { workerAfterMb: 111 }, /^MISS memory of the worker, more: 51 MB /m, true],
  ["a dear one", { singlePathMs: 5.3 }, /^MISS one more, .*: 5.3 ms /m, true],
  ["another number has no target", { count: 9, servedMs: 5e3 }, /^ {5}9 certificates/m, false],
];

for (const [name, change, line, missed] of CASES) {
  test(`certificates are judged: ${name}`, () => {
    const lines = linesOf({ ...RESULT, ...change });
    assert.match(lines.map(({ text }) => text).join("\n"), line);
    assert.is(
      lines.some((line) => line.missed),
      missed,
    );
  });
}

test("a start is judged by what the first client was shown, and by all names", () => {
  const start = { reading: "named", ms: 812.4, early: false, wrong: 0 } as const;
  const lines = startLines([start, { ...start, early: true }, { ...start, wrong: 3 }]);
  assert.equal(
    lines.map(({ missed }) => missed),
    [false, true, true],
  );
  assert.match(lines[0]!.text, /^PASS start .* named: 812 ms; .* its own, 0 wrong$/);
});

test.run();
