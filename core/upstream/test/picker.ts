/** Which endpoint gets a request, against slow and simple ideas of which one should. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { BAD_RESPONSE } from "../../fault.ts";
import { limitsOf } from "../../limits.ts";
import type { Balance } from "../../model.ts";
import { Random } from "../../random.ts";
import { Timers } from "../../timers.ts";
import type { Backend } from "../endpoints.ts";
import { Endpoints } from "../endpoints.ts";
import type { Endpoint } from "../endpoint.ts";
import { pickEndpoint } from "../picker.ts";

const SEED = Number(process.env["SEED"] ?? 20_261_125);
console.log(`SEED=${SEED}`);

const BALANCES: readonly Balance[] = ["leastRequest", "roundRobin"];

type Setup = Readonly<{
  backend: Backend;
  endpoints: readonly Endpoint[];
  timers: Timers;
  pick: (not?: Endpoint | null) => Endpoint | null;
  eject: (endpoint: Endpoint) => void;
}>;

/** A backend of `count` endpoints, none of them new. */
function setup(count: number, balance: Balance, seed = SEED): Setup {
  const timers = new Timers();
  const random = new Random(seed);
  const limits = limitsOf({ slowStartMs: 0 });
  const registry = new Endpoints({ timers, random, limits, connect: () => {}, knock: () => {} });
  const endpoints = Array.from({ length: count }, (_, i) => {
    return { address: `10.0.${i >> 8}.${i & 255}`, port: 80, uid: "" };
  });
  registry.put({ id: "a", endpoints, reason: "", balance, tls: null });
  const backend = registry.at(registry.indexOf("a"))!;
  return {
    backend,
    endpoints: backend.endpoints,
    timers,
    pick: (not = null) => pickEndpoint(backend, not, random, timers.now),
    eject: (endpoint) => {
      for (let i = 0; i < limits.ejectAfter; i++) endpoint.health.failed(timers.now, BAD_RESPONSE);
    },
  };
}

const counted = (picks: number, pick: () => Endpoint | null): Map<Endpoint, number> => {
  const counts = new Map<Endpoint, number>();
  for (let i = 0; i < picks; i++) {
    const endpoint = pick()!;
    counts.set(endpoint, (counts.get(endpoint) ?? 0) + 1);
  }
  return counts;
};

test("while nobody is busy, every endpoint has its turn, whatever the balance", () => {
  for (const balance of BALANCES) {
    for (const count of [1, 2, 3, 7, 100]) {
      const { pick } = setup(count, balance);
      const picked = counted(count * 10, pick);
      assert.equal([...picked.values()], Array(count).fill(10), `${balance}, ${count} endpoints`);
    }
  }
});

test("round robin goes on in the order of the list, past those that are ejected", () => {
  const random = new Random(SEED);
  for (let run = 0; run < 200; run++) {
    const { backend, endpoints, pick, eject } = setup(1 + random.below(8), "roundRobin");
    for (const endpoint of endpoints) if (random.below(3) === 0) eject(endpoint);
    const well = endpoints.filter((endpoint) => endpoint.health.available(1));
    const among = well.length > 0 ? well : endpoints;
    // The naive version: whoever is next in the list of those that may be chosen.
    const from = backend.turn % endpoints.length;
    const first = among.findIndex((endpoint) => endpoints.indexOf(endpoint) >= from);
    for (let i = 0; i < 20; i++) {
      const expected = among[(Math.max(first, 0) + i) % among.length];
      assert.is(pick(), expected, `run ${run}, pick ${i}`);
    }
  }
});

test("workers begin their turns at different endpoints", () => {
  const firsts = new Set<string>();
  for (let seed = 1; seed <= 50; seed++) {
    firsts.add(setup(10, "roundRobin", seed * 7_919).pick()!.address);
  }
  assert.ok(firsts.size >= 5, `${[...firsts]}`);
});

