import { test } from "uvu";
import * as assert from "uvu/assert";
import { type Action, DEFAULT_POLICY, type Model, NONE, type Route } from "../../core/model.ts";
import { Cursors } from "../cursors.ts";

function route(id: string, action: Action): Route {
  const origin = { kind: "Ingress", namespace: "default", name: id, field: "" };
  const path = { kind: "prefix", value: "/" } as const;
  const match = { path, methods: [], headers: [], cookies: [], queries: [] };
  return { id, origin, match, action, policy: DEFAULT_POLICY };
}

function forward(...weights: readonly number[]): Action {
  const split = weights.map((weight, index) => ({ backend: `b${index}`, weight }));
  return { kind: "forward", split, cursor: NONE };
}

function model(routes: readonly Route[]): Model {
  return {
    version: 1,
    hosts: [{ name: "*", policy: "", routes }],
    backends: [],
    certificates: [],
    secure: [],
  };
}

/** Routes `a`, `b` … that are splits; the answer is the slot of each of them. */
function slots(cursors: Cursors, ids: string): readonly number[] {
  const assigned = cursors.assign(model([...ids].map((id) => route(id, forward(1, 1)))));
  return assigned.hosts[0]!.routes.map(({ action }) =>
    action.kind === "forward" ? action.cursor : NONE,
  );
}

function publish(cursors: Cursors, ids: string): readonly number[] {
  const assigned = slots(cursors, ids);
  cursors.published();
  return assigned;
}

const CHOICES: readonly [name: string, action: Action, counted: boolean][] = [
  ["one share", forward(1), false],
  ["no share", forward(), false],
  ["two shares", forward(1, 1), true],
  ["one share that is not 0", forward(0, 5, 0), false],
  ["two shares that are not 0", forward(3, 0, 5), true],
  ["a redirect", { kind: "redirect", status: 308, location: "/" }, false],
  ["a response", { kind: "respond", status: 503, body: "" }, false],
];

for (const [name, action, counted] of CHOICES) {
  test(`${name}: ${counted ? "a slot" : "no slot"}`, () => {
    const given = model([route("a", action)]);
    const assigned = new Cursors().assign(given);
    const expected = counted && action.kind === "forward" ? { ...action, cursor: 0 } : action;
    assert.equal(assigned.hosts[0]?.routes[0]?.action, expected);
    if (!counted) assert.is(assigned.hosts[0], given.hosts[0]);
  });
}

test("a route that came back keeps its slot for good", () => {
  for (let times = 1; times < 6; times++) {
    const cursors = new Cursors();
    publish(cursors, "ab");
    publish(cursors, "a");
    for (let i = 0; i < times; i++) publish(cursors, "ab");
    assert.equal(publish(cursors, "acb"), [0, 2, 1], `after ${times} publishes`);
  }
});

test("a route keeps its slot whatever comes and goes around it", () => {
  const cursors = new Cursors();
  assert.equal(publish(cursors, "abc"), [0, 1, 2]);
  assert.equal(publish(cursors, "xcb"), [3, 2, 1]);
  assert.equal(publish(cursors, "bxc"), [1, 3, 2]);
});

test("a slot is free when its route has been gone for two publishes", () => {
  const cursors = new Cursors(2);
  publish(cursors, "ab");
  assert.equal(publish(cursors, "ac"), [0, NONE]);
  assert.equal(publish(cursors, "ac"), [0, NONE]);
  assert.equal(publish(cursors, "ac"), [0, 1]);
});

test("a route that is back in time has its old slot", () => {
  const cursors = new Cursors(2);
  publish(cursors, "ab");
  publish(cursors, "a");
  assert.equal(publish(cursors, "bc"), [1, NONE]);
});

test("translations that are not published free nothing", () => {
  const cursors = new Cursors(2);
  publish(cursors, "ab");
  for (let i = 0; i < 10; i++) assert.equal(slots(cursors, "ac"), [0, NONE]);
});

test("slots end where the shared counters end", () => {
  const cursors = new Cursors();
  const routes = Array.from({ length: 65_537 }, (_, i) => route(`r${i}`, forward(1, 1)));
  const assigned = cursors.assign(model(routes)).hosts[0]!.routes;
  const at = (index: number): unknown => assigned[index]?.action;
  assert.equal(at(65_535), { ...forward(1, 1), cursor: 65_535 });
  assert.equal(at(65_536), forward(1, 1));
});

test.run();
