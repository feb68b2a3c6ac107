/** A limit at its end is told, and a flood of it is not a flood of lines. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { CLIENT_FULL, ENDPOINT_FULL } from "../fault.ts";
import { Notices } from "../notice.ts";
import { TICK_MS, Timers } from "../timers.ts";

/** What `body` writes to stderr, line by line. */
async function linesOf(script: string): Promise<string[]> {
  const child = Bun.spawn([process.execPath, "-e", script], {
    stderr: "pipe",
    cwd: import.meta.dir,
  });
  const text = await new Response(child.stderr).text();
  assert.is(await child.exited, 0, text);
  return text.split("\n").filter((line) => line !== "");
}

test("one line in ten seconds for each fault, with the limit's name", async () => {
  const lines = await linesOf(`
    import { Notices } from "../notice.ts";
    import { Timers } from "../timers.ts";
    const timers = new Timers();
    const notices = new Notices(timers);
    for (let i = 0; i < ${30_000 / TICK_MS}; i++) {
      notices.tell(${ENDPOINT_FULL}, { limit: "pending" });
      if (i === 0) notices.tell(${CLIENT_FULL}, { limit: "connections-per-client" });
      timers.tick();
    }
  `);
  const count = (name: string): number => lines.filter((line) => line.includes(name)).length;
  assert.is(count("endpointFull limit=pending"), 3);
  assert.is(count("clientFull limit=connections-per-client"), 1);
  assert.is(lines.length, 4);
});

test("telling never fails", () => {
  const notices = new Notices(new Timers());
  assert.not.throws(() => notices.tell(ENDPOINT_FULL, {}));
});

test.run();
