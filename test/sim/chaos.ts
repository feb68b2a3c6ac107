/**
 * Several faults in one run, drawn at random: what one fault leaves behind meets the next. A seed
 * that failed is run again by `RIND_SEED=seed RIND_RUNS=1`.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Random } from "../../core/random.ts";
import { judge, summary } from "./judge.ts";
import { CHANGES, type Change } from "./changes.cases.ts";
import type { Cut } from "./network.ts";
import { failingSome } from "./plan.ts";
import { run, type Run, type RunOptions } from "./run.ts";
import { SCRIPTS } from "./scripts.ts";
import type { Script } from "./steps.ts";

const SEED = Number(process.env["RIND_SEED"] ?? 1);
const RUNS = Number(process.env["RIND_RUNS"] ?? 1_500);
/** Failures told. */
const TOLD_MAX = 8;

const normals = new Map<string, Run>();

test(`${RUNS} runs from seed ${SEED}, with some faults each`, () => {
  const told: string[] = [];
  for (let seed = SEED; seed < SEED + RUNS; seed++) {
    told.push(...runSeed(seed).map((what) => `RIND_SEED=${seed} RIND_RUNS=1: ${what}`));
  }
  const more = told.length > TOLD_MAX ? `\n… ${told.length} in all` : "";
  assert.is(told.length, 0, told.slice(0, TOLD_MAX).join("\n") + more);
});

test("a seed gives the same run again, operation by operation", () => {
  for (let seed = SEED; seed < SEED + Math.min(RUNS, 50); seed++) {
    assert.equal(traceOf(draw(seed)), traceOf(draw(seed)), `RIND_SEED=${seed}`);
  }
});

/** What a seed stands for. */
type Draw = Readonly<{ script: Script; normal: Run; options: RunOptions; change: Change | null }>;

function draw(seed: number): Draw {
  // Neighbouring seeds begin alike.
  const random = new Random(Math.imul(seed, 0x9e3779b1));
  for (let i = 0; i < 4; i++) random.below(2);
  const script = SCRIPTS[random.below(SCRIPTS.length)]!;
  const normal = normals.get(script.name) ?? run(script);
  normals.set(script.name, normal);
  const { length } = normal.plan.operations;
  const count = 1 + random.below(4);
  // Long streams in tiny pieces take too long.
  const size = 1 + random.below(200) + (script.rooms === undefined ? 0 : 300);
  const pieces: Cut = (_side, _at, length) => Math.min(size, length);
  const cut = random.below(4) === 0 ? pieces : null;
  const change = CHANGES[random.below(CHANGES.length + 1)] ?? null;
  const event = change === null ? null : { at: random.below(length), happen: change.happen };
  const throughout = random.below(2) === 0;
  const choose = failingSome(random, count, length);
  return { script, normal, options: { choose, seed, cut, event, throughout }, change };
}

function runSeed(seed: number): string[] {
  const { script, normal, options, change } = draw(seed);
  try {
    const one = run(script, options);
    const faults = one.plan.faults.join();
    const findings = judge(one, normal, change?.noticed);
    return findings.map((what) => `${script.name}, ${faults}, ${change?.name}: ${what}`);
  } catch (error) {
    return [`${script.name}: ${error instanceof Error ? error.stack : String(error)}`];
  }
}

function traceOf({ script, options }: Draw): string[] {
  const { plan, clients } = run(script, options);
  const operations = plan.operations.map(({ kind, side, index }) => `${side} ${index} ${kind}`);
  return [...operations, ...plan.faults, ...clients.map(({ seen }) => summary(seen))];
}

test.run();
