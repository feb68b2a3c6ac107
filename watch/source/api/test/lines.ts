import { suite } from "uvu";
import * as assert from "uvu/assert";
import { LINE_MAX, Lines } from "../lines.ts";

const test = suite("lines");

const TEXT = '{"a":1}\n\n{"b":"žluťoučký 🧀"}\r\nhalf ž';
const WHOLE = ['{"a":1}', '{"b":"žluťoučký 🧀"}\r'];

test("the borders of chunks are nowhere to be seen", () => {
  const bytes = new TextEncoder().encode(TEXT);
  for (let size = 1; size <= bytes.length; size++) {
    const told: string[] = [];
    const lines = new Lines((line) => told.push(line));
    for (let at = 0; at < bytes.length; at += size) {
      assert.ok(lines.take(bytes.slice(at, at + size)));
    }
    assert.equal(told, WHOLE, `chunks of ${size}`);
  }
});

test("a line may be as long as LINE_MAX, in one chunk or in many, and no longer", () => {
  for (const chunk of [LINE_MAX + 1, 1_000_000]) {
    for (const [length, fits] of [
      [LINE_MAX, true],
      [LINE_MAX + 1, false],
    ] as const) {
      const bytes = new Uint8Array(length + 1).fill(0x61);
      bytes[length] = 0x0a;
      let told = 0;
      const lines = new Lines((line) => (told = line.length));
      let good = true;
      for (let at = 0; at < bytes.length && good; at += chunk) {
        good = lines.take(bytes.subarray(at, at + chunk));
      }
      assert.is(good, fits);
      assert.is(told, fits ? length : 0);
    }
  }
});

test.run();
