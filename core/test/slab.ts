/** The slab: bytes of two connections never lie side by side, even when one of them is a bug. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Output } from "../output.ts";
import { Slab } from "../slab.ts";

/** An output, and what its socket was given. */
function outputOn(slab: Slab): { out: Output; written: string[] } {
  const written: string[] = [];
  const sink = {
    write(bytes: Uint8Array, from: number, length: number): number {
      written.push(Buffer.from(bytes).toString("latin1", from, from + length));
      return length;
    },
    resume: () => {},
  };
  return { out: new Output(slab, sink), written };
}

test("what one connection left behind leaves by no other one, and blocks nobody", () => {
  const slab = new Slab();
  const one = outputOn(slab);
  const other = outputOn(slab);
  one.out.begin();
  slab.add(Buffer.from("secret"));
  assert.throws(() => other.out.flush(), /changes hands/);
  assert.equal(other.written, []);
  other.out.begin();
  slab.add(Buffer.from("own"));
  assert.ok(other.out.flush());
  assert.equal(other.written, ["own"]);
  assert.ok(one.out.flush());
  assert.equal(one.written, []);
});

test("a body is never laid behind the bytes of another connection", () => {
  const slab = new Slab();
  const one = outputOn(slab);
  const other = outputOn(slab);
  one.out.begin();
  slab.add(Buffer.from("secret"));
  assert.throws(() => other.out.body(Buffer.from("own"), 0, 3), /changes hands/);
  one.out.flush();
  assert.equal(one.written.join("") + other.written.join(""), "");
});

test.run();
