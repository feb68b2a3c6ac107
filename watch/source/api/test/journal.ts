import { suite } from "uvu";
import * as assert from "uvu/assert";
import { fakeClock } from "../../../../core/clock.ts";
import { type Health, Journal } from "../journal.ts";

const test = suite("journal");

const DENIED = "the API server does not let rind read";
const AWAY = "the API server is not heard: nothing changes until it is";

/** Plays states of feeds, each with the time that follows it; the answer is the log. */
function play(...acts: readonly (readonly [ms: number, ...health: Health[]])[]): readonly string[] {
  const clock = fakeClock();
  const lines: string[] = [];
  let now: readonly Health[] = [];
  const journal = new Journal(
    clock,
    () => now,
    (level, message, fields = {}) =>
      void lines.push([level, message, ...Object.values(fields)].join(" | ")),
  );
  for (const [ms, ...health] of acts) {
    now = health;
    for (let i = 0; i < health.length; i++) journal.moved();
    clock.advance(ms);
  }
  journal.stop();
  return lines;
}

function feed(name: string, status: number | null): Health {
  const failure = { ok: false, status: status ?? 0, reason: `no ${name}`, body: null } as const;
  const hint = status === 403 ? `allow ${name}` : "";
  return { name, failure: status === null ? null : { ...failure, retryAfterMs: null }, hint };
}

test("a server that is away is one line, and so is its return", () => {
  const lines = play(
    [3_000, feed("a", null), feed("b", null)],
    [1_000, feed("a", 0), feed("b", null)],
    [60_000, feed("a", 0), feed("b", 503)],
    [60_000, feed("a", 0), feed("b", 0)],
    [500, feed("a", null), feed("b", 0)],
    [60_000, feed("a", null), feed("b", null)],
    [60_000, feed("a", null), feed("b", null)],
  );
  assert.equal(lines, [
    `warn | ${AWAY} | no a | a, b`,
    "info | the API server is heard again | 121500",
  ]);
});

test("how long it was away counts from the first failure to the last", () => {
  const lines = play(
    [500, feed("a", 0)],
    [60_000, feed("a", null)],
    [10_000, feed("a", 0)],
    [1_000, feed("a", null)],
    [5_000, feed("a", null)],
  );
  assert.equal(lines, [
    `warn | ${AWAY} | no a | a`,
    "info | the API server is heard again | 10000",
  ]);
});

test("what lasts a moment is no line", () => {
  assert.equal(play([500, feed("a", 0)], [500, feed("a", 403)], [60_000, feed("a", null)]), []);
});

test("what is denied is told once, together, and when it is allowed; not when nobody asks", () => {
  const many = Array.from({ length: 9 }, (_, i) => feed(`f${i}`, 403));
  const lines = play(
    [5_000, feed("a", 403), feed("b", 404)],
    [5_000, feed("a", 403), feed("b", null)],
    [5_000, feed("a", null), ...many],
    [5_000, feed("a", null), feed("f0", 403)],
  );
  assert.equal(lines, [
    `warn | ${DENIED} | a, b | no a | allow a`,
    "info | the API server lets rind read again | b",
    `warn | ${DENIED} | f0, f1, f2, f3, f4, f5, f6, f7 and 1 more | no f0 | allow f0`,
    "info | the API server lets rind read again | a",
  ]);
});

test("a server that is away allows nothing; what it denied is told when it is allowed", () => {
  const lines = play(
    [5_000, feed("a", 403), feed("b", null)],
    [60_000, feed("a", 0), feed("b", 0)],
    [5_000, feed("a", 403), feed("b", null)],
    [5_000, feed("a", null), feed("b", null)],
  );
  assert.equal(
    lines.filter((line) => !line.startsWith("info | the API server is heard")),
    [
      `warn | ${DENIED} | a | no a | allow a`,
      `warn | ${AWAY} | no a | a, b`,
      "info | the API server lets rind read again | a",
    ],
  );
});

test.run();
