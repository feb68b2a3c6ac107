/**
 * `npm run fuzz -- --minutes 10 [--seed N]`: mutated requests and responses through a plane, with
 * Node's own parser as the judge. It prints its seed first and a report last, stops by itself, and
 * talks to loopback only. Ends with 1 when an invariant failed, 2 when it cannot run.
 */
import { parseArgs } from "node:util";
import { fuzz, type Direction } from "./fuzz/run.ts";

const USAGE =
  "usage: npm run fuzz -- [--minutes M] [--cases N] [--seed N] [--from N] " +
  "[--only requests|responses]";
const MINUTES_MAX = 600;
const CASES_MAX = 2 ** 30;
const DIRECTIONS: readonly Direction[] = ["requests", "responses"];

/** `cases` are of each direction. */
type Asked = Readonly<{
  minutes: number;
  cases: number;
  seed: number;
  from: number;
  directions: readonly Direction[];
}>;

process.exit(await main(process.argv.slice(2)));

async function main(args: readonly string[]): Promise<number> {
  const asked = parse(args);
  if (typeof asked === "string") {
    process.stderr.write(`fuzz: ${asked}\n${USAGE}\n`);
    return 2;
  }
  const say = (line: string): void => void process.stdout.write(`${line}\n`);
  say(`seed ${asked.seed}`);
  if (Bun.which("node") === null) {
    process.stderr.write("fuzz: node is not in PATH; its HTTP parser is the judge of this run\n");
    return 2;
  }
  let stopped = false;
  process.once("SIGINT", () => (stopped = true));
  process.once("SIGTERM", () => (stopped = true));
  const failures = await fuzz({
    ...asked,
    ms: asked.minutes * 60_000,
    say,
    stopped: () => stopped,
  });
  return failures.length > 0 ? 1 : 0;
}

/** What was asked for, or what is wrong with it. */
function parse(args: readonly string[]): Asked | string {
  const text = { type: "string" } as const;
  const options = { minutes: text, cases: text, seed: text, from: text, only: text };
  try {
    const { values } = parseArgs({ args: [...args], options });
    const minutes = numberIn(values.minutes, 1, MINUTES_MAX);
    const cases = numberIn(values.cases, CASES_MAX, CASES_MAX);
    const seed = numberIn(values.seed, 1 + (Date.now() % 1_000_000), 2 ** 31);
    const from = numberIn(values.from, 0, CASES_MAX);
    const directions = DIRECTIONS.filter((name) => (values.only ?? name) === name);
    if (directions.length === 0) return `--only ${values.only}: no such direction`;
    return { minutes, cases, seed, from, directions };
  } catch (error) {
    return (error as Error).message;
  }
}

function numberIn(given: string | undefined, otherwise: number, max: number): number {
  if (given === undefined) return otherwise;
  const number = Number(given);
  if (given === "" || !(number >= 0 && number <= max)) {
    throw new Error(`${given}: expected a number of 0 to ${max}`);
  }
  return number;
}
