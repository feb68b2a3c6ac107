import { closeSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { mapCursors, openCursors } from "../cursors.ts";

/** What a worker does, without the rest of it. */
const CHILD = `
import { mapCursors } from ${JSON.stringify(join(import.meta.dir, "../cursors.ts"))};
const mapped = mapCursors();
if (!mapped.ok) throw new Error(mapped.reason);
for (let i = 0; i < 10_000; i++) Atomics.add(mapped.cursors, 7, 1);
`;

/** A process in whose folder there is room for a part of the file. */
const CRAMPED = `
import { openCursors } from ${JSON.stringify(join(import.meta.dir, "../cursors.ts"))};
console.log(openCursors([${JSON.stringify(tmpdir())}]).ok);
`;

test("a file that there is room for only in part is none", async () => {
  const limited = `ulimit -f 100; exec "$0" -e "$1"`;
  const child = Bun.spawn(["sh", "-c", limited, process.execPath, CRAMPED]);
  assert.is(await new Response(child.stdout).text(), "false\n");
});

test("processes that inherit the file share its counters; the file has no name", async () => {
  const folder = mkdtempSync(join(tmpdir(), "rind-test-"));
  const opened = openCursors([folder]);
  assert.ok(opened.ok, opened.ok ? "" : opened.reason);
  if (!opened.ok) return;
  assert.equal(readdirSync(folder), []);
  const children = [1, 2, 3].map(() =>
    Bun.spawn([process.execPath, "-e", CHILD], {
      stdio: ["ignore", "inherit", "inherit", opened.fd],
    }),
  );
  const codes = await Promise.all(children.map((child) => child.exited));
  assert.equal(codes, [0, 0, 0]);
  const mapped = mapCursors(`/proc/self/fd/${opened.fd}`);
  assert.ok(mapped.ok);
  if (mapped.ok) {
    assert.is(mapped.cursors.length, 65_536);
    assert.is(Atomics.load(mapped.cursors, 7), 30_000);
    assert.is(Atomics.load(mapped.cursors, 8), 0);
  }
  closeSync(opened.fd);
  rmSync(folder, { recursive: true });
});

test("a folder that cannot be written is passed over; none is a reason, not an exception", () => {
  const missing = join(tmpdir(), "rind-test-is-not-there");
  const opened = openCursors([missing]);
  assert.not.ok(opened.ok);
  const second = openCursors([missing, tmpdir()]);
  assert.ok(second.ok);
  if (second.ok) closeSync(second.fd);
  assert.not.ok(mapCursors(join(missing, "x")).ok);
});

test.run();
