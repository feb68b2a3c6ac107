import { test } from "uvu";
import * as assert from "uvu/assert";
import { type FakeClock, fakeClock } from "../../core/clock.ts";
import { DEFAULT_POLICY, type Model, NONE, type Route } from "../../core/model.ts";
import type { Finding } from "../finding.ts";
import { diff } from "../diff.ts";
import { Loop } from "../loop.ts";
import type { Kept } from "../saved.ts";
import type { Snapshot } from "../snapshot.ts";
import type { SourceEvent, Wants } from "../source/source.ts";
import { NOTHING, type Translation } from "../translate/draft.ts";
import { ingress, slice } from "./fixture/objects.ts";

const FINDING: Finding = {
  level: "warning",
  kind: "File",
  namespace: "",
  name: "a.yaml",
  field: "",
  reason: "is empty",
  hint: "",
  effect: "",
};

const BUG_REASON = "this version of rind cannot translate the objects: Error: boom";

const DAY_MS = 86_400_000;

type Rig = {
  readonly clock: FakeClock;
  readonly loop: Loop;
  readonly tell: (event: SourceEvent) => void;
  /** `version hosts findings` of each publish. */
  readonly published: string[];
  readonly models: Model[];
  /** Whether that was the saved state. */
  readonly kepts: boolean[];
  readonly reports: string[];
  /** What changed, as each translation was told. */
  readonly told: string[];
  /** The fresh findings of all publishes. */
  readonly fresh: string[];
  /** What translate answers besides a model. */
  translates: Partial<Translation>;
  /** What translate and publish do next: a text is thrown, a promise is waited for. */
  translateFails: string;
  publishes: () => Promise<void> | void;
  /** What the last start left, and what this one keeps. */
  kept: Kept | null;
  /** Whether the source has answered what was wanted of it. */
  settled: boolean;
  readonly saves: Model[];
  loads: number;
  /** What reading the saved state waits for. */
  reads: Promise<void>;
  /** The names that the source was asked for, each time. */
  readonly wanted: string[];
};

function rig(): Rig {
  const clock = fakeClock();
  let sink: (event: SourceEvent) => void = () => assert.unreachable();
  const loop = new Loop({
    clock,
    wall: () => clock.now(),
    source: {
      watch: (to) => void (sink = to),
      stop: () => void (sink = () => {}),
      settled: () => made.settled,
      want: ({ names }) => void made.wanted.push([...names].join(",")),
    },
    translator: () => (snapshot, changes) => {
      made.told.push(changes === null ? "all" : [...changes.keys()].join(","));
      if (made.translateFails !== "") throw new Error(made.translateFails);
      return { ...NOTHING, ...made.translates, model: modelOf(snapshot) };
    },
    saved: {
      load: () => {
        made.loads += 1;
        return made.reads.then(() => made.kept);
      },
      save: (model) => void made.saves.push(model),
      stop: () => {},
    },
    publish: ({ model, findings, fresh, keptMs }) => {
      made.models.push(model);
      made.kepts.push(keptMs !== null);
      made.fresh.push(...fresh.map(({ name, reason }) => `${name} ${reason}`));
      const hosts = model.hosts.map(({ name }) => name).join(",");
      const reasons = findings.map(({ kind }) => kind).join(",");
      made.published.push(`${model.version} ${hosts} ${reasons}`);
      return made.publishes();
    },
    report: (what, error) => made.reports.push(`${what}: ${error}`),
  });
  const tell = (event: SourceEvent): void => sink(event);
  const made: Rig = { clock, loop, tell, ...nothingYet() };
  return made;
}

function nothingYet(): Omit<Rig, "clock" | "loop" | "tell"> {
  return {
    published: [],
    models: [],
    kepts: [],
    wanted: [],
    reports: [],
    told: [],
    fresh: [],
    saves: [],
    translates: {},
    translateFails: "",
    publishes: () => {},
    kept: null,
    loads: 0,
    reads: Promise.resolve(),
    settled: true,
  };
}