test("least request: of two the less busy one, always", () => {
  const random = new Random(SEED);
  const { endpoints, pick } = setup(2, "leastRequest");
  const [one, other] = endpoints;
  for (let i = 0; i < 1_000; i++) {
    one!.active = random.below(10);
    other!.active = random.below(10);
    if (one!.active === other!.active) continue;
    assert.is(pick(), one!.active < other!.active ? one : other);
  }
});

test("least request: the busiest of all is never chosen, nor one that is ejected", () => {
  const random = new Random(SEED);
  for (let run = 0; run < 500; run++) {
    const { endpoints, pick, eject } = setup(2 + random.below(20), "leastRequest");
    for (const endpoint of endpoints) {
      endpoint.active = random.below(10);
      if (random.below(3) === 0) eject(endpoint);
    }
    const well = endpoints.filter((endpoint) => endpoint.health.available(1));
    if (well.length < 2) continue;
    const [most, second] = well.toSorted((a, b) => b.active - a.active);
    for (let i = 0; i < 50; i++) {
      const picked = pick()!;
      assert.ok(well.includes(picked), `run ${run}: ejected`);
      // One that is busiest can be drawn beside an ejected one, and is then the only choice.
      if (most!.active === second!.active || well.length < endpoints.length) continue;
      assert.is.not(picked, most, `run ${run}: the busiest`);
    }
  }
});

/** Requests, one a step, that each endpoint answers after its own number of steps. */
function simulate({ endpoints, pick }: Setup, picks: number, steps: (at: number) => number) {
  const due = new Map<number, Endpoint[]>();
  const counts = new Float64Array(endpoints.length);
  const places = new Map(endpoints.map((endpoint, i) => [endpoint, i]));
  for (let now = 0; now < picks; now++) {
    for (const endpoint of due.get(now) ?? []) endpoint.active--;
    due.delete(now);
    const endpoint = pick()!;
    const at = places.get(endpoint)!;
    counts[at]!++;
    endpoint.active++;
    const end = now + steps(at);
    const others = due.get(end);
    if (others === undefined) due.set(end, [endpoint]);
    else others.push(endpoint);
  }
  return counts;
}

test("least request: all equally fast get the same within a percent", () => {
  const setting = setup(10, "leastRequest");
  const random = new Random(SEED);
  for (const count of simulate(setting, 100_000, () => 20 + random.below(20))) {
    assert.ok(Math.abs(count - 10_000) < 100, `${count}`);
  }
});

test("least request: who is ten times as slow gets much less, the others share the rest", () => {
  const setting = setup(10, "leastRequest");
  const [slow, ...others] = simulate(setting, 100_000, (at) => (at === 0 ? 300 : 30));
  assert.ok(slow! < 100_000 / 10 / 2, `${slow}`);
  const share = (100_000 - slow!) / 9;
  for (const count of others) assert.ok(Math.abs(count - share) < share * 0.02, `${count}`);
});

test("round robin does not look at who is busy", () => {
  const counts = simulate(setup(10, "roundRobin"), 1_000, (at) => (at === 0 ? 300 : 30));
  assert.equal([...counts], Array(10).fill(100));
});

test("the one that failed is passed over while there is another, ejected or not", () => {
  for (const balance of BALANCES) {
    for (const count of [2, 3, 5]) {
      const { endpoints, pick, eject } = setup(count, balance);
      for (const ejected of [null, ...endpoints]) {
        if (ejected !== null) eject(ejected);
        for (let i = 0; i < 50; i++) {
          const failed = endpoints[i % count]!;
          assert.is.not(pick(failed), failed, `${balance}, ${count} endpoints`);
        }
      }
    }
    const alone = setup(1, balance);
    assert.is(alone.pick(alone.endpoints[0]), alone.endpoints[0]);
    alone.eject(alone.endpoints[0]!);
    assert.is(alone.pick(), alone.endpoints[0], "never 503 for an ejection");
    assert.is(setup(0, balance).pick(), null);
  }
});

