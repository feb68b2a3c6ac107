import { test } from "uvu";
import * as assert from "uvu/assert";
import { fakeClock } from "../../core/clock.ts";
import { Bugs } from "../bugs.ts";

function stage() {
  const clock = fakeClock();
  const lines: string[] = [];
  const bugs = new Bugs(clock, (level, _message, fields) => {
    lines.push(`${level} ${fields?.["times"]} ${String(fields?.["stack"]).split("\n")[0]}`);
  });
  return { clock, lines, bugs };
}

test("a bug is counted each time and logged once a minute", () => {
  const { clock, lines, bugs } = stage();
  const error = new Error("x is undefined");
  for (let i = 0; i < 100; i++) bugs.tell(error);
  clock.advance(60_000);
  bugs.tell(error);
  assert.is(bugs.count, 101);
  assert.equal(lines, ["error 1 Error: x is undefined", "error 101 Error: x is undefined"]);
});

test("another bug is another line, and what is thrown need not be an error", () => {
  const { lines, bugs } = stage();
  bugs.tell(new Error("one"));
  bugs.tell("two");
  bugs.tell(undefined);
  assert.equal(lines, ["error 1 Error: one", "error 2 two", "error 3 undefined"]);
});

test("who throws ever new errors does not fill the memory", () => {
  const { lines, bugs } = stage();
  for (let i = 0; i < 1_000; i++) bugs.tell(`number ${i}`);
  assert.is(bugs.count, 1_000);
  assert.is(lines.length, 101);
});

test("what nobody catches is heard of, and the process goes on", async () => {
  const program = `
    import { containBugs } from "${import.meta.dir}/../bugs.ts";
    const count = containBugs();
    setTimeout(() => { throw new Error("thrown"); });
    setTimeout(() => void Promise.reject(new Error("rejected")));
    const look = setInterval(() => {
      if (count() < 2) return;
      console.log("alive");
      clearInterval(look);
    });
  `;
  const command = [process.execPath, "-e", program];
  const child = Bun.spawn(command, { stdout: "pipe", stderr: "pipe" });
  const told = await new Response(child.stderr).text();
  assert.is(await new Response(child.stdout).text(), "alive\n");
  assert.is(await child.exited, 0);
  assert.match(told, /Error: thrown/);
  assert.match(told, /Error: rejected/);
});

test.run();
