/** Request heads: every rule of the table, whole and cut in every way. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { BAD_PATH, FAULTS, HEAD_TOO_LARGE, MORE, OK } from "../../fault.ts";
import { ASTERISK, FIELD, Head, NAME_END, NAME_START, VALUE_END, VALUE_START } from "../../head.ts";
import { limitsOf, type Limits } from "../../limits.ts";
import { canonicalPath } from "../../route/path.ts";
import { headLimitsOf } from "../fields.ts";
import { parseRequest } from "../request.ts";
import { cutsOf, seeded, seedOfRun } from "./cuts.cases.ts";
import { HTTPS_CASES, REQUEST_CASES, type Facts, type RequestCase } from "./request.cases.ts";

/** What lies in a buffer behind the bytes that were read: none of it may be looked at. */
const LEFTOVERS = ["\0", "\r\n\r\n", ": ", "0"];

const START = "GET / HTTP/1.1\r\nHost: a\r\n";

/** A header line of so many bytes. */
function lineOf(size: number): string {
  return `A: ${"v".repeat(size - 5)}\r\n`;
}

/** Header lines that make a head of so many bytes. */
function linesOf(size: number): string {
  const left = size - START.length - 2;
  const whole = Math.floor(left / 10_000) - 1;
  return lineOf(10_000).repeat(whole) + lineOf(left - whole * 10_000);
}

type Outcome = Readonly<{ fault: number; facts: Required<Facts> | null; at: number }>;

const seed = seedOfRun();
console.log(`seed ${seed} (RIND_SEED=${seed} runs it again)`);
const random = seeded(seed);

for (const [name, bytes, expected] of [...REQUEST_CASES, ...HTTPS_CASES]) {
  test(name, () => {
    const whole = feed(bytes, [bytes.length], "\0", 0);
    expectOutcome(whole, expected, bytes);
    for (const leftover of LEFTOVERS) {
      const ends = [bytes.length];
      assert.equal(feed(bytes, ends, leftover, 7), whole, `leftover ${JSON.stringify(leftover)}`);
    }
    for (const ends of cutsOf(bytes.length, random)) {
      const cut = feed(bytes, ends, LEFTOVERS[random(LEFTOVERS.length)]!, 0);
      assert.equal(cut, whole, `read up to ${ends.slice(0, 12).join(", ")}`);
    }
  });
}

test("an unfinished head is unfinished at every byte of it", () => {
  const bytes = "POST /a?b HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n";
  for (let end = 0; end < bytes.length; end++) {
    assert.is(feed(bytes, [end], "\0", 0).fault, MORE, `${end} bytes`);
  }
});

/** Rows: limits, header bytes that fit them exactly, and those that do not. */
const LIMITS: readonly (readonly [Partial<Limits>, string, string])[] = [
  [{}, lineOf(16_384), lineOf(16_385)],
  [{}, "A: b\r\n".repeat(127), "A: b\r\n".repeat(128)],
  [{}, linesOf(65_536), linesOf(65_537)],
  [{ headLineBytes: 1_024 }, lineOf(1_024), lineOf(1_025)],
  [{ headLineBytes: 131_072, headBytes: 131_072 }, lineOf(131_045), lineOf(131_046)],
  [{ headLines: 16 }, "A: b\r\n".repeat(15), "A: b\r\n".repeat(16)],
  [{ headLines: 256 }, "A: b\r\n".repeat(255), "A: b\r\n".repeat(256)],
  [{ headBytes: 16_384 }, linesOf(16_384), linesOf(16_385)],
  [{ headBytes: 131_072 }, linesOf(131_072), linesOf(131_073)],
];

