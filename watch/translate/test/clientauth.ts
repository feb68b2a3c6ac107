/** Policies of a host for which several ask: the strictest, or none of theirs, but never less. */
import { test } from "uvu";
import * as assert from "uvu/assert";

import { type ClientAuth, DEFAULT_POLICY, NONE } from "../../../core/model.ts";
import { type PolicyClaim, isChallenge, settlePolicies } from "../clientauth.ts";
import { type Claim, type PolicyAsk, RULE } from "../draft.ts";

const HOST = "a.example";
const NOTHING: PolicyAsk = { minVersion: null, ciphers: "", client: null, broken: "" };

function demand(given: Partial<ClientAuth> = {}): PolicyAsk {
  const client = { authorities: "A", verify: "required", depth: 1, forward: false } as const;
  return { ...NOTHING, client: { ...client, ...given } };
}

/** An Ingress on the host, and what it asks; null: nothing. The first is the oldest. */
type Rival = readonly [owner: string, ask: PolicyAsk | null, path?: string];

function hostOf(rivals: readonly Rival[]): Parameters<typeof settlePolicies>[0] {
  const routes: Claim[] = [];
  const policies: PolicyClaim[] = [];
  rivals.forEach(([owner, ask, path = "/"], createdMs) => {
    const [namespace = "", name = ""] = owner.split("/");
    const origin = { kind: "Ingress", namespace, name, field: "" };
    const age = { createdMs, owner, uid: "u", order: 0 };
    const match = {
      path: { kind: "prefix", value: path },
      methods: [],
      headers: [],
      cookies: [],
      queries: [],
    } as const;
    const action = { kind: "forward", split: [], cursor: NONE } as const;
    const route = { id: owner, origin, match, action, policy: DEFAULT_POLICY };
    routes.push({ host: HOST, route, secured: DEFAULT_POLICY, rank: RULE, age });
    if (ask !== null) policies.push({ kind: "policy", host: HOST, origin, age, ask });
  });
  return { policies, routes };
}

type Case = Readonly<{
  title: string;
  rivals: readonly Rival[];
  /** What the host asks of clients: `verify` and `authorities`, then what else is not usual. */
  client: string;
  refused?: readonly string[];
  closed?: true;
  /** Owners with a finding, and its level. */
  found?: readonly string[];
}>;

const CASES: readonly Case[] = [
  {
    title: "one who asks",
    rivals: [["shop/a", demand()]],
    client: "required A",
  },
  {
    title: "who does not ask is under it as well, whoever is older",
    rivals: [
      ["shop/a", null],
      ["shop/b", demand()],
      ["shop/c", null],
    ],
    client: "required A",
    found: ["warning shop/a", "warning shop/c"],
  },
  {
    title: "of two words the stricter, whoever is older",
    rivals: [
      ["shop/a", demand({ verify: "unchecked", depth: 3 })],
      ["shop/b", demand({ verify: "optional", depth: 2, forward: true })],
    ],
    client: "optional A depth=2 forward",
  },
  {
    title: "required is never weakened by a younger one",
    rivals: [
      ["shop/a", demand()],
      ["shop/b", demand({ verify: "unchecked", depth: 9 })],
    ],
    client: "required A",
  },
  {
    title: "other authorities are refused",
    rivals: [
      ["shop/a", demand()],
      ["shop/b", demand({ authorities: "B" })],
    ],
    client: "required A",
    refused: ["shop/b"],
    found: ["error shop/b"],
  },
  {
    title: "another namespace cannot ask more of a host than its owner",
    rivals: [
      ["shop/a", null],
      ["thief/b", demand()],
    ],
    client: "",
    refused: ["thief/b"],
    found: ["error thief/b"],
  },
  {
    title: "whoever has paths of challenges alone owns nothing, however old",
    rivals: [
      ["thief/a", demand(), "/.well-known/acme-challenge/token"],
      ["shop/b", null],
    ],
    client: "",
    refused: ["thief/a"],
    found: ["error thief/a"],
  },
  {
    title: "another namespace that is content with what there is",
    rivals: [
      ["shop/a", demand()],
      ["other/b", demand({ verify: "optional" })],
      ["other/c", null],
    ],
    client: "required A",
    found: ["warning other/c"],
  },
  {
    title: "another namespace for which that is not strict enough",
    rivals: [
      ["shop/a", demand({ verify: "optional" })],
      ["other/b", demand()],
      ["other/c", demand({ verify: "optional", depth: 0 })],
    ],
    client: "optional A",
    refused: ["other/b", "other/c"],
    found: ["error other/b", "error other/c"],
  },
  {
    title: "authorities that are not there close the host",
    rivals: [
      ["shop/a", null],
      ["shop/b", { ...NOTHING, broken: "no Secret ca" }],
    ],
    client: "",
    refused: ["shop/b"],
    closed: true,
    found: ["error shop/a"],
  },
  {
    title: "those of another who rules keep it open",
    rivals: [
      ["shop/a", { ...NOTHING, broken: "no Secret ca" }],
      ["shop/b", demand()],
    ],
    client: "required A",
    refused: ["shop/a"],
  },
  {
    title: "what is broken in another namespace closes nothing but itself",
    rivals: [
      ["shop/a", null],
      ["thief/b", { ...NOTHING, broken: "no Secret ca" }],
    ],
    client: "",
    refused: ["thief/b"],
  },
  {
    title: "an oldest version of those who rule is for all",
    rivals: [
      ["shop/a", { ...NOTHING, minVersion: "1.2" }],
      ["shop/b", { ...NOTHING, minVersion: "1.3" }],
    ],
    client: "tls=1.3",
  },
  {
    title: "that of another namespace is refused",
    rivals: [
      ["shop/a", { ...NOTHING, minVersion: "1.2" }],
      ["other/b", { ...NOTHING, minVersion: "1.3" }],
    ],
    client: "tls=1.2",
    refused: ["other/b"],
    found: ["error other/b"],
  },
  {
    title: "the ciphers of the oldest",
    rivals: [
      ["shop/a", { ...NOTHING, ciphers: "A" }],
      ["shop/b", { ...NOTHING, ciphers: "B" }],
    ],
    client: "ciphers=A",
    found: ["warning shop/b"],
  },
  {
    title: "who only answers challenges neither rules nor is told",
    rivals: [
      ["cert-manager/solver", null, "/.well-known/acme-challenge/token"],
      ["shop/a", demand()],
      ["shop/solver", null, "/.well-known/acme-challenge/other"],
    ],
    client: "required A",
  },
];

