/** DNS for ExternalName Services, with a fake clock and answers at hand; and over a real socket. */
import { createSocket } from "node:dgram";

import { test } from "uvu";
import * as assert from "uvu/assert";

import { type FakeClock, fakeClock } from "../../core/clock.ts";
import { Random } from "../../core/random.ts";
import { type Answer, type Lookup, systemLookup, withNames } from "../source/names.ts";
import type { Source, SourceEvent, Wants } from "../source/source.ts";

const SEED = 7;
const REFUSED: Answer = { ok: false, reason: "DNS fails (SERVFAIL)" };
const NOTHING: Answer = { ok: true, addresses: [], ttlMs: 300_000 };

type Rig = {
  readonly clock: FakeClock;
  readonly source: Source;
  /** `name address,address problem` of each event. */
  readonly told: string[];
  /** Names of the questions, one for both families. */
  readonly asked: string[];
  readonly passed: Wants[];
  stopped: boolean;
  answer: (name: string, family: 4 | 6) => Answer | Promise<Answer>;
};

function rig(): Rig {
  const clock = fakeClock();
  const lookup: Lookup = async (name, family) => {
    if (family === 4) made.asked.push(name);
    return made.answer(name, family);
  };
  const source = withNames(
    {
      watch: () => {},
      stop: () => void (made.stopped = true),
      want: (wants) => void made.passed.push(wants),
    },
    { clock, random: new Random(SEED), lookup },
  );
  const lists = { told: [], asked: [], passed: [] };
  const made: Rig = { clock, source, ...lists, stopped: false, answer: () => REFUSED };
  source.watch((event) => made.told.push(show(event)));
  return made;
}

function show(event: SourceEvent): string {
  if (event.type !== "name") return event.type;
  const { name, resolved } = event;
  return resolved === null
    ? `${name} forgotten`
    : [name, resolved.addresses.join(","), resolved.problem].join(" ");
}

function found(ttlSeconds: number, ...addresses: string[]): Answer {
  return { ok: true, addresses, ttlMs: ttlSeconds * 1_000 };
}

function only4(answer: Answer): Rig["answer"] {
  return (_, family) => (family === 4 ? answer : NOTHING);
}

async function want(on: Rig, ...names: string[]): Promise<void> {
  on.source.want?.({ secrets: new Set(["a/b"]), names: new Set(names) });
  await settle();
}

async function pass(on: Rig, ms: number): Promise<void> {
  on.clock.advance(ms);
  await settle();
}

async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}

test("both families are told in one order, however the server turns them", async () => {
  const on = rig();
  on.answer = (_, family) =>
    family === 4 ? found(10, "192.0.2.9", "192.0.2.1") : found(60, "2001:db8::1", "rubbish");
  await want(on, "a.example");
  on.answer = (_, family) =>
    family === 4 ? found(10, "192.0.2.1", "192.0.2.9") : found(60, "2001:db8::1");
  await pass(on, 10_000);
  assert.equal(on.asked, ["a.example", "a.example"]);
  assert.equal(on.told, ["a.example 192.0.2.1,192.0.2.9,2001:db8::1 "]);
});

/** TTL in seconds, and when it is asked again. */
for (const [ttl, againMs] of [
  [0, 5_000],
  [3, 5_000],
  [30, 30_000],
  [86_400, 300_000],
] as const) {
  test(`a TTL of ${ttl} s is asked again after ${againMs} ms`, async () => {
    const on = rig();
    on.answer = only4(found(ttl, "192.0.2.1"));
    await want(on, "a.example");
    await pass(on, againMs - 1);
    assert.is(on.asked.length, 1);
    await pass(on, 1);
    assert.is(on.asked.length, 2);
  });
}

test("an address that moves is told", async () => {
  const on = rig();
  on.answer = only4(found(5, "192.0.2.1"));
  await want(on, "a.example");
  on.answer = only4(found(5, "192.0.2.2"));
  await pass(on, 5_000);
  assert.equal(on.told, ["a.example 192.0.2.1 ", "a.example 192.0.2.2 "]);
});

for (const [what, answer, problem] of [
  ["fails", REFUSED, "DNS fails (SERVFAIL)"],
  ["is silent", null, "DNS does not answer"],
] as const) {
  test(`while DNS ${what} the addresses stay, which is said the second time`, async () => {
    const on = rig();
    on.answer = only4(found(5, "192.0.2.1"));
    await want(on, "a.example");
    on.answer = () => answer ?? new Promise<Answer>(() => {});
    await pass(on, 5_000);
    await pass(on, 5_000);
    assert.equal(on.told.slice(1), [], "once is nothing");
    for (let i = 0; i < 1_000; i++) await pass(on, 5_000);
    assert.equal(on.told.slice(1), [`a.example 192.0.2.1 ${problem}`]);
    on.answer = only4(found(5, "192.0.2.1"));
    for (let i = 0; i < 400; i++) await pass(on, 1_000);
    assert.equal(on.told.slice(2), ["a.example 192.0.2.1 "]);
  });
}

