/**
 * No client stays for ever, whatever it and its backends did before: random lives of a connection,
 * after which nobody does anything any more.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Exchange, Router } from "../../exchange.ts";
import { CONNECTION_LOST } from "../../fault.ts";
import { Head } from "../../head.ts";
import { seeded, seedOfRun, type Random } from "../../http1/test/cuts.cases.ts";
import { parseResponse, responseKind } from "../../http1/response.ts";
import { limitsOf } from "../../limits.ts";
import { Random as Generator } from "../../random.ts";
import { Timers } from "../../timers.ts";
import { DownstreamConnection } from "../connection.ts";
import { openSite } from "../site.ts";
import type { DownstreamSocket } from "../socket.ts";

const LIVES = 3_000;
const STEPS = 40;
/** The longest that a client is waited for, with some room: keep-alive, then a FIN. */
const PATIENCE_TICKS = 4 * 120;

const seed = seedOfRun();
console.log(`seed ${seed} (RIND_SEED=${seed} runs it again)`);

const REQUESTS = [
  "GET /a HTTP/1.1\r\nHost: a\r\n\r\n",
  "HEAD /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
  `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 300\r\n\r\n${"x".repeat(300)}`,
  "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n0\r\n\r\n",
  `PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n123456789`,
  "GET /a HTTP/1.0\r\n\r\n",
  "GET / HTTP/1.1\r\nHost: a\r\nBad Header\r\n\r\n",
  "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n",
];
/** How many of them end the connection. */
const ENDINGS = 3;
const RESPONSES = [
  "HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\n",
  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
  "HTTP/1.1 200 OK\r\n\r\n",
  "HTTP/1.1 304 Not Modified\r\n\r\n",
];

/** One connection with what surrounds it; every step is one thing that can happen to it. */
class Life {
  readonly #random: Random;
  readonly #timers = new Timers();
  readonly site;
  readonly #connection: DownstreamConnection;
  readonly #stream: Buffer;
  #sent = 0;
  #room = 1_000_000;
  #closed = false;
  #fin = false;
  #exchange: Exchange | null = null;
  #paused = false;

