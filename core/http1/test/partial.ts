/** Heads that arrive in pieces and outgrow the buffer they began in. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { MORE, OK } from "../../fault.ts";
import { FIELD, NAME_START, VALUE_END } from "../../head.ts";
import { Partial } from "../partial.ts";
import { parseRequest, requestLineMax } from "../request.ts";

const PATH = `/${"p".repeat(7_000)}`;
const FIELDS = `A: ${"v".repeat(9_000)}\r\nB: ${"w".repeat(9_000)}\r\n`;
const BYTES = `GET ${PATH}?q HTTP/1.1\r\nHost: a\r\n${FIELDS}\r\nrest`;

for (const ends of [
  [10, 30_000],
  [4_090, 4_100, 30_000],
  [5_000, 7_100, 12_000, 30_000],
  [7_030, 17_000, 30_000],
  Array.from({ length: 60 }, (_, i) => (i + 1) * 500),
]) {
  test(`pieces up to ${ends.slice(0, 4).join(", ")}`, () => {
    const first = Math.min(ends[0]!, BYTES.length);
    const partial = new Partial(Buffer.from(BYTES), 0, first);
    let result = parseRequest(partial.head, first);
    let at = first;
    for (const end of ends.slice(1)) {
      if (result !== MORE) break;
      const piece = Buffer.from(BYTES.slice(at, end));
      at = end;
      if (partial.more(piece, requestLineMax(partial.head))) {
        result = parseRequest(partial.head, partial.end);
      }
    }
    const { head } = partial;
    assert.is(result, OK);
    assert.is(head.path.toString("latin1", head.pathStart, head.pathEnd), PATH);
    const last = (head.count - 1) * FIELD;
    const from = head.fields[FIELD + NAME_START]!;
    const to = head.fields[last + VALUE_END]!;
    assert.is(head.bytes.toString("latin1", from, to), FIELDS.slice(0, -2));
  });
}

test.run();
