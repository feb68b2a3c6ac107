/** The lesson, end to end: `rind demo` in processes of its own, on the examples as they are. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { startRind, until } from "./program.ts";
import type { Answer, Program } from "./program.ts";

const EXAMPLES = join(import.meta.dir, "../../k8s/examples");
const CHEESES = ["cheddar", "stilton", "wensleydale"];
const PLATE = "cheeseplate.127.0.0.1.nip.io";

const demo = suite("demo");
let folder = "";
let rind: Program;

demo.before(async () => {
  folder = mkdtempSync(join(tmpdir(), "rind-e2e-"));
  cpSync(EXAMPLES, folder, { recursive: true });
  rind = await startRind(["demo", "--workers", "2", "--manifests", folder]);
});

demo.after(async () => {
  const code = await rind.stop();
  rmSync(folder, { recursive: true });
  assert.is(code, 0);
});

function hostOf(name: string): string {
  return `${name}.127.0.0.1.nip.io`;
}

/** The cheese on a page, or what was there instead. */
function cheeseOf({ status, body }: Answer): string {
  const title = /<title>(\w+)<\/title>/.exec(body)?.[1] ?? body;
  return status === 200 ? title.toLowerCase() : `${status} ${title}`;
}

function countOf(served: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const cheese of served) counts[cheese] = (counts[cheese] ?? 0) + 1;
  return counts;
}

for (const cheese of CHEESES) {
  demo(`${cheese} answers under its own host`, async () => {
    const answer = await rind.get(hostOf(cheese));
    assert.is(cheeseOf(answer), cheese);
    assert.match(answer.body, "<svg");
    assert.match(answer.body, hostOf(cheese));
  });
}

demo("an unknown host is 404 in so many words", async () => {
  const answer = await rind.get(hostOf("nobody"));
  assert.is(answer.status, 404);
  assert.is(answer.body, "404 page not found\n");
  assert.match(answer.head, /^content-type: text\/plain/im);
});

demo("any four in a row from the cheeseplate are 2/1/1, over workers and connections", async () => {
  const served: string[] = [];
  for (let i = 0; i < 100; i++) served.push(cheeseOf(await rind.get(PLATE)));
  assert.equal(countOf(served), { cheddar: 50, wensleydale: 25, stilton: 25 });
  for (let i = 0; i + 4 <= served.length; i++) {
    assert.equal(countOf(served.slice(i, i + 4)), { cheddar: 2, wensleydale: 1, stilton: 1 });
  }
});

demo("a hundred at once are 50/25/25 too", async () => {
  const answers = await Promise.all(Array.from({ length: 100 }, () => rind.get(PLATE)));
  assert.equal(countOf(answers.map(cheeseOf)), { cheddar: 50, wensleydale: 25, stilton: 25 });
});

demo("the misspelled manifest is a finding with the likely name; its siblings serve", async () => {
  assert.match(rind.output(), /no Service "wensledale".*did you mean wensleydale\?/);
  const served = await Promise.all(Array.from({ length: 4 }, () => rind.get(hostOf("misspelled"))));
  const counts = countOf(
    served.map((answer) => (answer.status === 503 ? "503" : cheeseOf(answer))),
  );
  assert.equal(counts, { cheddar: 2, stilton: 1, 503: 1 });
});

demo("editing a manifest moves traffic under load and no request fails", async () => {
  const { version } = await rind.readiness();
  const served: string[] = [];
  let running = true;
  const client = async (): Promise<void> => {
    while (running) served.push(cheeseOf(await rind.get(hostOf("cheddar"))));
  };
  const clients = Array.from({ length: 8 }, client);
  await until("the load runs", () => served.length > 50);
  const file = join(folder, "cheeses.yaml");
  const before = readFileSync(file, "utf8");
  const moved = before.replace(/(service:\s+name: )cheddar\b/, "$1stilton");
  assert.is.not(moved, before);
  writeFileSync(file, moved);
  await until("stilton is served", () => served.includes("stilton"));
  await until("every worker has it", async () => (await rind.readiness()).version > version);
  const settled = served.length;
  await until("the load went on", () => served.length > settled + 100);
  running = false;
  await Promise.all(clients);
  // What was asked before the last worker had the model may still be on its way: 8 at most.
  assert.equal(countOf(served.slice(settled + 8)), { stilton: served.length - settled - 8 });
  assert.equal(Object.keys(countOf(served)).sort(), ["cheddar", "stilton"]);
});

demo("a worker that is killed comes back, and the others serve meanwhile", async () => {
  const before = await rind.readiness();
  const victim = before.workers[0]!.pid;
  process.kill(victim, "SIGKILL");
  await until("another worker took its place", async () => {
    const { ready, workers, version } = await rind.readiness();
    const whole = workers.every((worker) => worker.serving && worker.version === version);
    return ready && whole && workers.every((worker) => worker.pid !== victim);
  });
  const after = await rind.readiness();
  assert.is(after.version, before.version);
  assert.is(after.workers[1]!.pid, before.workers[1]!.pid);
  for (let i = 0; i < 20; i++) assert.is(cheeseOf(await rind.get(hostOf("stilton"))), "stilton");
});

demo.run();
