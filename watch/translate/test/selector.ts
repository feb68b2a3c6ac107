import { test } from "uvu";
import * as assert from "uvu/assert";

import { parseSelector, selects } from "../selector.ts";

const LABELS = new Map([
  ["team", "shop"],
  ["env", "live"],
  ["example.com/tier", "web"],
  ["empty", ""],
  ["in", "in"],
]);

/** Selector and whether it takes LABELS. */
const CASES: readonly (readonly [string, boolean])[] = [
  ["", true],
  ["   ", true],
  ["team=shop", true],
  ["team == shop", true],
  ["team=other", false],
  ["team=", false],
  ["empty=", true],
  ["empty", true],
  ["missing=", false],
  ["team!=other", true],
  ["team != shop", false],
  ["missing!=shop", true],
  ["empty!=", false],
  ["env in (test, live)", true],
  ["env in(test,live)", true],
  ["env in (test)", false],
  ["missing in (a)", false],
  ["empty in ()", true],
  ["empty in (a,)", true],
  ["env notin (test)", true],
  ["env notin (test,live)", false],
  ["missing notin (a)", true],
  ["team", true],
  ["missing", false],
  ["!missing", true],
  ["! team", false],
  ["in in (in)", true],
  ["in=in,!notin", true],
  ["example.com/tier=web", true],
  ["constructor", false],
  ["team=shop,env in (test,live),!legacy,example.com/tier", true],
  ["team=shop,env in (test,live),legacy", false],
];

for (const [selector, taken] of CASES) {
  test(`"${selector}" ${taken ? "takes" : "does not take"} the labels`, () => {
    const parsed = parseSelector(selector);
    assert.ok(parsed.ok, parsed.ok ? "" : parsed.reason);
    if (parsed.ok) assert.is(selects(parsed.value, LABELS), taken);
  });
}

/** Selector, and what is said about it. */
const BROKEN: readonly (readonly [string, string])[] = [
  [",", 'at character 1: expected the name of a label, found ","'],
  ["team=shop,", "at character 11: expected the name of a label, found the end"],
  ["team shop", 'at character 6: expected =, ==, !=, in or notin, found "shop"'],
  ["team=shop env=live", 'at character 11: expected a comma or the end, found "env"'],
  ["team > 3", 'at character 6: expected =, ==, !=, in or notin, found ">"'],
  ["team in shop", 'at character 9: expected ( and values, found "shop"'],
  ["team in (shop", "at character 14: expected a comma or ), found the end"],
  ["team in (a b)", 'at character 12: expected a comma or ), found "b"'],
  ["team in (", "at character 10: expected a value or ), found the end"],
  ["team IN (a)", 'at character 6: expected =, ==, !=, in or notin, found "IN"'],
  ["!team=shop", 'at character 6: expected a comma or the end, found "="'],
  ["!!team", 'at character 2: expected the name of a label, found "!"'],
  ["-a=b", 'at character 1: expected the name of a label, found "-a"'],
  ["a/b/c=d", 'at character 1: expected the name of a label, found "a/b/c"'],
  ["UPPER.example/a=d", 'at character 1: expected the name of a label, found "UPPER.example/a"'],
  [
    `${"a".repeat(254)}/a=d`,
    `at character 1: expected the name of a label, found "${"a".repeat(64)}…"`,
  ],
  ["a=b/c", 'at character 3: expected the value of a label, found "b/c"'],
  [
    `a=${"b".repeat(64)}`,
    `at character 3: expected the value of a label, found "${"b".repeat(64)}"`,
  ],
  ["a,".repeat(2_050), "is longer than 4096 characters"],
];

for (const [selector, reason] of BROKEN) {
  test(`"${selector.slice(0, 40)}" is refused, and says where`, () => {
    const parsed = parseSelector(selector);
    assert.is(parsed.ok ? "" : parsed.reason, reason);
  });
}

test.run();
