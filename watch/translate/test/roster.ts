import { test } from "uvu";
import * as assert from "uvu/assert";

import { Random } from "../../../core/random.ts";
import type { Finding } from "../../finding.ts";
import { Counted, Ledger, Roster } from "../roster.ts";

const SEED = Number(process.env["SEED"] ?? crypto.getRandomValues(new Int32Array(1))[0]!);
console.log(`seed ${SEED} (SEED=… repeats it)`);

test("a roster holds what a sorted map would, however many edits come at a time", () => {
  const random = new Random(SEED);
  const roster = new Roster<number>();
  const expected = new Map<string, number>();
  for (let round = 0; round < 300; round++) {
    for (let edits = random.below(40); edits > 0; edits--) {
      const key = `k${random.below(60)}`;
      const item = random.below(3) === 0 ? null : random.below(5);
      roster.set(key, item);
      if (item === null) expected.delete(key);
      else expected.set(key, item);
    }
    const keys = [...expected.keys()].sort();
    assert.equal(
      roster.list(),
      keys.map((key) => expected.get(key)),
    );
    for (const key of keys) assert.is(roster.get(key), expected.get(key));
  }
});

test("a roster that is edited back and forth is the same list", () => {
  const roster = new Roster<number>();
  roster.set("a", 1);
  const list = roster.list();
  roster.set("a", null);
  roster.set("a", 1);
  roster.set("b", 2);
  roster.set("b", null);
  assert.is(roster.list(), list);
});

test("a set holds what is named at least once, and is the same set when that is so before", () => {
  const counted = new Counted();
  counted.replace([], ["a", "b"]);
  counted.replace([], ["b"]);
  const both = counted.set();
  assert.equal(both, new Set(["a", "b"]));
  counted.replace(["a", "b"], ["a"]);
  assert.is(counted.set(), both, "b is named by the other one");
  counted.replace(["b"], ["c"]);
  counted.replace(["c"], ["b"]);
  assert.is(counted.set(), both);
  counted.replace(["a"], []);
  assert.equal(counted.set(), new Set(["b"]));
  assert.equal(both, new Set(["a", "b"]), "sets that were given away stay as they are");
});

function finding(reason: string): readonly [string, Finding] {
  const where = { kind: "Ingress", namespace: "a", name: "b", field: "" };
  return [reason, { ...where, level: "error", reason, hint: "", effect: "" }];
}

function findings(...reasons: readonly string[]): Map<string, Finding> {
  return new Map(reasons.map(finding));
}

/** Reasons of all, and of the fresh ones. */
function reasons(ledger: Ledger): readonly [string, string] {
  const list = ledger.list();
  const text = (all: readonly Finding[]): string => all.map(({ reason }) => reason).join("");
  return [text(list.findings), text(list.fresh)];
}

test("a finding is fresh once, and gone when nobody says it", () => {
  const ledger = new Ledger();
  ledger.replace(new Map(), findings("b", "a"));
  assert.equal(reasons(ledger), ["ab", "ab"]);
  ledger.replace(new Map(), findings("a", "c"));
  assert.equal(reasons(ledger), ["abc", "c"]);
  ledger.replace(findings("b", "a"), findings("b"));
  assert.equal(reasons(ledger), ["abc", ""]);
  ledger.replace(findings("a", "c"), new Map());
  assert.equal(reasons(ledger), ["b", ""]);
});

test("a finding that goes and comes back within one translation is not fresh", () => {
  const ledger = new Ledger();
  ledger.replace(new Map(), findings("a"));
  const { findings: before } = ledger.list();
  ledger.replace(findings("a"), new Map());
  ledger.replace(new Map(), findings("a"));
  const after = ledger.list();
  assert.is(after.findings, before);
  assert.equal(after.fresh, []);
});

test.run();
