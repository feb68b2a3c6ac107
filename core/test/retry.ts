/** The table of retries, every cell of it: what failed × which request × what the route allows. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  BAD_RESPONSE,
  CLIENT_GONE,
  CONNECTION_LOST,
  CONNECT_FAILED,
  CONNECT_TIMEOUT,
  ENDPOINT_FULL,
  FAULTS,
  PENDING_TIMEOUT,
  RESPONSE_CUT,
  RESPONSE_STALLED,
  RESPONSE_TIMEOUT,
} from "../fault.ts";
import { DEFAULT_LIMITS, limitsOf } from "../limits.ts";
import { AGAIN, Budget, MOVE, NEVER, verdict } from "../retry.ts";

/** Connections: from the pool or new, and whether the kernel took a byte of the request. */
const CONNECTIONS = {
  "reused, unsent": { reused: true, unsent: true },
  "reused, sent": { reused: true, unsent: false },
  "fresh, unsent": { reused: false, unsent: true },
  "fresh, sent": { reused: false, unsent: false },
} as const;

/** Requests: may it be done twice, and is all of it kept. */
const REQUESTS = {
  idempotent: { idempotent: true, whole: true, resent: 0 },
  "idempotent, body too long": { idempotent: true, whole: false, resent: 0 },
  "idempotent, sent again": { idempotent: true, whole: true, resent: 1 },
  other: { idempotent: false, whole: true, resent: 0 },
} as const;

const PLAIN = { max: 1, nonIdempotent: false, fresh: false };
const POLICIES = {
  plain: PLAIN,
  none: { ...PLAIN, max: 0 },
  nonIdempotent: { ...PLAIN, nonIdempotent: true },
  fresh: { ...PLAIN, fresh: true },
} as const;

type Cell = `${keyof typeof CONNECTIONS} | ${keyof typeof REQUESTS} | ${keyof typeof POLICIES}`;

/** What is sent again after a lost connection; every other sent request is never. */
const SENT_AGAIN: readonly Cell[] = [
  "reused, sent | idempotent | plain",
  "reused, sent | idempotent | nonIdempotent",
  "reused, sent | idempotent | fresh",
  "reused, sent | other | nonIdempotent",
  "fresh, sent | idempotent | fresh",
];

const NAMES = new Map([
  [NEVER, "never"],
  [MOVE, "move"],
  [AGAIN, "again"],
]);

function eachCell(judge: (cell: Cell, found: (fault: number) => string) => void): void {
  for (const [connection, failed] of Object.entries(CONNECTIONS)) {
    for (const [request, sent] of Object.entries(REQUESTS)) {
      for (const [policy, retry] of Object.entries(POLICIES)) {
        const cell = `${connection} | ${request} | ${policy}` as Cell;
        judge(cell, (fault) => NAMES.get(verdict(fault, failed, sent, retry))!);
      }
    }
  }
}

test("what was never sent moves on, whatever it is", () => {
  eachCell((cell, found) => {
    if (!cell.includes("unsent")) return;
    for (const fault of [CONNECT_FAILED, CONNECT_TIMEOUT, CONNECTION_LOST]) {
      assert.is(found(fault), "move", `${FAULTS[fault]!.name}: ${cell}`);
    }
  });
});

test("what was sent goes again where that is harmless, and nowhere else", () => {
  eachCell((cell, found) => {
    if (cell.includes("unsent")) return;
    assert.is(found(CONNECTION_LOST), SENT_AGAIN.includes(cell) ? "again" : "never", cell);
  });
});

test("after a byte of an answer, a timeout or the client's own doing nothing goes again", () => {
  const final = [BAD_RESPONSE, RESPONSE_CUT, RESPONSE_TIMEOUT, RESPONSE_STALLED];
  eachCell((cell, found) => {
    for (const fault of [...final, PENDING_TIMEOUT, ENDPOINT_FULL, CLIENT_GONE]) {
      assert.is(found(fault), "never", `${FAULTS[fault]!.name}: ${cell}`);
    }
  });
});

test("retries are a share of what is in flight, and a few are always allowed", () => {
  for (const [active, retries, allows] of [
    [1, 0, true],
    [1, 99, true],
    [1, 100, false],
    [500, 100, false],
    [1_000, 199, true],
    [1_000, 200, false],
  ] as const) {
    const budget = new Budget(DEFAULT_LIMITS);
    budget.active = active;
    budget.retries = retries;
    assert.is(budget.allows, allows, `${retries} of ${active}`);
  }
  const none = new Budget(limitsOf({ retryBudget: 0, retriesMin: 0 }));
  none.active = 1_000;
  assert.is(none.allows, false);
});

test.run();
