import { test } from "uvu";
import * as assert from "uvu/assert";
import { fakeClock } from "../../../core/clock.ts";
import { Denials, isDenial } from "../denials.ts";

test("a denial is of its namespace, lasts 30 s, and is forgotten when nobody tries again", () => {
  const clock = fakeClock();
  const denials = new Denials(clock);
  denials.deny("shop", "RBAC denies it");
  assert.is(denials.waitMs("shop"), 30_000);
  assert.ok(denials.waitMs("other") <= 0);
  clock.advance(39_000);
  assert.is(denials.problem(), "RBAC denies it", "it may be tried just now");
  assert.ok(denials.waitMs("shop") <= 0);
  clock.advance(2_000);
  assert.is(denials.problem(), "");
});

test("a write that is taken ends a denial, and says so once", () => {
  const denials = new Denials(fakeClock());
  denials.deny("shop", "RBAC denies it");
  assert.ok(denials.allow("shop"));
  assert.not(denials.allow("shop"));
  assert.is(denials.problem(), "");
});

/** Answers, and whether a right is missing. */
const ANSWERS: readonly [name: string, status: number, message: unknown, denial: boolean][] = [
  [
    "of RBAC",
    403,
    'x is forbidden: User "a" cannot patch resource "ingresses/status" in API',
    true,
  ],
  ["of a policy", 403, 'admission webhook "x" denied the request: no', false],
  ["of a namespace that ends", 403, "x is forbidden: because it is being terminated", false],
  ["without a word", 403, undefined, true],
  ["that is none", 422, 'User "a" cannot patch resource "ingresses" in API', false],
];

for (const [name, status, message, denial] of ANSWERS) {
  test(`a refusal ${name} is ${denial ? "a" : "no"} lack of rights`, () => {
    const more = { ok: false, reason: "", retryAfterMs: null } as const;
    assert.is(isDenial({ ...more, status, body: { message } }), denial);
  });
}

test.run();