test("when all are ejected it is as if nobody were", () => {
  for (const balance of BALANCES) {
    const { endpoints, pick, eject } = setup(5, balance);
    for (const endpoint of endpoints) eject(endpoint);
    assert.equal([...counted(50, pick).values()], Array(5).fill(10), balance);
  }
});

test("the only ones that are left share everything evenly", () => {
  for (const balance of BALANCES) {
    const { endpoints, pick, eject } = setup(1_000, balance);
    const left = endpoints.filter((_, i) => i === 5 || i === 6 || i === 900);
    for (const endpoint of endpoints) if (!left.includes(endpoint)) eject(endpoint);
    const picked = counted(3_000, pick);
    assert.is(picked.size, 3, balance);
    for (const count of picked.values()) assert.ok(Math.abs(count - 1_000) < 100, `${count}`);
  }
});

test("least request: of few that are left, the less busy ones", () => {
  const { endpoints, pick, eject } = setup(1_000, "leastRequest");
  const left = [endpoints[5]!, endpoints[6]!, endpoints[900]!];
  for (const endpoint of endpoints) if (!left.includes(endpoint)) eject(endpoint);
  left.forEach((endpoint, i) => (endpoint.active = 10 - i));
  const picked = counted(1_000, pick);
  assert.ok(picked.get(left[2]!)! > 900, `${[...picked.values()]}`);
});

test("an ejected one gets one request when its wait is over, and more when that was good", () => {
  for (const balance of BALANCES) {
    const { endpoints, pick, eject, timers } = setup(2, balance);
    const [failed, other] = endpoints;
    eject(failed!);
    for (let i = 0; i < 20; i++) assert.is(pick(), other, balance);
    while (!failed!.health.available(timers.now)) timers.tick();
    const probes = counted(20, pick);
    assert.is(probes.get(failed!), 1, balance);
    failed!.health.succeeded();
    assert.is(counted(20, pick).get(failed!), 10, balance);
  }
});

test("a pick looks at a handful of endpoints, however many there are", () => {
  for (const balance of BALANCES) {
    const setting = setup(10_000, balance);
    let looked = 0;
    const counting = new Proxy(setting.endpoints, {
      get(list, key) {
        if (key !== "length") looked++;
        return Reflect.get(list, key);
      },
    });
    setting.backend.endpoints = counting;
    for (let i = 0; i < 1_000; i++) {
      looked = 0;
      setting.pick()!.active++;
      assert.ok(looked <= 3, `${balance}: ${looked}`);
    }
  }
});

test("a turn beyond a list that became shorter starts again", () => {
  for (const balance of BALANCES) {
    const { backend, endpoints, pick } = setup(3, balance);
    backend.turn = 2;
    backend.endpoints = endpoints.slice(0, 2);
    assert.is(pick(), endpoints[0], balance);
  }
});

test("a new endpoint beside busy ones gets less than its share at first", () => {
  const timers = new Timers();
  const random = new Random(SEED);
  const limits = limitsOf({});
  const registry = new Endpoints({ timers, random, limits, connect: () => {}, knock: () => {} });
  const put = (...last: number[]): Backend => {
    const endpoints = last.map((i) => ({ address: `10.0.0.${i}`, port: 80, uid: "" }));
    registry.put({ id: "a", endpoints, reason: "", balance: "leastRequest", tls: null });
    return registry.at(registry.indexOf("a"))!;
  };
  const pick = (backend: Backend) => pickEndpoint(backend, null, random, timers.now);
  const old = put(1, 2).endpoints;
  for (let i = 0; i < 100; i++) timers.tick();
  for (const endpoint of old) endpoint.active = 5;
  const backend = put(1, 2, 3);
  const young = backend.endpoints[2]!;
  assert.ok(counted(30, () => pick(backend)).has(young), "without a request it is as good as any");
  young.active = 1;
  assert.not.ok(counted(300, () => pick(backend)).has(young), "with one it has enough for now");
  for (let i = 0; i < 100; i++) timers.tick();
  assert.ok(counted(30, () => pick(backend)).has(young));
});

test.run();
