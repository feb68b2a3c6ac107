/** The way out: order, exactness and framing, whatever the kernel takes. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { seeded, seedOfRun, type Random } from "../http1/test/cuts.cases.ts";
import { Output } from "../output.ts";
import { Slab } from "../slab.ts";

const seed = seedOfRun();
console.log(`seed ${seed} (RIND_SEED=${seed} runs it again)`);
const random = seeded(seed);

/** A socket that takes as much as it likes: all of it when `take` is null. */
class Kernel {
  taken = "";
  resumed = 0;
  readonly #take: ((offered: number) => number) | null;

  constructor(take: ((offered: number) => number) | null) {
    this.#take = take;
  }

  write(bytes: Uint8Array, from: number, length: number): number {
    const size = this.#take === null ? length : this.#take(length);
    if (size > 0) this.taken += Buffer.from(bytes).toString("latin1", from, from + size);
    return size;
  }

  resume(): void {
    this.resumed++;
  }
}

/** Takes some, none, all, or says that the socket is gone. */
const moody = (pick: Random) => (offered: number) => {
  const mood = pick(4);
  return mood === 0 ? -1 : mood === 1 ? 0 : mood === 2 ? offered : pick(offered + 1);
};

const piece = (size: number, letter: number): Buffer =>
  Buffer.alloc(size, String.fromCharCode(97 + (letter % 26)));

for (const chunks of [false, true]) {
  for (const sizes of [
    Array<number>(100).fill(10_001),
    Array<number>(5_000).fill(1),
    [16_384, 16_385, 300_000, 1, 16_383, 262_144, 5, 1_000_000],
  ]) {
    const name = `${sizes.length} pieces in one event, ${chunks ? "chunked" : "as they are"}`;
    test(`${name}: nothing is lost behind a head`, () => {
      const kernel = new Kernel(null);
      const slab = new Slab();
      const out = new Output(slab, kernel);
      out.chunks = chunks;
      out.begin();
      slab.add(Buffer.from("head\r\n\r\n"));
      for (const [i, size] of sizes.entries()) {
        // As in a read: bytes that are used up lie in front.
        const read = Buffer.concat([Buffer.alloc(i % 50, "!"), piece(size, i)]);
        assert.ok(out.body(read, i % 50, read.length));
      }
      out.end(null);
      assert.ok(out.flush());
      const text = sizes.map((size, i) => piece(size, i).toString("latin1")).join("");
      const body = chunks ? decoded(kernel.taken.slice(8)) : kernel.taken.slice(8);
      assert.is(kernel.taken.slice(0, 8), "head\r\n\r\n");
      assert.is(body.length, text.length);
      assert.ok(body === text, "other bytes");
      assert.is(slab.end, 0);
    });
  }
}

test("a small rest of a large read does not hold all of it", () => {
  const offered: number[] = [];
  const sink = {
    write: (bytes: Uint8Array, _from: number, length: number) => {
      offered.push(bytes.length);
      return Math.min(length, 100_000);
    },
    resume: () => {},
  };
  const out = new Output(new Slab(), sink);
  out.body(piece(500_000, 1), 0, 500_000);
  while (!out.drain());
  // 400, 300, 200 and 100 thousand wait: the last two in arrays of their own.
  assert.equal(offered, [500_000, 500_000, 500_000, 200_000, 200_000]);
});

test("what the kernel does not take waits in order, and is exact", () => {
  for (let round = 0; round < 60; round++) {
    const kernel = new Kernel(moody(random));
    const slab = new Slab();
    const out = new Output(slab, round % 3 === 0 ? null : kernel);
    let expected = "";
    for (let i = 0; i < 40; i++) {
      const size = 1 + random(random(3) === 0 ? 100_000 : 50);
      const bytes = piece(size, i);
      expected += bytes.toString("latin1");
      if (random(2) === 0) {
        out.begin();
        slab.add(bytes.subarray(0, Math.min(size, 1_000)));
        if (size > 1_000) out.body(bytes, 1_000, size); // The head may be laid over `bytes`.
        const clean = out.flush();
        assert.is(clean, out.waiting === 0);
      } else if (!out.body(bytes, 0, size)) assert.ok(out.waiting > 0);
      // Another connection uses the same slab in between.
      out.flush();
      slab.bytes.fill(0x21, 0, 2_000);
      if (random(4) === 0 && out.sink !== null) out.drain();
    }
    out.sink = kernel;
    while (!out.drain());
    assert.ok(kernel.taken === expected, `round ${round}`);
    assert.is(out.waiting, 0);
  }
});

test("a request that never left goes over to another connection whole", () => {
  const slab = new Slab();
  const first = new Output(slab, null);
  first.chunks = true;
  first.begin();
  slab.add(Buffer.from("head\r\n\r\n"));
  first.flush();
  first.body(Buffer.from("abc"), 0, 3);
  const kernel = new Kernel(null);
  const second = new Output(slab, null);
  second.adopt(first);
  assert.is(first.waiting, 0);
  second.body(Buffer.from("de"), 0, 2);
  second.end(null);
  second.flush();
  second.sink = kernel;
  assert.ok(second.drain());
  assert.is(kernel.taken, "head\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
});

test("an output that closes leaves nothing in the slab", () => {
  const slab = new Slab();
  const dead = new Output(slab, new Kernel(null));
  dead.begin();
  slab.add(Buffer.from("dead"));
  dead.close();
  const kernel = new Kernel(null);
  const live = new Output(slab, kernel);
  live.begin();
  slab.add(Buffer.from("live"));
  // Closing again, late, is nobody else's business.
  dead.close();
  live.flush();
  assert.is(kernel.taken, "live");
});

/** Chunked text, decoded the naive way. */
function decoded(text: string): string {
  let body = "";
  for (let at = 0; ;) {
    const end = text.indexOf("\r\n", at);
    const size = Number.parseInt(text.slice(at, end), 16);
    if (size === 0) return text.slice(end + 4) === "" ? body : "trailing bytes";
    body += text.slice(end + 2, end + 2 + size);
    at = end + 2 + size + 2;
  }
}

test("a socket that is gone is read again, or its end would never be told", () => {
  for (const [takes, resumed] of [
    [-1, 1],
    [0, 0],
    [3, 0],
  ]) {
    const kernel = new Kernel(() => takes!);
    const out = new Output(new Slab(), kernel);
    assert.is(out.body(piece(10, 0), 0, 10), false);
    assert.is(kernel.resumed, resumed);
    assert.is(out.drain(), false);
    assert.is(kernel.resumed, resumed! * 2);
  }
});

test.run();
