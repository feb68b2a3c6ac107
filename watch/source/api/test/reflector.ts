import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  answer,
  close,
  error,
  failure,
  gone,
  items,
  line,
  mark,
  open,
  page,
  pass,
  put,
  refuse,
  settled,
  type Step,
  whole,
  World,
} from "./fixture/script.ts";

const test = suite("reflector");

/** What the process hears of. */
const bugs: unknown[] = [];
process.on("unhandledRejection", (bug) => bugs.push(bug));

/** Begins every row about watches: a list as of version 5, and the watch that follows. */
const FOLLOWING: readonly Step[] = [items("5", "a@1", "b@2"), open];
const FOLLOWED = ["list from 0", "put a@1", "put b@2", "whole", "watch from 5"];
const MINUTE = 60_000;

/**
 * What the server does, and all that happens. `400–800 watch` means that it comes so many
 * milliseconds after what stands before it, or what the server did before it.
 */
type Row = Readonly<{
  name: string;
  options?: ConstructorParameters<typeof World>[0];
  steps: readonly Step[];
  log: readonly string[];
}>;

const ROWS: readonly Row[] = [
  // === lists ===
  {
    name: "a list, then a watch from its version",
    steps: [...FOLLOWING, put("c@6"), gone("a@7")],
    log: [...FOLLOWED, "put c@6", "gone a@7"],
  },
  {
    name: "pages are one list as of the first of them",
    steps: [page("5", "t1", "a@1"), page("6", "t2", "b@2"), items("7", "c@3"), open],
    log: [
      "list from 0",
      "put a@1",
      "list continue t1",
      "put b@2",
      "list continue t2",
      "put c@3",
      "whole",
      "watch from 5",
    ],
  },
  {
    name: "a continue token that expired: all of it again, at once and in one piece",
    steps: [page("5", "t1", "a@1"), refuse(410), items("9", "a@1", "b@8"), open],
    log: [
      "list from 0",
      "put a@1",
      "list continue t1",
      "list all",
      "put a@1",
      "put b@8",
      "whole",
      "watch from 9",
    ],
  },
  {
    name: "after a list in one piece the next one comes in pages again",
    steps: [
      ...[page("5", "t1", "a@1"), refuse(410), items("9"), open],
      ...[pass(2_000), error(410), pass(1_050), items("12")],
    ],
    log: [
      ...["list from 0", "put a@1", "list continue t1", "list all", "whole", "watch from 9"],
      ...["0–1000 list from 9", "whole", "watch from 12"],
    ],
  },
  {
    name: "an empty list is a list",
    steps: [answer({ ok: true, status: 200, body: emptyList("5") })],
    log: ["list from 0", "whole", "watch from 5"],
  },
  {
    name: "an answer that is no list is not an empty one",
    steps: [answer({ ok: true, status: 200, body: {} }), pass(800), items("5")],
    log: [
      "list from 0",
      "problem the answer to a list is no list",
      "400–800 list from 0",
      "problem",
      "whole",
      "watch from 5",
    ],
  },
  {
    name: "a bug of ours costs an attempt, and is not called a failure of the server",
    options: { poison: "b@2" },
    steps: [items("5", "a@1", "b@2"), pass(800), ...FOLLOWING],
    log: [
      "list from 0",
      "put a@1",
      "problem a bug of rind (TypeError): please report it, with its stack from the log",
      "400–800 list from 0",
      "problem",
      ...FOLLOWED.slice(1),
    ],
  },
  {
    name: "a server that is away is asked again and again, more and more slowly",
    steps: [refuse(0), pass(800), refuse(0), pass(1_600), refuse(0), pass(3_200), refuse(0)],
    log: [
      "list from 0",
      "problem answers 0",
      "400–800 list from 0",
      "800–1600 list from 0",
      "1600–3200 list from 0",
    ],
  },
  {
    name: "Retry-After is the least to wait",
    steps: [refuse(429, 7_000), pass(6_900), pass(200), refuse(503, 20_000), pass(21_000)],
    log: ["list from 0", "problem answers 429", "7000–7100 list from 0", ...fails(503, 20_000)],
  },
  {
    name: "credentials are renewed once at once, then with patience",
    steps: [refuse(401), refuse(401), pass(800), items("5")],
    log: [
      "list from 0",
      "problem answers 401",
      "0–0 list from 0",
      "400–800 list from 0",
      "problem",
      "whole",
      "watch from 5",
    ],
  },
  {
    name: "credentials that were good meanwhile are renewed at once, each time",
    steps: [
      ...FOLLOWING,
      pass(2_000),
      refuse(401),
      open,
      pass(2_000),
      refuse(401),
      open,
      mark("6"),
    ],
    log: [
      ...FOLLOWED,
      ...["problem answers 401", "0–0 watch from 5", "problem"],
      ...["problem answers 401", "0–0 watch from 5", "problem"],
    ],
  },
  {
    name: "who is denied asks each half minute",
    steps: [refuse(403), pass(30_000), refuse(403), pass(30_000), items("5")],
    log: [
      "list from 0",
      "problem answers 403",
      "30000–30000 list from 0",
      "30000–30000 list from 0",
      "problem",
      "whole",
      "watch from 5",
    ],
  },
  {
    name: "a kind that is not there is asked for each minute",
    steps: [refuse(404), pass(MINUTE), items("5")],
    log: [
      "list from 0",
      "problem answers 404",
      "60000–60000 list from 0",
      "problem",
      "whole",
      "watch from 5",
    ],
  },
  // === watches ===
  {
    name: "an end that was agreed on: the watch again, from the last version, at once",
    steps: [...FOLLOWING, put("c@6"), mark("9"), pass(400_000 - 350_000), mark("12"), close, open],
    log: [...FOLLOWED, "put c@6", "0–0 watch from 12"],
  },
  {
    name: "a server that ends watches at once is not asked at once",
    steps: [...FOLLOWING, close, pass(800), open, close, pass(1_600)],
    log: [
      ...FOLLOWED,
      "problem the watch ends as soon as it begins",
      "400–800 watch from 5",
      "800–1600 watch from 5",
    ],
  },
  {
    name: "a watch that lasts, or tells something, ends a failure; that it is answered does not",
    steps: [
      ...[...FOLLOWING, refuse(0), pass(800), open, close, pass(1_600), open, pass(1_000)],
      ...[refuse(0), pass(3_200), open, mark("7"), close, pass(6_400)],
    ],
    log: [
      ...[...FOLLOWED, "problem answers 0", "400–800 watch from 5"],
      ...["problem the watch ends as soon as it begins", "800–1600 watch from 5"],
      ...["1000–1600 problem", "problem answers 0", "1600–3200 watch from 5", "problem"],
      "3200–6400 watch from 7",
    ],
  },
  {
    name: "a connection that breaks: the watch again, without a list",
    steps: [...FOLLOWING, put("c@6"), pass(5_000), refuse(0), pass(800), open, put("d@7")],
    log: [
      ...FOLLOWED,
      "put c@6",
      "problem answers 0",
      "400–800 watch from 6",
      "problem",
      "put d@7",
    ],
  },
  {
    name: "a version that is too old, as an event: one list, not older than the last version",
    steps: [
      ...FOLLOWING,
      mark("8"),
      pass(2_000),
      error(410),
      pass(1_050),
      items("20", "b@2"),
      open,
    ],
    log: [...FOLLOWED, "0–1000 list from 8", "put b@2", "whole", "watch from 20"],
  },
  {
    name: "a version that is too old, as an answer; and the list is too old as well",
    steps: [items("5"), refuse(410), pass(800), refuse(410), items("20"), open],
    log: [
      "list from 0",
      "whole",
      "watch from 5",
      "400–800 list from 5",
      "0–0 list",
      "whole",
    ].concat("watch from 20"),
  },
  {
    name: "a server that answers every watch with 410 is not asked in a loop",
    steps: [items("5"), refuse(410), pass(800), items("6"), refuse(410), pass(1_600)],
    log: [
      "list from 0",
      "whole",
      "watch from 5",
      "400–800 list from 5",
      "whole",
      "watch from 6",
    ].concat("800–1600 list from 6"),
  },
  {
    name: "a version that the server never had: a list of whatever there is",
    steps: [items("5"), refuse(504), pass(800), items("2"), open],
    log: ["list from 0", "whole", "watch from 5", "problem answers 504", "400–800 list"].concat(
      "problem",
      "whole",
      "watch from 2",
    ),
  },
  {
    name: "a watch that the server does not understand: a list of whatever there is",
    steps: [items("5"), refuse(400), pass(800), items("6"), open],
    log: ["list from 0", "whole", "watch from 5", "problem answers 400", "400–800 list"].concat(
      "problem",
      "whole",
      "watch from 6",
    ),
  },
  {
    name: "an error event is a pause, and no reason to list",
    steps: [...FOLLOWING, mark("8"), error(500), pass(800), open, pass(1_000)],
    log: [...FOLLOWED, "problem error 500", "400–800 watch from 8", "1000–1800 problem"],
  },
  {
    name: "a line that is no event: nothing is sure any more, so a list",
    steps: [...FOLLOWING, put("c@6"), line('{"type":"ADDED","obj'), pass(800), items("9"), open],
    log: [
      ...FOLLOWED,
      "put c@6",
      "problem a line is not an event",
      "400–800 list from 6",
      "problem",
      "whole",
      "watch from 9",
    ],
  },
  {
    name: "a type that nobody knows is no event either",
    steps: [...FOLLOWING, line('{"type":"RENAMED","object":{}}'), pass(800)],
    log: [...FOLLOWED, "problem a line is not an event", "400–800 list from 5"],
  },
  {
    name: "who may list and not watch lists each half minute",
    steps: [items("5"), refuse(403), pass(30_000), items("6"), refuse(403)],
    log: [
      "list from 0",
      "whole",
      "watch from 5",
      "problem answers 403",
      "30000–30000 list from 5",
      "problem",
      "whole",
      "watch from 6",
      "problem answers 403",
    ],
  },
  {
    name: "a watch that is silent for 90 s is asked for again, dead or not; bookmarks keep it",
    steps: [...FOLLOWING, pass(80_000), mark("6"), pass(80_000), mark("7"), pass(91_000)],
    log: [...FOLLOWED, "90000–90000 watch from 7"],
  },
  {
    name: "peace is no failure, however long: nothing is ever waited for",
    steps: [...FOLLOWING, ...Array.from({ length: 4 }, () => [pass(90_000), open]).flat()],
    log: [...FOLLOWED, ...Array.from({ length: 4 }, () => "89000–90000 watch from 5")],
  },
  {
    name: "two minutes of health make the next failure a first one",
    steps: [
      ...FOLLOWING,
      ...[refuse(0), pass(800), refuse(0), pass(1_600), open],
      ...[pass(80_000), mark("6"), pass(45_000), refuse(0), pass(800)],
    ],
    log: [
      ...FOLLOWED,
      "problem answers 0",
      "400–800 watch from 5",
      "800–1600 watch from 5",
      "1000–1800 problem",
      "problem answers 0",
      "400–800 watch from 6",
    ],
  },
  // === streamed lists ===
  {
    name: "a streamed list is whole at its bookmark, and goes on as a watch",
    options: { stream: true },
    steps: [open, put("a@3"), put("b@9"), whole("9"), put("c@10"), pass(2_000), close],
    log: ["stream", "put a@3", "put b@9", "whole", "put c@10", "0–0 watch from 10"],
  },
  {
    name: "the versions in a streamed list are no place to go on from",
    options: { stream: true },
    steps: [open, put("b@9"), mark("9"), refuse(0), pass(800), open, put("a@3"), whole("12")],
    log: [
      "stream",
      "put b@9",
      "problem answers 0",
      "400–800 stream",
      "problem",
      "put a@3",
      "whole",
    ],
  },
  ...[400, 403, 405, 422].map((status) => ({
    name: `a server that answers a streamed list with ${status} is asked for pages`,
    options: { stream: true },
    steps: [refuse(status), items("5", "a@1"), open],
    log: ["stream", "list from 0", "put a@1", "whole", "watch from 5"],
  })),
  {
    name: "a streamed list that breaks off: pages this time, a stream the next time",
    options: { stream: true },
    steps: [
      ...[open, put("a@1"), close, items("5", "a@1"), open],
      ...[pass(2_000), error(410), pass(1_050), open, whole("9")],
    ],
    log: ["stream", "put a@1", "list from 0", "put a@1", "whole", "watch from 5"].concat(
      "0–1000 stream from 5",
      "whole",
    ),
  },
  {
    name: "a server that never says that the stream is whole is asked for pages",
    options: { stream: true },
    steps: [open, put("a@1"), pass(30_000), put("b@2"), pass(30_000), items("5", "a@1")],
    log: ["stream", "put a@1", "put b@2", "30000–30000 list from 0", "put a@1", "whole"].concat(
      "watch from 5",
    ),
  },
  {
    name: "after 410 a streamed list is not older than the last version",
    options: { stream: true },
    steps: [open, whole("9"), pass(2_000), error(410), pass(1_050), open, whole("30")],
    log: ["stream", "whole", "0–1000 stream from 9", "whole"],
  },
  {
    name: "a streamed list from a version that the server never had: whatever there is",
    options: { stream: true },
    steps: [open, whole("9"), pass(2_000), error(410), pass(1_050), refuse(504), pass(800)],
    log: ["stream", "whole", "0–1000 stream from 9", "problem answers 504", "400–800 stream"],
  },
];