/** A host for each Ingress, a backend for each Service that has slices. */
function modelOf(snapshot: Snapshot): Model {
  return {
    version: 0,
    hosts: [...snapshot.ingresses.keys()].sort().map((key) => {
      const name = key.slice("default/".length);
      return { name, policy: "", routes: [splitRoute(name)] };
    }),
    backends: [...snapshot.slices].sort().map(([id, slices]) => ({
      id,
      balance: "leastRequest",
      tls: null,
      endpoints: slices.flatMap((object) => {
        const endpoints = object["endpoints"] as readonly { addresses: readonly string[] }[];
        return endpoints.map(({ addresses: [address = ""] }) => ({ address, port: 1, uid: "" }));
      }),
      reason: "",
    })),
    certificates: [],
    secure: [],
  };
}

function splitRoute(id: string): Route {
  const split = [
    { backend: "a", weight: 1 },
    { backend: "b", weight: 1 },
  ];
  const path = { kind: "prefix", value: "/" } as const;
  return {
    id,
    origin: { kind: "Ingress", namespace: "default", name: id, field: "" },
    match: { path, methods: [], headers: [], cookies: [], queries: [] },
    action: { kind: "forward", split, cursor: NONE },
    policy: DEFAULT_POLICY,
  };
}

/** Lets all promises that can go on go on. */
async function settle(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

async function pass(on: Rig, ms: number): Promise<void> {
  on.clock.advance(ms);
  await settle();
}

/** A rig whose first model is published: the Ingress `one`. */
async function running(): Promise<Rig> {
  const on = rig();
  on.loop.start();
  on.tell({ type: "put", object: ingress("one") });
  on.tell({ type: "synced" });
  await pass(on, 0);
  assert.equal(on.published, ["1 one "]);
  return on;
}

test("nothing is published before the source has told everything, and then at once", async () => {
  const on = rig();
  on.loop.start();
  on.tell({ type: "put", object: ingress("one") });
  on.tell({ type: "findings", findings: [FINDING] });
  await pass(on, 60_000);
  assert.equal(on.published, []);
  on.tell({ type: "synced" });
  await pass(on, 0);
  assert.equal(on.published, ["1 one File"]);
});

test("an empty cluster is published as version 1", async () => {
  const on = rig();
  on.loop.start();
  on.tell({ type: "synced" });
  await pass(on, 0);
  assert.equal(on.published, ["1  "]);
});

test("a storm of changes is one model, after 10 ms of quiet", async () => {
  const on = await running();
  for (let i = 0; i < 50; i++) {
    on.tell({ type: "put", object: ingress("two", { spec: i }) });
    await pass(on, 1);
  }
  await pass(on, 8);
  assert.is(on.published.length, 1);
  await pass(on, 1);
  assert.equal(on.published, ["1 one ", "2 one,two "]);
});

test("a storm that does not end is published every 100 ms", async () => {
  const on = await running();
  for (let i = 0; i < 250; i++) {
    on.tell({ type: "put", object: ingress(`i${i}`) });
    await pass(on, 1);
  }
  assert.is(on.published.length, 1 + 2);
});

test("a change of endpoints alone is published at once", async () => {
  const on = await running();
  await pass(on, 50);
  on.tell({ type: "put", object: slice("s-1", "s", ["10.0.0.1"]) });
  await pass(on, 0);
  assert.equal(on.models[1]?.backends[0]?.endpoints[0]?.address, "10.0.0.1");
});

test("what changes nothing in the model publishes nothing", async () => {
  const on = await running();
  on.tell({ type: "put", object: ingress("one") });
  on.tell({ type: "put", object: ingress("one", { spec: "no matter" }) });
  on.tell({ type: "gone", object: ingress("never") });
  await pass(on, 200);
  assert.is(on.published.length, 1);
});

test("findings alone are published under the same version", async () => {
  const on = await running();
  on.tell({ type: "findings", findings: [FINDING] });
  await pass(on, 10);
  on.tell({ type: "findings", findings: [] });
  await pass(on, 10);
  assert.equal(on.published, ["1 one ", "1 one File", "1 one "]);
});

test("a bug in translate keeps the last good model and is reported once", async () => {
  const on = await running();
  on.translateFails = "boom";
  for (const name of ["two", "three"]) {
    on.tell({ type: "put", object: ingress(name) });
    await pass(on, 10);
  }
  assert.equal(on.published, ["1 one ", "1 one Rind"]);
  assert.equal(on.reports, ["translate failed: Error: boom"]);
  on.translateFails = "";
  on.tell({ type: "put", object: ingress("four") });
  await pass(on, 10);
  assert.is(on.published[2], "2 four,one,three,two ");
});

test("a translate that threw is not used again, and the next one looks at everything", async () => {
  const on = await running();
  on.tell({ type: "put", object: slice("s-1", "s", []) });
  await pass(on, 10);
  on.translateFails = "boom";
  on.tell({ type: "put", object: ingress("two") });
  await pass(on, 10);
  on.translateFails = "";
  on.tell({ type: "put", object: ingress("three") });
  await pass(on, 10);
  assert.equal(on.told, ["all", "EndpointSlice", "Ingress", "all"]);
});

test("fresh are the findings that nobody has heard of, also after a failure", async () => {
  const on = await running();
  const other = { ...FINDING, name: "b.yaml" };
  const heard = (): string => on.fresh.splice(0).join(",");
  const turn = async (name: string, findings: readonly Finding[]): Promise<string> => {
    const fresh = findings.filter((finding) => !on.translates.findings?.includes(finding));
    on.translates = { findings, fresh };
    on.tell({ type: "put", object: ingress(name) });
    await pass(on, 10);
    return heard();
  };
  assert.is(await turn("two", [FINDING]), "a.yaml is empty");
  on.translateFails = "boom";
  assert.is(await turn("three", [FINDING, other]), "translate " + BUG_REASON);
  on.translateFails = "";
  // A translate that remembers nothing takes all it finds for fresh.
  on.translates = { findings: [FINDING], fresh: [FINDING] };
  on.tell({ type: "put", object: ingress("four") });
  await pass(on, 10);
  assert.is(heard(), "", "this was told before");
  on.publishes = () => Promise.reject(new Error("no worker"));
  assert.is(await turn("five", [FINDING, other]), "b.yaml is empty");
  on.publishes = () => {};
  await pass(on, 1_000);
  assert.is(heard(), "b.yaml is empty", "nobody may have heard it");
  on.publishes = () => Promise.reject(new Error("no worker"));
  const third = { ...FINDING, name: "c.yaml" };
  assert.is(await turn("six", [FINDING, other, third]), "c.yaml is empty");
  assert.is(await turn("seven", [FINDING, other]), "", "it does not hold any more");
  on.publishes = () => {};
  await pass(on, 1_000);
  on.tell({ type: "findings", findings: [FINDING] });
  await pass(on, 10);
  assert.is(heard(), "a.yaml is empty");
});

test("whose Ingresses are ours is published, and what is wanted is asked for", async () => {
  const on = await running();
  const wants = { secrets: new Set<string>(), names: new Set(["a.example"]) };
  on.translates = { ours: new Set(["default/one"]), wants };
  on.tell({ type: "put", object: slice("s-1", "s", []) });
  await pass(on, 10);
  assert.is(on.published.length, 2);
  on.tell({ type: "put", object: slice("s-1", "s", ["10.0.0.1"]) });
  await pass(on, 10);
  assert.is(on.published.length, 3);
  assert.equal(on.wanted, ["a.example"], "once");
  const told = on.models.at(-1);
  on.translates = { wants, ours: new Set() };
  on.tell({ type: "put", object: { ...ingress("one"), apiVersion: "extensions/v1beta1" } });
  await pass(on, 10);
  assert.is(on.published.length, 4, "whose they are is told without another model");
  assert.is(on.models.at(-1), told);
});

test("a bug in the first translation publishes nothing, and the next one counts", async () => {
  const on = rig();
  on.translateFails = "boom";
  on.loop.start();
  on.tell({ type: "synced" });
  await pass(on, 0);
  on.translateFails = "";
  on.tell({ type: "put", object: ingress("one") });
  await pass(on, 10);
  assert.equal(on.published, ["1 one "]);
});

test("one publish runs at a time; what came meanwhile is one model after it", async () => {
  const on = await running();
  const { promise, resolve } = Promise.withResolvers<void>();
  on.publishes = () => promise;
  on.tell({ type: "put", object: ingress("two") });
  await pass(on, 10);
  for (const name of ["three", "four"]) {
    on.tell({ type: "put", object: ingress(name) });
    await pass(on, 50);
  }
  assert.equal(on.published, ["1 one ", "2 one,two "]);
  resolve();
  await settle();
  assert.equal(on.published.slice(2), ["3 four,one,three,two "]);
});

test("a publish that fails is tried again every second, and reported once", async () => {
  const on = await running();
  on.publishes = () => Promise.reject(new Error("no worker"));
  on.tell({ type: "put", object: ingress("two") });
  await pass(on, 10);
  await pass(on, 1_000);
  on.publishes = () => {};
  await pass(on, 1_000);
  await pass(on, 10_000);
  assert.equal(on.published.slice(1), ["2 one,two ", "2 one,two ", "2 one,two "]);
  assert.equal(on.reports, ["publish failed: Error: no worker"]);
});

test("splits have shared counters, and keep them", async () => {
  const on = await running();
  on.tell({ type: "put", object: ingress("another") });
  await pass(on, 10);
  const cursors = on.models[1]?.hosts.map(({ name, routes: [route] }) => {
    return [name, route?.action.kind === "forward" ? route.action.cursor : NONE];
  });
  assert.equal(cursors, [
    ["another", 1],
    ["one", 0],
  ]);
});

test("a publish of findings alone frees no counter of a route that was just there", async () => {
  const on = await running();
  const cursors = (): readonly number[] => {
    const routes = on.models.at(-1)!.hosts.flatMap((host) => host.routes);
    return routes.map(({ action }) => (action.kind === "forward" ? action.cursor : NONE));
  };
  on.tell({ type: "put", object: ingress("two") });
  await pass(on, 10);
  assert.equal(cursors(), [0, 1]);
  on.tell({ type: "gone", object: ingress("two") });
  await pass(on, 10);
  for (let i = 0; i < 5; i++) {
    on.tell({ type: "findings", findings: [{ ...FINDING, name: `${i}.yaml` }] });
    await pass(on, 10);
  }
  assert.is(on.published.length, 8);
  on.tell({ type: "put", object: ingress("three") });
  await pass(on, 10);
  assert.equal(cursors(), [0, 2]);
});

test("after stop nothing is published, whatever was waiting", async () => {
  const on = await running();
  on.tell({ type: "put", object: ingress("two") });
  on.loop.stop();
  await pass(on, 10_000);
  assert.is(on.published.length, 1);
});

/** A loop whose source has said nothing, and which has a state of an hour ago. */
function waiting(...names: string[]): Rig {
  const on = rig();
  const hosts = names.map((name) => ({ name, policy: "", routes: [splitRoute(name)] }));
  on.kept = {
    model: { version: 0, hosts, backends: [], certificates: [], secure: [] },
    ageMs: 3_600_000,
  };
  on.loop.start();
  return on;
}

test("what a source is slow to tell is served from the saved state, and said", async () => {
  const on = waiting("one", "two");
  await pass(on, 2_999);
  assert.is(on.published.length, 0);
  await pass(on, 1);
  assert.equal(on.published, ["1 one,two Rind"]);
  assert.match(on.fresh[0] ?? "", "serves the state of 1 h 0 min ago");
  await pass(on, 600_000);
  assert.is(on.published.length, 1);
  assert.equal(on.saves, [], "saved again it would never grow old");
});

test("the first sync replaces the saved state in one publish", async () => {
  const on = waiting("one", "two");
  await pass(on, 3_000);
  for (const name of ["one", "three"]) on.tell({ type: "put", object: ingress(name) });
  await pass(on, 60_000);
  assert.is(on.published.length, 1, "half of it is not served");
  on.tell({ type: "synced" });
  await pass(on, 10);
  assert.equal(on.published.slice(1), ["2 one,three "]);
  const { hosts, hostsGone } = diff(on.models[0]!, on.models[1]!);
  assert.equal([...hosts.map(({ name }) => name), ...hostsGone], ["three", "two"]);
  assert.is(on.saves.at(-1), on.models[1]);
});

test("a sync that finds what was saved keeps the version, and takes the finding back", async () => {
  const on = waiting("one");
  await pass(on, 3_000);
  on.tell({ type: "put", object: ingress("one") });
  on.tell({ type: "synced" });
  await pass(on, 10);
  assert.equal(on.published, ["1 one Rind", "1 one "]);
});

test("a sync that finds nothing leaves nothing of the saved state", async () => {
  const on = waiting("one");
  await pass(on, 3_000);
  on.tell({ type: "synced" });
  await pass(on, 10);
  assert.equal(on.published, ["1 one Rind", "2  "]);
});

test("as long as nothing can be translated the saved state is said to be what it is", async () => {
  const on = waiting("one");
  await pass(on, 3_000);
  on.translateFails = "boom";
  on.tell({ type: "put", object: ingress("two") });
  on.tell({ type: "synced" });
  await pass(on, 10);
  on.translateFails = "";
  on.tell({ type: "put", object: ingress("three") });
  await pass(on, 10);
  assert.equal(on.published, ["1 one Rind", "1 one Rind,Rind", "2 three,two "]);
  assert.equal(on.kepts, [true, true, false]);
  assert.equal(on.saves, [on.models[2]!], "saved again it would never grow old");
});

test("the saved state is not asked for when the sync was in time", async () => {
  const on = waiting("old");
  on.tell({ type: "put", object: ingress("one") });
  on.tell({ type: "synced" });
  await pass(on, 10_000);
  assert.equal(on.published, ["1 one "]);
});

test("a certificate that was good at the start has a finding when its end is near", async () => {
  const on = rig();
  const dates = { notBeforeMs: -1, notAfterMs: 30 * DAY_MS };
  const certificate = { id: "default/tls", key: "ec", names: ["a.example"], ...dates };
  on.translates = { certificates: [certificate] };
  on.loop.start();
  on.tell({ type: "put", object: ingress("one") });
  on.tell({ type: "synced" });
  await pass(on, 0);
  await pass(on, 15 * DAY_MS);
  assert.equal(on.published, ["1 one "]);
  await pass(on, DAY_MS + 100);
  assert.equal(on.published, ["1 one ", "1 one Secret"]);
  await pass(on, 14 * DAY_MS);
  assert.equal(on.published.slice(2), ["1 one Secret"]);
  assert.match(
    on.fresh.join(),
    /^tls its certificate expires on .*,tls its certificate expired on/,
  );
  on.translates = { certificates: [{ ...certificate, notAfterMs: 90 * DAY_MS }] };
  on.tell({ type: "put", object: ingress("two") });
  await pass(on, 100);
  assert.equal(on.published.slice(3), ["2 one,two "]);
});

test("a saved state that cannot be published is tried again, and stays what it is", async () => {
  const on = waiting("one");
  on.publishes = () => Promise.reject(new Error("no worker"));
  await pass(on, 3_000);
  on.publishes = () => {};
  await pass(on, 1_000);
  await pass(on, 10_000);
  assert.equal(on.published, ["1 one Rind", "1 one Rind"]);
  assert.is(on.told.length, 0, "nothing was translated");
});

for (const [what, act] of [
  ["the sync", (on: Rig) => on.tell({ type: "synced" })],
  ["the end", (on: Rig) => on.loop.stop()],
] as const) {
  test(`a saved state that is read when ${what} comes is not served`, async () => {
    const on = waiting("old");
    const { promise, resolve } = Promise.withResolvers<void>();
    on.reads = promise;
    await pass(on, 3_000);
    on.tell({ type: "put", object: ingress("one") });
    act(on);
    await pass(on, 10);
    const before = on.published.slice();
    resolve();
    await pass(on, 10_000);
    assert.is(on.loads, 1);
    assert.equal(on.published, before);
    assert.equal(before, what === "the sync" ? ["1 one "] : []);
  });
}

test("the saved state is not asked for after stop", async () => {
  const on = waiting("old");
  on.loop.stop();
  await pass(on, 10_000);
  assert.is(on.loads, 0);
});

test("without a saved state nothing is served before the sync", async () => {
  const on = waiting("one");
  on.kept = null;
  await pass(on, 600_000);
  assert.equal(on.published, []);
});

test("the first model waits for what it wants, and a later one only for what is new", async () => {
  const on = rig();
  on.settled = false;
  on.translates = { findings: [FINDING], fresh: [FINDING] };
  on.loop.start();
  on.tell({ type: "put", object: ingress("one") });
  on.tell({ type: "synced" });
  await pass(on, 1_000);
  assert.equal(on.published, []);
  on.translates = { findings: [FINDING], fresh: [] };
  on.settled = true;
  on.tell({ type: "put", object: slice("s-1", "s", ["10.0.0.1"]) });
  await pass(on, 10);
  assert.equal(on.published, ["1 one File"]);
  assert.equal(on.fresh, ["a.yaml is empty"], "nobody has heard of it");
  on.settled = false;
  on.tell({ type: "put", object: ingress("two") });
  await pass(on, 10);
  assert.equal(on.published.slice(1), ["2 one,two File"]);
});

test("what is wanted and never comes is waited for ten seconds", async () => {
  const on = rig();
  on.settled = false;
  on.loop.start();
  on.tell({ type: "put", object: ingress("one") });
  on.tell({ type: "synced" });
  await pass(on, 9_999);
  assert.equal(on.published, []);
  await pass(on, 1);
  assert.equal(on.published, ["1 one "]);
});

const wantsOf = (...secrets: string[]): Wants => ({ secrets: new Set(secrets), names: new Set() });

test("a later model waits a moment for what it is the first to want, and tells all", async () => {
  const on = await running();
  on.settled = false;
  on.translates = { wants: wantsOf("default/new"), findings: [FINDING], fresh: [FINDING] };
  on.tell({ type: "put", object: ingress("two") });
  await pass(on, 100);
  assert.equal(on.published, ["1 one "]);
  on.translates = { ...on.translates, fresh: [] };
  on.settled = true;
  on.tell({ type: "put", object: slice("s-1", "s", []) });
  await pass(on, 10);
  assert.equal(on.published.slice(1), ["2 one,two File"]);
  assert.equal(on.fresh, ["a.yaml is empty"], "what the held one found is news");
});

test("who wants something else each time holds nobody up for longer", async () => {
  const on = await running();
  on.settled = false;
  for (let i = 0; i < 30; i++) {
    on.translates = { wants: wantsOf(`default/${i}`) };
    on.tell({ type: "put", object: ingress(`n${i}`) });
    await pass(on, 100);
  }
  assert.ok(on.published.length >= 9, `${on.published.length}`);
});

test.run();
