import { test } from "uvu";
import * as assert from "uvu/assert";

import { fakeClock } from "../../core/clock.ts";
import type { Fields } from "../../core/log.ts";
import { openVoice } from "../voice.ts";

const FINDING = {
  level: "error",
  kind: "Ingress",
  namespace: "shop",
  name: "web",
  field: "spec",
  reason: "is wrong",
  hint: "",
  effect: "",
} as const;

test("findings that come and go all the time do not flood the log", () => {
  const clock = fakeClock();
  const lines: [string, Fields][] = [];
  const voice = openVoice(clock, (_level, message, fields = {}) => lines.push([message, fields]));
  for (let i = 0; i < 10_000; i++) voice.found(FINDING);
  assert.is(lines.length, 201);
  assert.match(lines.at(-1)![0], "too fast");
  // An hour of a thousand a second.
  for (let second = 0; second < 3_600; second++) {
    clock.advance(1_000);
    for (let i = 0; i < 1_000; i++) voice.found(FINDING);
  }
  assert.ok(lines.length < 201 + 3_600 * 10 + 61, `${lines.length} lines`);
  assert.ok(
    lines.some(([message, { unwritten }]) => message === "is wrong" && unwritten === 9_800),
  );
});

test("after a while of peace each finding is a line again", () => {
  const clock = fakeClock();
  let count = 0;
  const voice = openVoice(clock, () => void count++);
  for (let i = 0; i < 1_000; i++) voice.found(FINDING);
  clock.advance(20_000);
  count = 0;
  for (let i = 0; i < 200; i++) voice.found(FINDING);
  assert.is(count, 200);
});

test.run();