for (const [given, fits, tooMuch] of LIMITS) {
  test(`2.4 limits: ${JSON.stringify(given)}`, () => {
    const limits = headLimitsOf(limitsOf(given));
    for (const [fields, expected] of [
      [fits, OK],
      [tooMuch, HEAD_TOO_LARGE],
    ] as const) {
      const bytes = Buffer.from(START + fields + "\r\n", "latin1");
      const head = new Head();
      head.reset(bytes, 0);
      assert.is(parseRequest(head, bytes.length, limits), expected, `${fields.length} bytes`);
      // Read in halves: a limit is a limit of the bytes, wherever they were cut.
      head.reset(bytes, 0);
      const half = parseRequest(head, bytes.length >> 1, limits);
      const whole = half === MORE ? parseRequest(head, bytes.length, limits) : half;
      assert.is(whole, expected, `${fields.length} bytes in halves`);
    }
  });
}

test("a head that was used is as good as a new one", () => {
  const head = new Head();
  for (let round = 0; round < 400; round++) {
    const [name, bytes, expected] = REQUEST_CASES[random(REQUEST_CASES.length)]!;
    const buffer = Buffer.from(bytes, "latin1");
    head.reset(buffer, 0);
    expectOutcome(outcome(head, parseRequest(head, buffer.length), buffer, 0), expected, name);
  }
});

/** Parses `bytes` as if they came in several reads into one buffer, from `start` on. */
function feed(bytes: string, ends: readonly number[], leftover: string, start: number): Outcome {
  const buffer = Buffer.alloc(start + bytes.length + 16, leftover, "latin1");
  const source = Buffer.from(bytes, "latin1");
  const head = new Head();
  head.reset(buffer, start);
  let from = 0;
  let fault = MORE;
  for (const end of ends) {
    source.copy(buffer, start + from, from, end);
    from = end;
    fault = parseRequest(head, start + end);
    if (fault !== MORE && fault !== OK) break;
    if (fault === OK) {
      // The rest arrives as well, as a body would.
      source.copy(buffer, start + from, from);
      break;
    }
  }
  return outcome(head, fault, buffer.subarray(0, start + bytes.length), start);
}

function outcome(head: Head, parsed: number, buffer: Buffer, start: number): Outcome {
  // The path has rules of its own, in core/route: the two are one verdict for a client.
  const asterisk = (head.flags & ASTERISK) !== 0;
  const fault = parsed === OK && !asterisk && !canonicalPath(head) ? BAD_PATH : parsed;
  if (fault !== OK) return { fault, facts: null, at: 0 };
  const text = (from: number, to: number): string => buffer.toString("latin1", from, to);
  const fields: string[] = [];
  for (let i = 0; i < head.count; i++) {
    const at = i * FIELD;
    const name = text(head.fields[at + NAME_START]!, head.fields[at + NAME_END]!);
    fields.push(`${name}: ${text(head.fields[at + VALUE_START]!, head.fields[at + VALUE_END]!)}`);
  }
  const facts = {
    method: text(head.methodStart, head.methodEnd),
    path: head.path.toString("latin1", head.pathStart, head.pathEnd),
    query: head.queryStart < 0 ? null : text(head.queryStart, head.queryEnd),
    host: text(head.hostStart, head.hostEnd),
    minor: head.minor,
    length: head.length,
    chunked: head.chunked,
    fields,
    rest: text(head.end, buffer.length),
  };
  return { fault, facts, at: head.end - start };
}

function expectOutcome(got: Outcome, expected: RequestCase[2], what: string): void {
  if (typeof expected === "number" || Array.isArray(expected)) {
    const statuses: readonly number[] = typeof expected === "number" ? [expected] : expected;
    const status = got.fault === OK ? 200 : got.fault === MORE ? 0 : FAULTS[got.fault]!.status;
    const shown = `${status}, not ${statuses.join(" or ")}: ${JSON.stringify(what.slice(0, 200))}`;
    assert.ok(statuses.includes(status), shown);
    return;
  }
  const shown = got.fault === MORE ? "unfinished" : (FAULTS[got.fault]?.name ?? "");
  assert.ok(got.facts !== null, `refused (${shown}): ${JSON.stringify(what.slice(0, 200))}`);
  for (const [fact, value] of Object.entries(expected)) {
    assert.equal(got.facts[fact as keyof Facts], value, fact);
  }
}

test.run();
