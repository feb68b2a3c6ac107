/**
 * Every script once without a fault; then again for every operation of it and every way in which
 * that operation can fail. `RIND_SIM=script:n:way` runs one of them alone, and says what was seen.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { judge, summary } from "./judge.ts";
import { failing, waysOf, type Fault } from "./plan.ts";
import { run, type Run } from "./run.ts";
import { SCRIPTS } from "./scripts.ts";
import type { Script } from "./steps.ts";

/** Failures told of one script. */
const TOLD_MAX = 8;

const alone = process.env["RIND_SIM"]?.split(":");

for (const script of SCRIPTS) {
  if (alone !== undefined && alone[0] !== script.name) continue;
  test(`${script.name}: whatever fails, one answer and no leak`, () => {
    const normal = run(script);
    assert.equal(judgeNormal(normal), [], "without a fault");
    if (alone !== undefined) return runAlone(script, normal);
    const told: string[] = [];
    normal.plan.operations.forEach((operation, n) => {
      for (const way of waysOf(operation)) {
        const name = `RIND_SIM=${script.name}:${n}:${way} (${operation.side} ${operation.kind})`;
        told.push(...runOne(script, normal, new Map([[n, way]])).map((what) => `${name}: ${what}`));
      }
    });
    const more = told.length > TOLD_MAX ? `\n… ${told.length} in all` : "";
    assert.is(told.length, 0, told.slice(0, TOLD_MAX).join("\n") + more);
  });
}

function runOne(script: Script, normal: Run, faults: ReadonlyMap<number, Fault>): string[] {
  try {
    return judge(run(script, { choose: failing(faults) }), normal);
  } catch (error) {
    return [error instanceof Error ? (error.stack ?? error.message) : String(error)];
  }
}

/** Without a fault every answer is the right one. */
function judgeNormal(normal: Run): string[] {
  const findings = judge(normal, normal);
  const { connections } = normal.script;
  const count = normal.requests.length;
  if (connections !== undefined && count !== connections) findings.push(`${count} connections`);
  normal.clients.forEach(({ asks, seen }, i) => {
    asks.forEach(({ status, body }, k) => {
      const { first = "nothing", body: got } = seen.messages[k] ?? {};
      if (first.startsWith(`HTTP/1.1 ${status} `) && got?.toString("latin1") === body) return;
      if (normal.script.crowded === true && first.startsWith("HTTP/1.1 503 ")) return;
      findings.push(`client ${i}, answer ${k}: ${first} ${got?.toString("latin1", 0, 60)}`);
    });
    const whole = normal.script.tunnel?.toClient;
    if (seen.tunnel && seen.rest.toString("latin1") !== whole) findings.push(`${seen.rest}`);
  });
  return findings;
}

function runAlone(script: Script, normal: Run): void {
  const [, n = "0", way = "reset"] = alone!;
  const faults = new Map([[Number(n), way as Fault]]);
  const one = run(script, { choose: failing(faults) });
  for (const [i, { remote, seen }] of one.clients.entries()) {
    console.log(`client ${i}, ${remote.ending}: ${summary(seen)}`);
    console.log(JSON.stringify(remote.received.toString("latin1", 0, 1_000)));
  }
  for (const [i, seen] of one.requests.entries()) console.log(`backend ${i}: ${summary(seen)}`);
  console.log(one.plan.operations.map(({ side, kind }, at) => `${at} ${side} ${kind}`).join("\n"));
  assert.equal(judge(one, normal), []);
}

test.run();