for (const row of ROWS) {
  test(row.name, async () => {
    const world = new World(row.options ?? {});
    await settled();
    for (const step of row.steps) {
      await step(world);
      await settled();
    }
    world.reflector.stop();
    compare(world, row.log);
    assert.is(bugs.splice(0).length, row.options?.poison === undefined ? 0 : 1);
  });
}

test("an optional feed counts as synced when denied or not there, others do not", async () => {
  for (const [status, optional, synced] of [
    [403, true, true],
    [404, true, true],
    [500, true, false],
    [403, false, false],
    [404, false, false],
  ] as const) {
    const world = new World({ optional });
    await settled();
    await refuse(status)(world);
    await settled();
    assert.is(world.reflector.state().synced, synced, `${status} ${optional}`);
    for (let i = 0; i < 10; i++) {
      await world.pass(30_000);
      await refuse(status)(world);
      await settled();
    }
    const { ageMs } = world.reflector.state();
    // Of what is optional and not to be had, a refusal is all there is to hear.
    assert.is(ageMs <= 60_000, optional && synced, `${status} ${optional}: ${ageMs} ms`);
    world.reflector.stop();
  }
});

test("who waits for a server that is away is woken by who reached it, nobody else is", async () => {
  for (const [status, woken] of [
    [0, true],
    [403, false],
    [503, false],
  ] as const) {
    const world = new World({});
    for (let i = 0; i < 6; i++) {
      await settled();
      await refuse(status)(world);
      await pass(i === 5 ? 100 : 30_000)(world);
    }
    const requests = world.log.length;
    world.reflector.poke();
    await world.pass(300);
    assert.is(world.log.length > requests, woken, String(status));
    world.reflector.stop();
  }
});