/** An answer about each family, and what is left in the end of an address of each. */
for (const [what, v4, v6, left] of [
  ["no address", NOTHING, NOTHING, ""],
  ["no address of one, and about the other it fails", NOTHING, REFUSED, "192.0.2.1,2001:db8::1"],
] as const) {
  test(`a name of which DNS knows ${what}: its addresses stay for ten minutes`, async () => {
    const on = rig();
    on.answer = (_, family) => found(5, family === 4 ? "192.0.2.1" : "2001:db8::1");
    await want(on, "a.example");
    on.answer = (_, family) => (family === 4 ? v4 : v6);
    for (let i = 0; i < 604; i++) await pass(on, 1_000);
    assert.is(on.told.length, 2, `seed ${SEED}`);
    assert.match(on.told[1] ?? "", /^a\.example 192\.0\.2\.1,2001:db8::1 DNS /);
    for (let i = 0; i < 400; i++) await pass(on, 1_000);
    assert.is(on.told.at(-1)?.split(" ")[1], left);
    on.answer = only4(found(5, "192.0.2.1"));
    for (let i = 0; i < 400; i++) await pass(on, 1_000);
    assert.is(on.told.at(-1), "a.example 192.0.2.1 ");
  });
}

test("a name that is unknown now and then keeps its addresses", async () => {
  const on = rig();
  on.answer = only4(found(5, "192.0.2.1"));
  await want(on, "a.example");
  for (let i = 0; i < 40; i++) {
    on.answer = i % 8 < 6 ? () => NOTHING : only4(found(5, "192.0.2.1"));
    for (let s = 0; s < 60; s++) await pass(on, 1_000);
  }
  assert.ok(
    on.told.every((line) => line.startsWith("a.example 192.0.2.1")),
    on.told.join("; "),
  );
});

test("each failure after an answer is the first one again", async () => {
  const on = rig();
  on.answer = only4(found(5, "192.0.2.1"));
  await want(on, "a.example");
  for (let i = 0; i < 10; i++) {
    on.answer = i % 2 === 0 ? () => REFUSED : only4(found(5, "192.0.2.1"));
    await pass(on, 10_000);
  }
  assert.equal(on.told, ["a.example 192.0.2.1 "]);
});

test("a family about which DNS says nothing keeps its addresses", async () => {
  const on = rig();
  on.answer = (_, family) => found(5, family === 4 ? "192.0.2.1" : "2001:db8::1");
  await want(on, "a.example");
  on.answer = (_, family) => (family === 4 ? REFUSED : found(5, "2001:db8::2"));
  await pass(on, 5_000);
  on.answer = (_, family) => (family === 4 ? NOTHING : found(5, "2001:db8::2"));
  await pass(on, 5_000);
  assert.equal(on.told, [
    "a.example 192.0.2.1,2001:db8::1 ",
    "a.example 192.0.2.1,2001:db8::2 ",
    "a.example 2001:db8::2 ",
  ]);
});

test("of a name with a hundred addresses the first 64 are used", async () => {
  const on = rig();
  const all = Array.from({ length: 100 }, (_, i) => `192.0.2.${100 + i}`);
  on.answer = only4(found(5, ...all));
  await want(on, "a.example");
  assert.equal(on.told, [`a.example ${all.slice(0, 64).join(",")} `]);
});

test("a name that was never resolved says why at once", async () => {
  const on = rig();
  on.answer = () => NOTHING;
  await want(on, "a.example");
  assert.equal(on.told, ["a.example  DNS knows no address of it"]);
});

test("one family that fails keeps its own addresses while the other moves", async () => {
  const on = rig();
  on.answer = (_, family) => (family === 4 ? found(5, "192.0.2.1") : found(5, "2001:db8::1"));
  await want(on, "a.example");
  on.answer = (_, family) => (family === 4 ? found(5, "192.0.2.2") : REFUSED);
  await pass(on, 5_000);
  on.answer = (_, family) => (family === 4 ? found(5, "192.0.2.2") : NOTHING);
  await pass(on, 5_000);
  assert.equal(on.told.slice(1), ["a.example 192.0.2.2,2001:db8::1 ", "a.example 192.0.2.2 "]);
});

