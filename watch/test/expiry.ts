/** When there is something to say about the end of a certificate, and when no more. */
import { test } from "uvu";
import * as assert from "uvu/assert";

import { type FakeClock, fakeClock } from "../../core/clock.ts";
import { Expiry, findExpiring } from "../expiry.ts";
import type { CertificateFacts } from "../translate/certificates.ts";

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
/** 2026-01-01T00:00:00Z */
const START_MS = 1_767_225_600_000;

function certificate(fromDays: number, untilDays: number): CertificateFacts {
  const notBeforeMs = START_MS + fromDays * DAY_MS;
  const notAfterMs = START_MS + untilDays * DAY_MS;
  return { id: "shop/tls", key: "ec", names: ["a.example"], notBeforeMs, notAfterMs };
}

/** How long it is good, from and until which day; then days, and what is said on each. */
type Row = readonly [from: number, until: number, said: readonly (readonly [number, string])[]];

const WARNS = "warning expires";
const ENDED = "error expired";
const EARLY = "error not valid before";

const ROWS: readonly Row[] = [
  [
    -10,
    80,
    [
      [0, ""],
      [65.9, ""],
      [66, WARNS],
      [79.9, WARNS],
      [80, WARNS],
      [80.1, ENDED],
    ],
  ],
  [
    5,
    365,
    [
      [0, EARLY],
      [4.9, EARLY],
      [5, ""],
      [350, ""],
      [352, WARNS],
      [1_000, ENDED],
    ],
  ],
  [
    -1,
    10,
    [
      [0, WARNS],
      [11, ENDED],
    ],
  ],
  [-20, -1, [[0, ENDED]]],
  // Meant to be renewed all the time: said when that is late.
  [
    -1,
    5,
    [
      [0, ""],
      [3.9, ""],
      [4.1, WARNS],
      [5.1, ENDED],
    ],
  ],
];

for (const [from, until, said] of ROWS) {
  test(`good from day ${from} until day ${until}`, () => {
    for (const [day, expected] of said) {
      const found = findExpiring([certificate(from, until)], START_MS + day * DAY_MS);
      const texts = found.map(({ level, reason }) => {
        return `${level} ${/expires|expired|not valid before/.exec(reason)?.[0] ?? reason}`;
      });
      assert.equal(texts, expected === "" ? [] : [expected], `day ${day}`);
    }
  });
}

test("a finding is on the Secret, with the date and whom it concerns", () => {
  const names = ["a.example", "b.example", "c.example", "d.example", "e.example", "f.example"];
  const [finding] = findExpiring([{ ...certificate(-1, 10), names }], START_MS);
  assert.equal(finding, {
    level: "warning",
    kind: "Secret",
    namespace: "shop",
    name: "tls",
    field: "",
    reason: "its certificate expires on 2026-01-11T00:00:00Z",
    hint: "renew it: a new pair in this Secret is served at once",
    effect: "clients refuse a.example, b.example, c.example, d.example, and 2 more from then on",
  });
});

test("a date that no calendar has is far away", () => {
  const notAfterMs = 1e17;
  assert.equal(findExpiring([{ ...certificate(-1, 1), notAfterMs }], START_MS), []);
  const [finding] = findExpiring([{ ...certificate(1, 1), notBeforeMs: 1e17 }], START_MS);
  assert.match(finding?.reason ?? "", "not valid before a date far away");
});

type Rig = Readonly<{ clock: FakeClock; expiry: Expiry; moves: string[] }> & { skewMs: number };

function rig(): Rig {
  const clock = fakeClock();
  const moves: string[] = [];
  const moved = (): void => {
    const said = made.expiry.findings().map(({ level }) => level);
    moves.push(`${(clock.now() / DAY_MS).toFixed(1)} ${said.join(",")}`);
  };
  const wall = (): number => START_MS + clock.now() + made.skewMs;
  const made: Rig = { clock, moves, skewMs: 0, expiry: new Expiry({ clock, wall, moved }) };
  return made;
}

test("findings come and go with time alone", () => {
  const on = rig();
  on.expiry.watch([certificate(-1, 30), certificate(2, 100)]);
  on.clock.advance(90 * DAY_MS);
  assert.equal(on.moves, ["2.0 ", "16.0 warning", "30.0 error", "86.0 error,warning"]);
  on.expiry.watch([certificate(80, 500)]);
  assert.equal(on.expiry.findings(), [], "watch says what is so at once");
  on.expiry.watch([]);
  on.clock.advance(1_000 * DAY_MS);
  assert.is(on.moves.length, 4, "nothing is left to look at");
});

test("a wall clock that is set is noticed within the hour", () => {
  const on = rig();
  on.expiry.watch([certificate(-1, 100)]);
  on.skewMs = 200 * DAY_MS;
  on.clock.advance(HOUR_MS);
  assert.equal(on.moves, ["0.0 error"]);
  on.skewMs = 0;
  on.clock.advance(HOUR_MS);
  assert.equal(on.moves, ["0.0 error", "0.1 "]);
});

test("nothing is said after stop, and the same list costs no look", () => {
  const on = rig();
  const list = [certificate(-1, 30)];
  on.expiry.watch(list);
  const findings = on.expiry.findings();
  on.expiry.watch(list);
  assert.is(on.expiry.findings(), findings);
  on.expiry.stop();
  on.clock.advance(100 * DAY_MS);
  assert.equal(on.moves, []);
});

test.run();
