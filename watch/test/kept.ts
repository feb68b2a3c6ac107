import { test } from "uvu";
import * as assert from "uvu/assert";
import { DOUBT_MS, type Kept, merge, newKept, reread } from "../source/kept.ts";
import type { Reading } from "../source/files.ts";

const MISSING: Reading = { ok: false, missing: true, reason: "does not exist" };
const FAILED: Reading = { ok: false, missing: false, reason: "cannot be read (EIO)" };
const BROKEN = "\n---\na: b: c\n";

/** Services of these names, one document each; `a=2` makes another version of `a`. */
function text(names: string): string {
  return names
    .split(" ")
    .map((name) => {
      const [bare, spec = "1"] = name.split("=");
      return `apiVersion: v1\nkind: Service\nmetadata: {name: ${bare}}\nspec: ${spec}\n`;
    })
    .join("---\n");
}

function file(content: string): Reading {
  return { ok: true, text: content };
}

/** What is kept after readings, each with the milliseconds that passed before it. */
function after(...steps: readonly (readonly [waitMs: number, reading: Reading])[]): Kept | null {
  let now = 0;
  let kept: Kept | null = newKept("a.yaml");
  for (const [waitMs, reading] of steps) {
    now += waitMs;
    kept = reread(kept ?? newKept("a.yaml"), reading, now);
  }
  return kept;
}

function shown(kept: Kept | null): string {
  if (kept === null) return "gone";
  const objects = kept.objects.map(({ metadata, spec }) => `${metadata.name}=${spec}`).join(" ");
  const findings = kept.findings.map(({ level }) => ` ${level}`).join("");
  return `${objects}${findings}${kept.doubt === null ? "" : " doubt"}`;
}

type Step = readonly [waitMs: number, reading: Reading];
const GOOD: Step = [0, file(text("a b"))];

/** Readings after `a b` was read well, and what is kept then. */
const CASES: readonly [name: string, steps: readonly Step[], expected: string][] = [
  ["a change", [[0, file(text("a=2 b"))]], "a=2 b=1"],
  ["a new object", [[0, file(text("a b c"))]], "a=1 b=1 c=1"],
  ["an object lost", [[0, file(text("a"))]], "a=1 b=1 doubt"],
  [
    "an object lost for long",
    [
      [0, file(text("a"))],
      [DOUBT_MS, file(text("a"))],
    ],
    "a=1",
  ],
  [
    "a loss read twice in a hurry",
    [
      [0, file(text("a"))],
      [5, file(text("a"))],
    ],
    "a=1 b=1 doubt",
  ],
  [
    "one loss after another",
    [
      [0, file(text("a"))],
      [50, file(text("b"))],
    ],
    "a=1 b=1 doubt",
  ],
  [
    "half a file, then all of it",
    [
      [0, file(text("a=2"))],
      [5, file(text("a=2 b=2"))],
    ],
    "a=2 b=2",
  ],
  [
    "a loss taken back",
    [
      [0, file(text("a"))],
      [5, GOOD[1]],
    ],
    "a=1 b=1",
  ],
  ["the file missing", [[0, MISSING]], "a=1 b=1 doubt"],
  [
    "the file missing for long",
    [
      [0, MISSING],
      [DOUBT_MS, MISSING],
    ],
    "gone",
  ],
  [
    "the file back at once",
    [
      [0, MISSING],
      [5, file(text("a=2 b"))],
    ],
    "a=2 b=1",
  ],
  [
    "the file back as it was",
    [
      [0, MISSING],
      [5, GOOD[1]],
    ],
    "a=1 b=1",
  ],
  ["the file emptied", [[0, file("")]], "a=1 b=1 warning"],
  [
    "the file emptied for ever",
    [
      [0, file("\n")],
      [9_999, file("\n")],
    ],
    "a=1 b=1 warning",
  ],
  [
    "emptied, then written",
    [
      [0, file("")],
      [1_000, file(text("a=2 b"))],
    ],
    "a=2 b=1",
  ],
  [
    "all commented out",
    [
      [0, file("# a b")],
      [DOUBT_MS, file("# a b")],
    ],
    "",
  ],
  ["a failed reading", [[0, FAILED]], "a=1 b=1 error"],
  [
    "a failed reading, for long",
    [
      [0, FAILED],
      [9_999, FAILED],
    ],
    "a=1 b=1 error",
  ],
  [
    "readable again",
    [
      [0, FAILED],
      [0, file(text("a b"))],
    ],
    "a=1 b=1",
  ],
  ["a broken part behind good ones", [[0, file(text("a=2 b=2") + BROKEN)]], "a=2 b=2 error"],
  ["a part that breaks", [[0, file(text("b=2") + BROKEN)]], "b=2 a=1 error"],
  [
    "all of it broken",
    [
      [0, file(BROKEN)],
      [9_999, file(BROKEN)],
    ],
    "a=1 b=1 error",
  ],
  [
    "broken, then repaired",
    [
      [0, file(BROKEN)],
      [0, file(text("a=3 b=3"))],
    ],
    "a=3 b=3",
  ],
  [
    "broken, then deleted",
    [
      [0, file(BROKEN)],
      [0, MISSING],
      [DOUBT_MS, MISSING],
    ],
    "gone",
  ],
  ["an object that loses its name", [[0, file(text("a").replace("name: a", ""))]], "a=1 b=1 error"],
];

for (const [name, steps, expected] of CASES) {
  test(`${name}: ${expected === "" ? "nothing" : expected}`, () => {
    assert.is(shown(after(GOOD, ...steps)), expected);
  });
}

test("a file without objects leaves nothing to doubt", () => {
  assert.is(shown(after([0, file("# none")], [0, MISSING])), "gone");
  assert.is(shown(after([0, MISSING])), "gone");
  assert.is(shown(after([0, file(BROKEN)])), " error");
});

test("nothing new is the same Kept", () => {
  const kept = after(GOOD);
  assert.ok(kept);
  assert.is(reread(kept, GOOD[1], 5), kept);
});

test("a broken file says that its objects stay", () => {
  const kept = after(GOOD, [0, file(BROKEN)]);
  assert.match(kept?.findings[0]?.effect ?? "", /stay/);
});

function named(path: string, names: string): Kept {
  const kept = reread(newKept(path), file(text(names)), 0);
  assert.ok(kept);
  return kept;
}

test("of an object that is defined twice, the first by path counts, with a finding", () => {
  const { objects, findings } = merge([named("b.yaml", "x=2 z"), named("a.yaml", "x=1 y")]);
  assert.equal(
    [...objects].map(([id, object]) => `${id} ${object["spec"]}`),
    ["Service default/x 1", "Service default/y 1", "Service default/z 1"],
  );
  assert.equal(
    findings.map(({ name, reason }) => [name, reason]),
    [["x", "b.yaml defines this object, and so does a.yaml"]],
  );
});

test("an object that is defined twice in one file is a finding too", () => {
  const { objects, findings } = merge([named("a.yaml", "x=1 x=2")]);
  assert.is(objects.get("Service default/x")?.["spec"], 1);
  assert.is(findings[0]?.reason, "a.yaml defines this object twice");
});

test("while a file is leaving, its objects may be in another one already", () => {
  const leaving = reread(named("a.yaml", "x"), MISSING, 0);
  assert.ok(leaving);
  assert.equal(merge([leaving, named("b.yaml", "x")]).findings, []);
});

test.run();
