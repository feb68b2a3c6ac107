import { test } from "uvu";
import * as assert from "uvu/assert";
import type { ClusterState } from "../../admin/json.ts";
import type { Workers } from "../../core/supervisor.ts";
import { UNBOUND } from "../../core/protocol.ts";
import type { FeedState } from "../../watch/source/source.ts";
import { BLANK, type Board, isCurrent, readiness } from "../board.ts";

const IDLE: Workers = {
  publish: () => Promise.resolve(),
  started: Promise.resolve({ ok: true }),
  addresses: () => UNBOUND,
  states: () => [{ pid: 1, serving: true, version: 3, heapBytes: 0 }],
  faults: () => [],
  stormy: () => false,
  replace: () => Promise.resolve(true),
  drain: () => Promise.resolve(),
  stop: () => {},
};

function feed(name: string, more: Partial<FeedState> = {}): FeedState {
  return { name, synced: true, ageMs: 1_000, problem: "", ...more };
}

function clusterOf(feeds: readonly FeedState[], more: Partial<ClusterState> = {}): Board {
  const state = { server: "https://10.0.0.1", ageMs: 0, saved: false, feeds, report: null };
  return { ...BLANK, synced: true, cluster: () => ({ ...state, ...more }) };
}

const AWAY = { ageMs: 61_400, problem: "cannot reach it" };
const UNREAD = { synced: false, problem: "cannot reach it" };
const REPORT = { leader: true, holder: "a", pending: 1, dropped: 0, problem: "RBAC denies it" };

/** The board, what is said against traffic, and what else is said. */
const ROWS: readonly [name: string, Board, reason: string, ...notes: string[]][] = [
  ["a folder that is served", { ...BLANK, synced: true }, ""],
  ["a folder that is not", BLANK, "no worker serves yet"],
  ["a cluster that is well", clusterOf([feed("Ingress"), feed("Service")]), ""],
  [
    "a cluster that is read",
    { ...clusterOf([feed("A", { synced: false, problem: "denied" }), feed("B")]), synced: false },
    "no worker serves yet; waiting for A: denied",
  ],
  [
    "a cluster that does not answer",
    { ...clusterOf([feed("A", UNREAD), feed("B", UNREAD), feed("C")]), synced: false },
    "no worker serves yet; waiting for A, B: cannot reach it",
  ],
  [
    "a server that is away, once for all that is read there",
    clusterOf([feed("A", AWAY), feed("B", { ...AWAY, ageMs: 70_000 }), feed("C")]),
    "",
    "what was read last is served: A, B not heard of for 70 s: cannot reach it",
  ],
  [
    "a server that is silent for longer than a watch may be",
    clusterOf([feed("A", { ageMs: 101_000 }), feed("B", { ageMs: 99_000 })]),
    "",
    "what was read last is served: A not heard of for 101 s",
  ],
  [
    "the saved state",
    clusterOf([feed("A", { synced: false })], { saved: true }),
    "",
    "serves the saved state: the API server has not answered yet",
  ],
  [
    "a report that is denied",
    clusterOf([feed("A")], { report: REPORT }),
    "",
    "report: RBAC denies it",
  ],
  ["the end", { ...clusterOf([feed("A")]), draining: true }, "draining"],
];

for (const [name, board, reason, ...notes] of ROWS) {
  test(`readiness: ${name}`, () => {
    const found = readiness(board, IDLE);
    assert.is(found.reason, reason);
    assert.is(found.ready, reason === "");
    assert.equal(found.notes, notes);
  });
}

test("workers that do not serve, or keep crashing, are a reason", () => {
  const board = { ...BLANK, synced: true };
  assert.is(readiness(board, { ...IDLE, states: () => [] }).reason, "no worker serves yet");
  assert.is(readiness(board, { ...IDLE, stormy: () => true }).reason, "workers keep crashing");
});

test("what is read is current unless something is late; a denial that lasts is no delay", () => {
  const denied = feed("IngressClass", { ageMs: 30_000, problem: "RBAC denies it" });
  assert.ok(isCurrent([feed("A"), denied]));
  assert.not(isCurrent([feed("A"), feed("B", { synced: false })]));
  assert.not(isCurrent([feed("A", { ageMs: 101_000 })]));
});

test.run();
