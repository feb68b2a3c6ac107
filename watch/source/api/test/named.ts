/** Secrets by name while the server comes and goes, on a clock that stands still. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { fakeClock } from "../../../../core/clock.ts";
import { Random } from "../../../../core/random.ts";
import type { ApiAnswer, ApiClient, ApiEvents, ApiFailure } from "../api.ts";
import { ApiSource } from "../source.ts";
import { EVERYTHING } from "./fixture/cluster.ts";
import { settled } from "./fixture/script.ts";

const AWAY: ApiFailure = { ok: false, status: 0, reason: "away", retryAfterMs: null, body: null };
const SEED = 5;
/** What there may be of watches of Secrets. */
const WATCHES = 100;
const STEP_MS = 50;
/** What was never read is read by eight, and by the one that reads all in turn. */
const FIRSTS = 9;

const test = suite("Secrets by name");

/** A server without objects, which may be away, and a source that follows it. */
class World {
  readonly clock = fakeClock();
  readonly source: ApiSource;
  away: ApiFailure | null = null;
  /** What it answers about Secrets instead, while it is away. */
  busy: ApiFailure | null = null;
  /** Answers about Secrets wait for it; those that do, and the most there were. */
  answers = Promise.resolve();
  #waiting = 0;
  most = 0;
  #asked: { atMs: number; path: string }[] = [];
  #watches = new Map<ApiEvents, string>();

  constructor() {
    const client: ApiClient = {
      ask: ({ path }) => this.#ask(path),
      stream: ({ path }, events) => this.#stream(path, events),
    };
    const terms = { client, clock: this.clock, random: new Random(SEED), stream: true };
    this.source = new ApiSource(terms, EVERYTHING, () => {});
    this.source.watch(() => {});
  }

  /** Nothing can be read any more. */
  leave(failure: ApiFailure): void {
    this.away = failure;
    for (const [watch, path] of this.#watches) watch.closed(this.#failureOf(path));
    this.#watches.clear();
  }

  /** Wants Secrets `shop/tls-0` and so on. */
  want(from: number, to: number): void {
    const keys = Array.from({ length: to - from }, (_, i) => `shop/tls-${from + i}`);
    this.source.want({ secrets: new Set(keys), names: new Set() });
  }

  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= STEP_MS) {
      this.clock.advance(STEP_MS);
      await settled();
    }
  }

  /** When Secrets were asked for since this was called last, and how often anything else was. */
  asked(): Readonly<{ secrets: readonly number[]; others: number }> {
    const asked = this.#asked;
    this.#asked = [];
    const secrets = asked.filter(({ path }) => path.includes("secrets"));
    const times = secrets.map(({ atMs }) => atMs);
    return { secrets: times, others: asked.length - times.length };
  }

  /** Whether a kind is followed again. */
  heard(): boolean {
    return this.source.feeds().some(({ problem }) => problem === "");
  }

  #failureOf(path: string): ApiFailure | null {
    const busy = path.includes("secrets") ? this.busy : null;
    return this.away && (busy ?? this.away);
  }

  #ask(path: string): Promise<ApiAnswer> {
    this.#asked.push({ atMs: this.clock.now(), path });
    this.#waiting += 1;
    this.most = Math.max(this.most, this.#waiting);
    return this.answers.then(() => {
      this.#waiting -= 1;
      return this.#failureOf(path) ?? { ...AWAY, status: 404 };
    });
  }

  #stream(path: string, events: ApiEvents): () => void {
    this.#asked.push({ atMs: this.clock.now(), path });
    this.#watches.set(events, path);
    void Promise.resolve().then(() => {
      const failure = this.#failureOf(path);
      if (failure !== null) return events.closed(failure);
      const annotations = { "k8s.io/initial-events-end": "true" };
      const object = { metadata: { resourceVersion: "5", annotations } };
      events.opened();
      events.line(JSON.stringify({ type: "BOOKMARK", object }));
    });
    return () => void this.#watches.delete(events);
  }
}

for (const status of [0, 503]) {
  test(`while it answers ${status} kinds are asked for, and Secrets again in turn`, async () => {
    const world = new World();
    await world.pass(1_000);
    world.want(0, WATCHES - 1);
    await world.pass(10_000);
    world.leave({ ...AWAY, status });
    await world.pass(60_000);
    world.asked();
    await world.pass(300_000);
    const during = world.asked();
    assert.equal(during.secrets, []);
    assert.ok(during.others > 0);
    world.want(0, WATCHES + 20);
    assert.is(world.asked().secrets.length, 1, "at once, but for those that have no watch");
    await world.pass(60_000);
    world.asked();
    world.away = null;
    while (!world.heard()) await world.pass(STEP_MS);
    const backMs = world.clock.now();
    await world.pass(5_100);
    const { secrets } = world.asked();
    assert.ok(secrets.length >= WATCHES, `seed ${SEED}: all are back`);
    for (let from = backMs; from < backMs + 5_000; from += 500) {
      const now = secrets.filter((atMs) => atMs > from && atMs <= from + 500);
      assert.ok(now.length <= 40, `seed ${SEED}: ${now.length} within half a second`);
    }
    world.source.stop();
  });
}

test("Secrets beyond the watches are read at once, a few at a time", async () => {
  const world = new World();
  await world.pass(1_000);
  const { promise, resolve } = Promise.withResolvers<void>();
  world.answers = promise;
  world.asked();
  world.want(0, WATCHES + 50);
  await settled();
  assert.is(world.asked().secrets.length, WATCHES + FIRSTS);
  assert.not.ok(world.source.settled(), "a first model waits");
  resolve();
  await settled();
  assert.is(world.asked().secrets.length, 50 - FIRSTS, "without a moment between");
  assert.ok(world.source.settled());
  assert.is(world.most, FIRSTS);
  world.want(0, WATCHES + 51);
  assert.is(world.asked().secrets.length, 1, "one that comes later does not wait for its turn");
  world.source.stop();
});

test("a Secret of which the server said how long to wait is not asked for sooner", async () => {
  const world = new World();
  await world.pass(1_000);
  world.want(0, 1);
  await world.pass(10_000);
  world.busy = { ...AWAY, status: 429, retryAfterMs: 60_000 };
  world.leave(AWAY);
  await world.pass(5_000);
  world.away = null;
  world.asked();
  await world.pass(50_000);
  const { secrets, others } = world.asked();
  assert.equal(secrets, []);
  assert.ok(others > 0 && world.heard());
  await world.pass(10_000);
  assert.is(world.asked().secrets.length, 1);
  world.source.stop();
});

test("without a kind that fails, a Secret that fails asks on by itself", async () => {
  const world = new World();
  await world.pass(1_000);
  world.away = AWAY;
  world.want(0, 1);
  await world.pass(60_000);
  assert.ok(world.asked().secrets.length >= 3);
  world.source.stop();
});

test.run();