test("a watch that is not answered is asked for anew by who is woken", async () => {
  for (const answered of [false, true]) {
    const world = new World({});
    await settled();
    for (const step of [...FOLLOWING, refuse(0), pass(800)]) {
      await step(world);
      await settled();
    }
    if (answered) await open(world);
    const watches = (): number => world.log.filter(({ what }) => what === "watch from 5").length;
    assert.is(watches(), 2);
    for (let i = 0; i < 5; i++) world.reflector.poke();
    await world.pass(600);
    assert.is(watches(), answered ? 2 : 3, "once, however often it is woken");
    world.reflector.stop();
  }
});

test("a server that is away is asked four times a minute at most", async () => {
  for (const seed of [1, 2, 3, 4]) {
    const world = new World({ seed });
    for (let minute = 0; minute < 10; minute++) {
      const before = world.log.length;
      for (let s = 0; s < 60; s++) {
        await refuse(0)(world);
        await world.pass(1_000);
      }
      if (minute > 0) assert.ok(world.log.length - before <= 4, `seed ${seed} minute ${minute}`);
    }
    world.reflector.stop();
  }
});

test("nothing is asked or told after stop", async () => {
  const world = new World({});
  await settled();
  for (const step of FOLLOWING) {
    await step(world);
    await settled();
  }
  const events = world.streamed;
  world.reflector.stop();
  events?.line(JSON.stringify({ type: "ADDED", object: { metadata: { name: "z" } } }));
  events?.closed(failure(0));
  await world.pass(MINUTE);
  assert.is(world.log.length, FOLLOWED.length);
});

