/** Two sockets joined: random lives of both, in which nothing is lost, mixed up or forgotten. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { FakeSocket } from "../../test/socket.ts";
import { Pipe, type PipeEnd } from "../pipe.ts";
import { Random } from "../random.ts";

const LIVES = 3_000;
const STEPS = 60;
const PIECE_MAX = 400;
const seed = Number(process.env["RIND_SEED"] ?? 1 + (Date.now() % 1_000_000));
console.log(`seed ${seed} (RIND_SEED=${seed} runs it again)`);

/** One side as the world sees it. */
class Side {
  readonly socket = new FakeSocket();
  readonly end: PipeEnd;
  /** What its peer has said, and whether it said FIN. */
  said = "";
  fin = false;
  gone = false;
  open = false;

  constructor(end: PipeEnd) {
    this.end = end;
  }

  get paused(): boolean {
    const last = this.socket.done.filter((it) => it === "pause" || it === "resume").at(-1);
    return last === "pause";
  }

  /** FIN was sent to its peer. */
  get told(): boolean {
    return this.socket.done.includes("fin");
  }

  get closed(): boolean {
    return this.socket.done.includes("end") || this.socket.done.includes("reset");
  }
}

class Life {
  readonly pipe: Pipe;
  readonly client: Side;
  readonly backend: Side;
  overs = 0;
  readonly #random: Random;
  #letter = 0;

  constructor(random: Random) {
    this.#random = random;
    this.pipe = new Pipe({
      moved: () => {},
      stalled: () => {},
      flowed: () => {},
      failed: () => {},
      over: () => this.overs++,
    });
    this.client = new Side(this.pipe.client);
    this.backend = new Side(this.pipe.backend);
    this.attach(this.client);
  }

  attach(side: Side): void {
    side.open = true;
    side.end.attach(side.socket);
  }

  /** The backend takes it, if anybody still wants that. */
  connect(): void {
    if (!this.backend.open && this.overs === 0) this.attach(this.backend);
  }

  other(side: Side): Side {
    return side === this.client ? this.backend : this.client;
  }

  say(side: Side, size: number): void {
    if (!side.open || side.fin || side.gone || side.paused || this.overs > 0) return;
    const letter = String.fromCharCode(97 + (this.#letter++ % 26));
    side.said += letter.repeat(size);
    side.end.received(Buffer.alloc(size, letter));
  }

  /** Its kernel takes `room` bytes more. */
  take(side: Side, room: number): void {
    if (!side.open || side.gone || this.overs > 0) return;
    side.socket.room += room;
    side.end.drained();
  }

  finish(side: Side): void {
    if (!side.open || side.fin || side.gone || side.paused || this.overs > 0) return;
    side.fin = true;
    // Behind our own FIN the peer's is told by the close alone.
    if (!side.told) side.end.ended();
    else {
      side.gone = true;
      side.end.closed(true);
    }
  }

  reset(side: Side): void {
    if (!side.open || side.gone || this.overs > 0) return;
    side.gone = true;
    side.end.closed(false);
  }

  step(resets: boolean): void {
    const side = this.#random.below(2) === 0 ? this.client : this.backend;
    const what = this.#random.below(20);
    if (what < 9) this.say(side, 1 + this.#random.below(PIECE_MAX));
    else if (what < 17) this.take(side, this.#random.below(2 * PIECE_MAX));
    else if (what === 17) this.connect();
    else if (what === 18) this.finish(side);
    else if (what === 19 && resets) this.reset(side);
    this.check(side);
    this.check(this.other(side));
  }

  check(side: Side): void {
    const { said } = this.other(side);
    const { written } = side.socket;
    assert.ok(said.startsWith(written), "the same bytes in the same order");
    if (this.overs > 0) return;
    assert.is(side.end.waiting, said.length - written.length, "what is not sent waits");
    // A FIN is behind all of it.
    if (side.told) assert.is(written, said);
    if (side.told) assert.ok(this.other(side).fin, "a FIN was said");
  }
}

test("whatever happens, bytes arrive in order and a FIN behind them", () => {
  const random = new Random(seed);
  for (let i = 0; i < LIVES; i++) {
    const life = new Life(random);
    const room = random.below(3) === 0 ? PIECE_MAX : Number.POSITIVE_INFINITY;
    life.client.socket.room = room;
    life.backend.socket.room = room;
    const resets = random.below(2) === 0;
    try {
      for (let step = 0; step < STEPS; step++) life.step(resets);
      life.connect();
      // Whoever could not send or take before can now, and all have enough of it.
      for (const side of [life.client, life.backend, life.client]) {
        life.take(side, Number.POSITIVE_INFINITY);
      }
      for (const side of [life.client, life.backend]) life.finish(side);
      assert.is(life.overs, 1, "it is over, once");
      const lost = life.client.socket.done.includes("reset");
      const reset = lost || life.backend.socket.done.includes("reset");
      for (const side of [life.client, life.backend]) {
        assert.ok(side.gone || side.closed || !side.open, "both sockets are closed");
        if (!reset && life.backend.open)
          assert.is(side.socket.written, life.other(side).said, "all arrived");
      }
    } catch (error) {
      throw new Error(`life ${i} of seed ${seed}: ${(error as Error).message}`, { cause: error });
    }
  }
});

test("no more is read than the other side takes", () => {
  const life = new Life(new Random(1));
  life.attach(life.backend);
  life.backend.socket.room = 10;
  life.say(life.client, 100);
  assert.ok(life.client.paused);
  assert.is(life.pipe.backend.waiting, 90);
  life.take(life.backend, 89);
  assert.ok(life.client.paused, "while anything waits");
  life.take(life.backend, 1);
  assert.not(life.client.paused);
  assert.equal(life.client.socket.done, ["pause", "resume"]);
});

test("until the backend is there the client is read no further than once", () => {
  const life = new Life(new Random(1));
  life.say(life.client, 100);
  assert.ok(life.client.paused);
  life.attach(life.backend);
  assert.not(life.client.paused);
  assert.is(life.backend.socket.written, life.client.said);
});

test("a write that finds the socket dead ends both, not as by FIN", () => {
  const life = new Life(new Random(1));
  life.attach(life.backend);
  life.client.socket.room = -1;
  life.say(life.backend, 100);
  life.client.end.ended();
  assert.is(life.overs, 1);
  assert.ok(life.backend.socket.done.includes("reset"));
  assert.not(life.backend.told);
});

test.run();
