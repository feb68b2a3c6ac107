/** Who gets a path: the same whatever the order in which the claims came. */
import { test } from "uvu";
import * as assert from "uvu/assert";

import { DEFAULT_POLICY, NONE, type PathMatch } from "../../../core/model.ts";
import { type Claim, REPAIRED, REST, RULE } from "../draft.ts";
import { OPEN } from "../secured.ts";
import { settle } from "../settle.ts";

const NEW_MS = 2_000;
const OLD_MS = 1_000;

/** Claims on the same path, first come first. */
const ORDERED: readonly Claim[] = [
  claim("z/z", { createdMs: OLD_MS }),
  claim("a/a", { createdMs: NEW_MS }),
  claim("a/a", { createdMs: NEW_MS, order: 1 }),
  claim("a/a", { createdMs: NEW_MS, order: 2, value: "/other" }),
  claim("a/a", { createdMs: NEW_MS, uid: "v" }),
  claim("b/a", { createdMs: NEW_MS }),
  claim("a/never", { createdMs: Number.POSITIVE_INFINITY }),
  claim("a/rest", { createdMs: OLD_MS, rank: REST }),
  claim("a/rest", { createdMs: NEW_MS, rank: REST, value: "/rest" }),
  claim("a/repaired", { createdMs: OLD_MS, rank: REPAIRED }),
];

function claim(
  owner: string,
  given: Partial<Claim["age"]> & Readonly<{ rank?: Claim["rank"]; value?: string }>,
): Claim {
  const { createdMs = OLD_MS, uid = "u", order = 0, rank = RULE, value = "/" } = given;
  const [namespace = "", name = ""] = owner.split("/");
  const path: PathMatch = { kind: "prefix", value };
  const id = `${owner} ${uid} ${order} ${rank} ${value}`;
  return {
    host: "a.example",
    rank,
    secured: DEFAULT_POLICY,
    age: { createdMs, owner, uid, order },
    route: {
      id,
      origin: { kind: "Ingress", namespace, name, field: `${uid} ${order}` },
      match: { path, methods: [], headers: [], cookies: [], queries: [] },
      action: { kind: "forward", split: [], cursor: NONE },
      policy: DEFAULT_POLICY,
    },
  };
}

test("the first of each path is routed, in whatever order the claims came", () => {
  const firsts = [ORDERED[0]!, ORDERED[3]!, ORDERED[8]!].map(({ route }) => route);
  for (let start = 0; start < ORDERED.length; start++) {
    const turned = [...ORDERED.slice(start), ...ORDERED.slice(0, start)];
    for (const claims of [turned, turned.toReversed()])
      assert.equal(settle(claims, OPEN).routes, firsts);
  }
});

test("of any two claims the same one wins, whichever came first", () => {
  const rivals = ORDERED.filter(({ route }) => route.match.path.value === "/");
  rivals.forEach((winner, i) => {
    for (const loser of rivals.slice(i + 1)) {
      for (const claims of [
        [winner, loser],
        [loser, winner],
      ]) {
        assert.equal(settle(claims, OPEN).routes, [winner.route]);
      }
    }
  });
});

test.run();
