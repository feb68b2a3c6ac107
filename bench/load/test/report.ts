import { test } from "uvu";
import * as assert from "uvu/assert";
import { type Sample } from "../measure.ts";
import { judge, table } from "../report.ts";
import { HOSTS, type ProductName, type Row } from "../rows.ts";

const ROW: Row = {
  kind: "requests",
  name: "small",
  host: HOSTS.plain,
  secure: false,
  method: "GET",
  path: "/",
  headers: {},
  requestBytes: 0,
  responseBytes: 64,
  products: ["rind", "nginx"],
  targets: [{ than: "nginx", max: 0.97 }],
  aside: false,
};

const CASES: readonly [string, readonly Sample[], string, boolean][] = [
  ["kept", [of("rind", 9), of("nginx", 10)], "PASS small: 0.900", true],
  ["missed", [of("rind", 10), of("nginx", 10)], "MISS small: 1.000", false],
  ["rival absent", [of("rind", 10)], "---- small: rind or nginx did not run", true],
  ["void", [of("rind", 9, { fault: "2 failed requests" }), of("nginx", 10)], "VOID small", false],
  ["fat", [of("rind", 9, { memory: { rssKib: 80_000, pssKib: 1 } })], "MISS worker RSS", false],
  ["crowded", [of("rind", 9, { waiting: 0.3 })], "note small: in 1 of 1 samples", true],
  ["stolen", [of("rind", 9, { steal: 0.2 })], "note small: 1 rounds lost", true],
];

for (const [name, samples, line, passed] of CASES) {
  test(`verdict: ${name}`, () => {
    const verdicts = judge([ROW], samples);
    assert.match(verdicts.lines.join("\n"), line);
    assert.is(verdicts.passed, passed);
  });
}

test("what a worker weighs over TLS is told, and no promise is about it", () => {
  const secure: Row = { ...ROW, secure: true };
  const verdicts = judge([secure], [of("rind", 9, { memory: { rssKib: 80_000, pssKib: 1 } })]);
  assert.match(verdicts.lines.join("\n"), "note worker RSS at most 81.9 MB over TLS");
  assert.is(verdicts.passed, true);
});

test("ratios compare samples of the same round", () => {
  const rounds = [of("rind", 9), of("nginx", 10), of("rind", 18, 1), of("nginx", 20, 1)];
  assert.match(judge([ROW], rounds).lines[0]!, "PASS small: 0.900 (0.900–0.900)");
});

test("a void product shows as void and never as a number", () => {
  const text = table([ROW], [of("rind", 9), of("nginx", 10, { fault: "short" })]);
  assert.match(text, "| small | – | 9.00 | – | VOID | – | – |");
});

function of(product: ProductName, microseconds: number, change?: number | Partial<Sample>): Sample {
  const sample: Sample = {
    row: "small",
    product,
    round: typeof change === "number" ? change : 0,
    requests: 1000,
    microseconds,
    hiddenMicroseconds: 0,
    memory: null,
    waiting: 0,
    steal: 0,
    loadBusy: 0.9,
    productBusy: 0.9,
    fault: null,
  };
  return typeof change === "object" ? { ...sample, ...change } : sample;
}

test.run();
