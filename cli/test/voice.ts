import { test } from "uvu";
import * as assert from "uvu/assert";

import { fakeClock } from "../../core/clock.ts";
import type { Fields } from "../../core/log.ts";
import type { Finding } from "../../watch/finding.ts";
import { openVoice } from "../voice.ts";

const SETTLE_MS = 3_000;
const WEB: Finding = {
  level: "error",
  kind: "Ingress",
  namespace: "shop",
  name: "web",
  field: "spec",
  reason: "is wrong",
  hint: "",
  effect: "this path answers 503",
};
/** As many objects, each with something wrong. */
const many = (count: number): readonly Finding[] =>
  Array.from({ length: count }, (_, i) => ({ ...WEB, name: `web-${i}`, reason: `is wrong: ${i}` }));

function open() {
  const clock = fakeClock();
  const lines: string[] = [];
  const fields: Fields[] = [];
  const voice = openVoice(clock, (level, message, more = {}) => {
    lines.push(`${level} ${message}`);
    fields.push(more);
  });
  const world: { standing: readonly Finding[] } = { standing: [] };
  const found = (fresh: readonly Finding[]): void => voice.found(fresh, () => world.standing);
  const settle = (): void => clock.advance(SETTLE_MS);
  return { clock, lines, fields, world, found, settle };
}

test("a finding is written as people read it, once it has lasted", () => {
  const { clock, lines, world, found } = open();
  world.standing = [WEB];
  found([WEB]);
  clock.advance(SETTLE_MS - 1);
  assert.equal(lines, []);
  clock.advance(1);
  assert.equal(lines, ["error Ingress shop/web  spec: is wrong; this path answers 503"]);
});

test("what is over a moment later is not written, what changes meanwhile is as it is then", () => {
  const { clock, lines, world, found, settle } = open();
  found([WEB, { ...WEB, name: "api" }]);
  clock.advance(1_000);
  world.standing = [{ ...WEB, name: "api", hint: "did you mean right?" }];
  found(world.standing);
  settle();
  assert.equal(lines, [
    "error Ingress shop/api  spec: is wrong; did you mean right?; this path answers 503",
  ]);
});

test("a second finding has its own time", () => {
  const { clock, lines, world, found } = open();
  const other = { ...WEB, name: "api" };
  world.standing = [WEB, other];
  found([WEB]);
  clock.advance(SETTLE_MS - 500);
  found([other]);
  clock.advance(500);
  assert.is(lines.length, 1);
  clock.advance(SETTLE_MS - 500);
  assert.is(lines.length, 2);
});

test("errors come first, and an object has three lines at most", () => {
  const { lines, world, found, settle } = open();
  const fields = ["a", "b", "c", "d", "e"];
  const all = fields.map((field) => ({ ...WEB, level: "warning" as const, field, effect: "" }));
  world.standing = [...all, { ...WEB, name: "api" }];
  found(world.standing);
  settle();
  assert.equal(lines, [
    "error Ingress shop/api  spec: is wrong; this path answers 503",
    "warn Ingress shop/web  a: is wrong",
    "warn Ingress shop/web  b: is wrong",
    "warn Ingress shop/web  c: is wrong (and 2 more of it: /api/findings)",
  ]);
});

test("what one command mends is one line", () => {
  const { lines, world, found, settle } = open();
  const hint = (i: number): string => `let rind read ${i}: kubectl create this`;
  world.standing = many(40).map((each, i) => ({ ...each, hint: hint(i) }));
  found(world.standing);
  settle();
  assert.is(lines.length, 1);
  assert.match(lines[0]!, "kubectl create this");
  assert.match(lines[0]!, "(and 39 more like it: /api/findings)");
});

test("what is wrong with many objects is one line, before what is wrong with one", () => {
  const { lines, world, found, settle } = open();
  const field = (i: number): string => `spec.rules[${i}]`;
  const same = many(200).map((each, i) => ({ ...each, reason: "is not served", field: field(i) }));
  world.standing = [WEB, ...same];
  found(world.standing);
  settle();
  assert.is(lines.length, 2);
  assert.match(lines[0]!, "is not served; this path answers 503 (and 199 more like it: /api");
});

test("findings that come and go all the time do not flood the log", () => {
  const { lines, fields, world, found, settle } = open();
  world.standing = many(1_000);
  found(world.standing);
  settle();
  assert.is(lines.length, 101);
  assert.match(lines.at(-1)!, "too many");
  assert.is(fields.at(-1)!["unwritten"], 900);
  for (let i = 0; i < 1_000; i++) {
    found(world.standing);
    settle();
  }
  assert.ok(lines.length <= 101 + 3_000 * 10 + 51, `${lines.length} lines`);
});

test("after a while of peace each finding is a line again", () => {
  const { clock, lines, world, found, settle } = open();
  world.standing = many(1_000);
  found(world.standing);
  settle();
  clock.advance(20_000);
  lines.length = 0;
  found(world.standing.slice(0, 100));
  settle();
  assert.is(lines.length, 100);
});

test.run();
