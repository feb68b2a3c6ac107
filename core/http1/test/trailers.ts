/** Trailers: every rule of the table, whole and cut in every way. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { BAD_BODY, BAD_TRAILER, OK } from "../../fault.ts";
import { Head } from "../../head.ts";
import { BY_CHUNKS, Body } from "../body.ts";
import { BROKEN, DATA, ENDED } from "../found.ts";
import { nominated } from "../nominate.ts";
import { parseResponse } from "../response.ts";
import { cutsOf, seeded, seedOfRun } from "./cuts.cases.ts";
import { TRAILER_CASES } from "./trailers.cases.ts";

const seed = seedOfRun();
console.log(`seed ${seed} (RIND_SEED=${seed} runs it again)`);
const random = seeded(seed);

/** The head of a response that nominates two names. */
const nominating = (): Head => {
  const head = new Head();
  const lines = "Connection: close, X-Hop\r\nConnection: some-hop\r\n";
  const bytes = Buffer.from(`HTTP/1.1 200 OK\r\n${lines}Transfer-Encoding: chunked\r\n\r\n`);
  head.reset(bytes, 0);
  assert.is(parseResponse(head, bytes.length), OK);
  return head;
};
const NOMINATED = nominated(nominating());

type Direction = "request" | "response" | "relayed";
type Ended = Readonly<{ verdict: number; fault: number; lines: string }>;

/** Reads a body of one chunk with these trailer lines, cut at `ends`. */
const read = (direction: Direction, bytes: Buffer, ends: readonly number[]): Ended => {
  const body = new Body();
  body.start(BY_CHUNKS, -1, direction !== "request");
  if (direction === "relayed") body.keepTrailers(NOMINATED);
  let verdict = DATA;
  let from = 0;
  for (const end of ends) {
    do {
      verdict = body.next(bytes, from, end);
      from = body.at;
    } while (verdict === DATA);
    if (verdict === BROKEN) return { verdict, fault: body.fault, lines: "" };
  }
  const lines = body.trailers();
  const text = lines === null ? "" : Buffer.from(lines).toString("latin1");
  return { verdict, fault: OK, lines: text };
};

for (const [name, lines, request, response] of TRAILER_CASES) {
  test(name, () => {
    const bytes = Buffer.from(`1\r\nx\r\n0\r\n${lines}\r\n`, "latin1");
    const good = { verdict: ENDED, fault: OK, lines: "" };
    const bad = { verdict: BROKEN, fault: BAD_TRAILER, lines: "" };
    const expected = {
      request: request === "bad" ? bad : good,
      response: response === "bad" ? bad : good,
      relayed: response === "bad" ? bad : { ...good, lines: response },
    };
    for (const direction of ["request", "response", "relayed"] as const) {
      assert.equal(read(direction, bytes, [bytes.length]), expected[direction], direction);
      for (const ends of cutsOf(bytes.length, random)) {
        const cut = `${direction}, read up to ${ends.slice(0, 12).join(", ")}`;
        assert.equal(read(direction, bytes, ends), expected[direction], cut);
      }
    }
  });
}

test("what is wrong before the trailers is the body's fault", () => {
  const bytes = Buffer.from("1\r\nxy\r\n");
  assert.is(read("request", bytes, [bytes.length]).fault, BAD_BODY);
});

test("trailers are forgotten with their body", () => {
  const body = new Body();
  const bytes = Buffer.from("0\r\nA: b\r\n\r\n");
  body.start(BY_CHUNKS, -1, true);
  body.keepTrailers(NOMINATED);
  assert.is(body.next(bytes, 0, bytes.length), ENDED);
  assert.ok(body.trailers() !== null);
  body.start(BY_CHUNKS, -1, true);
  assert.is(body.next(bytes, 0, bytes.length), ENDED);
  assert.is(body.trailers(), null, "nor are they wanted again");
});

test.run();
