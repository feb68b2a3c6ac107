/** Response heads: every rule of the table, whole and cut in every way. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { BAD_RESPONSE, MORE, OK } from "../../fault.ts";
import { FIELD, Head, NAME_END, NAME_START, VALUE_END, VALUE_START } from "../../head.ts";
import { isKept, parseResponse } from "../response.ts";
import { cutsOf, seeded, seedOfRun } from "./cuts.cases.ts";
import { RESPONSE_CASES, type ResponseFacts } from "./response.cases.ts";

type Outcome = Readonly<{ fault: number; facts: Required<ResponseFacts> | null }>;

const seed = seedOfRun();
console.log(`seed ${seed} (RIND_SEED=${seed} runs it again)`);
const random = seeded(seed);

for (const [name, bytes, expected] of RESPONSE_CASES) {
  test(name, () => {
    const whole = feed(bytes, [bytes.length], "\0");
    if (expected === false) {
      assert.is(whole.fault, BAD_RESPONSE);
    } else {
      assert.ok(whole.facts !== null, `refused with ${whole.fault}`);
      for (const [fact, value] of Object.entries(expected)) {
        assert.equal(whole.facts[fact as keyof ResponseFacts], value, fact);
      }
    }
    assert.equal(feed(bytes, [bytes.length], "\r\n"), whole, "leftovers behind the bytes");
    for (const ends of cutsOf(bytes.length, random)) {
      assert.equal(feed(bytes, ends, "\r\n"), whole, `read up to ${ends.slice(0, 12).join(", ")}`);
    }
  });
}

test("an unfinished head is unfinished at every byte of it", () => {
  const bytes = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nA: b\r\n\r\n";
  for (let end = 0; end < bytes.length; end++) {
    assert.is(feed(bytes, [end], "\0").fault, MORE, `${end} bytes`);
  }
});

/** Parses `bytes` as if they came in several reads into one buffer. */
function feed(bytes: string, ends: readonly number[], leftover: string): Outcome {
  const source = Buffer.from(bytes, "latin1");
  const buffer = Buffer.alloc(bytes.length + 16, leftover, "latin1");
  const head = new Head();
  head.reset(buffer, 0);
  let from = 0;
  let fault = MORE;
  for (const end of ends) {
    source.copy(buffer, from, from, end);
    from = end;
    fault = parseResponse(head, end);
    if (fault !== MORE) break;
  }
  if (fault !== OK) return { fault, facts: null };
  const text = (start: number, end: number): string => source.toString("latin1", start, end);
  const fields: string[] = [];
  for (let i = 0; i < head.count; i++) {
    const at = i * FIELD;
    const name = text(head.fields[at + NAME_START]!, head.fields[at + NAME_END]!);
    fields.push(`${name}: ${text(head.fields[at + VALUE_START]!, head.fields[at + VALUE_END]!)}`);
  }
  const { status, minor, length, chunked } = head;
  const rest = text(head.end, bytes.length);
  const keepAlive = head.keepAliveSeconds;
  const kept = isKept(head);
  return { fault, facts: { status, minor, length, chunked, keepAlive, kept, fields, rest } };
}

test.run();
