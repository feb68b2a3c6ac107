/** Heads in pieces, of any size. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { MORE, OK } from "../../fault.ts";
import { Partial } from "../partial.ts";
import { parseRequest, requestLineMax } from "../request.ts";

const HEAD = "POST /path?query HTTP/1.1\r\nHost: a.example\r\nContent-Length: 100000\r\n\r\n";

test("whatever comes with the rest of a head, the head is read from where it lies now", () => {
  for (const behind of [0, 100, 4_000, 5_000, 100_000]) {
    for (let cut = 1; cut < HEAD.length; cut++) {
      const partial = new Partial(Buffer.from(HEAD.slice(0, cut), "latin1"), 0, cut);
      const { head } = partial;
      assert.is(parseRequest(head, partial.end), MORE);
      const rest = Buffer.from(HEAD.slice(cut) + "x".repeat(behind), "latin1");
      assert.ok(partial.more(rest, requestLineMax(head)));
      assert.is(parseRequest(head, partial.end), OK);
      const where = `cut at ${cut}, ${behind} bytes behind`;
      assert.is(head.path.toString("latin1", head.pathStart, head.pathEnd), "/path", where);
      assert.is(head.bytes.toString("latin1", head.hostStart, head.hostEnd), "a.example", where);
      assert.is(partial.end - head.end, behind, where);
    }
  }
});

test.run();