test("failures are asked about ever later, and at most 5 min apart", async () => {
  const on = rig();
  await want(on, "a.example");
  const times: number[] = [];
  for (let i = 0; i < 3_600; i++) {
    const before = on.asked.length;
    await pass(on, 1_000);
    if (on.asked.length > before) times.push(on.clock.now());
  }
  const gaps = times.map((at, i) => at - (times[i - 1] ?? 0));
  gaps.forEach((gap, i) => {
    const baseMs = Math.min(300_000, 5_000 * 2 ** i);
    const most = Math.min(300_000, baseMs * 1.5) + 1_000;
    assert.ok(gap >= baseMs && gap <= most, `seed ${SEED}: gap ${i} is ${gap} ms`);
  });
  assert.ok(gaps.length > 10);
});

test("what is wanted no more is forgotten; the source hears of all wants", async () => {
  const on = rig();
  on.answer = only4(found(5, "192.0.2.1"));
  await want(on, "a.example", "b.example");
  await want(on, "b.example");
  await pass(on, 5_000);
  assert.equal(on.asked, ["a.example", "b.example", "b.example"]);
  assert.is(on.told.at(-1), "a.example forgotten");
  assert.equal([...(on.passed[0]?.secrets ?? [])], ["a/b"]);
});

test("it has settled when each name has been answered, be it by a failure", async () => {
  const on = rig();
  const { promise, resolve } = Promise.withResolvers<Answer>();
  on.answer = (name) => (name === "slow.example" ? promise : REFUSED);
  assert.is(on.source.settled?.(), true);
  await want(on, "a.example", "slow.example");
  assert.is(on.source.settled?.(), false);
  resolve(found(5, "192.0.2.1"));
  await settle();
  assert.is(on.source.settled?.(), true);
});

test("an answer that comes when its name is wanted no more is dropped", async () => {
  const on = rig();
  const { promise, resolve } = Promise.withResolvers<Answer>();
  on.answer = () => promise;
  await want(on, "a.example");
  await want(on);
  resolve(found(5, "192.0.2.1"));
  await settle();
  assert.equal(on.told, []);
});

test("at most 32 questions are in flight, and every name has its turn", async () => {
  const on = rig();
  const { promise, resolve } = Promise.withResolvers<Answer>();
  on.answer = () => promise;
  await want(on, ...Array.from({ length: 100 }, (_, i) => `n${i}.example`));
  assert.is(on.asked.length, 32);
  resolve(found(60, "192.0.2.1"));
  for (let i = 0; i < 20; i++) await settle();
  assert.is(new Set(on.asked).size, 100);
  assert.is(on.told.length, 100);
});

test("names beyond 1000 are told so, and followed when there is room", async () => {
  const on = rig();
  on.answer = only4(found(60, "192.0.2.1"));
  const names = Array.from({ length: 1_001 }, (_, i) => `n${i}.example`);
  await want(on, ...names);
  for (let i = 0; i < 100; i++) await settle();
  const last = (): string | undefined => on.told.findLast((line) => line.startsWith("n1000."));
  assert.match(last() ?? "", "more than 1000 names are wanted");
  await want(on, ...names.slice(1));
  for (let i = 0; i < 100; i++) await settle();
  assert.is(last(), "n1000.example 192.0.2.1 ");
});

test("after stop nothing is asked or told, and the source is stopped", async () => {
  const on = rig();
  on.answer = only4(found(5, "192.0.2.1"));
  await want(on, "a.example");
  on.source.stop();
  await pass(on, 600_000);
  await want(on, "b.example");
  assert.equal(on.asked, ["a.example"]);
  assert.is(on.told.length, 1);
  assert.ok(on.stopped);
});

/** The answer to a query: A records for names that start with `a`, none for others. */
function reply(query: Buffer): Buffer {
  const [labels, question] = [query.subarray(12), query.subarray(12, query.indexOf(0, 12) + 5)];
  const a = String.fromCharCode(labels[1] ?? 0) === "a" && question.at(-3) === 1;
  const head = Buffer.from(query.subarray(0, 12));
  head.set([0x81, a ? 0x80 : 0x83, 0, 1, 0, a ? 1 : 0, 0, 0, 0, 0], 2);
  const record = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 30, 0, 4, 192, 0, 2, 1]);
  return Buffer.concat([head, question, a ? record : Buffer.alloc(0)]);
}

test("over the wire: addresses with their TTL, none, and no server", async () => {
  const server = createSocket("udp4");
  server.on("message", (query, from) => server.send(reply(query), from.port, from.address));
  await new Promise<void>((bound) => server.bind(0, "127.0.0.1", bound));
  const { port } = server.address();
  const lookup = systemLookup([`127.0.0.1:${port}`]);
  assert.equal(await lookup("a.example", 4), found(30, "192.0.2.1"));
  assert.equal(await lookup("a.example", 6), NOTHING);
  assert.equal(await lookup("b.example", 4), NOTHING);
  await new Promise<void>((closed) => server.close(() => closed()));
  // Another name: the resolver keeps answers for their TTL.
  assert.not((await lookup("ab.example", 4)).ok);
});

test.run();