function emptyList(resourceVersion: string): unknown {
  return { kind: "ThingList", metadata: { resourceVersion }, items: null };
}

function fails(status: number, ms: number): readonly string[] {
  return [`problem answers ${status}`, `${ms}–${ms + 100} list from 0`];
}

function compare({ log }: World, wanted: readonly string[]): void {
  const shown = log.map(({ what }) => what);
  assert.equal(
    shown,
    wanted.map((text) => text.replace(/^\d+–\d+ /, "")),
  );
  wanted.forEach((text, i) => {
    const range = /^(\d+)–(\d+) /.exec(text);
    if (range === null) return;
    const gap = log[i]!.afterMs;
    const fits = gap >= Number(range[1]) && gap <= Number(range[2]) + 50;
    assert.ok(fits, `${text}: came after ${gap} ms`);
  });
}

test("a list that never ends is given up, and changes nothing", async () => {
  const world = new World({});
  await settled();
  for (let i = 0; i < 3_000 && world.reflector.failure() === null; i++) {
    page("5", `t${i}`, `a@${i}`)(world);
    await settled();
  }
  assert.is(world.reflector.failure()?.reason, "the list has no end");
  assert.is(world.log.filter(({ what }) => what === "whole").length, 0);
  world.reflector.stop();
});

test.run();
