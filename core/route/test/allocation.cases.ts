/** What allocation.ts runs in a process of its own. */
import { DEFAULT_POLICY, type Match, NONE, type Route } from "../../model.ts";
import { lookupHost } from "../hosts.ts";
import { canonicalPath } from "../path.ts";
import { compileSplit, pick, shareCursors, type Split } from "../split.ts";
import { compileTable, match } from "../table.ts";
import { compileTrie, lookup } from "../trie.ts";
import type { Workloads } from "../../../test/collections.cases.ts";
import { headOf } from "./request.cases.ts";

function routeTo(id: string, value: string, when: Partial<Match>): Route {
  return {
    id,
    origin: { kind: "", namespace: "", name: id, field: "" },
    match: {
      path: { kind: "prefix", value },
      ...{ methods: [], headers: [], cookies: [], queries: [] },
      ...when,
    },
    action: { kind: "forward", split: [{ backend: "b", weight: 1 }], cursor: NONE },
    policy: DEFAULT_POLICY,
  };
}

function splitOf(weights: readonly number[], cursor: number): Split {
  const shares = weights.map((weight) => ({ backend: "b", weight }));
  return compileSplit(shares, () => 1, { route: "r", cursor });
}

const paths = Array.from({ length: 5_000 }, (_, i) => `/team-${i % 50}/service-${i}`);
const when: Partial<Match> = {
  methods: ["GET"],
  headers: [{ name: "x-canary", value: "always" }],
  cookies: [{ name: "canary", value: "1" }],
  queries: [{ name: "canary", value: null }],
};
const hosts = Array.from({ length: 500 }, (_, i) => ({
  name: i % 2 === 0 ? `shop-${i}.example.com` : `*.shop-${i}.example.com`,
  policy: "",
  routes: [routeTo("/", "/", {}), routeTo("/api", "/api", {}), routeTo("if", "/api/v1", when)],
}));
const table = compileTable(
  { version: 1, hosts, backends: [], certificates: [], secure: [] },
  () => 1,
);
const { trie } = compileTrie(paths.map((value) => ({ kind: "prefix", value })));
const lines = ["X-Canary: always", "Cookie: a=1; canary=1"];
const met = headOf({ host: "Shop-42.example.com", target: "/api/v1/x?a=1&canary=2", lines });
const unmet = headOf({ host: "www.shop-43.example.com", target: "/api/v1/x?a=1&canary=2" });
const miss = headOf({ host: "nobody.example.org" });
const request = Buffer.from("/team-7/service-4007/items/42");
const odd = headOf({ target: "/a/./%62/../c%2fd;v=1" });
const [oddBytes, oddStart, oddEnd] = [odd.path, odd.pathStart, odd.pathEnd];
const pair = splitOf([89, 11], NONE);
const laid = splitOf([50, 25, 25], NONE);
const running = splitOf([7_001, 2_003, 996], NONE);
const sharedPair = splitOf([999_999, 1], 3);
const cursors = new Int32Array(new SharedArrayBuffer(16));

shareCursors(cursors);

/** Every way through the room that a request takes. */
export const WORKLOADS: Workloads = {
  lookup: () => lookup(trie, request, 0, request.length),
  lookupHost: () => lookupHost(table.hosts, met.bytes, met.hostStart, met.hostEnd),
  "match, conditions met": () => match(table, met)!.backend,
  "match, wildcard and fallback": () => match(table, unmet)!.backend,
  "match, no host": () => (match(table, miss) === null ? 1 : 0),
  canonicalPath: () => {
    odd.path = oddBytes;
    odd.pathStart = oddStart;
    odd.pathEnd = oddEnd;
    return canonicalPath(odd) ? 1 : 0;
  },
  "pick, two shares": () => pick(pair),
  "pick, laid out": () => pick(laid),
  "pick, running": () => pick(running),
  "pick, shared counter": () => pick(sharedPair),
};