function tell(settled: ReturnType<typeof settlePolicies>): string {
  const { policy } = settled;
  const client = policy?.client ?? null;
  return [
    client === null ? "" : `${client.verify} ${client.authorities}`,
    client === null || client.depth === 1 ? "" : `depth=${client.depth}`,
    client?.forward === true ? "forward" : "",
    policy === null || policy.minVersion === null ? "" : `tls=${policy.minVersion}`,
    policy === null || policy.ciphers === "" ? "" : `ciphers=${policy.ciphers}`,
  ]
    .filter((word) => word !== "")
    .join(" ");
}

for (const { title, rivals, client, refused = [], closed = false, found = [] } of CASES) {
  test(title, () => {
    const host = hostOf(rivals);
    for (const order of [host, reversed(host)]) {
      const settled = settlePolicies(order);
      assert.is(tell(settled), client);
      assert.equal([...settled.refused].sort(), refused);
      assert.is(settled.closed, closed);
      const findings = [...settled.findings.values()];
      const told = findings.map(({ level, namespace, name }) => `${level} ${namespace}/${name}`);
      assert.equal(told.sort(), found);
    }
  });
}

function reversed({ policies, routes }: ReturnType<typeof hostOf>): ReturnType<typeof hostOf> {
  return { policies: policies.toReversed(), routes: routes.toReversed() };
}

test("whatever two ask, none of them is served with less than it asked for", () => {
  const asks = [
    ...(["required", "optional", "unchecked"] as const).flatMap((verify) => [
      demand({ verify }),
      demand({ verify, authorities: "B" }),
      { ...demand({ verify, depth: 0 }), minVersion: "1.3" as const },
    ]),
    { ...NOTHING, minVersion: "1.3" as const },
    { ...NOTHING, broken: "no Secret" },
  ];
  const ranks = ["unchecked", "optional", "required"];
  for (const one of asks) {
    for (const other of [...asks, null]) {
      for (const namespace of ["shop", "other"]) {
        const rivals: readonly Rival[] = [
          ["shop/a", one],
          [`${namespace}/b`, other],
        ];
        for (const order of [rivals, rivals.toReversed()]) {
          const { policy, refused, closed } = settlePolicies(hostOf(order));
          for (const [owner, ask] of order) {
            if (ask === null || refused.has(owner) || closed) continue;
            assert.is(ask.broken, "");
            if (ask.minVersion === "1.3") assert.is(policy?.minVersion, "1.3");
            if (ask.client === null) continue;
            const client = policy!.client!;
            assert.is(client.authorities, ask.client.authorities);
            assert.ok(ranks.indexOf(client.verify) >= ranks.indexOf(ask.client.verify));
            assert.ok(client.depth <= ask.client.depth);
          }
        }
      }
    }
  }
});

test("an id is of the content: equal policies of two hosts are one, all others differ", () => {
  const asks = [
    demand(),
    demand({ authorities: "B" }),
    demand({ verify: "optional" }),
    demand({ depth: 2 }),
    demand({ forward: true }),
    { ...demand(), minVersion: "1.3" as const },
    { ...demand(), ciphers: "A" },
    { ...NOTHING, ciphers: "A" },
  ];
  const idOf = (owner: string, ask: PolicyAsk): string =>
    settlePolicies(hostOf([[owner, ask]])).policy!.id;
  assert.is(new Set(asks.map((ask) => idOf("shop/a", ask))).size, asks.length);
  for (const ask of asks) assert.is(idOf("shop/a", ask), idOf("other/b", ask));
  assert.match(idOf("shop/a", demand()), /^[0-9a-f]{40}$/);
});

test("five thousand who share a host are not told one by one", () => {
  const rivals = Array.from({ length: 5_000 }, (_, i): Rival => [`shop/w${i}`, null]);
  const { findings } = settlePolicies(hostOf([...rivals, ["shop/x", demand()]]));
  assert.ok(findings.size > 0 && findings.size <= 100, `${findings.size} findings`);
});

for (const [path, challenge] of [
  ["/.well-known/acme-challenge", true],
  ["/.well-known/acme-challenge/", true],
  ["/.well-known/acme-challenge/token", true],
  ["/.well-known/acme-challenges", false],
  ["/.well-known", false],
  ["/", false],
  ["/x/.well-known/acme-challenge/token", false],
] as const) {
  test(`${path} takes ${challenge ? "challenges only" : "more than challenges"}`, () => {
    assert.is(isChallenge(path), challenge);
  });
}

test.run();