  constructor(random: Random) {
    this.#random = random;
    const router: Router = {
      route: (exchange) => this.#routed(exchange),
      retry: () => false,
      replayMax: () => 0,
      answered: () => {},
      over: () => {},
    };
    const limits = limitsOf({ backlogBytes: 600, discardBytes: 200, keepAliveRequests: 20 });
    const timers = this.#timers;
    const parts = { router, timers, limits, unacked: () => 0 };
    this.site = openSite({ ...parts, random: new Generator(1 + random(1e9)) });
    const socket = {
      remoteAddress: "192.0.2.1",
      localPort: 80,
      write: (_bytes: Uint8Array, _from: number, length: number) => this.#write(length),
      pause: () => (this.#paused = true),
      resume: () => (this.#paused = false),
      shutdown: () => {},
      terminate: () => (this.#closed = true),
      end: () => (this.#closed = true),
    };
    this.#connection = new DownstreamConnection(
      socket as unknown as DownstreamSocket,
      this.site,
      "192.0.2.1",
    );
    const requests = Array.from(
      { length: 1 + random(12) },
      () => REQUESTS[this.#pick(REQUESTS.length)]!,
    );
    this.#stream = Buffer.from(requests.join(""), "latin1");
  }

  /** The last ones end a life, so they are rare. */
  #pick(length: number): number {
    return this.#random(this.#random(20) === 0 ? length : length - ENDINGS);
  }

  #write(length: number): number {
    const taken = Math.min(length, this.#room);
    this.#room -= taken;
    return taken;
  }

  #routed(exchange: Exchange): void {
    if (this.#random(3) === 0) return exchange.answer(200, Buffer.alloc(this.#random(500)), "");
    if (this.#random(5) === 0) return exchange.fail(CONNECTION_LOST);
    this.#exchange = exchange;
    exchange.upOpen = this.#random(2) === 0;
    exchange.up = {
      sendHead: () => {},
      sendBody: () => this.#random(2) === 0,
      sendEnd: () => {},
      flush: () => {},
      abort: () => (this.#exchange = null),
      hold: () => {},
      resume: () => {},
    };
  }

  step(): void {
    const what = this.#random(10);
    if (what === 0) for (let ticks = this.#random(30); ticks > 0; ticks--) this.#timers.tick();
    else if (what === 1) this.#room = this.#random(3) * this.#random(2_000);
    else if (what === 2 && !this.#closed) this.#connection.drained();
    else if (what === 3) this.#exchange?.upDrained();
    else if (what <= 6) this.#respond();
    else if (what === 7 && this.#random(20) === 0) this.#leave();
    else this.#receive();
    this.#check();
  }

  #receive(): void {
    if (this.#closed || this.#fin || this.#paused) return;
    const end = Math.min(
      this.#stream.length,
      this.#sent + 1 + this.#random(this.#random(4) === 0 ? 800 : 80),
    );
    // A copy: what was read is the connection's to release.
    const bytes = Buffer.from(this.#stream.subarray(this.#sent, end));
    this.#sent = end;
    if (bytes.length > 0) this.#connection.received(bytes);
  }

  #respond(): void {
    const exchange = this.#exchange;
    if (exchange === null || exchange.finished) return;
    if (!exchange.answered) {
      const bytes = Buffer.from(RESPONSES[this.#random(RESPONSES.length)]!);
      const head = new Head();
      head.reset(bytes, 0);
      parseResponse(head, bytes.length);
      exchange.responseHead(head, responseKind(head, exchange.headMethod));
      exchange.down.flush();
    } else if (this.#random(2) > 0) {
      exchange.responseBody(Buffer.alloc(50), 0, 50);
      exchange.down.flush();
    } else this.#end(exchange);
  }

  #end(exchange: Exchange): void {
    this.#exchange = null;
    if (this.#random(15) === 0) return exchange.fail(CONNECTION_LOST);
    exchange.up = null;
    exchange.responseEnd(null);
  }

  #leave(): void {
    if (this.#closed || this.#fin || this.#paused) return;
    if (this.#random(2) === 0) {
      this.#fin = true;
      this.#connection.ended();
    } else if (this.#random(2) === 0) this.#connection.drain();
    else {
      this.#closed = true;
      this.#connection.closed();
    }
  }

  /** What is counted is what is there; what is idle may be closed without anybody noticing. */
  #check(): void {
    const { admission, connections } = this.site;
    assert.is(admission.open, connections.size);
    if (this.#closed) assert.is(connections.size, 0);
    if (this.#closed) assert.is(this.site.waiting.total, 0);
    const exchange = this.#exchange;
    const busy = exchange !== null && !exchange.finished;
    if (busy) assert.is(this.#connection.idleSince, 0);
  }

  /** Backends answer or fail, and then nobody does anything any more. */
  abandon(): void {
    if (this.#exchange !== null && !this.#exchange.finished) this.#end(this.#exchange);
    // The time of a client that reads counts from here.
    if (this.#random(2) === 0) this.#room = 1_000_000;
    for (let ticks = 0; ticks < PATIENCE_TICKS; ticks++) {
      this.#timers.tick();
      if (this.#exchange !== null && !this.#exchange.finished) this.#end(this.#exchange);
    }
    this.#check();
  }
}

test(`${LIVES} random lives end`, async () => {
  for (let i = 0; i < LIVES; i++) {
    const life = new Life(seeded(seed + i));
    for (let steps = 0; steps < STEPS; steps++) {
      life.step();
      // Pipelined requests go on in a turn of their own.
      if (steps % 10 === 9) await new Promise((resolve) => setImmediate(resolve));
    }
    life.abandon();
    for (let turns = 0; turns < 8; turns++) await new Promise((resolve) => setImmediate(resolve));
    life.abandon();
    const name = `life ${i} of seed ${seed}`;
    assert.is(life.site.connections.size, 0, `${name} goes on`);
    assert.is(life.site.admission.connectionsOf("192.0.2.1"), 0, name);
  }
});

test.run();
